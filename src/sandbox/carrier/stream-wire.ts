import { z } from 'zod'

export type ServerMessage =
  | { event: 'media'; payload: Uint8Array }
  | { event: 'mark'; name: string }
  | { event: 'clear' }

export type WireFault = { code: 31950 | 31951; message: string }

const base64 = z.string().regex(/^[A-Za-z0-9+/]+={0,2}$/)
const serverMessage = z.discriminatedUnion('event', [
  z.strictObject({ event: z.literal('media'), streamSid: z.string(), media: z.strictObject({ payload: base64 }) }),
  z.strictObject({
    event: z.literal('mark'),
    streamSid: z.string(),
    mark: z.strictObject({ name: z.string().min(1) }),
  }),
  z.strictObject({ event: z.literal('clear'), streamSid: z.string() }),
])

/**
 * Reads one WebSocket message of the server as strictly as Twilio documents it: text frames only, `media`, `mark` and `clear`
 * with exactly their fields and the stream's own `streamSid`.
 * @param streamSid null before `start`: every message is then a fault
 */
export function readServerMessage(data: unknown, streamSid: string | null): ServerMessage | WireFault {
  if (typeof data !== 'string') return { code: 31950, message: 'binary frame' }
  if (streamSid === null) return { code: 31951, message: 'message before start' }
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return { code: 31951, message: 'not JSON' }
  }
  const parsed = serverMessage.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return { code: 31951, message: `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'invalid'}` }
  }
  const message = parsed.data
  if (message.streamSid !== streamSid) return { code: 31951, message: 'streamSid: not the sid of this stream' }
  if (message.event === 'clear') return { event: 'clear' }
  if (message.event === 'mark') return { event: 'mark', name: message.mark.name }
  if (message.media.payload.length % 4 !== 0) return { code: 31951, message: 'media.payload: base64 is not padded' }
  return { event: 'media', payload: new Uint8Array(Buffer.from(message.media.payload, 'base64')) }
}
