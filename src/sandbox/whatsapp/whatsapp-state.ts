import { type BinaryNode, BufferJSON, jidDecode, jidEncode, type proto } from '@whiskeysockets/baileys'
import type { Logger } from '../../lib/log.ts'
import { FaultBook } from './faults.ts'
import { unixSeconds } from './nodes.ts'
import { type KeyBundle, type Payload, PhoneDevice, type PhoneSnapshot } from './phone-device.ts'

/** The live socket of a linked device, as the rest of the sandbox sees it. */
export type ClientLink = {
  send(node: BinaryNode): void
  /** Ends the stream with `<stream:error>`: a code, or a child such as `<conflict>`. */
  streamError(code: string | undefined, child?: BinaryNode): void
  /** Cuts the TCP connection without a word. */
  terminate(): void
  /** A frozen peer keeps the TCP connection and neither reads nor writes. */
  setFrozen(frozen: boolean): void
}

/** A stanza the server holds for a device until the device acknowledges it. */
export type PendingStanza = { node: BinaryNode; retried: boolean }

/** A linked device ("companion") of an account. */
export type Companion = {
  id: number
  registrationId: number
  identity: Uint8Array
  signedPreKey: KeyBundle['signedPreKey']
  preKeys: { id: number; publicKey: Uint8Array }[]
  pending: PendingStanza[]
  /** No history was pushed to it yet. */
  isNew: boolean
  link: ClientLink | undefined
}

/** How the person behind an account behaves. */
export type Manners = {
  /** The phone is on: what arrives is confirmed as delivered. */
  delivers: boolean
  /** What arrives is read at once. */
  reads: boolean
  /** Answers every text with this one. */
  autoReply: string | undefined
}

/** Somebody with a phone number: a business that links a device, or a contact that writes to it. */
export type Account = {
  /** Digits, without `+`. */
  phone: string
  lid: string
  name: string
  onWhatsApp: boolean
  /** Digits of the id under which WhatsApp knows the number, where it is not the number itself. */
  knownAs?: string | undefined
  manners: Manners
  device: PhoneDevice
  companions: Map<number, Companion>
}

/** A message that reached a phone, decrypted. */
export type Delivery = {
  sequence: number
  /** Stanza id, chosen by the sender. */
  id: string
  /** Sender's digits. */
  from: string
  /** Digits of the phone that got it. */
  to: string
  /** The copy for the sender's own phone. */
  ownCopy: boolean
  /** 1 for the first stanza with this id, 2 for the second … */
  attempt: number
  encryption: string
  /** Milliseconds since 1970. */
  at: number
  message: proto.IMessage
}

/** A message that a phone could not decrypt, such as one whose key was used before. */
export type Undecryptable = { id: string; from: string; to: string; attempt: number; reason: string }

/** Something a linked device told the server. */
export type ClientNotice = {
  account: string
  at: number
  tag: 'receipt' | 'ack' | 'presence' | 'chatstate'
  attrs: Record<string, string>
  child: string | undefined
}

/** A message of the past that a newly linked device is told. `account` is the digits of the business. */
export type HistoryMessage = { account: string; contact: string; text: string; fromMe: boolean; at: number }

/** A message a contact sent, kept so that a retry receipt can be served. */
export type SentByContact = {
  contact: string
  message: Payload
  attrs: Record<string, string>
  mediaType: string | undefined
}

const RECENT = 5_000

/** Everybody, everything that was sent, and what is to go wrong: the whole state of the sandbox's WhatsApp. */
export class World {
  readonly accounts = new Map<string, Account>()
  readonly deliveries: Delivery[] = []
  readonly notices: ClientNotice[] = []
  readonly history: HistoryMessage[] = []
  readonly undecryptable: Undecryptable[] = []
  readonly sentByContacts = new Map<string, SentByContact>()
  readonly attempts = new Map<string, number>()
  readonly faults = new FaultBook()
  readonly log: Logger
  mediaHost = ''
  private readonly byLid = new Map<string, Account>()
  private readonly watchers = new Set<() => void>()
  private sequence = 0

  constructor(log: Logger) {
    this.log = log
  }

  /** The account of a number; made when there is none, so that everybody can be written to. */
  account(phone: string): Account {
    const known = this.accounts.get(phone)
    if (known) return known
    const account: Account = {
      phone,
      lid: String(10n ** 14n + (BigInt(phone) % 10n ** 12n)),
      name: `User ${phone}`,
      onWhatsApp: true,
      manners: { delivers: true, reads: false, autoReply: undefined },
      device: new PhoneDevice(),
      companions: new Map(),
    }
    this.add(account)
    return account
  }

  /** Whom a JID names, by phone number or LID, and which of their devices. */
  resolve(jid: string): { account: Account; device: number } | undefined {
    const decoded = jidDecode(jid)
    if (!decoded?.user) return undefined
    const account = decoded.server === 'lid' ? this.byLid.get(decoded.user) : this.account(decoded.user)
    return account && { account, device: decoded.device ?? 0 }
  }

  /** An id that no other stanza of this run has. */
  nextId(prefix: string): string {
    this.sequence += 1
    return `${prefix}${Date.now().toString(16)}${this.sequence.toString(16).padStart(6, '0')}`.toUpperCase()
  }

  recordDelivery(delivery: Omit<Delivery, 'sequence' | 'at'>): void {
    this.sequence += 1
    this.deliveries.push({ ...delivery, sequence: this.sequence, at: Date.now() })
    this.changed()
  }

  recordNotice(notice: Omit<ClientNotice, 'at'>): void {
    this.notices.push({ ...notice, at: Date.now() })
    if (this.notices.length > 20 * RECENT) this.notices.splice(0, RECENT)
    this.changed()
  }

  rememberSent(id: string, sent: SentByContact): void {
    this.sentByContacts.set(id, sent)
    const oldest = this.sentByContacts.keys().next()
    if (this.sentByContacts.size > RECENT && !oldest.done) this.sentByContacts.delete(oldest.value)
  }

  /** Tells everybody who waits in `until` to look again. */
  changed(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  /** Resolves with the first truthy answer; rejects after `timeoutMs`, naming `what` was waited for. */
  until<T>(look: () => T | undefined | false, timeoutMs: number, what: string): Promise<T> {
    const now = look()
    if (now) return Promise.resolve(now)
    return new Promise((resolve, reject) => {
      const watcher = () => {
        const value = look()
        if (!value) return
        clearTimeout(timer)
        this.watchers.delete(watcher)
        resolve(value)
      }
      const timer = setTimeout(() => {
        this.watchers.delete(watcher)
        reject(new Error(`waited ${timeoutMs} ms for ${what}`))
      }, timeoutMs)
      this.watchers.add(watcher)
    })
  }

  /** Accounts, keys, links and what waits to be fetched, as JSON text; sockets and faults are not in it. */
  snapshot(): string {
    const accounts = [...this.accounts.values()].map((account) => ({
      ...account,
      device: account.device.toJSON(),
      companions: [...account.companions.values()].map(({ link: _, ...companion }) => companion),
    }))
    return JSON.stringify({ at: unixSeconds(), accounts, history: this.history }, BufferJSON.replacer)
  }

  /** Takes back what `snapshot` wrote, so that linked devices stay linked over a restart of the sandbox. */
  restore(text: string): void {
    const state: { accounts: AccountSnapshot[]; history: HistoryMessage[] } = JSON.parse(text, BufferJSON.reviver)
    for (const { device, companions, ...account } of state.accounts)
      this.add({
        ...account,
        device: new PhoneDevice(device),
        companions: new Map(companions.map((companion) => [companion.id, { ...companion, link: undefined }])),
      })
    this.history.push(...state.history)
  }

  close(): void {
    for (const account of this.accounts.values()) account.device.close()
  }

  private add(account: Account): void {
    this.accounts.set(account.phone, account)
    this.byLid.set(account.lid, account)
  }
}

type AccountSnapshot = Omit<Account, 'device' | 'companions'> & {
  device: PhoneSnapshot
  companions: Omit<Companion, 'link'>[]
}

/** JID of a person's phone number. */
export const phoneJid = (phone: string, device?: number) => jidEncode(phone, 's.whatsapp.net', device)
/** JID of a person's LID. */
export const lidJid = (lid: string, device?: number) => jidEncode(lid, 'lid', device)
/** Digits of a phone number as E.164. */
export const toE164 = (digits: string) => `+${digits}`
