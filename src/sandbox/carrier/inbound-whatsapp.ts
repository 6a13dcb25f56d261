import { createHash } from 'node:crypto'
import { postCallback } from './message-delivery.ts'
import { API_ROOT } from './rest.ts'
import { newSid } from './sids.ts'
import type { CarrierState, MediaRecord, MessageRecord } from './state.ts'

export type InboundWhatsApp = {
  carrier: CarrierState
  /** The sender's "when a message comes in" URL, as the product's public URL. */
  webhookUrl: string
  /** The customer, `+972…` or `whatsapp:+972…`. */
  from: string
  /** The business's WhatsApp sender. */
  to: string
  body?: string
  media?: readonly { bytes: Uint8Array; contentType: string }[]
  profileName?: string
  /** Defaults to a stable `whatsapp:ID.…` made of the number. */
  externalUserId?: string
  buttonText?: string
  buttonPayload?: string
  repliedTo?: string
  forwarded?: boolean
  location?: { latitude: number; longitude: number; label?: string; address?: string }
  /** Deliver an earlier message once more under its own sid. */
  messageSid?: string
  /** How often Twilio delivers it, all under one `I-Twilio-Idempotency-Token`. Default 1. */
  deliveries?: number
  /** All deliveries at once instead of one after the other. */
  parallel?: boolean
  /** Sent instead of the right signature; null = none. */
  signature?: string | null
  extraParams?: Readonly<Record<string, string>>
}

/** One delivery's answer. */
export type InboundDelivery = { status: number | null; body: string; error: string | null; latencyMs: number }

export type InboundResult = {
  messageSid: string
  mediaSids: string[]
  params: Readonly<Record<string, string>>
  deliveries: InboundDelivery[]
}

/**
 * A WhatsApp message of a customer: kept in the carrier (its files hosted under `/Messages/{sid}/Media`), opens the 24 hour
 * window, and is posted to the webhook with all the fields Twilio sends.
 */
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
  return { messageSid: message.sid, mediaSids: message.media.map((media) => media.sid), params, deliveries }
}

function keepMessage(options: InboundWhatsApp): MessageRecord {
  const { carrier, media = [] } = options
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
  if (options.repliedTo !== undefined) {
    params.OriginalRepliedMessageSid = options.repliedTo
    params.OriginalRepliedMessageSender = message.to
  }
  if (options.forwarded === true) params.Forwarded = 'true'
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

function messageType(options: InboundWhatsApp, message: MessageRecord): string {
  if (options.location) return 'location'
  if (options.buttonPayload !== undefined || options.buttonText !== undefined) return 'button'
  const type = message.media[0]?.contentType.split('/')[0]
  if (type === undefined) return 'text'
  return ['image', 'audio', 'video'].includes(type) ? type : 'document'
}
