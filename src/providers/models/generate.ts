import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { ModelMessage as AiMessage, ToolSet } from 'ai'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { type Candidate, createFailover } from './failover.ts'
import { ModelFailure } from './failure.ts'
import type { ModelEnd, ModelMessage, ModelRequest, ModelStep, ModelTool, ModelToolCall, ModelUse } from './port.ts'

export type GenerateLimits = { firstTokenMs: number; answerMs: number }

export const DEFAULT_LIMITS: GenerateLimits = { firstTokenMs: 12_000, answerMs: 30_000 }
export const DEFAULT_MAX_STEPS = 6
export const DEFAULT_MAX_OUTPUT_TOKENS = 1_000
export const DEFAULT_TIMEOUT_MS = 60_000
const TOOL_FAILED = 'The tool failed.'

export type GenerateOptions = {
  candidates: readonly Candidate[]
  request: ModelRequest
  limits: GenerateLimits
  log: Logger
  onUse(use: ModelUse): void
  onEnd(model: string, failure: ModelFailure | null): void
}

/**
 * Runs the loop of answers and tools over models in order. Tools run one at a time, each call once.
 * @throws AppError `model_unavailable`; what `request.signal` was aborted with
 */
export async function runGenerate(
  options: GenerateOptions,
): Promise<{ text: string; end: ModelEnd; steps: ModelStep[]; model: string }> {
  const { candidates, request, log } = options
  let answeredBy = candidates[0]?.name ?? ''
  const model = createFailover({
    candidates,
    ...options.limits,
    json: request.json ?? false,
    onUse: options.onUse,
    onEnd(name, failure) {
      if (failure) log.warn({ businessId: request.businessId, model: name, reason: failure.kind }, 'model failed')
      else answeredBy = name
      options.onEnd(name, failure)
    },
  })
  const late = AbortSignal.timeout(request.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const signal = request.signal ? AbortSignal.any([request.signal, late]) : late
  try {
    return { ...(await runLoop(model, request, signal, log)), model: answeredBy }
  } catch (cause) {
    request.signal?.throwIfAborted()
    if (cause instanceof AppError) throw cause
    const reason = late.aborted ? 'slow' : cause instanceof ModelFailure ? cause.kind : 'broken'
    if (!(cause instanceof ModelFailure) && !late.aborted)
      log.error({ businessId: request.businessId, error: errorMessage(cause) }, 'model loop failed')
    throw new AppError('unavailable', 'model_unavailable', `No text model answered (${reason}). Try again later.`, {
      cause,
    })
  }
}

async function runLoop(model: LanguageModelV4, request: ModelRequest, signal: AbortSignal, log: Logger) {
  const { generateText, isStepCount } = await import('ai')
  const maxSteps = request.maxSteps ?? DEFAULT_MAX_STEPS
  const result = await generateText({
    model,
    instructions: request.instructions,
    messages: request.messages.map(asAiMessage),
    tools: Object.fromEntries((request.tools ?? []).map((tool) => [tool.name, asAiTool(tool, request, signal, log)])),
    maxOutputTokens: request.maxOutputTokens ?? DEFAULT_MAX_OUTPUT_TOKENS,
    maxRetries: 0,
    abortSignal: signal,
    toolCallConcurrency: 1,
    stopWhen: isStepCount(maxSteps),
    // Nothing of a conversation stays with the vendor longer than its answer takes.
    providerOptions: { openai: { store: false } },
  })
  const steps = result.steps.map(({ text, content }): ModelStep => ({ text, toolCalls: toolCallsOf(content) }))
  const end: ModelEnd =
    result.finishReason === 'content-filter'
      ? 'filtered'
      : result.finishReason === 'length'
        ? 'cut_off'
        : result.finishReason === 'tool-calls'
          ? 'steps_used_up'
          : 'answered'
  return { text: result.text.trim(), end, steps }
}

function asAiMessage({ role, text, files = [] }: ModelMessage): AiMessage {
  if (role === 'agent') return { role: 'assistant', content: text }
  return {
    role: 'user',
    content: [
      ...(text || files.length === 0 ? [{ type: 'text' as const, text }] : []),
      ...files.map(({ mediaType, data }) => ({ type: 'file' as const, mediaType, data })),
    ],
  }
}

function asAiTool(
  { name, description, input, execute }: ModelTool,
  request: ModelRequest,
  signal: AbortSignal,
  log: Logger,
): ToolSet[string] {
  const run = async (given: unknown, abortSignal: AbortSignal) => {
    try {
      return (await execute(given, { signal: abortSignal })) ?? null
    } catch (error) {
      if (error instanceof AppError && error.kind !== 'internal') throw new Error(error.message)
      log.error({ businessId: request.businessId, tool: name, error: errorMessage(error) }, 'tool failed')
      // Errors of the database or of a vendor can hold other people's data.
      throw new Error(TOOL_FAILED)
    }
  }
  return {
    description,
    inputSchema: input,
    execute: (given: unknown, { abortSignal }) => run(given, abortSignal ?? signal),
  }
}

type Content = {
  type: string
  toolCallId?: string
  toolName?: string
  input?: unknown
  output?: unknown
  error?: unknown
}

function toolCallsOf(content: readonly Content[]): ModelToolCall[] {
  return content.flatMap((part): ModelToolCall[] => {
    if (part.type !== 'tool-call') return []
    const called = { name: part.toolName ?? '', input: part.input }
    const end = content.find(
      ({ type, toolCallId }) => (type === 'tool-result' || type === 'tool-error') && toolCallId === part.toolCallId,
    )
    if (end?.type === 'tool-error') return [{ ...called, error: errorMessage(end.error) }]
    return [end ? { ...called, output: end.output } : called]
  })
}
