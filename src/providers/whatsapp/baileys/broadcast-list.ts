import { areJidsSameUser, type BinaryNode, jidNormalizedUser, type WAMessage } from '@whiskeysockets/baileys'
import { newId } from '../../../lib/ids.ts'
import type { InboundEvent } from '../port.ts'
import { type NormaliseOptions, normaliseMessage } from './inbound.ts'
import { kindOfJid } from './jids.ts'

/** A member of a broadcast list: the address and, where it is given, the alternative one. */
export type ListRecipient = { jid: string; alt?: string | undefined }

/** The recipients that a stanza names: of an own broadcast list, `<participants><to jid=…/></participants>`. */
export function recipientsOf({ attrs, content }: BinaryNode): ListRecipient[] {
  if (kindOfJid(attrs.from) !== 'list' && kindOfJid(attrs.recipient) !== 'list') return []
  const participants = Array.isArray(content) ? content.find(({ tag }) => tag === 'participants')?.content : null
  if (!Array.isArray(participants)) return []
  return participants.flatMap(({ tag, attrs: to }) =>
    tag === 'to' && to.jid ? [{ jid: to.jid, alt: to.peer_recipient_pn ?? to.peer_recipient_lid }] : [],
  )
}

/**
 * The events of a message: one, except that a message to the owner's broadcast list makes one in the chat with each recipient.
 * Where no recipient is named it is one event of the list itself.
 */
export async function normaliseMessages(
  message: WAMessage,
  options: NormaliseOptions & { recipients?: ListRecipient[] | undefined },
): Promise<InboundEvent[]> {
  const { key } = message
  const list = key.remoteJid
  if (!list || kindOfJid(list) !== 'list' || !isOwn(message, options)) {
    const event = await normaliseMessage(message, options)
    return event ? [event] : []
  }
  const events: InboundEvent[] = []
  for (const { jid, alt } of recipientsIn(message, options)) {
    const copy = { ...key, remoteJid: jid, remoteJidAlt: alt, participant: undefined, fromMe: true }
    const event = await normaliseMessage({ ...message, key: copy }, options)
    if (event && !events.some(({ dedupeKey }) => dedupeKey === event.dedupeKey)) events.push({ ...event, list })
  }
  if (events.length > 0) return events
  const whole = await normaliseMessage({ ...message, key: { ...key, fromMe: true } }, { ...options, ownList: true })
  return whole ? [{ ...whole, list }] : []
}

/** Baileys does not recognise an own message by LID. */
function isOwn({ key }: WAMessage, { me = {} }: NormaliseOptions): boolean {
  const { participant } = key
  return key.fromMe === true || [me.id, me.lid].some((own) => own && areJidsSameUser(own, participant ?? undefined))
}

/** In history, the recipients are those whose receipts the message holds. */
function recipientsIn(
  { userReceipt }: WAMessage,
  { recipients, me = {} }: NormaliseOptions & { recipients?: ListRecipient[] | undefined },
): ListRecipient[] {
  const named =
    recipients ?? (userReceipt ?? []).flatMap(({ userJid }) => (userJid ? [{ jid: jidNormalizedUser(userJid) }] : []))
  return named.filter(({ jid }) => {
    const kind = kindOfJid(jid)
    const isPerson = kind === 'person' || kind === 'lid'
    return isPerson && ![me.id, me.lid].some((own) => own && areJidsSameUser(own, jid))
  })
}

/** The same `arrival` names one row: every further recipient gets its own. */
export function withArrival(events: InboundEvent[], arrival: string): InboundEvent[] {
  return events.map((event, index) => ({ ...event, arrival: index === 0 ? arrival : newId() }))
}
