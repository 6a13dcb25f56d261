import { proto, type WAMessage } from '@whiskeysockets/baileys'
import { z } from 'zod'
import type { InboundEvent } from '../port.ts'
import { normaliseMessage } from './inbound.ts'

/** A bridge names a person by both addresses or by one; there is no resolver. */
const NO_ALTERNATIVES = { phoneJidOf: async () => null, lidOf: async () => null }

const optional = z.string().optional().catch(undefined)
const bridged = z.object({
  key: z.object({
    id: z.string(),
    remoteJid: z.string(),
    remoteJidAlt: optional,
    participant: optional,
    participantAlt: optional,
    fromMe: z.boolean().optional().catch(undefined),
  }),
  message: z.record(z.string(), z.unknown()).nullish().catch(null),
  pushName: optional,
  messageTimestamp: z.coerce.number().positive().optional().catch(undefined),
})

/** Reads a `WAMessage` as a bridge posts it, in JSON; null for what is not part of a conversation with one person. */
export async function readBridgeMessage(json: unknown): Promise<InboundEvent | null> {
  const { key, message, ...rest } = bridged.parse(json)
  if (!message) return null
  const revived = withBytes(message)
  // `fromObject` takes base64 for bytes, and names or numbers for enums.
  const body = proto.Message.fromObject(typeof revived === 'object' && revived !== null ? revived : {})
  // protobufjs turns an object in the place of a text into "[object Object]".
  if (holdsObjectText(body) && !holdsObjectText(message))
    throw new Error('The message has an object in the place of a text.')
  const whole: WAMessage = { key, message: body, ...rest }
  return await normaliseMessage(whole, {
    account: 'bridge',
    allowGroups: false,
    source: 'live',
    resolver: NO_ALTERNATIVES,
  })
}

function holdsObjectText(value: object): boolean {
  return JSON.stringify(value).includes('[object Object]')
}

const MAX_DEPTH = 40

/** Converts bytes from JSON, `{type: 'Buffer', data: […]}` or `{0: …, 1: …}`, to base64. */
function withBytes(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value
  if (Array.isArray(value)) return value.map((item: unknown) => withBytes(item, depth + 1))
  const entries: [string, unknown][] = Object.entries(value)
  const data: unknown = Reflect.get(value, 'data')
  if (Reflect.get(value, 'type') === 'Buffer' && (Array.isArray(data) || typeof data === 'string'))
    return typeof data === 'string' ? data : Buffer.from(data).toString('base64')
  if (entries.length > 0 && entries.every(([name, byte], index) => name === String(index) && typeof byte === 'number'))
    return Buffer.from(entries.map(([, byte]) => Number(byte))).toString('base64')
  return Object.fromEntries(entries.map(([name, item]) => [name, withBytes(item, depth + 1)]))
}
