import { jidNormalizedUser, type proto, type WAMessage } from '@whiskeysockets/baileys'
import { cutContactName } from '../../../lib/contact-name.ts'
import { cleanDeep } from '../../../lib/text.ts'
import type { InboundContent, InboundEvent, StoredSecret, WhatsAppParty } from '../port.ts'
import { type JidKind, jidToLid, jidToPhone, kindOfJid } from './jids.ts'
import type { SealedAnswer } from './message-content/decision.ts'
import { type ReadMessage, readBytes, readMessage } from './message-content/read.ts'
import { closedContent, openSealed } from './message-content/sealed.ts'
import { typeOfStub } from './message-content/stubs.ts'
import { idOf } from './message-content/text.ts'

/** Finds the alternative address of a person: a phone-number JID for a LID, or a LID for a phone-number JID. */
export type AltResolver = {
  phoneJidOf(lid: string): Promise<string | null>
  lidOf(phoneJid: string): Promise<string | null>
}

export type NormaliseOptions = {
  account: string
  allowGroups: boolean
  source: 'live' | 'history'
  resolver: AltResolver
  me?: { id?: string | undefined; lid?: string | undefined }
  /** The message as it was sent, searched for fields that Baileys does not have. */
  bytes?: Uint8Array | null
  /** `edit` of the stanza; 8 is a deletion by an administrator, which WhatsApp verified. */
  edit?: string | undefined
  /** The message cannot be read; it is shown under this type. */
  placeholder?: string
  /** Sent to the owner's broadcast list whose members are not named: the message belongs to the list itself. */
  ownList?: boolean
  findSecret?(providerMessageId: string): Promise<StoredSecret | null>
}

/**
 * A message of WhatsApp as an event; null for what is not part of a conversation with a person (protocol messages, status
 * updates, channels, assistants, groups unless they are allowed).
 */
export async function normaliseMessage(message: WAMessage, options: NormaliseOptions): Promise<InboundEvent | null> {
  const { key } = message
  const id = idOf(key.id)
  const chat = key.remoteJid
  if (!chat || !id) return null
  const kind = kindOfJid(chat)
  if (!isConversation(kind, options.allowGroups)) return null
  const shownAs = options.placeholder ?? (message.message ? null : typeOfStub(message.messageStubType))
  const read = shownAs
    ? { ...NOTHING, content: { kind: 'unsupported' as const, type: shownAs, text: '' } }
    : readWhole(message.message, options.bytes ?? null)
  if (!read.content && !read.sealed) return null
  const contact = options.ownList ? NO_PERSON : await identify(message, kind, options.resolver)
  if (!contact) return null
  const inGroup = kind === 'group' || options.ownList === true
  const content = read.sealed ? await openAnswer(read.sealed, message, contact, options) : read.content
  if (!content) return null
  const direction = key.fromMe ? 'out' : 'in'
  // Keyed by the number where it is available: the same message may come addressed by number once and by LID once.
  const person = inGroup ? chat : (contact.phone ?? contact.lid ?? jidNormalizedUser(chat))
  // A history message may have its key beside the content.
  const answerKey = read.secret ?? message.messageSecret
  const secret = answerKey?.length ? Buffer.from(answerKey).toString('base64') : null
  return {
    provider: 'baileys',
    account: options.account,
    id,
    dedupeKey: `${options.account}/${person}/${direction}/${id}`,
    direction,
    contact,
    group: inGroup ? chat : null,
    at: new Date(toMillis(message.messageTimestamp)),
    source: options.source,
    replyTo: read.sealed ? replyOf(read.sealed, content) : read.replyTo,
    content: cleanDeep(inGroup ? ofWhom(content, message.message, options) : content),
    ...(Object.keys(read.extras).length > 0 && { extras: cleanDeep(read.extras) }),
    ...(secret && { secret }),
  }
}

function isConversation(kind: JidKind, allowGroups: boolean): boolean {
  return kind === 'person' || kind === 'lid' || kind === 'list' || (kind === 'group' && allowGroups)
}

function readWhole(message: proto.IMessage | null | undefined, bytes: Uint8Array | null): ReadMessage {
  if (message) return readMessage(message, bytes)
  return bytes ? readBytes(bytes) : NOTHING
}

const NO_PERSON: WhatsAppParty = { phone: null, lid: null, name: null }
const NOTHING: ReadMessage = { content: null, sealed: null, replyTo: null, extras: {}, secret: null }

async function identify(message: WAMessage, kind: JidKind, resolver: AltResolver): Promise<WhatsAppParty | null> {
  const { key } = message
  // A message through its sender's broadcast list belongs to the chat with the sender.
  const jid = kind === 'group' || kind === 'list' ? key.participant : key.remoteJid
  const alt = kind === 'group' ? key.participantAlt : key.remoteJidAlt
  let phone = jidToPhone(jid) ?? jidToPhone(alt)
  let lid = jidToLid(jid) ?? jidToLid(alt)
  if (!phone && lid) phone = jidToPhone(await resolver.phoneJidOf(lid))
  if (!lid && phone && jid) lid = jidToLid(await resolver.lidOf(`${phone.slice(1)}@s.whatsapp.net`))
  // The owner's own list does not name a person.
  if ((!phone && !lid) || (kind === 'list' && key.fromMe)) return null
  return {
    phone,
    lid,
    name: key.fromMe ? null : (cutContactName(message.pushName) ?? cutContactName(message.verifiedBizName)),
  }
}

async function openAnswer(
  sealed: SealedAnswer,
  { key }: WAMessage,
  contact: WhatsAppParty,
  { findSecret, me = {}, resolver }: NormaliseOptions,
): Promise<InboundContent> {
  const targetId = idOf(sealed.target.id)
  const stored = targetId && findSecret ? await findSecret(targetId) : null
  if (!stored) return closedContent(sealed)
  const own = [me.id, me.lid].flatMap((jid) => (jid ? [jidNormalizedUser(jid)] : []))
  const theirs = [contact.phone && `${contact.phone.slice(1)}@s.whatsapp.net`, contact.lid].filter(
    (jid) => jid !== null,
  )
  const { participant } = sealed.target
  const author = participant ? [jidNormalizedUser(participant)] : []
  const authorLid = jidToLid(participant)
  const authorPhone = jidToPhone(participant)
  if (authorLid) author.push((await resolver.phoneJidOf(authorLid)) ?? '')
  if (authorPhone) author.push((await resolver.lidOf(`${authorPhone.slice(1)}@s.whatsapp.net`)) ?? '')
  const authors = [...new Set([...author, ...own, ...theirs])].filter(Boolean)
  const senders = key.fromMe ? own : theirs
  return openSealed(sealed, stored, authors, senders) ?? closedContent(sealed)
}

function replyOf(sealed: SealedAnswer, content: InboundContent): string | null {
  return 'messageId' in content ? null : idOf(sealed.target.id)
}

function ofWhom(
  content: InboundContent,
  message: proto.IMessage | null | undefined,
  { me = {}, edit }: NormaliseOptions,
): InboundContent {
  if (content.kind !== 'deletion' || edit !== '8') return content
  const participant = message?.protocolMessage?.key?.participant
  const isOurs =
    (jidToPhone(participant) ?? jidToLid(participant) ?? '') === (jidToPhone(me.id) ?? '-') ||
    (jidToLid(participant) ?? '') === (jidToLid(me.lid) ?? '-')
  return { ...content, by: 'administrator', direction: isOurs ? 'out' : 'in' }
}

/** From WhatsApp's beginnings to a day from now; outside of it the sender's clock is wrong. */
function toMillis(timestamp: WAMessage['messageTimestamp']): number {
  const milliseconds = Number(String(timestamp ?? 0)) * 1_000
  const now = Date.now()
  const isTime = milliseconds > Date.UTC(2009, 0) && milliseconds < now + 86_400_000
  return isTime ? milliseconds : now
}
