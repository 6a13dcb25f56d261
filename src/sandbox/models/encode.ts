import type { ModelFault, ModelView, PlannedAnswer, WireFailure } from './rules.ts'

/** One event of a stream: `data` is sent as JSON, `wait` lets time pass, `cut` drops the connection. */
export type StreamEvent = { data: unknown; event?: string } | { done: true } | { waitMs: number } | { cut: true }

type Finish = 'stop' | 'length' | 'tool_calls' | 'content_filter'

function finishOf({ fault, calls }: PlannedAnswer): Finish {
  if (fault === 'length') return 'length'
  if (fault === 'content_filter') return 'content_filter'
  return calls.length > 0 ? 'tool_calls' : 'stop'
}

const tokensOf = (text: string) => Math.ceil(text.length / 4)

export function usageOf(view: ModelView, answer: PlannedAnswer) {
  const input = tokensOf(view.instructions) + view.messages.reduce((sum, { text }) => sum + tokensOf(text) + 4, 0)
  const output = tokensOf(answer.text) + answer.calls.reduce((sum, { args }) => sum + tokensOf(args) + 8, 0)
  return { input, output }
}

const nowSeconds = () => Math.floor(Date.now() / 1_000)
export const piecesOf = (text: string) => text.match(/\S+\s*|\s+/gu) ?? []
const STREAM_ERROR = { error: { message: 'The server had an error.', type: 'server_error', code: null, param: null } }

function chatUsage(view: ModelView, answer: PlannedAnswer) {
  const { input, output } = usageOf(view, answer)
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: 0 },
  }
}

const withoutUsage = ({ fault }: PlannedAnswer) => fault === 'no_usage'

export function chatCompletion(view: ModelView, answer: PlannedAnswer): unknown {
  return {
    id: `chatcmpl-${crypto.randomUUID()}`,
    object: 'chat.completion',
    created: nowSeconds(),
    model: view.model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.fault === 'refusal' ? null : answer.text || null,
          refusal: answer.fault === 'refusal' ? "I'm sorry, I can't help with that." : null,
          ...(answer.calls.length > 0
            ? {
                tool_calls: answer.calls.map(({ id, name, args }) => ({
                  id,
                  type: 'function',
                  function: { name, arguments: args },
                })),
              }
            : {}),
        },
        logprobs: null,
        finish_reason: finishOf(answer),
      },
    ],
    ...(withoutUsage(answer) ? {} : { usage: chatUsage(view, answer) }),
  }
}

export function* chatStream(view: ModelView, answer: PlannedAnswer, includeUsage: boolean): Generator<StreamEvent> {
  const base = { id: `chatcmpl-${crypto.randomUUID()}`, object: 'chat.completion.chunk', created: nowSeconds() }
  const chunk = (delta: unknown, finish: Finish | null = null) => ({
    data: { ...base, model: view.model, choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }] },
  })
  if (answer.fault === 'stalls') yield { waitMs: 120_000 }
  yield chunk({ role: 'assistant', content: '' })
  if (answer.fault === 'refusal') yield chunk({ refusal: "I'm sorry, I can't help with that." })
  else
    for (const [index, piece] of piecesOf(answer.text).entries()) {
      if (index === 2 && answer.fault === 'cut_off') return yield { cut: true }
      if (index === 2 && answer.fault === 'stream_error') {
        yield { data: STREAM_ERROR }
        return
      }
      yield chunk({ content: piece })
    }
  for (const [index, { id, name, args }] of answer.calls.entries()) {
    yield chunk({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: '' } }] })
    for (const piece of args.match(/[\s\S]{1,12}/gu) ?? [])
      yield chunk({ tool_calls: [{ index, function: { arguments: piece } }] })
  }
  yield chunk({}, finishOf(answer))
  if (includeUsage && !withoutUsage(answer))
    yield { data: { ...base, model: view.model, choices: [], usage: chatUsage(view, answer) } }
  yield { done: true }
}

function responsesUsage(view: ModelView, answer: PlannedAnswer) {
  const { input, output } = usageOf(view, answer)
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  }
}

const newItemId = (kind: string) => `${kind}_${crypto.randomUUID().replaceAll('-', '')}`

function outputItems(answer: PlannedAnswer) {
  const refusal = answer.fault === 'refusal'
  const message = {
    type: 'message',
    id: newItemId('msg'),
    status: 'completed',
    role: 'assistant',
    content: refusal
      ? [{ type: 'refusal', refusal: "I'm sorry, I can't help with that." }]
      : [{ type: 'output_text', text: answer.text, annotations: [], logprobs: [] }],
  }
  const calls = answer.calls.map(({ id, name, args }) => ({
    type: 'function_call',
    id: newItemId('fc'),
    call_id: id,
    name,
    arguments: args,
    status: 'completed',
  }))
  return { message: answer.text || refusal ? message : null, calls }
}

function responseObject(view: ModelView, answer: PlannedAnswer, output: unknown[], status: string) {
  const finish = finishOf(answer)
  const reason = finish === 'length' ? 'max_output_tokens' : finish === 'content_filter' ? 'content_filter' : null
  return {
    id: newItemId('resp'),
    object: 'response',
    created_at: nowSeconds(),
    model: view.model,
    status: status === 'completed' && reason ? 'incomplete' : status,
    error: null,
    incomplete_details: status === 'completed' && reason ? { reason } : null,
    output,
    ...(status === 'completed' && !withoutUsage(answer) ? { usage: responsesUsage(view, answer) } : {}),
  }
}

export function responsesAnswer(view: ModelView, answer: PlannedAnswer): unknown {
  const { message, calls } = outputItems(answer)
  return responseObject(view, answer, [...(message ? [message] : []), ...calls], 'completed')
}

/** The events of `/v1/responses` in their order (API reference, "Streaming events"). */
export function* responsesStream(view: ModelView, answer: PlannedAnswer): Generator<StreamEvent> {
  let sequence = 0
  const event = (type: string, fields: object) => ({
    event: type,
    data: { type, sequence_number: sequence++, ...fields },
  })
  const { message, calls } = outputItems(answer)
  yield event('response.created', { response: responseObject(view, answer, [], 'in_progress') })
  if (answer.fault === 'stalls') yield { waitMs: 120_000 }
  if (message) {
    const at = { item_id: message.id, output_index: 0, content_index: 0 }
    const begun = { ...message, status: 'in_progress', content: [] }
    yield event('response.output_item.added', { output_index: 0, item: begun })
    yield event('response.content_part.added', { ...at, part: { type: 'output_text', text: '', annotations: [] } })
    if (answer.fault === 'refusal') {
      const refusal = "I'm sorry, I can't help with that."
      yield event('response.refusal.delta', { ...at, delta: refusal })
      yield event('response.refusal.done', { ...at, refusal })
    } else {
      for (const [index, delta] of piecesOf(answer.text).entries()) {
        if (index === 2 && answer.fault === 'cut_off') return yield { cut: true }
        if (index === 2 && answer.fault === 'stream_error') {
          yield event('error', { code: 'server_error', message: 'The server had an error.', param: null })
          return
        }
        yield event('response.output_text.delta', { ...at, delta, logprobs: [] })
      }
      yield event('response.output_text.done', { ...at, text: answer.text, logprobs: [] })
    }
    yield event('response.output_item.done', { output_index: 0, item: message })
  }
  for (const [index, call] of calls.entries()) {
    const at = { item_id: call.id, output_index: index + (message ? 1 : 0) }
    const item = { ...call, status: 'in_progress', arguments: '' }
    yield event('response.output_item.added', { output_index: at.output_index, item })
    for (const delta of call.arguments.match(/[\s\S]{1,12}/gu) ?? [])
      yield event('response.function_call_arguments.delta', { ...at, delta })
    yield event('response.function_call_arguments.done', { ...at, arguments: call.arguments })
    yield event('response.output_item.done', { output_index: at.output_index, item: call })
  }
  const response = responseObject(view, answer, [...(message ? [message] : []), ...calls], 'completed')
  yield event(response.status === 'incomplete' ? 'response.incomplete' : 'response.completed', { response })
}

type OpenAiError = [
  status: number,
  type: string,
  code: string | null,
  message: string,
  headers?: Record<string, string>,
]
const FAILURES: Partial<Record<ModelFault, OpenAiError>> = {
  rate_limited: [429, 'requests', 'rate_limit_exceeded', 'Rate limit reached for requests.', { 'retry-after': '1' }],
  insufficient_quota: [429, 'insufficient_quota', 'insufficient_quota', 'You exceeded your current quota.'],
  unauthorized: [401, 'invalid_request_error', 'invalid_api_key', 'Incorrect API key provided.'],
  server_error: [500, 'server_error', null, 'The server had an error while processing your request.'],
  overloaded: [503, 'server_error', null, 'That model is currently overloaded with other requests.'],
  too_long: [
    400,
    'invalid_request_error',
    'context_length_exceeded',
    "This model's maximum context length is 8192 tokens. Your messages resulted in more.",
  ],
}

export function openAiFailure(fault: ModelFault): WireFailure | null {
  const found = FAILURES[fault]
  if (!found) return null
  const [status, type, code, message, headers = {}] = found
  return { status, body: { error: { message, type, param: null, code } }, headers }
}
