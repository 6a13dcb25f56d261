import { z } from 'zod'
import type { ModelView } from './rules.ts'

const text = z.string()
const chatPart = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text }),
  z.object({ type: z.literal('image_url'), image_url: z.object({ url: text }) }),
  z.object({ type: z.literal('input_audio'), input_audio: z.object({ data: text, format: text }) }),
  z.object({ type: z.literal('file'), file: z.looseObject({}) }),
])
const chatContent = z.union([text, z.array(chatPart)])
const chatToolCall = z.object({
  id: text.min(1),
  type: z.literal('function'),
  function: z.object({ name: text.min(1), arguments: text }),
})
const chatMessage = z.discriminatedUnion('role', [
  z.object({ role: z.enum(['system', 'developer']), content: chatContent }),
  z.object({ role: z.literal('user'), content: chatContent }),
  z.object({
    role: z.literal('assistant'),
    content: chatContent.nullish(),
    tool_calls: z.array(chatToolCall).min(1).optional(),
  }),
  z.object({ role: z.literal('tool'), tool_call_id: text, content: chatContent }),
])
const responseFormat = z.discriminatedUnion('type', [
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: z.looseObject({}) }),
  z.object({ type: z.literal('text') }),
])

/** `POST /v1/chat/completions` (API reference, "Create chat completion"): the fields that are played. */
const chatRequest = z.object({
  model: text.min(1),
  messages: z.array(chatMessage).min(1),
  tools: z.array(z.object({ type: z.literal('function'), function: z.looseObject({ name: text.min(1) }) })).default([]),
  response_format: responseFormat.optional(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().optional() }).nullish(),
})

const inputPart = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['input_text', 'output_text']), text }),
  z.looseObject({ type: z.enum(['input_image', 'input_file', 'input_audio', 'refusal']) }),
])
const inputItem = z.union([
  z.object({
    type: z.literal('message').optional(),
    role: z.enum(['system', 'developer', 'user', 'assistant']),
    content: z.union([text, z.array(inputPart)]),
  }),
  z.object({ type: z.literal('function_call'), call_id: text.min(1), name: text.min(1), arguments: text }),
  z.object({ type: z.literal('function_call_output'), call_id: text, output: z.union([text, z.array(inputPart)]) }),
  z.looseObject({ type: z.literal('reasoning') }),
])

/** `POST /v1/responses` (API reference, "Create a model response"): the fields that are played. */
const responsesRequest = z.object({
  model: text.min(1),
  input: z.union([text, z.array(inputItem).min(1)]),
  instructions: text.nullish(),
  tools: z.array(z.looseObject({ type: z.literal('function'), name: text.min(1) })).default([]),
  text: z.looseObject({ format: z.looseObject({ type: text }).optional() }).optional(),
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
})

export type ParsedRequest = { view: ModelView; includeUsage: boolean } | { problem: string }

export function parseChatRequest(body: unknown): ParsedRequest {
  const parsed = chatRequest.safeParse(body)
  if (!parsed.success) return { problem: problemOf(parsed.error) }
  const { model, messages, tools, response_format: format, stream, stream_options: options } = parsed.data
  const view: ModelView = {
    model,
    instructions: '',
    messages: [],
    tools: tools.map((tool) => tool.function.name),
    json: format !== undefined && format.type !== 'text',
    stream: stream ?? false,
  }
  const unanswered = new Set<string>()
  for (const message of messages) {
    const { text: said, files } = contentOf(message.content ?? '')
    if (message.role !== 'tool' && unanswered.size > 0)
      return { problem: "An assistant message with 'tool_calls' must be followed by tool messages responding to each." }
    if (message.role === 'system' || message.role === 'developer') view.instructions += `${said}\n`
    else if (message.role === 'tool') {
      if (!unanswered.delete(message.tool_call_id))
        return { problem: "messages with role 'tool' must be a response to a preceding message with 'tool_calls'." }
      view.messages.push({ role: 'tool', text: said, files, calls: [] })
    } else {
      const calls = message.role === 'assistant' ? (message.tool_calls ?? []) : []
      for (const { id } of calls) unanswered.add(id)
      view.messages.push({ role: message.role, text: said, files, calls: calls.map((call) => call.function.name) })
    }
  }
  if (unanswered.size > 0) return { problem: 'A tool call has no answer.' }
  return { view, includeUsage: options?.include_usage ?? false }
}

export function parseResponsesRequest(body: unknown): ParsedRequest {
  const parsed = responsesRequest.safeParse(body)
  if (!parsed.success) return { problem: problemOf(parsed.error) }
  const { model, input, instructions, tools, text: options, stream } = parsed.data
  const view: ModelView = {
    model,
    instructions: instructions ?? '',
    messages: [],
    tools: tools.map(({ name }) => name),
    json: options?.format !== undefined && options.format.type !== 'text',
    stream: stream ?? false,
  }
  const unanswered = new Set<string>()
  for (const item of typeof input === 'string' ? [{ role: 'user' as const, content: input }] : input) {
    if ('role' in item && typeof item.role === 'string') {
      const { text: said, files } = contentOf(item.content as string | { type: string }[])
      if (item.role === 'system' || item.role === 'developer') view.instructions += `${said}\n`
      else view.messages.push({ role: item.role === 'user' ? 'user' : 'assistant', text: said, files, calls: [] })
    } else if (item.type === 'function_call') {
      const { call_id: id, name } = z.object({ call_id: text, name: text }).parse(item)
      unanswered.add(id)
      const before = view.messages.at(-1)
      // The calls of one answer are one turn.
      if (before?.role === 'assistant') before.calls.push(name)
      else view.messages.push({ role: 'assistant', text: '', files: 0, calls: [name] })
    } else if (item.type === 'function_call_output') {
      const { call_id: id, output } = z.object({ call_id: text, output: z.unknown() }).parse(item)
      if (!unanswered.delete(id)) return { problem: `No tool call found for function call output with call_id ${id}.` }
      view.messages.push({ role: 'tool', text: contentOf(output as string).text, files: 0, calls: [] })
    }
  }
  const [open] = unanswered
  if (open) return { problem: `No tool output found for function call ${open}.` }
  return { view, includeUsage: true }
}

function contentOf(content: string | readonly { type: string; text?: unknown }[]): { text: string; files: number } {
  if (typeof content === 'string') return { text: content, files: 0 }
  const texts = content.flatMap((part) => (typeof part.text === 'string' ? [part.text] : []))
  return { text: texts.join('\n'), files: content.length - texts.length }
}

export function problemOf(error: z.ZodError): string {
  const [issue] = error.issues
  return `${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'Invalid request'}`
}
