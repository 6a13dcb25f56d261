import { z } from 'zod'
import { rmsOfMulawBase64 } from '../audio/energy.ts'

/**
 * Twilio's Media Streams frames, pure. Source: Twilio, Media Streams WebSocket messages. Numbers arrive as strings in the
 * documented examples and are read either way.
 */
export type InboundFrame =
  | { event: 'connected' }
  | {
      event: 'start'
      streamSid: string
      callSid: string
      parameters: Record<string, string>
      encoding: string
      sampleRate: number
    }
  /** `payload` is base64 μ-law at 8 kHz, any length; `timestampMs` counts from the start of the stream, null where none is given. */
  | { event: 'media'; payload: string; timestampMs: number | null }
  | { event: 'dtmf'; digit: string }
  | { event: 'mark'; name: string }
  | { event: 'stop' }
  /** An unknown kind of event: Twilio adds new ones without notice. */
  | { event: 'other'; name: string }

/** Fields that nothing depends on: an undocumented value counts as absent. */
const rate = z.coerce.number().nonnegative().catch(8000)
const count = z.union([
  z.number().nonnegative(),
  z
    .string()
    .regex(/^\d+(\.\d+)?$/)
    .transform(Number),
])
const parameters = z
  .record(z.string(), z.unknown())
  .catch({})
  .transform((all) =>
    Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
  )
const frame = z.discriminatedUnion('event', [
  z.object({ event: z.literal('connected') }),
  z.object({
    event: z.literal('start'),
    streamSid: z.string().regex(/^MZ[0-9a-zA-Z]{1,62}$/),
    start: z.object({
      // It becomes part of file names, so no other characters are allowed.
      callSid: z.string().regex(/^CA[0-9a-zA-Z]{1,62}$/),
      customParameters: parameters.default({}),
      mediaFormat: z
        .object({ encoding: z.string().catch('audio/x-mulaw'), sampleRate: rate })
        .catch({ encoding: 'audio/x-mulaw', sampleRate: 8000 }),
    }),
  }),
  z.object({
    event: z.literal('media'),
    media: z.object({ payload: z.string(), timestamp: count.nullable().catch(null) }),
  }),
  z.object({ event: z.literal('dtmf'), dtmf: z.object({ digit: z.coerce.string().min(1).max(1) }) }),
  z.object({ event: z.literal('mark'), mark: z.object({ name: z.string().max(256) }) }),
  z.object({ event: z.literal('stop') }),
])
const anyEvent = z.object({ event: z.string().max(64) })

const MEDIA = '{"event":"media"'
const MARK = '{"event":"mark"'
const NAME = '"name":"'
const PAYLOAD = '"payload":"'
const TIMESTAMP = '"timestamp":'
const QUOTE = 34

/**
 * Reads one text frame; null when it is malformed. A media frame, 50 a second and call, is cut out of the text without
 * parsing it; an unusual frame is parsed by the schema.
 */
export function parseFrame(text: string): InboundFrame | null {
  if (text.startsWith(MEDIA)) {
    const quick = cutMedia(text)
    if (quick) return quick
  }
  if (text.startsWith(MARK)) {
    const quick = cutMark(text)
    if (quick) return quick
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return null
  }
  const parsed = frame.safeParse(json)
  if (!parsed.success) {
    const named = anyEvent.safeParse(json)
    return named.success && !KNOWN.has(named.data.event) ? { event: 'other', name: named.data.event } : null
  }
  const data = parsed.data
  switch (data.event) {
    case 'start':
      return {
        event: 'start',
        streamSid: data.streamSid,
        callSid: data.start.callSid,
        parameters: data.start.customParameters,
        encoding: data.start.mediaFormat.encoding,
        sampleRate: data.start.mediaFormat.sampleRate,
      }
    case 'media':
      return { event: 'media', payload: data.media.payload, timestampMs: data.media.timestamp }
    case 'dtmf':
      return { event: 'dtmf', digit: data.dtmf.digit }
    case 'mark':
      return { event: 'mark', name: data.mark.name }
    default:
      return { event: data.event }
  }
}

const KNOWN = new Set(['connected', 'start', 'media', 'dtmf', 'mark', 'stop'])

function cutMedia(text: string): InboundFrame | null {
  const cut = new MediaCut()
  return cut.read(text) ? { event: 'media', payload: cut.payload, timestampMs: cut.timestampMs } : null
}

/** Marks come twice a second and call. */
function cutMark(text: string): InboundFrame | null {
  const from = text.indexOf(NAME, MARK.length) + NAME.length
  const to = text.indexOf('"', from)
  if (from < NAME.length || to < 0 || to - from > 256 || text.includes('\\') || !text.endsWith('}}')) return null
  return { event: 'mark', name: text.slice(from, to) }
}

/** Reads media frames into its own fields, so that a frame costs no object. */
export class MediaCut {
  payload = ''
  timestampMs = 0
  /** How loud it is: the root mean square on the 16-bit scale. */
  rms = 0

  /** @returns whether this was a media frame of the usual form; the fields hold it then */
  read(text: string): boolean {
    if (!text.startsWith(MEDIA)) return false
    const at = text.indexOf(PAYLOAD, MEDIA.length)
    if (at < 0) return false
    const from = at + PAYLOAD.length
    const to = text.indexOf('"', from)
    if (to < 0) return false
    // A backslash would be an escape that only a parser undoes; searched in the text, so that the slice is not copied.
    if (text.includes('\\')) return false
    let time = text.indexOf(TIMESTAMP, MEDIA.length)
    // The frame must end where an object ends: a frame cut short is malformed.
    if (time < 0 || text.charCodeAt(text.length - 1) !== 125) return false
    time += TIMESTAMP.length
    if (text.charCodeAt(time) === QUOTE) time++
    let timestampMs = 0
    const digits = time
    for (let code = text.charCodeAt(time); code >= 48 && code <= 57; code = text.charCodeAt(++time))
      timestampMs = timestampMs * 10 + (code - 48)
    // Anything but a whole number is parsed by the schema.
    const behind = text.charCodeAt(time)
    if (time === digits || (behind !== QUOTE && behind !== 44 && behind !== 125)) return false
    this.payload = text.slice(from, to)
    this.timestampMs = timestampMs
    this.rms = rmsOfMulawBase64(text, from, to)
    return true
  }
}

export const MEDIA_TAIL = '"}}'

/** Writes the messages to one stream: media, mark, clear; none is allowed before its `start`. */
export class StreamWriter {
  /** The text before a payload, for the path that writes fifty a second. */
  readonly mediaHead: string
  readonly #mark: string
  readonly #clear: string

  constructor(streamSid: string) {
    const sid = JSON.stringify(streamSid)
    this.mediaHead = `{"event":"media","streamSid":${sid},"media":{"payload":"`
    this.#mark = `{"event":"mark","streamSid":${sid},"mark":{"name":`
    this.#clear = `{"event":"clear","streamSid":${sid}}`
  }

  /** @param payload base64 μ-law without any header, any size */
  media(payload: string): string {
    return `${this.mediaHead}${payload}${MEDIA_TAIL}`
  }

  mark(name: string): string {
    return `${this.#mark}${JSON.stringify(name)}}}`
  }

  clear(): string {
    return this.#clear
  }
}
