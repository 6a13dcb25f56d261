import { z } from 'zod'

/**
 * Server events of the Realtime API that the engine acts on; names and fields as in openai 7.57's realtime types. Kinds that
 * are not listed change nothing.
 */
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

export const serverEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('session.created') }),
  z.object({ type: z.literal('session.updated') }),
  z.object({
    type: z.literal('input_audio_buffer.speech_started'),
    audio_start_ms: z.number(),
    item_id: z.string(),
  }),
  z.object({ type: z.literal('input_audio_buffer.speech_stopped'), audio_end_ms: z.number(), item_id: z.string() }),
  z.object({ type: z.literal('input_audio_buffer.committed'), item_id: z.string() }),
  z.object({ type: z.literal('input_audio_buffer.timeout_triggered') }),
  z.object({ type: z.literal('conversation.item.input_audio_transcription.failed'), item_id: z.string() }),
  z.object({
    type: z.literal('conversation.item.input_audio_transcription.completed'),
    item_id: z.string(),
    transcript: z.string(),
  }),
  z.object({ type: z.literal('response.created'), response: z.object({ id: z.string() }) }),
  z.object({
    type: z.literal('response.output_audio.delta'),
    response_id: z.string(),
    item_id: z.string(),
    delta: z.string(),
  }),
  z.object({ type: z.literal('response.output_audio.done'), response_id: z.string(), item_id: z.string() }),
  z.object({ type: z.literal('response.output_audio_transcript.delta'), item_id: z.string(), delta: z.string() }),
  z.object({
    type: z.literal('response.output_audio_transcript.done'),
    response_id: z.string(),
    item_id: z.string(),
    transcript: z.string(),
  }),
  z.object({
    type: z.literal('response.function_call_arguments.done'),
    response_id: z.string(),
    call_id: z.string(),
    name: z.string().nullish(),
    arguments: z.string(),
  }),
  z.object({
    type: z.literal('response.output_item.added'),
    response_id: z.string(),
    item: outputItem,
  }),
  z.object({ type: z.literal('response.output_item.done'), response_id: z.string(), item: outputItem }),
  z.object({
    type: z.literal('response.done'),
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
      // What it cost is no reason not to know that it is over.
      usage: usage.nullish().catch(null),
    }),
  }),
  z.object({
    type: z.literal('error'),
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

/** Kinds worth parsing; the many others (deltas of transcripts, item bookkeeping) are passed over unparsed. */
export const KINDS: ReadonlySet<string> = new Set(serverEvent.options.map((option) => option.shape.type.value))

const TYPE = '"type":"'

/** The kind of an event, read from its text; null when it has none in front. */
export function kindOf(text: string): string | null {
  const at = text.indexOf(TYPE)
  if (at < 0) return null
  const end = text.indexOf('"', at + TYPE.length)
  return end < 0 ? null : text.slice(at + TYPE.length, end)
}

/**
 * Reads audio deltas one after the other into itself: pieces of one item share everything but their payload, so that most of
 * them cost one slice. Source of the form: realtime event `response.output_audio.delta`.
 */
export class DeltaCut {
  responseId = ''
  itemId = ''
  payload = ''
  /** How long the payload plays, in ms. */
  ms = 0

  /**
   * @param item what the last piece was of, and the response that item belongs to
   * @returns whether this was an audio delta of the usual form; the fields hold it then
   */
  read(text: string, item: string, response: string): boolean {
    if (!text.startsWith(DELTA_START)) return false
    const id = text.indexOf(ITEM, DELTA_START.length) + ITEM.length
    if (id < ITEM.length) return false
    const idEnd = id + item.length
    let at: number
    if (text.charCodeAt(idEnd) === QUOTE && item !== '' && text.startsWith(item, id)) {
      this.responseId = response
      this.itemId = item
      at = text.indexOf(DELTA, idEnd)
    } else {
      const whole = cutAudioDelta(text)
      if (!whole) return false
      this.responseId = whole.responseId
      this.itemId = whole.itemId
      at = text.indexOf(DELTA, DELTA_START.length)
    }
    if (at < 0 || text.includes('\\')) return false
    const from = at + DELTA.length
    const to = text.indexOf('"', from)
    if (to < 0) return false
    const padding = text.charCodeAt(to - 1) === EQUALS ? (text.charCodeAt(to - 2) === EQUALS ? 2 : 1) : 0
    this.ms = (((to - from) * 3) / 4 - padding) / 8
    this.payload = text.slice(from, to)
    return true
  }
}

const QUOTE = 34
const EQUALS = 61

/** A piece of audio, its base64 as it came. */
export type AudioDelta = { responseId: string; itemId: string; payload: string }

const DELTA_START = '{"type":"response.output_audio.delta"'
const DELTA = '"delta":"'
const RESPONSE = '"response_id":"'
const ITEM = '"item_id":"'

/** Cuts an audio delta out of its text without parsing it; null for any other event, or one of unusual form. */
export function cutAudioDelta(text: string): AudioDelta | null {
  if (!text.startsWith(DELTA_START)) return null
  const payload = cut(text, DELTA)
  const responseId = cut(text, RESPONSE)
  const itemId = cut(text, ITEM)
  // A backslash would be an escape that only a parser undoes.
  return payload === null || responseId === null || itemId === null || payload.includes('\\')
    ? null
    : { responseId, itemId, payload }
}

function cut(text: string, key: string): string | null {
  const at = text.indexOf(key, DELTA_START.length)
  if (at < 0) return null
  const end = text.indexOf('"', at + key.length)
  return end < 0 ? null : text.slice(at + key.length, end)
}

/** How long base64 μ-law plays, in ms, without decoding it. */
export function msOfBase64(payload: string): number {
  const { length } = payload
  const padding = payload.charCodeAt(length - 1) === 61 ? (payload.charCodeAt(length - 2) === 61 ? 2 : 1) : 0
  return ((length * 3) / 4 - padding) / 8
}
