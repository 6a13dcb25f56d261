import { APICallError } from '@ai-sdk/provider'
import { errorMessage } from '../../lib/errors.ts'
import type { ModelFailureKind } from './port.ts'

export class ModelFailure extends Error {
  constructor(
    readonly kind: ModelFailureKind,
    message: string,
    readonly options: { cause?: unknown; status?: number | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'ModelFailure'
  }
}

/**
 * OpenAI: `insufficient_quota`, `billing_hard_limit_reached`; Anthropic: "credit balance is too low"; OpenRouter: "Insufficient
 * credits"; 402 Payment Required.
 */
const OUT_OF_CREDIT = /insufficient_quota|billing_|exceeded your current quota|credit balance|insufficient credits/i
/** OpenAI: `context_length_exceeded`; Anthropic: "prompt is too long"; Google: "input token count exceeds"; vLLM, Ollama. */
const TOO_LONG =
  /context_length_exceeded|maximum context length|prompt is too long|token count .{0,40}exceeds|exceeds? the (available )?context|context window/i
/** Google answers a wrong key with 400. */
const BAD_KEY = /invalid_api_key|API_KEY_INVALID|API key not valid|authentication_error|permission_error/i

/** Sorts what an adapter threw or streamed as an error. */
export function failureOf(error: unknown): ModelFailure {
  if (error instanceof ModelFailure) return error
  const { status, text, headers } = partsOf(error)
  const options = { cause: error, status, retryAfterMs: retryAfterOf(headers) ?? retryDelayOf(text) }
  const kind = kindOf(status, text)
  return new ModelFailure(kind, status ? `The model answered ${status}.` : `The model failed (${kind}).`, options)
}

function kindOf(status: number | undefined, text: string): ModelFailureKind {
  // Google has the same words for a limit by the minute and one that is used up; its details tell them apart.
  if (/RESOURCE_EXHAUSTED/.test(text) && !/PerDay/.test(text) && (/PerMinute/.test(text) || RETRY_DELAY.test(text)))
    return 'rate_limited'
  if (status === 402 || OUT_OF_CREDIT.test(text)) return 'quota'
  if (status === 401 || status === 403 || BAD_KEY.test(text)) return 'refused'
  if (TOO_LONG.test(text)) return 'too_long'
  if (status === 429 || /rate_limit|overloaded/i.test(text)) return 'rate_limited'
  if (status === undefined) return /ECONN|ENOTFOUND|connect|fetch failed|socket/i.test(text) ? 'unreachable' : 'broken'
  return status >= 400 && status < 500 && status !== 404 && status !== 408 ? 'invalid' : 'broken'
}

function partsOf(error: unknown): {
  status?: number | undefined
  text: string
  headers?: Record<string, string> | undefined
} {
  if (APICallError.isInstance(error)) {
    // A cause is the connection's: status 200 with it is an answer that was cut off or is none.
    const status = error.statusCode === 200 ? undefined : error.statusCode
    return {
      status,
      text: `${error.message} ${error.responseBody?.slice(0, 4_000) ?? ''} ${jsonOf(error.data)}`,
      headers: error.responseHeaders,
    }
  }
  if (!(error instanceof Error)) return { text: jsonOf(error) }
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : undefined
  const data = 'data' in error ? jsonOf(error.data) : ''
  return { status, text: `${errorMessage(error)} ${data} ${error.cause instanceof Error ? error.cause.message : ''}` }
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value)?.slice(0, 4_000) ?? ''
  } catch {
    return ''
  }
}

/** `google.rpc.RetryInfo` in the body. */
const RETRY_DELAY = /"retryDelay":\s*"(\d+(?:\.\d+)?)s"/

function retryDelayOf(text: string): number | undefined {
  const seconds = RETRY_DELAY.exec(text)?.[1]
  return seconds === undefined ? undefined : Number(seconds) * 1_000
}

/** `retry-after-ms` (OpenAI), else `retry-after` in seconds or as a date (RFC 9110, 10.2.3). */
function retryAfterOf(headers: Record<string, string> | undefined): number | undefined {
  const ms = Number(headers?.['retry-after-ms'])
  if (headers?.['retry-after-ms'] && Number.isFinite(ms)) return Math.max(0, ms)
  const after = headers?.['retry-after']
  if (!after) return undefined
  const seconds = Number(after)
  const wait = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(after) - Date.now()
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined
}
