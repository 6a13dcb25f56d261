import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren, jidEncode, proto } from '@whiskeysockets/baileys'
import { errorMessage } from '../../lib/errors.ts'
import { maskPhone } from '../../lib/log.ts'
import { takeKeyBundle } from './key-server.ts'
import { bytesOf, childrenOf, ProtocolError, requireAttr, unixSeconds } from './nodes.ts'
import { pushStanza } from './outbox.ts'
import type { Ciphertext, Payload } from './phone-device.ts'
import { type Account, type Companion, lidJid, phoneJid, type World } from './whatsapp-state.ts'

/** How a stanza names its sender: by phone number or by LID. */
export type Addressing = 'pn' | 'lid' | 'hosted' | 'hosted.lid'
export type ReceiptType = 'delivered' | 'read' | 'played'

type Target = { jid: string; enc: BinaryNode }

/** What a connection does once a message was handled, in this order: answer (late), or cut the socket; then `afterwards`. */
export type Verdict = { reply: BinaryNode | undefined; delayMs: number; cut: boolean; afterwards(): void }

/**
 * A linked device sends: the message is decrypted by every phone it was encrypted for, passed on to other linked
 * devices, and acknowledged, unless a fault says otherwise. Receipts of the person who got it follow the acknowledgement.
 */
export async function acceptMessage(
  world: World,
  sender: { account: Account; companion: Companion },
  stanza: BinaryNode,
): Promise<Verdict> {
  const id = requireAttr(stanza, 'id')
  const to = requireAttr(stanza, 'to')
  const peer = world.resolve(to)?.account
  const fault = peer && world.faults.takeForSend({ id, to: peer.phone })
  const nothing = () => {}
  if (fault?.kind === 'cut_before_accept') return { reply: undefined, delayMs: 0, cut: true, afterwards: nothing }
  const ack: BinaryNode = { tag: 'ack', attrs: { class: 'message', id, from: to, t: String(unixSeconds()) } }
  if (fault?.kind === 'ack_error') {
    ack.attrs.error = fault.code
    return { reply: ack, delayMs: 0, cut: false, afterwards: nothing }
  }
  const attemptKey = `${sender.account.phone}/${id}`
  const attempt = (world.attempts.get(attemptKey) ?? 0) + 1
  world.attempts.set(attemptKey, attempt)
  for (const target of targetsOf(stanza, to)) await fanOut(world, sender, stanza, target, { id, attempt })
  const confirms = peer && stanza.attrs.category !== 'peer' && peer !== sender.account
  return {
    reply: fault?.kind === 'drop_ack' || fault?.kind === 'cut_after_accept' ? undefined : ack,
    delayMs: fault?.kind === 'delay_ack' ? fault.milliseconds : 0,
    cut: fault?.kind === 'cut_after_accept',
    afterwards: confirms ? () => confirmAsPerson(world, sender.account, peer, id) : nothing,
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
  world: World,
  sender: { account: Account; companion: Companion },
  stanza: BinaryNode,
  target: Target,
  { id, attempt }: { id: string; attempt: number },
): Promise<void> {
  const found = world.resolve(target.jid)
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
    world.recordDelivery({ id, from: account.phone, to, ownCopy, attempt, encryption: ciphertext.type, message })
    const text = textOf(message)
    const { autoReply } = found.account.manners
    if (!ownCopy && attempt === 1 && text && autoReply !== undefined && found.account.companions.size === 0)
      await sendFromContact(world, {
        contact: found.account.phone,
        to: account.phone,
        message: { conversation: autoReply },
      })
  } catch (error) {
    const reason = errorMessage(error)
    world.log.warn({ to: maskPhone(found.account.phone), reason }, 'a phone could not decrypt; it asks for a retry')
    world.undecryptable.push({ id, from: account.phone, to: found.account.phone, attempt, reason })
    askForRetry(found.account, companion, id, attempt)
  }
}

/** What a real phone does with a message it cannot read: a retry receipt that carries keys for a new session. */
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

/** The person's phone confirms a message as their manners say. */
function confirmAsPerson(world: World, account: Account, person: Account, id: string): void {
  const { delivers, reads } = person.manners
  const types: ReceiptType[] = []
  if (delivers) types.push('delivered')
  if (delivers && reads) types.push('read')
  if (types.length > 1 && world.faults.take('reverse_receipts')) types.reverse()
  for (const type of types) sendReceipt(world, { account: account.phone, contact: person.phone, ids: [id], type })
}

/** A contact's receipt for messages of an account, to each of its linked devices. */
export function sendReceipt(
  world: World,
  receipt: { account: string; contact: string; ids: readonly string[]; type: ReceiptType; addressing?: Addressing },
): void {
  const contact = world.account(receipt.contact)
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
  for (const companion of world.account(receipt.account).companions.values())
    pushStanza(companion, { tag: 'receipt', attrs, content })
}

export type ContactMessage = {
  /** Digits of the contact that writes. */
  contact: string
  /** Digits of the account that is written to. */
  to: string
  message: Payload
  id?: string
  addressing?: Addressing
  /** JID of where it is written: a group, a broadcast list, `status@broadcast`, a channel; to the account alone when unset. */
  group?: string
  /** Members of the owner's own broadcast list `group`, as the stanza names them to linked devices: phone digits. */
  recipients?: string[]
  /** Attributes of the stanza that are to be others. */
  attrs?: Record<string, string>
  /** Seconds since 1970; now when unset. */
  timestamp?: number
  /** `image`, `video`, `ptt`, `document` … for media. */
  mediaType?: string
  /** `1` marks an edit, `7` a deletion by the sender. */
  edit?: string
  /** Encrypted now, on its way for this long. */
  delayMs?: number
}

/** A contact writes to an account: encrypted with a real Signal session for each linked device. @returns the stanza id */
export async function sendFromContact(world: World, input: ContactMessage): Promise<string> {
  const contact = world.account(input.contact)
  const account = world.account(input.to)
  const id = input.id ?? world.nextId('3A')
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
  const garble = world.faults.take('garble', account.phone)
  if (!garble?.lost)
    world.rememberSent(id, { contact: contact.phone, message: input.message, attrs, mediaType: input.mediaType })
  const copies = world.faults.take('duplicate', account.phone) ? 2 : 1
  for (let copy = 0; copy < copies; copy++)
    for (const companion of account.companions.values()) {
      const node = await stanzaFor(contact, account, companion, attrs, input, sender)
      if (garble) garbleContent(node)
      if (input.delayMs) setTimeout(() => pushStanza(companion, node), input.delayMs)
      else pushStanza(companion, node)
    }
  return id
}

/**
 * The owner of an account writes to a contact on the phone itself; linked devices are sent a copy of it.
 * @returns the stanza id
 */
export async function sendFromOwner(world: World, input: ContactMessage): Promise<string> {
  const account = world.account(input.contact)
  const destinationJid = input.group ?? phoneJid(input.to)
  const id = input.id ?? world.nextId('3D')
  const own = addressOf(account, input.addressing ?? 'pn')
  const attrs: Record<string, string> = {
    ...(input.group ? { from: input.group, participant: own } : { from: own, recipient: destinationJid }),
    id,
    t: String(input.timestamp ?? unixSeconds()),
    type: stanzaType(input),
  }
  const sent = input.message instanceof Uint8Array ? proto.Message.decode(input.message) : input.message
  const message: proto.IMessage = { deviceSentMessage: { destinationJid, message: sent } }
  world.rememberSent(id, { contact: account.phone, message, attrs, mediaType: input.mediaType })
  const members = input.recipients?.map((digits): BinaryNode => {
    const member = world.account(digits)
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
  // A broadcast list is encrypted for each of its members, groups and status updates with a key of the sender's own.
  if (group && (group.endsWith('@g.us') || group === 'status@broadcast'))
    return encryptForGroup(contact, account, companion, { ...attrs, participant: sender }, input, group)
  return encryptFor(contact, account, companion, attrs, message, mediaType, 0)
}

function encoded(message: Payload): Uint8Array {
  return message instanceof Uint8Array ? message : proto.Message.encode(message).finish()
}

/** How a stanza names a contact. Devices that another company hosts for a business have the number 99. */
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

/** Breaks what is encrypted, as when sessions went apart. The last bytes of a `pkmsg` are not of what is encrypted. */
function garbleContent(node: BinaryNode): void {
  for (const { tag, content } of childrenOf(node)) {
    if (tag !== 'enc' || !(content instanceof Uint8Array)) continue
    const at = Math.max(0, content.length - 24)
    content[at] = (content[at] ?? 0) ^ 255
  }
}

/** The account's devices are told that there is a message that they are not given. @returns the stanza id */
export function sendWithheld(
  world: World,
  input: {
    contact: string
    to: string
    type?: string | undefined
    id?: string | undefined
    timestamp?: number | undefined
  },
): string {
  const contact = world.account(input.contact)
  const id = input.id ?? world.nextId('3A')
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
  for (const companion of world.account(input.to).companions.values())
    pushStanza(companion, { tag: 'message', attrs, content: [unavailable] })
  return id
}

/** A contact calls, and gives up before anybody answers. @returns the call's id */
export function sendMissedCall(world: World, input: { contact: string; to: string; video: boolean }): string {
  const contact = world.account(input.contact)
  const from = phoneJid(contact.phone)
  const id = world.nextId('CA')
  const step = (tag: string, attrs: Record<string, string>, content: BinaryNode[]): BinaryNode => ({
    tag: 'call',
    attrs: { from, id: world.nextId('3F'), t: String(unixSeconds()) },
    content: [{ tag, attrs: { 'call-id': id, 'call-creator': from, ...attrs }, content }],
  })
  const video: BinaryNode[] = input.video ? [{ tag: 'video', attrs: {} }] : []
  for (const companion of world.account(input.to).companions.values()) {
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

/** A linked device could not decrypt and asks again: the contact opens a new session and sends the same id anew. */
export async function serveRetry(
  world: World,
  account: Account,
  companion: Companion,
  receipt: BinaryNode,
): Promise<void> {
  const id = requireAttr(receipt, 'id')
  const entry = companion.pending.find(({ node }) => node.tag === 'message' && node.attrs.id === id)
  const sent = world.sentByContacts.get(id)
  const count = Number(getBinaryNodeChild(receipt, 'retry')?.attrs.count ?? '1')
  if (!entry || !sent || count > 5) return
  const contact = world.account(sent.contact)
  await contact.device.openSession(phoneJid(account.phone, companion.id), takeKeyBundle(companion))
  const node = await encryptFor(contact, account, companion, sent.attrs, sent.message, sent.mediaType, count)
  entry.node = node
  entry.retried = true
  companion.link?.send(node)
}

/** A contact begins (or stops) to type. */
export function sendTyping(world: World, input: { account: string; contact: string; composing: boolean }): void {
  const tag = input.composing ? 'composing' : 'paused'
  for (const { link } of world.account(input.account).companions.values())
    link?.send({ tag: 'chatstate', attrs: { from: phoneJid(input.contact) }, content: [{ tag, attrs: {} }] })
}

/** What a person would read in a message, if it is a text. */
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
