import { createHash } from 'node:crypto'
import { postCallback } from './message-delivery.ts'
import { API_ROOT } from './rest.ts'
import type { CarrierState, MediaRecord, MessageRecord } from './state.ts'
import { newSid } from './twilio-sid.ts'

export type InboundWhatsApp = {
  carrier: CarrierState
  /** The sender's "when a message comes in" URL, as the product's public URL. */
  webhookUrl: string
  from: string
  to: string
  body?: string
  media?: readonly { bytes: Uint8Array; contentType: string }[]
  profileName?: string
  externalUserId?: string
  buttonText?: string
  buttonPayload?: string
  /** A button of a template (`button`) or of a session message (`interactive`). Default `button`. */
  buttonKind?: 'button' | 'interactive'
  list?: { id: string; title: string; description?: string }
  /** The fields of a completed flow, sent as `FlowData` and in `InteractiveData`. */
  flow?: Readonly<Record<string, unknown>>
  /** A reaction to the message of this sid; an empty emoji takes it back. */
  reaction?: { messageSid: string; emoji: string }
  /** Cards, each sent as a vCard file. */
  contacts?: readonly { name: string; phone: string }[]
  order?: {
    catalogId: string
    items: readonly { id: string; quantity: number; price: number; currency: string }[]
  }
  referral?: {
    sourceType?: string
    sourceId?: string
    sourceUrl?: string
    headline?: string
    body?: string
    ctwaClid?: string
    /** Hosted under the message, like its own files. */
    media?: { bytes: Uint8Array; contentType: string }
  }
  /** Overrides the derived `MessageType`. */
  messageType?: string
  repliedTo?: string
  forwarded?: boolean
  frequentlyForwarded?: boolean
  location?: { latitude: number; longitude: number; label?: string; address?: string }
  /** Delivers an earlier message again under its own sid. */
  messageSid?: string
  /** How often Twilio delivers it, all under one `I-Twilio-Idempotency-Token`. Default 1. */
  deliveries?: number
  /** All deliveries at once instead of one after the other. */
  parallel?: boolean
  /** Sent instead of the correct signature; null = none. */
  signature?: string | null
  extraParams?: Readonly<Record<string, string>>
}

export type InboundDelivery = { status: number | null; body: string; error: string | null; latencyMs: number }

export type InboundResult = {
  messageSid: string
  mediaIds: string[]
  params: Readonly<Record<string, string>>
  deliveries: InboundDelivery[]
}

/** Stores a customer's message and its files, opens the 24 hour window, and posts all the fields that Twilio sends. */
export async function sendInboundWhatsApp(options: InboundWhatsApp): Promise<InboundResult> {
  const { carrier } = options
  const message = keepMessage(options)
  carrier.lastInbound.set(`${message.to}|${message.from}`, Date.now())
  const params = inboundParams(options, message)
  const idempotencyToken = crypto.randomUUID()
  const deliver = async (): Promise<InboundDelivery> => {
    const answer = await postCallback(carrier, 'inbound_message', options.webhookUrl, params, {
      idempotencyToken,
      ...(options.signature === undefined ? {} : { signature: options.signature }),
    })
    const body = new TextDecoder().decode(answer.body)
    return { status: answer.status, body, error: answer.error, latencyMs: answer.latencyMs }
  }
  const count = options.deliveries ?? 1
  const deliveries: InboundDelivery[] = []
  if (options.parallel === true) deliveries.push(...(await Promise.all(Array.from({ length: count }, deliver))))
  else for (let i = 0; i < count; i += 1) deliveries.push(await deliver())
  return { messageSid: message.sid, mediaIds: message.media.map((media) => media.sid), params, deliveries }
}

function keepMessage(options: InboundWhatsApp): MessageRecord {
  const { carrier } = options
  const media = filesOf(options)
  const known = options.messageSid === undefined ? undefined : carrier.messages.get(options.messageSid)
  if (known) return known
  const now = new Date()
  const sid = options.messageSid ?? newSid(media.length > 0 ? 'MM' : 'SM')
  const files: MediaRecord[] = media.map((file) => ({ sid: newSid('ME'), messageSid: sid, createdAt: now, ...file }))
  const message: MessageRecord = {
    sid,
    direction: 'inbound',
    from: asWhatsApp(options.from),
    to: asWhatsApp(options.to),
    body: options.body ?? '',
    mediaUrls: [],
    media: files,
    contentSid: null,
    contentVariables: null,
    messagingServiceSid: null,
    statusCallback: null,
    status: 'received',
    errorCode: null,
    createdAt: now,
    updatedAt: now,
    sentAt: now,
  }
  carrier.addMessage(message)
  return message
}

function filesOf(options: InboundWhatsApp): { bytes: Uint8Array; contentType: string }[] {
  const cards = (options.contacts ?? []).map(({ name, phone }) => ({
    bytes: new TextEncoder().encode(
      `BEGIN:VCARD\r\nVERSION:3.0\r\nN:;${name};;;\r\nFN:${name}\r\nTEL;type=CELL;waid=${phone.replace(/\D/g, '')}:${phone}\r\nEND:VCARD\r\n`,
    ),
    contentType: 'text/vcard',
  }))
  return [...(options.media ?? []), ...cards]
}

function asWhatsApp(address: string): string {
  return address.startsWith('whatsapp:') ? address : `whatsapp:${address}`
}

function inboundParams(options: InboundWhatsApp, message: MessageRecord): Record<string, string> {
  const { carrier } = options
  const waId = message.from.replace(/\D/g, '')
  const profileName = options.profileName ?? 'Sandbox customer'
  const params: Record<string, string> = {
    AccountSid: carrier.accountSid,
    ApiVersion: '2010-04-01',
    Body: message.body,
    ChannelMetadata: JSON.stringify({
      type: 'whatsapp',
      data: { context: { ProfileName: profileName, WaId: waId, ExternalUserId: externalUserId(options, waId) } },
    }),
    ExternalUserId: externalUserId(options, waId),
    From: message.from,
    MessageSid: message.sid,
    MessageType: messageType(options, message),
    NumMedia: String(message.media.length),
    NumSegments: '1',
    ProfileName: profileName,
    ReferralNumMedia: '0',
    SmsMessageSid: message.sid,
    SmsSid: message.sid,
    SmsStatus: 'received',
    To: message.to,
    WaId: waId,
  }
  for (const [index, media] of message.media.entries()) {
    params[`MediaContentType${index}`] = media.contentType
    params[`MediaUrl${index}`] =
      `${carrier.url}${API_ROOT}/Accounts/${carrier.accountSid}/Messages/${message.sid}/Media/${media.sid}`
  }
  if (options.buttonText !== undefined) params.ButtonText = options.buttonText
  if (options.buttonPayload !== undefined) params.ButtonPayload = options.buttonPayload
  const answered = options.reaction?.messageSid ?? options.repliedTo
  if (answered !== undefined) {
    params.OriginalRepliedMessageSid = answered
    params.OriginalRepliedMessageSender = message.to
  }
  if (options.reaction) params.Body = options.reaction.emoji
  if (options.forwarded !== undefined) params.Forwarded = String(options.forwarded)
  if (options.frequentlyForwarded !== undefined) params.FrequentlyForwarded = String(options.frequentlyForwarded)
  if (options.list) {
    params.ListId = options.list.id
    params.ListTitle = options.list.title
    if (options.list.description !== undefined) params.ListDescription = options.list.description
    params.Body ||= options.list.title
  }
  if (options.flow) {
    params.FlowData = JSON.stringify(options.flow)
    params.InteractiveData = JSON.stringify({ flowResponse: options.flow })
  }
  if (options.order)
    params.InteractiveData = JSON.stringify({
      order: {
        catalog_id: options.order.catalogId,
        product_items: options.order.items.map(({ id, quantity, price, currency }) => ({
          product_retailer_id: id,
          quantity,
          item_price: price,
          currency,
        })),
      },
    })
  Object.assign(params, referralParams(options.referral, options, message))
  if (options.location) {
    params.Latitude = String(options.location.latitude)
    params.Longitude = String(options.location.longitude)
    if (options.location.label !== undefined) params.Label = options.location.label
    if (options.location.address !== undefined) params.Address = options.location.address
  }
  return { ...params, ...options.extraParams }
}

function externalUserId(options: InboundWhatsApp, waId: string): string {
  if (options.externalUserId !== undefined) return options.externalUserId
  return `whatsapp:ID.${createHash('sha256').update(waId).digest('hex').slice(0, 20)}`
}

function referralParams(
  referral: InboundWhatsApp['referral'],
  { carrier }: InboundWhatsApp,
  message: MessageRecord,
): Record<string, string> {
  if (!referral) return {}
  const { sourceType, sourceId, sourceUrl, headline, body, ctwaClid, media } = referral
  const fields: Record<string, string | undefined> = {
    ReferralSourceType: sourceType,
    ReferralSourceId: sourceId,
    ReferralSourceUrl: sourceUrl,
    ReferralHeadline: headline,
    ReferralBody: body,
    ReferralCtwaClid: ctwaClid,
  }
  if (media) {
    const file: MediaRecord = { sid: newSid('ME'), messageSid: message.sid, createdAt: new Date(), ...media }
    message.media.push(file)
    fields.ReferralNumMedia = '1'
    fields.ReferralMediaId = crypto.randomUUID()
    fields.ReferralMediaContentType = media.contentType
    fields.ReferralMediaUrl = `${carrier.url}${API_ROOT}/Accounts/${carrier.accountSid}/Messages/${message.sid}/Media/${file.sid}`
  }
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}

function messageType(options: InboundWhatsApp, message: MessageRecord): string {
  if (options.messageType !== undefined) return options.messageType
  if (options.reaction) return 'reaction'
  if (options.order) return 'order'
  if (options.contacts) return 'contacts'
  if (options.location) return 'location'
  if (options.list || options.flow) return 'interactive'
  if (options.buttonPayload !== undefined || options.buttonText !== undefined) return options.buttonKind ?? 'button'
  const type = message.media[0]?.contentType.split('/')[0]
  if (type === undefined) return 'text'
  return ['image', 'audio', 'video'].includes(type) ? type : 'document'
}
