import type { BinaryNode } from '@whiskeysockets/baileys'
import { AppError } from '../../lib/errors.ts'
import type { FaultInput } from './faults.ts'
import type { MediaServer } from './media.ts'
import { buildContent, type ContentInput, contentSchema, openReceivedMedia } from './message-content.ts'
import {
  type Addressing,
  askForRetry,
  type ReceiptType,
  sendFromContact,
  sendFromOwner,
  sendMissedCall,
  sendReceipt,
  sendTyping,
  sendWithheld,
} from './messages.ts'
import type { PairingRegistry } from './pairing.ts'
import type { Payload } from './phone-device.ts'
import type {
  Account,
  Behavior,
  ClientNotice,
  Delivery,
  HistoryMessage,
  Undecryptable,
  WhatsAppState,
} from './whatsapp-state.ts'

export type ConnectionAction =
  | { action: 'cut' | 'freeze' | 'thaw' | 'replace' | 'unlink' }
  | { action: 'stream_error'; code: string }

/** The people of a message, and the stanza's other fields. Phones with or without `+`. */
export type Parties = {
  from: string
  to: string
  id?: string
  addressing?: Addressing
  /** JID of a group of both, a broadcast list, `status@broadcast`, or a channel. */
  group?: string
  timestamp?: number
  delayMs?: number
}

type Parts = { state: WhatsAppState; desk: PairingRegistry; media: MediaServer; base: string }

const digitsOf = (phone: string) => phone.replace(/\D/g, '')

export class WhatsAppSandbox {
  readonly wsUrl: string
  readonly controlUrl: string
  readonly mediaCertificate: string
  private readonly parts: Parts
  private readonly stop: () => Promise<void>

  constructor(parts: Parts, stop: () => Promise<void>) {
    this.parts = parts
    this.stop = stop
    this.wsUrl = `ws://${parts.base}/ws/chat`
    this.controlUrl = `http://${parts.base}/_control`
    this.mediaCertificate = parts.media.certificate
  }

  putAccount(
    input: { phone: string; name?: string; onWhatsApp?: boolean; knownAs?: string } & Partial<Behavior>,
  ): Account {
    const account = this.parts.state.account(digitsOf(input.phone))
    account.name = input.name ?? account.name
    account.onWhatsApp = input.onWhatsApp ?? account.onWhatsApp
    account.knownAs = input.knownAs === undefined ? account.knownAs : digitsOf(input.knownAs)
    const { delivers, reads } = account.behavior
    account.behavior = {
      delivers: input.delivers ?? delivers,
      reads: input.reads ?? reads,
      autoReply: 'autoReply' in input ? input.autoReply : account.behavior.autoReply,
    }
    return account
  }

  accounts(): Account[] {
    return [...this.parts.state.accounts.values()]
  }

  /** The phone of this number scans the QR code that a client shows. */
  scan(qr: string, phone: string, businessName?: string): Promise<{ deviceId: number }> {
    return this.parts.desk.scan(qr, digitsOf(phone), businessName)
  }

  /** The owner of this number types the client's code once the client has requested it (5 s at most). */
  async enterCode(phone: string, code: string): Promise<void> {
    const { state, desk } = this.parts
    await state.until(() => desk.awaitsCode(digitsOf(phone)), 5_000, 'a client that asks for a pairing code')
    await desk.enterCode(digitsOf(phone), code.replace('-', ''))
  }

  async send(parties: Parties, input: ContentInput): Promise<string> {
    const contact = digitsOf(parties.from)
    const account = digitsOf(parties.to)
    const built = await buildContent(contentSchema.parse(input), { contact, account }, this.parts.media)
    const { id, addressing, group, timestamp, delayMs } = parties
    const how = { id, addressing, group, timestamp, delayMs }
    return sendFromContact(this.parts.state, { contact, to: account, ...how, ...built })
  }

  /**
   * A contact sends any protobuf, or bytes that need not be one. `from` in `attrs` replaces the sender. @returns the stanza id
   */
  async sendRaw(
    parties: Parties & { attrs?: Record<string, string>; mediaType?: string },
    message: Payload,
  ): Promise<string> {
    const [contact, account] = [digitsOf(parties.from), digitsOf(parties.to)]
    const { from: _from, to: _to, ...how } = parties
    return sendFromContact(this.parts.state, { contact, to: account, ...how, message })
  }

  /** The owner of an account sends any protobuf to a contact, from the phone itself. @returns the stanza id */
  async sendRawAsOwner(parties: Parties & { recipients?: string[] }, message: Payload): Promise<string> {
    const { from, to, recipients, ...how } = parties
    return sendFromOwner(this.parts.state, {
      ...how,
      ...(recipients && { recipients: recipients.map(digitsOf) }),
      contact: digitsOf(from),
      to: digitsOf(to),
      message,
    })
  }

  /** A contact sends content that WhatsApp withholds from linked devices, such as a view-once picture. */
  withhold(input: { from: string; to: string; type?: string; id?: string; timestamp?: number }): string {
    const { from, to, ...how } = input
    return sendWithheld(this.parts.state, { contact: digitsOf(from), to: digitsOf(to), ...how })
  }

  /** A contact calls an account and hangs up unanswered. @returns the call's id */
  missedCall(input: { from: string; to: string; video?: boolean }): string {
    const { from, to, video = false } = input
    return sendMissedCall(this.parts.state, { contact: digitsOf(from), to: digitsOf(to), video })
  }

  /** The owner of an account (`from`) writes to a contact (`to`) from the phone itself. @returns the stanza id */
  async sendAsOwner(parties: Parties, input: ContentInput): Promise<string> {
    const [account, contact] = [digitsOf(parties.from), digitsOf(parties.to)]
    const built = await buildContent(
      contentSchema.parse(input),
      { contact: account, account: contact },
      this.parts.media,
    )
    const { id, timestamp } = parties
    return sendFromOwner(this.parts.state, { contact: account, to: contact, id, timestamp, ...built })
  }

  confirm(input: { from: string; to: string; ids: string[]; type: ReceiptType; addressing?: Addressing }): void {
    const { ids, type, addressing } = input
    const [contact, account] = [digitsOf(input.from), digitsOf(input.to)]
    sendReceipt(this.parts.state, { contact, account, ids, type, addressing })
  }

  typing(input: { from: string; to: string; composing: boolean }): void {
    const [contact, account] = [digitsOf(input.from), digitsOf(input.to)]
    sendTyping(this.parts.state, { contact, account, composing: input.composing })
  }

  /** The contact's phone loses its Signal session with an account, as after a reinstallation. */
  async forgetSessions(input: { contact: string; account: string }): Promise<void> {
    const { state } = this.parts
    const { device } = state.account(digitsOf(input.contact))
    const account = state.account(digitsOf(input.account))
    for (const id of account.companions.keys()) await device.forgetSession(`${account.phone}:${id}@s.whatsapp.net`)
  }

  /** The contact's phone shows "waiting for this message" and asks the account's devices to send it again. */
  askAgain(input: { contact: string; account: string; id: string }): void {
    const { state } = this.parts
    const contact = state.account(digitsOf(input.contact))
    for (const companion of state.account(digitsOf(input.account)).companions.values())
      askForRetry(contact, companion, input.id, 1)
  }

  inbox(phone: string, options: { ownCopies?: boolean } = {}): Delivery[] {
    const digits = digitsOf(phone)
    return this.parts.state.deliveries.filter(
      (delivery) => delivery.to === digits && (options.ownCopies === true || !delivery.ownCopy),
    )
  }

  undecryptable(phone: string): Undecryptable[] {
    return this.parts.state.undecryptable.filter(({ from }) => from === digitsOf(phone))
  }

  /** Tags of the stanzas that an account's linked devices received and have not acknowledged. */
  unacknowledged(phone: string): string[] {
    const companions = [...this.parts.state.account(digitsOf(phone)).companions.values()]
    return companions.flatMap(({ pending }) => pending.map(({ node }) => node.tag))
  }

  async receivedMedia(phone: string, id: string): Promise<Uint8Array> {
    const bytes = await openReceivedMedia(this.parts.state, this.parts.media, digitsOf(phone), id)
    if (!bytes) throw new AppError('not_found', 'no_media', 'This phone received no media under this id.')
    return bytes
  }

  notices(phone: string): ClientNotice[] {
    return this.parts.state.notices.filter((notice) => notice.account === digitsOf(phone))
  }

  pending(phone: string): BinaryNode[][] {
    const { companions } = this.parts.state.account(digitsOf(phone))
    return [...companions.values()].map((companion) => companion.pending.map(({ node }) => node))
  }

  addHistory(entry: HistoryMessage): void {
    this.parts.state.history.push({ ...entry, account: digitsOf(entry.account), contact: digitsOf(entry.contact) })
  }

  addFault(fault: FaultInput): void {
    this.parts.state.faults.add(fault)
  }

  clearFaults(): void {
    this.parts.state.faults.clear()
  }

  faults() {
    return this.parts.state.faults.list()
  }

  act(phone: string, step: ConnectionAction): number {
    const account = this.parts.state.account(digitsOf(phone))
    const links = [...account.companions.values()].flatMap(({ link }) => (link ? [link] : []))
    const conflict = (type: string): BinaryNode => ({ tag: 'conflict', attrs: { type } })
    for (const link of links)
      switch (step.action) {
        case 'cut':
          link.terminate()
          break
        case 'freeze':
          link.setFrozen(true)
          break
        case 'thaw':
          link.setFrozen(false)
          break
        case 'replace':
          link.streamError(undefined, conflict('replaced'))
          break
        case 'unlink':
          link.streamError('401', conflict('device_removed'))
          break
        case 'stream_error':
          link.streamError(step.code)
          break
      }
    // The phone may unlink an absent device, which learns of it at its next login.
    if (step.action === 'unlink') account.companions.clear()
    return links.length
  }

  isOnline(phone: string): boolean {
    const { companions } = this.parts.state.account(digitsOf(phone))
    return [...companions.values()].some(({ link }) => link !== undefined)
  }

  /** Resolves with the first truthy answer, looking again after every change. */
  until<T>(look: () => T | undefined | false, timeoutMs = 10_000, what = 'something to happen'): Promise<T> {
    return this.parts.state.until(look, timeoutMs, what)
  }

  close(): Promise<void> {
    return this.stop()
  }
}
