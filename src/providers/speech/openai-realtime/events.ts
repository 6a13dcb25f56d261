import type { RealtimeServerEvent } from 'openai/resources/realtime/realtime'
import { z } from 'zod'

type EventType = RealtimeServerEvent['type']

/** A schema that reads only the fields the engine uses; the names of the events are those of openai's types. */
const event = <T extends EventType, S extends z.ZodRawShape>(type: T, fields: S) =>
  z.object({ type: z.literal(type), ...fields })

const tokens = z.number().nonnegative().default(0)
const usage = z.object({
  input_token_details: z.object({ text_tokens: tokens, audio_tokens: tokens, cached_tokens: tokens }).prefault({}),
  output_token_details: z.object({ text_tokens: tokens, audio_tokens: tokens }).prefault({}),
})

/** An item of a response; only calls of tools matter, the words come as they are spoken. */
const outputItem = z.looseObject({
  type: z.string(),
  name: z.string().nullish(),
  call_id: z.string().nullish(),
  arguments: z.string().nullish(),
})

/** The server events that the engine acts on; all others change nothing. */
const serverEvent = z.discriminatedUnion('type', [
  event('session.updated', {}),
  event('input_audio_buffer.speech_started', {
    audio_start_ms: z.number(),
    item_id: z.string(),
  }),
  event('input_audio_buffer.speech_stopped', { audio_end_ms: z.number(), item_id: z.string() }),
  event('input_audio_buffer.committed', { item_id: z.string() }),
  event('input_audio_buffer.timeout_triggered', {}),
  event('conversation.item.input_audio_transcription.failed', { item_id: z.string() }),
  event('conversation.item.input_audio_transcription.completed', {
    item_id: z.string(),
    transcript: z.string(),
  }),
  event('response.created', { response: z.object({ id: z.string() }) }),
  event('response.output_audio.delta', {
    response_id: z.string(),
    item_id: z.string(),
    delta: z.string(),
  }),
  event('response.output_audio.done', { response_id: z.string(), item_id: z.string() }),
  event('response.output_audio_transcript.delta', { item_id: z.string(), delta: z.string() }),
  event('response.output_audio_transcript.done', {
    response_id: z.string(),
    item_id: z.string(),
    transcript: z.string(),
  }),
  event('response.function_call_arguments.done', {
    response_id: z.string(),
    call_id: z.string(),
    name: z.string().nullish(),
    arguments: z.string(),
  }),
  event('response.output_item.added', {
    response_id: z.string(),
    item: outputItem,
  }),
  event('response.output_item.done', { response_id: z.string(), item: outputItem }),
  event('response.done', {
    response: z.object({
      id: z.string(),
      status: z.string().catch('completed'),
      status_details: z
        .looseObject({
          reason: z.string().nullish().catch(null),
          error: z
            .object({ type: z.string().nullish(), code: z.string().nullish(), message: z.string().nullish() })
            .nullish()
            .catch(null),
        })
        .nullish()
        .catch(null),
      output: z.array(outputItem).catch([]),
      // An unknown form of the usage must not hide the end of the response.
      usage: usage.nullish().catch(null),
    }),
  }),
  event('error', {
    error: z.object({
      type: z.string().default(''),
      code: z.string().nullish(),
      message: z.string().default(''),
      event_id: z.string().nullish().catch(null),
      param: z.string().nullish().catch(null),
    }),
  }),
])
export type ServerEvent = z.output<typeof serverEvent>
export type ServerEventOf<T extends ServerEvent['type']> = Extract<ServerEvent, { type: T }>

/** Types worth parsing; the many others (deltas of transcripts, item bookkeeping) are skipped unparsed. */
const TYPES: ReadonlySet<string> = new Set(serverEvent.options.map((option) => option.shape.type.value))

/** An event that the engine does not act on. */
export const UNKNOWN_EVENT = Symbol('unknown event')

/** Reads an event from its text; `problem` says why it cannot be read. */
export function readServerEvent(text: string): ServerEvent | typeof UNKNOWN_EVENT | { problem: string } {
  const type = typeOf(text)
  if (type !== null && !TYPES.has(type)) return UNKNOWN_EVENT
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { problem: 'An event is not valid JSON.' }
  }
  const parsed = serverEvent.safeParse(json)
  if (parsed.success) return parsed.data
  return type === null ? UNKNOWN_EVENT : { problem: `An event of type ${type} has an unknown form.` }
}

const TYPE = '"type":"'

/** The type of an event, read from its text; null when there is none. */
function typeOf(text: string): string | null {
  const at = text.indexOf(TYPE)
  if (at < 0) return null
  const end = text.indexOf('"', at + TYPE.length)
  return end < 0 ? null : text.slice(at + TYPE.length, end)
}

export function isRateLimit(type: string, code: string): boolean {
  return type === 'rate_limit_error' || code === 'rate_limit_exceeded' || code === 'insufficient_quota'
}
