import { jidNormalizedUser, normalizeMessageContent, proto, type WAMessage } from '@whiskeysockets/baileys'
import type { InboundContent, InboundEvent, WhatsAppParty } from '../port.ts'
import { isJidGroup, isPublicJid, jidToLid, jidToPhone } from './jids.ts'
import { describeMedia } from './media.ts'

/** Finds the other name of a person: a phone-number JID for a LID, or a LID for a phone-number JID. */
export type AltResolver = {
  phoneJidOf(lid: string): Promise<string | null>
  lidOf(phoneJid: string): Promise<string | null>
}

export type NormaliseOptions = {
  account: string
  allowGroups: boolean
  source: 'live' | 'history'
  resolver: AltResolver
}

/**
 * A message as WhatsApp sends it, in the product's words; null for what is no part of a conversation (protocol talk,
 * status updates, channels, groups unless they are allowed, what could not be decrypted).
 */
export async function normaliseMessage(message: WAMessage, options: NormaliseOptions): Promise<InboundEvent | null> {
  const { key } = message
  const chat = key.remoteJid
  if (!chat || !key.id || isPublicJid(chat)) return null
  const inGroup = isJidGroup(chat) === true
  if (inGroup && !options.allowGroups) return null
  const body = normalizeMessageContent(message.message)
  const content = body && readContent(body)
  if (!content) return null
  const contact = await identify(message, inGroup, options.resolver)
  if (!contact) return null
  const direction = key.fromMe ? 'out' : 'in'
  // Keyed by the number where it is known: the same message may come addressed by number once and by LID once.
  const person = inGroup ? chat : (contact.phone ?? contact.lid ?? jidNormalizedUser(chat))
  return {
    provider: 'baileys',
    account: options.account,
    id: key.id,
    dedupeKey: `${options.account}/${person}/${direction}/${key.id}`,
    direction,
    contact,
    group: inGroup ? chat : null,
    at: new Date(toMillis(message.messageTimestamp)),
    source: options.source,
    replyTo: quotedId(body),
    content,
  }
}

async function identify(message: WAMessage, inGroup: boolean, resolver: AltResolver): Promise<WhatsAppParty | null> {
  const { key } = message
  const jid = inGroup ? key.participant : key.remoteJid
  const alt = inGroup ? key.participantAlt : key.remoteJidAlt
  let phone = jidToPhone(jid) ?? jidToPhone(alt)
  let lid = jidToLid(jid) ?? jidToLid(alt)
  if (!phone && lid) phone = jidToPhone(await resolver.phoneJidOf(lid))
  if (!lid && phone && jid) lid = jidToLid(await resolver.lidOf(jidNormalizedUser(jid)))
  if (!phone && !lid) return null
  return { phone, lid, name: key.fromMe ? null : message.pushName || null }
}

function readContent(body: proto.IMessage): InboundContent | null {
  if (body.protocolMessage) return readProtocol(body.protocolMessage)
  if (body.reactionMessage) {
    const { key, text } = body.reactionMessage
    return key?.id ? { kind: 'reaction', emoji: text ?? '', messageId: key.id } : null
  }
  const text = body.conversation || body.extendedTextMessage?.text
  if (text) return { kind: 'text', text }
  const media = describeMedia(body)
  if (media) return { kind: 'media', media: [media.media], text: media.caption }
  const place = body.locationMessage ?? body.liveLocationMessage
  if (place) {
    const { degreesLatitude: latitude, degreesLongitude: longitude } = place
    if (typeof latitude !== 'number' || typeof longitude !== 'number') return null
    const { name, address } = body.locationMessage ?? {}
    return { kind: 'location', latitude, longitude, name: name || null, address: address || null }
  }
  const cards = body.contactMessage ? [body.contactMessage] : body.contactsArrayMessage?.contacts
  if (cards) return { kind: 'contacts', contacts: cards.map(readCard) }
  const choice =
    body.buttonsResponseMessage?.selectedDisplayText ??
    body.templateButtonReplyMessage?.selectedDisplayText ??
    body.listResponseMessage?.title
  if (choice) return { kind: 'text', text: choice }
  const type = Object.keys(body).find((name) => !SILENT.has(name) && Object(body)[name] != null)
  return type ? { kind: 'unsupported', type, text: '' } : null
}

/** Parts of a message that say nothing to a person. */
const SILENT = new Set([
  'messageContextInfo',
  'senderKeyDistributionMessage',
  'fastRatchetKeySenderKeyDistributionMessage',
  'encReactionMessage',
  'keepInChatMessage',
  'pinInChatMessage',
  'pollUpdateMessage',
])

function readProtocol(message: proto.Message.IProtocolMessage): InboundContent | null {
  const { Type } = proto.Message.ProtocolMessage
  const messageId = message.key?.id
  if (!messageId) return null
  if (message.type === Type.REVOKE) return { kind: 'deletion', messageId }
  if (message.type !== Type.MESSAGE_EDIT) return null
  const edited = normalizeMessageContent(message.editedMessage)
  const caption = edited?.imageMessage?.caption ?? edited?.videoMessage?.caption ?? edited?.documentMessage?.caption
  const text = edited?.conversation || edited?.extendedTextMessage?.text || caption
  return typeof text === 'string' ? { kind: 'edit', messageId, text } : null
}

function readCard(card: proto.Message.IContactMessage): { name: string; phones: string[] } {
  const phones = [...(card.vcard ?? '').matchAll(/^(?:item\d+\.)?TEL[^:\n]*:([^\r\n]+)/gim)].map(([, phone]) =>
    (phone ?? '').trim(),
  )
  return { name: card.displayName ?? '', phones }
}

function quotedId(body: proto.IMessage): string | null {
  for (const part of Object.values(body)) {
    if (typeof part !== 'object' || part === null || !('contextInfo' in part)) continue
    const context: proto.IContextInfo | null | undefined = part.contextInfo
    if (context?.stanzaId) return context.stanzaId
  }
  return null
}

function toMillis(timestamp: WAMessage['messageTimestamp']): number {
  const seconds = Number(timestamp ?? 0)
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : Date.now()
}
