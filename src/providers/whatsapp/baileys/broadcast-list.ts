import { areJidsSameUser, type BinaryNode, jidNormalizedUser, type WAMessage } from '@whiskeysockets/baileys'
import { newId } from '../../../lib/ids.ts'
import type { InboundEvent } from '../port.ts'
import { type NormaliseOptions, normaliseMessage } from './inbound.ts'
import { kindOfJid } from './jids.ts'

/** Somebody on a broadcast list: the address and, where it is told, the other one. */
export type ListRecipient = { jid: string; alt?: string | undefined }

/** Whom the stanza of a message names as recipients: of an own broadcast list, `<participants><to jid=…/></participants>`. */
export function recipientsOf({ attrs, content }: BinaryNode): ListRecipient[] {
  if (kindOfJid(attrs.from) !== 'list' && kindOfJid(attrs.recipient) !== 'list') return []
  const participants = Array.isArray(content) ? content.find(({ tag }) => tag === 'participants')?.content : null
  if (!Array.isArray(participants)) return []
  return participants.flatMap(({ tag, attrs: to }) =>
    tag === 'to' && to.jid ? [{ jid: to.jid, alt: to.peer_recipient_pn ?? to.peer_recipient_lid }] : [],
  )
}

/**
 * A message as the events it makes: one, except for what the owner sent to a broadcast list, which belongs into the chat with
 * each recipient. Where nobody is named it is one event of the list itself.
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

/** An own message by LID is not recognised by Baileys. */
function isOwn({ key }: WAMessage, { me = {} }: NormaliseOptions): boolean {
  const { participant } = key
  return key.fromMe === true || [me.id, me.lid].some((own) => own && areJidsSameUser(own, participant ?? undefined))
}

/** From before the link, the recipients are those whose receipts the message keeps. */
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

/** The same arrival names one row: every further recipient's gets a name of its own. */
export function withArrival(events: InboundEvent[], arrival: string): InboundEvent[] {
  return events.map((event, index) => ({ ...event, arrival: index === 0 ? arrival : newId() }))
}
