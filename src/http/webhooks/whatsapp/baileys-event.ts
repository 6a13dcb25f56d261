import { z } from 'zod'
import { type DescribedContent, describeContent } from '../../../domain/messages/index.ts'
import { cutContactName } from '../../../lib/contact-name.ts'
import { errorMessage } from '../../../lib/errors.ts'
import { networkPhone } from '../../../lib/phone.ts'
import { cleanText, cutText } from '../../../lib/text.ts'
import type { InboundContent, InboundMedia, ReadBridgeMessage } from '../../../providers/whatsapp/port.ts'

export type BaileysEvent = {
  accountId: string | null
  businessId: string | null
  to: string | null
  id: string
  chat: string
  phone: string | null
  lid: string | null
  name: string | null
  content: DescribedContent
  replyTo: string | null
  /** ISO 8601 */
  at: string
}

export type EventReading =
  | { id: string | null; result: 'event'; event: BaileysEvent }
  /** Not part of a conversation with one person. */
  | { id: string | null; result: 'ignored'; code: string }
  | { id: string | null; result: 'refused'; code: string; message: string; field?: string }

const MAX_TEXT = 65_536
const MAX_NAME = 256
const MAX_FILES = 20
const KINDS = ['image', 'video', 'audio', 'voice', 'document', 'sticker'] as const

/** An optional text: cut when it is too long, null when it is not a text. */
const text = (max: number) =>
  z
    .string()
    .transform((value) => cutText(cleanText(value), max) || null)
    .nullish()
    .catch(null)

/** Seconds or milliseconds since 1970, or ISO 8601; anything else is now. */
const moment = z
  .unknown()
  .optional()
  .transform((value) => {
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
    const date =
      typeof number === 'number' ? new Date(number < 1e11 ? number * 1_000 : number) : new Date(String(number ?? ''))
    const time = date.getTime()
    return Number.isNaN(time) || time <= 0 || time > Date.now() + 86_400_000
      ? new Date().toISOString()
      : date.toISOString()
  })

const file = z.object({
  url: z.string().max(4_096).optional().catch(undefined),
  contentType: text(128),
  fileName: text(MAX_NAME),
  kind: z.enum(KINDS).optional().catch(undefined),
  seconds: z.number().nonnegative().optional().catch(undefined),
})
const files = z
  .array(z.unknown())
  .transform((items) => items.slice(0, MAX_FILES).flatMap((item) => file.safeParse(item).data ?? []))
  .catch([])

/** The addressee is not optional: a wrong one would deliver the message to another business. */
const addressed = z.object({
  accountId: z.uuid().nullish(),
  businessId: z.uuid().nullish(),
  to: z.string().max(128).nullish(),
})

const plain = addressed.extend({
  id: z.string().min(1).max(256),
  from: z.string().min(3).max(128),
  fromMe: z.boolean().nullish().catch(false),
  lid: text(128),
  name: text(4_000),
  pushName: text(4_000),
  kind: z
    .string()
    .regex(/^[a-z_]{1,32}$/)
    .optional()
    .catch(undefined),
  text: text(MAX_TEXT),
  body: text(MAX_TEXT),
  replyTo: text(MAX_NAME),
  media: files,
  timestamp: moment,
})

/** A WAMessage of Baileys; the reader of linked accounts reads its content. */
const raw = addressed.extend({
  key: z.object({
    id: z.string().min(1).max(256),
    remoteJid: z.string().min(3).max(128),
    fromMe: z.boolean().nullish().catch(false),
  }),
  media: files,
  messageTimestamp: moment,
})

const MAX_EVENTS = 100
const batch = z.union([
  z.array(z.unknown()).min(1).max(MAX_EVENTS),
  z.looseObject({ messages: z.array(z.unknown()).min(1).max(MAX_EVENTS) }).transform(({ messages }) => messages),
  z.record(z.string(), z.unknown()).transform((event) => [event]),
])

/** Some bridges use an envelope: `{ event: 'messages.upsert', data: … }`. */
const envelope = z
  .object({
    event: z.string(),
    data: z.looseObject({}).or(z.array(z.unknown())).optional(),
    payload: z.looseObject({}).optional(),
  })
  .transform(({ data, payload }, context) => data ?? payload ?? context.addIssue({ code: 'custom', message: 'empty' }))

export function splitBatch(json: unknown): unknown[] {
  const { success, data } = envelope.safeParse(json)
  return batch.parse(success ? data : json)
}

export async function readBaileysEvent(item: unknown, read: ReadBridgeMessage): Promise<EventReading> {
  const { key, id: given, messageId } = z.looseObject({}).catch({}).parse(item)
  const id = [typeof key === 'object' && key !== null ? Reflect.get(key, 'id') : null, given, messageId].find(
    (value): value is string => typeof value === 'string',
  )
  const eventId = id === undefined ? null : cutText(cleanText(id), MAX_NAME)
  if (key !== undefined) return await readRaw(item, eventId, read)
  // Bridges use `id` or `messageId`.
  const parsed = plain.safeParse(typeof item === 'object' && item !== null ? { ...item, id } : item)
  return parsed.success ? readPlain(parsed.data) : refused(eventId, parsed.error)
}

async function readRaw(item: unknown, id: string | null, read: ReadBridgeMessage): Promise<EventReading> {
  const parsed = raw.safeParse(item)
  if (!parsed.success) return refused(id, parsed.error)
  const event = parsed.data
  if (event.key.fromMe) return { id, result: 'ignored', code: 'own_message' }
  try {
    const message = await read(item)
    if (!message) return { id, result: 'ignored', code: reasonOf(event.key.remoteJid) }
    const content = describeContent(withFiles(message.content, event.media), message.extras)
    return {
      id,
      result: 'event',
      event: {
        ...addressOf(event),
        id: event.key.id,
        chat: event.key.remoteJid,
        ...message.contact,
        content,
        replyTo: content.target ?? message.replyTo,
        at: event.messageTimestamp,
      },
    }
  } catch (error) {
    return { id, result: 'refused', code: 'unreadable_message', message: errorMessage(error), field: 'message' }
  }
}

function reasonOf(jid: string): string {
  if (jid.endsWith('@g.us')) return 'group'
  if (jid === 'status@broadcast') return 'status'
  return jid.endsWith('@newsletter') ? 'channel' : 'no_content'
}

/** Only the bridge has the keys of the files: each is fetched from the URL that the bridge gives. */
function withFiles(content: InboundContent, given: z.output<typeof files>): InboundContent {
  if (!('media' in content) || !content.media) return content
  const media = content.media.map((item, index) => ({ ...item, url: httpUrl(given[index]?.url) }))
  return { ...content, media }
}

function readPlain(event: z.output<typeof plain>): EventReading {
  const { id, from } = event
  if (event.fromMe) return { id, result: 'ignored', code: 'own_message' }
  const code = reasonOf(from)
  if (code !== 'no_content') return { id, result: 'ignored', code }
  const { phone, lid } = sender(from, event.lid ?? null)
  if (phone === null && lid === null)
    return {
      id,
      result: 'refused',
      code: 'invalid_input',
      message: 'The sender is not a phone number. Send a number or a JID.',
      field: 'from',
    }
  const content = describeContent(contentOf(event))
  return {
    id,
    result: 'event',
    event: {
      ...addressOf(event),
      id,
      chat: from,
      phone,
      lid,
      name: cutContactName(event.name ?? event.pushName),
      content,
      replyTo: content.target ?? event.replyTo ?? null,
      at: event.timestamp,
    },
  }
}

function contentOf(event: z.output<typeof plain>): InboundContent {
  const text = event.text ?? event.body ?? ''
  const { kind, replyTo } = event
  if (event.media.length > 0) return { kind: 'media', media: event.media.map((item) => fileOf(item, kind)), text }
  if (kind === 'reaction' && replyTo) return { kind, emoji: text, messageId: replyTo }
  if (kind === 'edit' && replyTo) return { kind, text, messageId: replyTo }
  if (kind === 'deletion' && replyTo) return { kind, messageId: replyTo }
  if (!kind || kind === 'text' || text !== '') return { kind: 'text', text }
  return { kind: 'unsupported', type: kind, text: '' }
}

function fileOf(item: z.output<typeof file>, kind: string | undefined): InboundMedia {
  const contentType = item.contentType ?? 'application/octet-stream'
  const family = contentType.toLowerCase().split('/')[0]
  const byType = family === 'image' || family === 'video' || family === 'audio' ? family : 'document'
  return {
    kind: item.kind ?? KINDS.find((name) => name === kind) ?? byType,
    url: httpUrl(item.url),
    contentType,
    fileName: item.fileName ?? null,
    bytes: null,
    seconds: item.seconds ?? null,
  }
}

function httpUrl(url: string | undefined): string | null {
  return url && /^https?:$/.test(URL.parse(url)?.protocol ?? '') ? url : null
}

function addressOf(event: z.output<typeof addressed>) {
  return { accountId: event.accountId ?? null, businessId: event.businessId ?? null, to: event.to ?? null }
}

function refused(id: string | null, error: z.ZodError): EventReading {
  const issue = error.issues[0]
  const field = issue?.path.join('.')
  return {
    id,
    result: 'refused',
    code: 'invalid_input',
    message: issue?.message ?? 'The event is not valid. Check its fields.',
    ...(field ? { field } : {}),
  }
}

function sender(from: string, other: string | null): { phone: string | null; lid: string | null } {
  const both = [from, other ?? '']
  const lid = both.find((value) => value.endsWith('@lid')) ?? null
  const phone = both.find((value) => value !== '' && !value.endsWith('@lid'))
  if (!phone) return { phone: null, lid }
  return { phone: networkPhone(phone), lid }
}
