import { z } from 'zod'
import { cutContactName } from '../../../lib/contact-name.ts'
import { parsePhone } from '../../../lib/phone.ts'
import { cleanText, cutText } from '../../../lib/text.ts'
import type { InboundContent, InboundExtras, InboundMedia } from '../../../providers/whatsapp/port.ts'

/**
 * How a field of Twilio's request is used:
 * - `required`: without it the message is refused
 * - `sender`, `content`, `media`, `reply`, `referral`: read when its value is usable
 * - `fallback`: read when the more specific fields are empty
 * - `extra`: stored unchanged in `data.extra`, like a field that is not in this table
 * - `ignored`: redundant
 */
export type TwilioFieldUse =
  | 'required'
  | 'sender'
  | 'content'
  | 'media'
  | 'reply'
  | 'referral'
  | 'fallback'
  | 'extra'
  | 'ignored'

/** Numbered fields, such as `MediaUrl0`, are listed with `{N}`. */
export const TWILIO_FIELDS: Readonly<Record<string, TwilioFieldUse>> = {
  MessageSid: 'required',
  From: 'required',
  To: 'required',
  /** Older names of `MessageSid`. */
  SmsSid: 'fallback',
  SmsMessageSid: 'fallback',
  Body: 'content',
  MessageType: 'content',
  NumMedia: 'media',
  'MediaUrl{N}': 'media',
  'MediaContentType{N}': 'media',
  ProfileName: 'sender',
  WaId: 'sender',
  ExternalUserId: 'sender',
  ButtonText: 'content',
  ButtonPayload: 'content',
  ButtonType: 'extra',
  ListId: 'content',
  ListTitle: 'content',
  ListDescription: 'content',
  InteractiveData: 'content',
  FlowData: 'content',
  Latitude: 'content',
  Longitude: 'content',
  Address: 'content',
  Label: 'content',
  Forwarded: 'content',
  FrequentlyForwarded: 'content',
  OriginalRepliedMessageSid: 'reply',
  /** The row of the quoted message has its sender. */
  OriginalRepliedMessageSender: 'ignored',
  ReferralBody: 'referral',
  ReferralHeadline: 'referral',
  ReferralSourceId: 'referral',
  ReferralSourceType: 'referral',
  ReferralSourceUrl: 'referral',
  ReferralMediaUrl: 'referral',
  ReferralCtwaClid: 'referral',
  ReferralMediaId: 'extra',
  ReferralMediaContentType: 'extra',
  ReferralNumMedia: 'ignored',
  ChannelMetadata: 'fallback',
  OptOutType: 'extra',
  AccountSid: 'ignored',
  MessagingServiceSid: 'ignored',
  ApiVersion: 'ignored',
  SmsStatus: 'ignored',
  NumSegments: 'ignored',
  /** Looked up by Twilio from the numbers. */
  FromCity: 'ignored',
  FromState: 'ignored',
  FromZip: 'ignored',
  FromCountry: 'ignored',
  ToCity: 'ignored',
  ToState: 'ignored',
  ToZip: 'ignored',
  ToCountry: 'ignored',
}

export type TwilioMessage = {
  id: string
  to: string
  from: { phone: string | null; externalId: string | null; name: string | null }
  content: InboundContent
  extras: InboundExtras
  replyTo: string | null
  unknown: string[]
}

const required = z.object({
  MessageSid: z.string().min(1).max(64),
  From: z.string().min(1).max(128),
  To: z.string().min(1).max(128),
})

const MAX_BODY = 65_536
const MAX_LINE = 1_000
const MAX_JSON = 32_768
const MAX_URL = 2_048
/** Twilio's limit is 10. */
const MAX_FILES = 20
const MAX_EXTRAS = 30
const MAX_NAME = 64

type Read = (name: string, max?: number) => string | null

/**
 * Reads Twilio's inbound form: long fields are cut, unknown ones stored. @throws ZodError without `MessageSid`, `From` or
 * `To`
 */
export function readTwilioMessage(params: Readonly<Record<string, string>>): TwilioMessage {
  const { MessageSid, From, To } = required.parse({
    ...params,
    MessageSid: params.MessageSid || params.SmsMessageSid || params.SmsSid,
  })
  const context = contextOf(params.ChannelMetadata)
  const read: Read = (name, max = MAX_LINE) => {
    const value = params[name]?.trim() ? params[name] : context[name]
    const text = typeof value === 'string' ? cutText(cleanText(value), max).trim() : ''
    return text === '' ? null : text
  }
  const { extra, unknown } = readExtras(params)
  const waId = read('WaId')
  const phone = parsePhone(From) ?? (waId ? parsePhone(`+${waId.replace(/^\+/, '')}`) : null)
  const media = readMedia(params, read)
  const content = readContent(params, read, media, context)
  const type = read('MessageType')?.toLowerCase() ?? null
  const strange = type !== null && !KNOWN_TYPES.has(type) && content.kind !== 'unsupported'
  return {
    id: MessageSid,
    to: To,
    from: {
      phone,
      externalId: read('ExternalUserId', 256) ?? (phone ? null : From),
      name: cutContactName(read('ProfileName', 4_000)),
    },
    content,
    extras: {
      ...readForwarding(read),
      ...readReferral(read),
      ...(Object.keys(extra).length > 0 || strange
        ? { extra: { ...extra, ...(strange ? { MessageType: type } : {}) } }
        : {}),
    },
    replyTo: read('OriginalRepliedMessageSid', 64),
    unknown,
  }
}

const KNOWN_TYPES = new Set([
  'text',
  'image',
  'audio',
  'voice',
  'video',
  'document',
  'sticker',
  'location',
  'contacts',
  'interactive',
  'button',
  'reaction',
  'order',
])

function readContent(
  params: Readonly<Record<string, string>>,
  read: Read,
  media: InboundMedia[],
  context: Record<string, unknown>,
): InboundContent {
  const text = cutText(cleanText(params.Body ?? ''), MAX_BODY)
  const type = read('MessageType')?.toLowerCase() ?? null
  const target = read('OriginalRepliedMessageSid', 64)
  if (type === 'reaction' && target) return { kind: 'reaction', emoji: text.trim(), messageId: target }
  const choice = readChoice(read, text)
  if (media.length > 0) return { kind: 'media', media, text: text || (choice?.kind === 'choice' ? choice.text : '') }
  const place = readPlace(read, text)
  if (place) return place
  const order = type === 'order' ? readOrder(read, context, text) : null
  if (order) return order
  if (choice) return choice
  if (text.trim() !== '') return { kind: 'text', text }
  // A type that is not modelled here: stored with whatever text there is.
  const words = [read('Label'), read('Address'), read('ListDescription')].filter(Boolean).join('\n')
  return type === null || type === 'text'
    ? { kind: 'text', text: words }
    : { kind: 'unsupported', type: cutText(type, MAX_NAME), text: words }
}

function readPlace(read: Read, text: string): InboundContent | null {
  const latitude = degrees(read('Latitude'), 90)
  const longitude = degrees(read('Longitude'), 180)
  if (latitude === null || longitude === null) return null
  return {
    kind: 'location',
    latitude,
    longitude,
    name: read('Label'),
    address: read('Address'),
    ...(text.trim() ? { text } : {}),
  }
}

function degrees(value: string | null, most: number): number | null {
  if (value === null || !/^[+-]?\d{1,3}(\.\d+)?$/.test(value)) return null
  const number = Number(value)
  return Math.abs(number) <= most ? number : null
}

function readChoice(read: Read, text: string): InboundContent | null {
  const flow = read('FlowData', MAX_JSON) ?? null
  const interactive = parseJson(read('InteractiveData', MAX_JSON))
  const response = recordOf(parseJson(flow)) ?? recordOf(recordOf(interactive)?.flowResponse)
  if (response)
    return { kind: 'choice', text: text.trim() || answersOf(response), id: null, source: 'flow', data: response }
  const title = read('ListTitle')
  const listId = read('ListId')
  if (title || listId)
    return {
      kind: 'choice',
      text: text.trim() || title || listId || '',
      id: listId,
      description: read('ListDescription'),
      source: 'list',
    }
  const button = read('ButtonText')
  const payload = read('ButtonPayload', 4_096)
  const data = interactive === null ? {} : { data: interactive }
  if (button || payload)
    return {
      kind: 'choice',
      text: text.trim() || button || payload || '',
      id: payload,
      source: read('MessageType')?.toLowerCase() === 'button' ? 'template' : 'button',
      ...data,
    }
  if (interactive !== null) return { kind: 'choice', text: text.trim(), id: null, source: 'other', ...data }
  return null
}

function answersOf(response: Record<string, unknown>): string {
  const lines = Object.entries(response)
    .filter(([name]) => name !== 'flow_token')
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(', ') : textOf(value)}`)
  return cutText(cleanText(lines.join('\n')), MAX_BODY)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

const orderSchema = z.object({
  text: z.string().optional().catch(undefined),
  catalog_id: z.string().nullish().catch(null),
  product_items: z
    .array(
      z.object({
        product_retailer_id: z.coerce.string().nullish().catch(null),
        quantity: z.coerce.number().nonnegative().nullish().catch(null),
        item_price: z.coerce.number().nonnegative().nullish().catch(null),
        currency: z.string().length(3).nullish().catch(null),
      }),
    )
    .max(500),
})

/** A cart (WhatsApp Cloud API reference, "Order messages webhook"). */
function readOrder(read: Read, context: Record<string, unknown>, text: string): InboundContent | null {
  const interactive = recordOf(parseJson(read('InteractiveData', MAX_JSON)))
  const found = [interactive?.order, interactive, context.order, context].flatMap((value) => {
    const order = orderSchema.safeParse(value)
    return order.success ? [order.data] : []
  })[0]
  if (!found) return null
  const minor = (price: number | null | undefined) => (price == null ? null : Math.round(price * 100))
  const items = found.product_items.map((item) => ({
    id: item.product_retailer_id ?? null,
    name: null,
    quantity: item.quantity ?? null,
    amount: minor(item.item_price),
  }))
  const currencies = new Set(found.product_items.map((item) => item.currency ?? null))
  const priced = currencies.size === 1 && items.every(({ amount, quantity }) => amount !== null && quantity !== null)
  return {
    kind: 'order',
    text: text.trim() || (found.text ?? ''),
    orderId: null,
    items,
    total: priced ? items.reduce((sum, item) => sum + (item.amount ?? 0) * (item.quantity ?? 0), 0) : null,
    currency: currencies.size === 1 ? ([...currencies][0] ?? null) : null,
  }
}

/** The files of a message, by their count or their URLs; one without a usable URL has `url: null`. */
function readMedia(params: Readonly<Record<string, string>>, read: Read): InboundMedia[] {
  const counted = Number(/^\d{1,2}$/.exec(read('NumMedia') ?? '')?.[0] ?? 0)
  const numbers = Object.keys(params).flatMap((name) => {
    const number = /^MediaUrl(\d{1,2})$/.exec(name)?.[1]
    return number === undefined ? [] : [Number(number) + 1]
  })
  const count = Math.min(MAX_FILES, Math.max(counted, ...numbers, 0))
  const sticker = read('MessageType')?.toLowerCase() === 'sticker'
  return Array.from({ length: count }, (_, index) => {
    const given = read(`MediaContentType${index}`, 128)
    const contentType = given && /^[\w.+-]+\/[\w.+-]+\s*(;.*)?$/.test(given) ? given : 'application/octet-stream'
    const address = read(`MediaUrl${index}`, MAX_URL + 1)
    const url =
      address && address.length <= MAX_URL && /^https?:$/.test(URL.parse(address)?.protocol ?? '') ? address : null
    return { kind: kindOf(contentType, sticker), url, contentType, fileName: null, bytes: null, seconds: null }
  })
}

function kindOf(contentType: string, sticker: boolean): InboundMedia['kind'] {
  const type = contentType.toLowerCase()
  if (sticker) return 'sticker'
  // WhatsApp uses Opus in Ogg for voice notes only.
  if (type.startsWith('audio/ogg')) return 'voice'
  const family = type.split('/')[0]
  return family === 'image' || family === 'video' || family === 'audio' ? family : 'document'
}

/** A message forwarded five times or more is "forwarded many times" (WhatsApp Help Center, "About forwarding limits"). */
const MANY_TIMES = 5

function readForwarding(read: Read): InboundExtras {
  const yes = (name: string) => read(name)?.toLowerCase() === 'true'
  if (yes('FrequentlyForwarded')) return { forwarded: true, forwardScore: MANY_TIMES }
  return yes('Forwarded') ? { forwarded: true } : {}
}

function readReferral(read: Read): InboundExtras {
  const referral = {
    sourceType: read('ReferralSourceType'),
    sourceId: read('ReferralSourceId'),
    url: read('ReferralSourceUrl', MAX_URL),
    headline: read('ReferralHeadline'),
    body: read('ReferralBody', 4_096),
    mediaUrl: read('ReferralMediaUrl', MAX_URL),
    clickId: read('ReferralCtwaClid'),
  }
  return Object.values(referral).some((value) => value !== null) ? { referral } : {}
}

function readExtras(params: Readonly<Record<string, string>>): { extra: Record<string, string>; unknown: string[] } {
  const unknown: string[] = []
  const extra: Record<string, string> = {}
  for (const [name, value] of Object.entries(params)) {
    const use = Object.hasOwn(TWILIO_FIELDS, name)
      ? TWILIO_FIELDS[name]
      : TWILIO_FIELDS[name.replace(/\d{1,2}$/, '{N}')]
    if (use === undefined) unknown.push(cutText(cleanText(name), MAX_NAME))
    if ((use !== undefined && use !== 'extra') || value.trim() === '') continue
    if (Object.keys(extra).length < MAX_EXTRAS && /^[\w.-]{1,64}$/.test(name) && name !== '__proto__')
      extra[name] = cutText(cleanText(value), MAX_LINE)
  }
  return { extra, unknown }
}

function contextOf(metadata: string | undefined): Record<string, unknown> {
  const data = recordOf(recordOf(parseJson(metadata && metadata.length <= MAX_JSON ? metadata : null))?.data)
  return recordOf(data?.context) ?? {}
}

function parseJson(text: string | null): unknown {
  if (text === null) return null
  try {
    return JSON.parse(text)
  } catch {
    // Form data comes from the sender and may be anything.
    return null
  }
}

function recordOf(value: unknown): Record<string, unknown> | null {
  const record = z.record(z.string(), z.unknown()).safeParse(value)
  return record.success ? record.data : null
}
