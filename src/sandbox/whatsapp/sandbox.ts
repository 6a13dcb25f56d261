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
import type { PairingDesk } from './pairing.ts'
import type { Payload } from './phone-device.ts'
import type {
  Account,
  ClientNotice,
  Delivery,
  HistoryMessage,
  Manners,
  Undecryptable,
  World,
} from './whatsapp-state.ts'

/** What to do to the socket of a linked account. */
export type ConnectionAction =
  | { action: 'cut' | 'freeze' | 'thaw' | 'replace' | 'unlink' }
  | { action: 'stream_error'; code: string }

/** Who writes to whom, and what the stanza says besides the content. Phones with or without `+`. */
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

type Parts = { world: World; desk: PairingDesk; media: MediaServer; base: string }

/** Digits of a number written with or without `+`. */
const digitsOf = (phone: string) => phone.replace(/\D/g, '')

/** The hands that play everybody outside: people with phones, the network, and WhatsApp itself. */
export class WhatsAppSandbox {
  readonly wsUrl: string
  readonly controlUrl: string
  /** PEM that a client has to trust before it can move media. */
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

  /** Makes somebody with a phone number, or changes who they are and how they behave. */
  putAccount(
    input: { phone: string; name?: string; onWhatsApp?: boolean; knownAs?: string } & Partial<Manners>,
  ): Account {
    const account = this.parts.world.account(digitsOf(input.phone))
    account.name = input.name ?? account.name
    account.onWhatsApp = input.onWhatsApp ?? account.onWhatsApp
    account.knownAs = input.knownAs === undefined ? account.knownAs : digitsOf(input.knownAs)
    const { delivers, reads } = account.manners
    account.manners = {
      delivers: input.delivers ?? delivers,
      reads: input.reads ?? reads,
      autoReply: 'autoReply' in input ? input.autoReply : account.manners.autoReply,
    }
    return account
  }

  accounts(): Account[] {
    return [...this.parts.world.accounts.values()]
  }

  /** The phone of this number scans the QR code that a client shows. */
  scan(qr: string, phone: string, businessName?: string): Promise<{ deviceId: number }> {
    return this.parts.desk.scan(qr, digitsOf(phone), businessName)
  }

  /** The owner of this number types the code that a client shows, as soon as the client asked for it (5 s at most). */
  async enterCode(phone: string, code: string): Promise<void> {
    const { world, desk } = this.parts
    await world.until(() => desk.awaitsCode(digitsOf(phone)), 5_000, 'a client that asks for a pairing code')
    await desk.enterCode(digitsOf(phone), code.replace('-', ''))
  }

  /** A contact writes to an account. @returns the stanza id */
  async send(parties: Parties, input: ContentInput): Promise<string> {
    const contact = digitsOf(parties.from)
    const account = digitsOf(parties.to)
    const built = await buildContent(contentSchema.parse(input), { contact, account }, this.parts.media)
    const { id, addressing, group, timestamp, delayMs } = parties
    const how = { id, addressing, group, timestamp, delayMs }
    return sendFromContact(this.parts.world, { contact, to: account, ...how, ...built })
  }

  /**
   * A contact sends any message whatever, as a protobuf or as bytes that may be none. `from` in `attrs` takes the place of who
   * it comes from. @returns the stanza id
   */
  async sendRaw(
    parties: Parties & { attrs?: Record<string, string>; mediaType?: string },
    message: Payload,
  ): Promise<string> {
    const [contact, account] = [digitsOf(parties.from), digitsOf(parties.to)]
    const { from: _from, to: _to, ...how } = parties
    return sendFromContact(this.parts.world, { contact, to: account, ...how, message })
  }

  /** The owner of an account sends any message whatever to a contact, on the phone itself. @returns the stanza id */
  async sendRawAsOwner(parties: Parties & { recipients?: string[] }, message: Payload): Promise<string> {
    const { from, to, recipients, ...how } = parties
    return sendFromOwner(this.parts.world, {
      ...how,
      ...(recipients && { recipients: recipients.map(digitsOf) }),
      contact: digitsOf(from),
      to: digitsOf(to),
      message,
    })
  }

  /** A contact sends something that WhatsApp keeps from linked devices, such as a picture to be viewed once. */
  withhold(input: { from: string; to: string; type?: string; id?: string; timestamp?: number }): string {
    const { from, to, ...how } = input
    return sendWithheld(this.parts.world, { contact: digitsOf(from), to: digitsOf(to), ...how })
  }

  /** A contact calls an account and gives up. @returns the call's id */
  missedCall(input: { from: string; to: string; video?: boolean }): string {
    const { from, to, video = false } = input
    return sendMissedCall(this.parts.world, { contact: digitsOf(from), to: digitsOf(to), video })
  }

  /** The owner of an account (`from`) writes to a contact (`to`) on the phone itself. @returns the stanza id */
  async sendAsOwner(parties: Parties, input: ContentInput): Promise<string> {
    const [account, contact] = [digitsOf(parties.from), digitsOf(parties.to)]
    const built = await buildContent(
      contentSchema.parse(input),
      { contact: account, account: contact },
      this.parts.media,
    )
    const { id, timestamp } = parties
    return sendFromOwner(this.parts.world, { contact: account, to: contact, id, timestamp, ...built })
  }

  /** A contact confirms messages of an account. */
  confirm(input: { from: string; to: string; ids: string[]; type: ReceiptType; addressing?: Addressing }): void {
    const { ids, type, addressing } = input
    const [contact, account] = [digitsOf(input.from), digitsOf(input.to)]
    sendReceipt(this.parts.world, { contact, account, ids, type, addressing })
  }

  typing(input: { from: string; to: string; composing: boolean }): void {
    const [contact, account] = [digitsOf(input.from), digitsOf(input.to)]
    sendTyping(this.parts.world, { contact, account, composing: input.composing })
  }

  /** The contact's phone loses its Signal session with an account, as when it is reinstalled. */
  async forgetSessions(input: { contact: string; account: string }): Promise<void> {
    const { world } = this.parts
    const { device } = world.account(digitsOf(input.contact))
    const account = world.account(digitsOf(input.account))
    for (const id of account.companions.keys()) await device.forgetSession(`${account.phone}:${id}@s.whatsapp.net`)
  }

  /** The contact's phone shows "waiting for this message" and asks the account's devices to send it again. */
  askAgain(input: { contact: string; account: string; id: string }): void {
    const { world } = this.parts
    const contact = world.account(digitsOf(input.contact))
    for (const companion of world.account(digitsOf(input.account)).companions.values())
      askForRetry(contact, companion, input.id, 1)
  }

  /** What a phone received, oldest first; own copies are left out unless asked for. */
  inbox(phone: string, options: { ownCopies?: boolean } = {}): Delivery[] {
    const digits = digitsOf(phone)
    return this.parts.world.deliveries.filter(
      (delivery) => delivery.to === digits && (options.ownCopies === true || !delivery.ownCopy),
    )
  }

  /** Messages of an account that phones could not decrypt. */
  undecryptable(phone: string): Undecryptable[] {
    return this.parts.world.undecryptable.filter(({ from }) => from === digitsOf(phone))
  }

  /** Kinds of the stanzas that an account's linked devices were given and have not acknowledged. */
  unacknowledged(phone: string): string[] {
    const companions = [...this.parts.world.account(digitsOf(phone)).companions.values()]
    return companions.flatMap(({ pending }) => pending.map(({ node }) => node.tag))
  }

  /** Decrypted bytes of media that a phone received. */
  async receivedMedia(phone: string, id: string): Promise<Uint8Array> {
    const bytes = await openReceivedMedia(this.parts.world, this.parts.media, digitsOf(phone), id)
    if (!bytes) throw new AppError('not_found', 'no_media', 'This phone received no media under this id.')
    return bytes
  }

  /** Receipts, acks, presence and typing that the account's linked devices sent. */
  notices(phone: string): ClientNotice[] {
    return this.parts.world.notices.filter((notice) => notice.account === digitsOf(phone))
  }

  /** What the account's devices have not acknowledged yet: one list a device. */
  pending(phone: string): BinaryNode[][] {
    const { companions } = this.parts.world.account(digitsOf(phone))
    return [...companions.values()].map((companion) => companion.pending.map(({ node }) => node))
  }

  /** Something an account's phone knows from before the link; told to devices that are linked after this. */
  addHistory(entry: HistoryMessage): void {
    this.parts.world.history.push({ ...entry, account: digitsOf(entry.account), contact: digitsOf(entry.contact) })
  }

  addFault(fault: FaultInput): void {
    this.parts.world.faults.add(fault)
  }

  clearFaults(): void {
    this.parts.world.faults.clear()
  }

  faults() {
    return this.parts.world.faults.list()
  }

  /** Does something to every open socket of an account. @returns how many there were */
  act(phone: string, step: ConnectionAction): number {
    const account = this.parts.world.account(digitsOf(phone))
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
    // The phone may unlink a device that is away: it learns of it at its next login.
    if (step.action === 'unlink') account.companions.clear()
    return links.length
  }

  /** Is a device of this account connected and logged in? */
  isOnline(phone: string): boolean {
    const { companions } = this.parts.world.account(digitsOf(phone))
    return [...companions.values()].some(({ link }) => link !== undefined)
  }

  /** Resolves with the first truthy answer, looking again at everything that happens. */
  until<T>(look: () => T | undefined | false, timeoutMs = 10_000, what = 'something to happen'): Promise<T> {
    return this.parts.world.until(look, timeoutMs, what)
  }

  /** Stops both servers, cuts every socket, and saves the state where a state file was named. */
  close(): Promise<void> {
    return this.stop()
  }
}
