import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { parseJsonObject } from '../../lib/json-object.ts'
import type { Circuit } from './circuit.ts'
import { collectAnswer } from './collect.ts'
import { estimatePrompt, estimateTokens } from './estimate.ts'
import { failureOf, ModelFailure } from './failure.ts'
import type { ModelFailureKind, ModelUse } from './port.ts'
import { portablePrompt, shortenPrompt } from './shorten.ts'

/** One model that can be asked. */
export type Candidate = {
  /** Such as `openai:gpt-5-mini`. */
  name: string
  circuit: Circuit
  /** False: the answer comes as a whole, since the connection reads whole bodies. */
  streams: boolean
  open(): Promise<LanguageModelV4>
}

export type FailoverOptions = {
  candidates: readonly Candidate[]
  /** Without a token for so long, the next model is asked. */
  firstTokenMs: number
  /** The whole answer of one model. */
  answerMs: number
  json: boolean
  onUse(use: ModelUse): void
  onEnd(model: string, failure: ModelFailure | null): void
}

const LONGEST_WAIT_MS = 5_000
/** Failures after which the vendor may have counted tokens without saying how many. */
const MAYBE_BILLED: readonly ModelFailureKind[] = ['slow', 'empty', 'broken']

/**
 * A model that asks several in order, anew for each step of a loop: what tools did stays in the prompt, so a step is all that a
 * second model repeats. Nothing of a failed answer is used. An answer that was filtered is an answer.
 */
export function createFailover(options: FailoverOptions): LanguageModelV4 {
  let author: string | null = null
  return {
    specificationVersion: 'v4',
    provider: 'failover',
    modelId: options.candidates.map(({ name }) => name).join(','),
    supportedUrls: {},
    async doGenerate(request) {
      let last = new ModelFailure('unreachable', 'Each model failed a moment ago, and is not asked now.')
      for (const [index, candidate] of options.candidates.entries()) {
        if (candidate.circuit.isOpen()) continue
        const own = author === null || author === candidate.name
        const prompt = own ? request.prompt : portablePrompt(request.prompt)
        try {
          const answer = await askAgain(
            candidate,
            { ...request, prompt },
            options,
            index === options.candidates.length - 1,
          )
          author = candidate.name
          return answer
        } catch (error) {
          // The caller's own abort is no failure of the model.
          if (request.abortSignal?.aborted) throw error
          last = failureOf(error)
        }
      }
      throw last
    },
    doStream() {
      throw new Error('This model answers as a whole.')
    },
  }
}

/** Asks one model: with a shorter history when that is too long, and once more after a short wait when there is no other. */
async function askAgain(
  candidate: Candidate,
  request: LanguageModelV4CallOptions,
  options: FailoverOptions,
  isLast: boolean,
): Promise<LanguageModelV4GenerateResult> {
  let waited = false
  for (let current = request; ; ) {
    try {
      return await askOnce(candidate, current, options)
    } catch (error) {
      if (request.abortSignal?.aborted || !(error instanceof ModelFailure)) throw error
      const shorter = error.kind === 'too_long' ? shortenPrompt(current.prompt) : null
      const wait = error.options.retryAfterMs ?? Number.POSITIVE_INFINITY
      if (shorter) current = { ...current, prompt: shorter }
      else if (error.kind === 'rate_limited' && isLast && !waited && wait <= LONGEST_WAIT_MS) {
        waited = true
        await sleepUnlessAborted(wait, request.abortSignal)
      } else throw error
    }
  }
}

async function askOnce(
  candidate: Candidate,
  request: LanguageModelV4CallOptions,
  options: FailoverOptions,
): Promise<LanguageModelV4GenerateResult> {
  const { circuit, name } = candidate
  try {
    const answer = withoutRepeats(await askInTime(candidate, request, options))
    const failure = problemOf(answer, options.json)
    options.onUse(useOf(name, request, answer))
    if (failure) throw failure
    circuit.succeeded()
    options.onEnd(name, null)
    return answer
  } catch (error) {
    if (request.abortSignal?.aborted) {
      options.onUse(estimatedUse(name, request, ''))
      throw error
    }
    const failure = failureOf(error)
    circuit.failed(failure.kind)
    options.onEnd(name, failure)
    if (failure.kind !== 'empty' && MAYBE_BILLED.includes(failure.kind) && failure.options.status === undefined)
      options.onUse(estimatedUse(name, request, ''))
    throw failure
  }
}

async function askInTime(
  candidate: Candidate,
  request: LanguageModelV4CallOptions,
  { firstTokenMs, answerMs, json }: FailoverOptions,
): Promise<LanguageModelV4GenerateResult> {
  const own = new AbortController()
  const abortSignal = request.abortSignal ? AbortSignal.any([request.abortSignal, own.signal]) : own.signal
  const tooSlow = (what: string) => () => own.abort(new ModelFailure('slow', `The model was too slow: no ${what}.`))
  const whole = setTimeout(tooSlow('whole answer'), answerMs)
  const first = candidate.streams ? setTimeout(tooSlow('first token'), firstTokenMs) : undefined
  // An adapter may not heed the signal.
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(abortSignal.reason)
  abortSignal.addEventListener('abort', abort, { once: true })
  // The race reads it; an abort after the answer would be a rejection that no one reads.
  aborted.catch(() => undefined)
  if (abortSignal.aborted) abort()
  try {
    const given = { ...request, abortSignal, ...(json ? { responseFormat: { type: 'json' as const } } : {}) }
    return await Promise.race([answerOf(candidate, given, () => clearTimeout(first)), aborted])
  } catch (error) {
    throw own.signal.aborted ? own.signal.reason : error
  } finally {
    clearTimeout(whole)
    clearTimeout(first)
    abortSignal.removeEventListener('abort', abort)
  }
}

async function answerOf(candidate: Candidate, request: LanguageModelV4CallOptions, alive: () => void) {
  const model = await candidate.open()
  if (!candidate.streams) return await model.doGenerate(request)
  const { stream } = await model.doStream(request)
  return await collectAnswer(stream, alive)
}

/** Some servers stream a call twice. The same call in one answer is meant once. */
function withoutRepeats(answer: LanguageModelV4GenerateResult): LanguageModelV4GenerateResult {
  const calls = new Set<string>()
  const content = answer.content.filter((part) => {
    if (part.type !== 'tool-call') return true
    const keys = [`id ${part.toolCallId}`, `call ${part.toolName} ${part.input}`]
    if (keys.some((key) => calls.has(key))) return false
    for (const key of keys) calls.add(key)
    return true
  })
  return { ...answer, content }
}

function problemOf({ content, finishReason }: LanguageModelV4GenerateResult, json: boolean): ModelFailure | null {
  if (finishReason.unified === 'content-filter') return null
  if (finishReason.unified === 'error' || finishReason.unified === 'interrupted')
    return new ModelFailure('broken', 'The answer broke off.')
  if (content.some(({ type }) => type === 'tool-call')) return null
  const text = content.map((part) => (part.type === 'text' ? part.text : '')).join('')
  if (!text.trim()) return new ModelFailure('empty', 'The model answered nothing.')
  if (json && parseJsonObject(text) === null) return new ModelFailure('empty', 'The model answered no JSON object.')
  return null
}

function useOf(model: string, request: LanguageModelV4CallOptions, answer: LanguageModelV4GenerateResult): ModelUse {
  const { inputTokens, outputTokens }: LanguageModelV4Usage = answer.usage
  // Compatible servers that count nothing report zeros or nothing.
  if (!inputTokens.total || outputTokens.total === undefined)
    return estimatedUse(model, request, JSON.stringify(answer.content))
  return {
    model,
    inputTokens: inputTokens.total,
    cachedTokens: Math.min(inputTokens.cacheRead ?? 0, inputTokens.total),
    outputTokens: outputTokens.total,
    estimated: false,
  }
}

function estimatedUse(model: string, { prompt, tools }: LanguageModelV4CallOptions, output: string): ModelUse {
  const inputTokens = estimatePrompt(prompt) + estimatePrompt(tools ?? [])
  return { model, inputTokens, cachedTokens: 0, outputTokens: estimateTokens(output), estimated: true }
}

async function sleepUnlessAborted(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const stop = () => reject(signal?.reason)
  const timer = setTimeout(resolve, ms)
  signal?.addEventListener('abort', stop, { once: true })
  if (signal?.aborted) stop()
  try {
    await promise
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}
