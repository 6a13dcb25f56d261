import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren, jidEncode, proto } from '@whiskeysockets/baileys'
import { errorMessage } from '../../lib/errors.ts'
import { maskPhone } from '../../lib/log.ts'
import { takeKeyBundle } from './key-server.ts'
import { bytesOf, childrenOf, ProtocolError, requireAttr, unixSeconds } from './nodes.ts'
import { pushStanza } from './outbox.ts'
import type { Ciphertext, Payload } from './phone-device.ts'
import { type Account, type Companion, lidJid, phoneJid, type WhatsAppState } from './whatsapp-state.ts'

export type Addressing = 'pn' | 'lid' | 'hosted' | 'hosted.lid'
export type ReceiptType = 'delivered' | 'read' | 'played'

type Target = { jid: string; enc: BinaryNode }

/** Handling of a connection after a message: answer (late), or cut the socket; then `afterwards`. */
export type Verdict = { reply: BinaryNode | undefined; delayMs: number; cut: boolean; afterwards(): void }

/**
 * Accepts a linked device's message: every addressed phone decrypts it, other linked devices get a copy, and it is
 * acknowledged, unless a fault says otherwise. The recipient's receipts follow the acknowledgement.
 */
export async function acceptMessage(
  state: WhatsAppState,
  sender: { account: Account; companion: Companion },
  stanza: BinaryNode,
): Promise<Verdict> {
  const id = requireAttr(stanza, 'id')
  const to = requireAttr(stanza, 'to')
  const peer = state.resolve(to)?.account
  const fault = peer && state.faults.takeForSend({ id, to: peer.phone })
  const nothing = () => {}
  if (fault?.kind === 'cut_before_accept') return { reply: undefined, delayMs: 0, cut: true, afterwards: nothing }
  const ack: BinaryNode = { tag: 'ack', attrs: { class: 'message', id, from: to, t: String(unixSeconds()) } }
  if (fault?.kind === 'ack_error') {
    ack.attrs.error = fault.code
    return { reply: ack, delayMs: 0, cut: false, afterwards: nothing }
  }
  const attemptKey = `${sender.account.phone}/${id}`
  const attempt = (state.attempts.get(attemptKey) ?? 0) + 1
  state.attempts.set(attemptKey, attempt)
  for (const target of targetsOf(stanza, to)) await fanOut(state, sender, stanza, target, { id, attempt })
  const confirms = peer && stanza.attrs.category !== 'peer' && peer !== sender.account
  return {
    reply: fault?.kind === 'drop_ack' || fault?.kind === 'cut_after_accept' ? undefined : ack,
    delayMs: fault?.kind === 'delay_ack' ? fault.milliseconds : 0,
    cut: fault?.kind === 'cut_after_accept',
    afterwards: confirms ? () => confirmAsPerson(state, sender.account, peer, id) : nothing,
  }
}

function targetsOf(stanza: BinaryNode, to: string): Target[] {
  const participants = getBinaryNodeChildren(getBinaryNodeChild(stanza, 'participants'), 'to')
  const targets: Target[] = []
  for (const participant of participants) {
    const enc = getBinaryNodeChild(participant, 'enc')
    if (enc) targets.push({ jid: requireAttr(participant, 'jid'), enc })
  }
  const direct = getBinaryNodeChild(stanza, 'enc')
  if (participants.length === 0 && direct) targets.push({ jid: to, enc: direct })
  return targets
}

async function fanOut(
  state: WhatsAppState,
  sender: { account: Account; companion: Companion },
  stanza: BinaryNode,
  target: Target,
  { id, attempt }: { id: string; attempt: number },
): Promise<void> {
  const found = state.resolve(target.jid)
  if (!found) return
  const { account, companion } = sender
  if (found.device !== 0) {
    const other = found.account.companions.get(found.device)
    if (other) forwardToCompanion(other, sender, stanza, target.enc, id)
    return
  }
  const ciphertext = readCiphertext(target.enc)
  try {
    const message = await found.account.device.decrypt(phoneJid(account.phone, companion.id), ciphertext)
    const ownCopy = found.account === account
    const to = found.account.phone
    state.recordDelivery({ id, from: account.phone, to, ownCopy, attempt, encryption: ciphertext.type, message })
    const text = textOf(message)
    const { autoReply } = found.account.behavior
    if (!ownCopy && attempt === 1 && text && autoReply !== undefined && found.account.companions.size === 0)
      await sendFromContact(state, {
        contact: found.account.phone,
        to: account.phone,
        message: { conversation: autoReply },
      })
  } catch (error) {
    const reason = errorMessage(error)
    state.log.warn({ to: maskPhone(found.account.phone), reason }, 'phone could not decrypt; retry requested')
    state.undecryptable.push({ id, from: account.phone, to: found.account.phone, attempt, reason })
    askForRetry(found.account, companion, id, attempt)
  }
}

export function askForRetry(phone: Account, companion: Companion, id: string, attempt: number): void {
  const t = String(unixSeconds())
  pushStanza(companion, {
    tag: 'receipt',
    attrs: { from: phoneJid(phone.phone), id, type: 'retry', t },
    content: [
      { tag: 'retry', attrs: { count: String(attempt), id, t, v: '1', error: '0' } },
      ...phone.device.retryNodes(),
    ],
  })
}

function forwardToCompanion(
  other: Companion,
  { account, companion }: { account: Account; companion: Companion },
  stanza: BinaryNode,
  enc: BinaryNode,
  id: string,
): void {
  const identity = getBinaryNodeChild(stanza, 'device-identity')
  pushStanza(other, {
    tag: 'message',
    attrs: {
      from: phoneJid(account.phone, companion.id),
      sender_lid: lidJid(account.lid, companion.id),
      id,
      t: String(unixSeconds()),
      type: stanza.attrs.type ?? 'text',
      notify: account.name,
    },
    content: identity ? [enc, identity] : [enc],
  })
}

/** Confirms a message according to the person's settings. */
function confirmAsPerson(state: WhatsAppState, account: Account, person: Account, id: string): void {
  const { delivers, reads } = person.behavior
  const types: ReceiptType[] = []
  if (delivers) types.push('delivered')
  if (delivers && reads) types.push('read')
  if (types.length > 1 && state.faults.take('reverse_receipts')) types.reverse()
  for (const type of types) sendReceipt(state, { account: account.phone, contact: person.phone, ids: [id], type })
}

export function sendReceipt(
  state: WhatsAppState,
  receipt: { account: string; contact: string; ids: readonly string[]; type: ReceiptType; addressing?: Addressing },
): void {
  const contact = state.account(receipt.contact)
  const [first, ...rest] = receipt.ids
  if (first === undefined) return
  const attrs: Record<string, string> = {
    from: addressOf(contact, receipt.addressing ?? 'pn'),
    id: first,
    t: String(unixSeconds()),
  }
  if (receipt.type !== 'delivered') attrs.type = receipt.type
  const items = rest.map((id): BinaryNode => ({ tag: 'item', attrs: { id } }))
  const content: BinaryNode[] | undefined = items.length > 0 ? [{ tag: 'list', attrs: {}, content: items }] : undefined
  for (const companion of state.account(receipt.account).companions.values())
    pushStanza(companion, { tag: 'receipt', attrs, content })
}

export type ContactMessage = {
  contact: string
  to: string
  message: Payload
  id?: string
  addressing?: Addressing
  /** JID of the chat: a group, a broadcast list, `status@broadcast`, a channel; the account's own when unset. */
  group?: string
  /** Phone digits of the members of the owner's broadcast list `group`, as the stanza names them to linked devices. */
  recipients?: string[]
  attrs?: Record<string, string>
  timestamp?: number
  mediaType?: string
  edit?: string
  /** Encrypted now, delivered after this delay. */
  delayMs?: number
}

/** A contact writes to an account, encrypted with a real Signal session for each linked device. @returns the stanza id */
export async function sendFromContact(state: WhatsAppState, input: ContactMessage): Promise<string> {
  const contact = state.account(input.contact)
  const account = state.account(input.to)
  const id = input.id ?? state.nextId('3A')
  const byLid = input.addressing === 'lid' || input.addressing === 'hosted.lid'
  const { group } = input
  const sender = addressOf(contact, input.addressing ?? 'pn')
  const other = byLid ? phoneJid(contact.phone) : lidJid(contact.lid)
  const attrs: Record<string, string> = {
    from: group ?? sender,
    ...(group ? { participant: sender } : {}),
    [`${group ? 'participant' : 'sender'}_${byLid ? 'pn' : 'lid'}`]: other,
    ...(byLid ? { addressing_mode: 'lid' } : {}),
    id,
    t: String(input.timestamp ?? unixSeconds()),
    type: stanzaType(input),
    notify: contact.name,
  }
  if (input.edit) attrs.edit = input.edit
  Object.assign(attrs, input.attrs)
  const garble = state.faults.take('garble', account.phone)
  if (!garble?.lost)
    state.rememberSent(id, { contact: contact.phone, message: input.message, attrs, mediaType: input.mediaType })
  const copies = state.faults.take('duplicate', account.phone) ? 2 : 1
  for (let copy = 0; copy < copies; copy++)
    for (const companion of account.companions.values()) {
      const node = await stanzaFor(contact, account, companion, attrs, input, sender)
      if (garble) garbleContent(node)
      if (input.delayMs) setTimeout(() => pushStanza(companion, node), input.delayMs)
      else pushStanza(companion, node)
    }
  return id
}

/** The owner of an account writes to a contact from the phone itself; linked devices get a copy. @returns the stanza id */
export async function sendFromOwner(state: WhatsAppState, input: ContactMessage): Promise<string> {
  const account = state.account(input.contact)
  const destinationJid = input.group ?? phoneJid(input.to)
  const id = input.id ?? state.nextId('3D')
  const own = addressOf(account, input.addressing ?? 'pn')
  const attrs: Record<string, string> = {
    ...(input.group ? { from: input.group, participant: own } : { from: own, recipient: destinationJid }),
    id,
    t: String(input.timestamp ?? unixSeconds()),
    type: stanzaType(input),
  }
  const sent = input.message instanceof Uint8Array ? proto.Message.decode(input.message) : input.message
  const message: proto.IMessage = { deviceSentMessage: { destinationJid, message: sent } }
  state.rememberSent(id, { contact: account.phone, message, attrs, mediaType: input.mediaType })
  const members = input.recipients?.map((digits): BinaryNode => {
    const member = state.account(digits)
    return { tag: 'to', attrs: { jid: phoneJid(member.phone), peer_recipient_lid: lidJid(member.lid) } }
  })
  const participants: BinaryNode[] = members ? [{ tag: 'participants', attrs: {}, content: members }] : []
  for (const companion of account.companions.values()) {
    const node = await encryptFor(account, account, companion, attrs, message, input.mediaType, 0)
    pushStanza(companion, { ...node, content: [...childrenOf(node), ...participants] })
  }
  return id
}

async function stanzaFor(
  contact: Account,
  account: Account,
  companion: Companion,
  attrs: Record<string, string>,
  input: ContactMessage,
  sender: string,
): Promise<BinaryNode> {
  const { group, message, mediaType } = input
  if (group?.endsWith('@newsletter')) {
    const { participant: _, ...channel } = attrs
    return { tag: 'message', attrs: channel, content: [{ tag: 'plaintext', attrs: {}, content: encoded(message) }] }
  }
  if (group && (group.endsWith('@g.us') || group === 'status@broadcast'))
    return encryptForGroup(contact, account, companion, { ...attrs, participant: sender }, input, group)
  return encryptFor(contact, account, companion, attrs, message, mediaType, 0)
}

function encoded(message: Payload): Uint8Array {
  return message instanceof Uint8Array ? message : proto.Message.encode(message).finish()
}

/** A contact's address. Devices that another company hosts for a business have the number 99. */
function addressOf(contact: Account, addressing: Addressing): string {
  switch (addressing) {
    case 'pn':
      return phoneJid(contact.phone)
    case 'lid':
      return lidJid(contact.lid)
    case 'hosted':
      return jidEncode(contact.phone, 'hosted', 99)
    case 'hosted.lid':
      return jidEncode(contact.lid, 'hosted.lid', 99)
  }
}

/** Corrupts a ciphertext. The last bytes of a `pkmsg` are outside of the encrypted part. */
function garbleContent(node: BinaryNode): void {
  for (const { tag, content } of childrenOf(node)) {
    if (tag !== 'enc' || !(content instanceof Uint8Array)) continue
    const at = Math.max(0, content.length - 24)
    content[at] = (content[at] ?? 0) ^ 255
  }
}

/** Announces a message to the account's devices without its content. @returns the stanza id */
export function sendWithheld(
  state: WhatsAppState,
  input: {
    contact: string
    to: string
    type?: string | undefined
    id?: string | undefined
    timestamp?: number | undefined
  },
): string {
  const contact = state.account(input.contact)
  const id = input.id ?? state.nextId('3A')
  const t = String(input.timestamp ?? unixSeconds())
  const attrs = {
    from: phoneJid(contact.phone),
    sender_lid: lidJid(contact.lid),
    id,
    t,
    type: 'media',
    notify: contact.name,
  }
  const unavailable: BinaryNode = { tag: 'unavailable', attrs: input.type ? { type: input.type } : {} }
  for (const companion of state.account(input.to).companions.values())
    pushStanza(companion, { tag: 'message', attrs, content: [unavailable] })
  return id
}

/** A contact calls and hangs up before an answer. @returns the call's id */
export function sendMissedCall(state: WhatsAppState, input: { contact: string; to: string; video: boolean }): string {
  const contact = state.account(input.contact)
  const from = phoneJid(contact.phone)
  const id = state.nextId('CA')
  const step = (tag: string, attrs: Record<string, string>, content: BinaryNode[]): BinaryNode => ({
    tag: 'call',
    attrs: { from, id: state.nextId('3F'), t: String(unixSeconds()) },
    content: [{ tag, attrs: { 'call-id': id, 'call-creator': from, ...attrs }, content }],
  })
  const video: BinaryNode[] = input.video ? [{ tag: 'video', attrs: {} }] : []
  for (const companion of state.account(input.to).companions.values()) {
    pushStanza(companion, step('offer', {}, video))
    pushStanza(companion, step('terminate', { reason: 'timeout' }, []))
  }
  return id
}

/** Two payloads in one stanza: the sender's key for this group, and the message under that key. */
async function encryptForGroup(
  contact: Account,
  account: Account,
  companion: Companion,
  attrs: Record<string, string> & { participant: string },
  { message, mediaType }: ContactMessage,
  group: string,
): Promise<BinaryNode> {
  const { bytes, distribution } = await contact.device.encryptForGroup(group, attrs.participant, message)
  const node = await encryptFor(contact, account, companion, attrs, distribution, undefined, 0)
  const payload = { tag: 'enc', attrs: { v: '2', type: 'skmsg', ...(mediaType ? { mediatype: mediaType } : {}) } }
  return { ...node, content: [...childrenOf(node), { ...payload, content: bytes }] }
}

async function encryptFor(
  contact: Account,
  account: Account,
  companion: Companion,
  attrs: Record<string, string>,
  message: Payload,
  mediaType: string | undefined,
  retries: number,
): Promise<BinaryNode> {
  const peer = phoneJid(account.phone, companion.id)
  const { type, bytes } = await contact.device.encrypt(peer, () => takeKeyBundle(companion), message)
  const encAttrs: Record<string, string> = { v: '2', type }
  if (mediaType) encAttrs.mediatype = mediaType
  if (retries > 0) encAttrs.count = String(retries)
  return { tag: 'message', attrs, content: [{ tag: 'enc', attrs: encAttrs, content: bytes }] }
}

export async function serveRetry(
  state: WhatsAppState,
  account: Account,
  companion: Companion,
  receipt: BinaryNode,
): Promise<void> {
  const id = requireAttr(receipt, 'id')
  const entry = companion.pending.find(({ node }) => node.tag === 'message' && node.attrs.id === id)
  const sent = state.sentByContacts.get(id)
  const count = Number(getBinaryNodeChild(receipt, 'retry')?.attrs.count ?? '1')
  if (!entry || !sent || count > 5) return
  const contact = state.account(sent.contact)
  await contact.device.openSession(phoneJid(account.phone, companion.id), takeKeyBundle(companion))
  const node = await encryptFor(contact, account, companion, sent.attrs, sent.message, sent.mediaType, count)
  entry.node = node
  entry.retried = true
  companion.link?.send(node)
}

export function sendTyping(
  state: WhatsAppState,
  input: { account: string; contact: string; composing: boolean },
): void {
  const tag = input.composing ? 'composing' : 'paused'
  for (const { link } of state.account(input.account).companions.values())
    link?.send({ tag: 'chatstate', attrs: { from: phoneJid(input.contact) }, content: [{ tag, attrs: {} }] })
}

export function textOf(message: proto.IMessage): string | undefined {
  return message.conversation || message.extendedTextMessage?.text || undefined
}

function stanzaType({ message, mediaType }: ContactMessage): string {
  if ('reactionMessage' in message && message.reactionMessage) return 'reaction'
  return mediaType ? 'media' : 'text'
}

function readCiphertext(enc: BinaryNode): Ciphertext {
  const type = requireAttr(enc, 'type')
  if (type !== 'pkmsg' && type !== 'msg') throw new ProtocolError(`<enc> of the unknown type ${type}`)
  return { type, bytes: bytesOf(enc) }
}
