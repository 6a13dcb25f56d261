import { z } from 'zod'
import { piecesOf, type StreamEvent, usageOf } from './encode.ts'
import { type ParsedRequest, problemOf } from './requests.ts'
import type { ModelFault, ModelView, PlannedAnswer, WireFailure } from './rules.ts'

const text = z.string()
const textBlock = z.looseObject({ type: z.literal('text'), text })
const source = z.looseObject({ type: z.enum(['base64', 'url', 'file', 'text']) })
const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: text.min(1),
  content: z.union([text, z.array(z.looseObject({ type: text, text: text.optional() }))]).optional(),
  is_error: z.boolean().optional(),
})
const userBlock = z.discriminatedUnion('type', [
  textBlock,
  z.looseObject({ type: z.literal('image'), source }),
  z.looseObject({ type: z.literal('document'), source }),
  toolResult,
])
const assistantBlock = z.discriminatedUnion('type', [
  textBlock,
  z.looseObject({ type: z.literal('thinking'), thinking: text }),
  z.looseObject({
    type: z.literal('tool_use'),
    id: text.min(1),
    name: text.min(1),
    input: z.record(text, z.unknown()),
  }),
])

/** `POST /v1/messages` (API reference, "Create a Message"): the fields that are played. The roles are user and assistant alone. */
const messagesRequest = z.looseObject({
  model: text.min(1),
  max_tokens: z.int().min(1),
  system: z.union([text, z.array(textBlock)]).optional(),
  messages: z
    .array(
      z.discriminatedUnion('role', [
        z.object({ role: z.literal('user'), content: z.union([text.min(1), z.array(userBlock).min(1)]) }),
        z.object({ role: z.literal('assistant'), content: z.union([text.min(1), z.array(assistantBlock).min(1)]) }),
      ]),
    )
    .min(1),
  tools: z
    .array(
      z.looseObject({
        name: text.regex(/^[a-zA-Z0-9_-]{1,128}$/),
        input_schema: z.looseObject({ type: z.literal('object') }),
      }),
    )
    .default([]),
  stream: z.boolean().default(false),
})

export function parseMessagesRequest(body: unknown): ParsedRequest {
  const parsed = messagesRequest.safeParse(body)
  if (!parsed.success) return { problem: problemOf(parsed.error) }
  const { model, system, messages, tools, stream } = parsed.data
  if (messages[0]?.role !== 'user') return { problem: 'messages: first message must use the "user" role' }
  const view: ModelView = {
    ...{ model, stream, json: false, messages: [], tools: tools.map(({ name }) => name) },
    instructions: typeof system === 'string' ? system : (system ?? []).map((block) => block.text).join('\n'),
  }
  let open = new Set<string>()
  for (const [index, { role, content }] of messages.entries()) {
    const blocks = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content
    const results = blocks.filter((block) => block.type === 'tool_result')
    for (const { tool_use_id: id, content: answered } of results) {
      if (!open.delete(id))
        return { problem: `messages.${index}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}.` }
      const said = typeof answered === 'string' ? answered : (answered ?? []).map((part) => part.text ?? '').join('')
      view.messages.push({ role: 'tool', text: said, files: 0, calls: [] })
    }
    // Each use is followed by its result in the next message.
    if (open.size > 0)
      return {
        problem: `messages.${index}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after`,
      }
    const calls = blocks.filter((block) => block.type === 'tool_use')
    open = new Set(calls.map(({ id }) => id))
    const said = blocks.flatMap((block) => (block.type === 'text' ? [block.text] : [])).join('\n')
    const files = blocks.filter(({ type }) => type === 'image' || type === 'document').length
    if (said !== '' || files > 0 || calls.length > 0)
      view.messages.push({ role, text: said, files, calls: calls.map(({ name }) => name) })
  }
  return { view, includeUsage: true }
}

const REASONS: Partial<Record<ModelFault, string>> = {
  length: 'max_tokens',
  content_filter: 'refusal',
  refusal: 'refusal',
}
const stopReasonOf = ({ fault, calls }: PlannedAnswer) =>
  (fault && REASONS[fault]) ?? (calls.length > 0 ? 'tool_use' : 'end_turn')

const newId = (kind: string) => `${kind}_01${crypto.randomUUID().replaceAll('-', '').slice(0, 22)}`

function usage(view: ModelView, answer: PlannedAnswer) {
  const { input, output } = answer.fault === 'no_usage' ? { input: 0, output: 0 } : usageOf(view, answer)
  return {
    ...{ input_tokens: input, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: output },
    service_tier: 'standard',
  }
}

/** The message as a whole. Arguments that are no JSON cannot stand in it. */
export function messagesAnswer(view: ModelView, answer: PlannedAnswer): unknown {
  const refuses = stopReasonOf(answer) === 'refusal'
  return {
    ...{ id: newId('msg'), type: 'message', role: 'assistant', model: view.model },
    content: [
      ...(answer.text && !refuses ? [{ type: 'text', text: answer.text }] : []),
      ...answer.calls.map(({ name, args }) => ({ type: 'tool_use', id: newId('toolu'), name, input: objectOf(args) })),
    ],
    ...{ stop_reason: stopReasonOf(answer), stop_sequence: null, usage: usage(view, answer) },
  }
}

function objectOf(args: string): unknown {
  try {
    return JSON.parse(args)
  } catch {
    return {}
  }
}

/** The events in their order ("Streaming messages"): each named, with its name as `type`. */
export function* messagesStream(view: ModelView, answer: PlannedAnswer): Generator<StreamEvent> {
  const event = (type: string, fields: object = {}) => ({ event: type, data: { type, ...fields } })
  const { output_tokens: outputTokens, ...counted } = usage(view, answer)
  const empty = { id: newId('msg'), type: 'message', role: 'assistant', model: view.model, content: [] }
  yield event('message_start', {
    message: { ...empty, stop_reason: null, stop_sequence: null, usage: { ...counted, output_tokens: 1 } },
  })
  yield event('ping')
  if (answer.fault === 'stalls') yield { waitMs: 120_000 }
  let index = 0
  if (answer.text && stopReasonOf(answer) !== 'refusal') {
    yield event('content_block_start', { index, content_block: { type: 'text', text: '' } })
    for (const [at, piece] of piecesOf(answer.text).entries()) {
      if (at === 2 && answer.fault === 'cut_off') return yield { cut: true }
      if (at === 2 && answer.fault === 'stream_error')
        return yield event('error', { error: { type: 'overloaded_error', message: 'Overloaded' } })
      yield event('content_block_delta', { index, delta: { type: 'text_delta', text: piece } })
    }
    yield event('content_block_stop', { index })
    index += 1
  }
  for (const { name, args } of answer.calls) {
    yield event('content_block_start', {
      index,
      content_block: { type: 'tool_use', id: newId('toolu'), name, input: {} },
    })
    yield event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: '' } })
    for (const piece of args.match(/[\s\S]{1,12}/gu) ?? [])
      yield event('content_block_delta', { index, delta: { type: 'input_json_delta', partial_json: piece } })
    yield event('content_block_stop', { index })
    index += 1
  }
  yield event('message_delta', {
    delta: { stop_reason: stopReasonOf(answer), stop_sequence: null },
    usage: { output_tokens: outputTokens },
  })
  yield event('message_stop')
}

/** The statuses and types of "Errors". */
const FAILURES: Partial<Record<ModelFault, [status: number, type: string, message: string, retryAfter?: string]>> = {
  rate_limited: [429, 'rate_limit_error', 'This request would exceed your organization’s rate limit.', '1'],
  insufficient_quota: [
    400,
    'invalid_request_error',
    'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.',
  ],
  unauthorized: [401, 'authentication_error', 'invalid x-api-key'],
  server_error: [500, 'api_error', 'Internal server error'],
  overloaded: [529, 'overloaded_error', 'Overloaded'],
  too_long: [400, 'invalid_request_error', 'prompt is too long: 210034 tokens > 200000 maximum'],
}

export function messagesFailure(fault: ModelFault): WireFailure | null {
  const found = FAILURES[fault]
  if (!found) return null
  const [status, type, message, retryAfter] = found
  return { status, body: messagesError(type, message), headers: retryAfter ? { 'retry-after': retryAfter } : {} }
}

export function messagesError(type: string, message: string): unknown {
  return { type: 'error', error: { type, message }, request_id: newId('req') }
}
