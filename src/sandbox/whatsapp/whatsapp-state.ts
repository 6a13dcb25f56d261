import { type BinaryNode, BufferJSON, jidDecode, jidEncode, type proto } from '@whiskeysockets/baileys'
import type { Logger } from '../../lib/log.ts'
import { FaultList } from './faults.ts'
import { unixSeconds } from './nodes.ts'
import { type KeyBundle, type Payload, PhoneDevice, type PhoneSnapshot } from './phone-device.ts'

export type ClientLink = {
  send(node: BinaryNode): void
  streamError(code: string | undefined, child?: BinaryNode): void
  terminate(): void
  /** A frozen peer holds the TCP connection and neither reads nor writes. */
  setFrozen(frozen: boolean): void
}

export type PendingStanza = { node: BinaryNode; retried: boolean }

export type Companion = {
  id: number
  registrationId: number
  identity: Uint8Array
  signedPreKey: KeyBundle['signedPreKey']
  preKeys: { id: number; publicKey: Uint8Array }[]
  pending: PendingStanza[]
  isNew: boolean
  link: ClientLink | undefined
}

/** Automatic behaviour of the person behind an account. */
export type Behavior = {
  delivers: boolean
  reads: boolean
  autoReply: string | undefined
}

export type Account = {
  phone: string
  lid: string
  name: string
  onWhatsApp: boolean
  knownAs?: string | undefined
  behavior: Behavior
  device: PhoneDevice
  companions: Map<number, Companion>
}

export type Delivery = {
  sequence: number
  id: string
  from: string
  to: string
  ownCopy: boolean
  /** 1 for the first stanza with this id, 2 for the second … */
  attempt: number
  encryption: string
  at: number
  message: proto.IMessage
}

/** A message that a phone could not decrypt, such as one whose key was used before. */
export type Undecryptable = { id: string; from: string; to: string; attempt: number; reason: string }

export type ClientNotice = {
  account: string
  at: number
  tag: 'receipt' | 'ack' | 'presence' | 'chatstate'
  attrs: Record<string, string>
  child: string | undefined
}

/** A message from before the link, sent to a newly linked device. `account` is the digits of the business. */
export type HistoryMessage = { account: string; contact: string; text: string; fromMe: boolean; at: number }

/** A contact's message, stored to answer a retry receipt. */
export type SentByContact = {
  contact: string
  message: Payload
  attrs: Record<string, string>
  mediaType: string | undefined
}

const RECENT = 5_000
const DEFAULT_BEHAVIOR: Behavior = { delivers: true, reads: false, autoReply: undefined }

export class WhatsAppState {
  readonly accounts = new Map<string, Account>()
  readonly deliveries: Delivery[] = []
  readonly notices: ClientNotice[] = []
  readonly history: HistoryMessage[] = []
  readonly undecryptable: Undecryptable[] = []
  readonly sentByContacts = new Map<string, SentByContact>()
  readonly attempts = new Map<string, number>()
  readonly faults = new FaultList()
  readonly log: Logger
  mediaHost = ''
  private readonly byLid = new Map<string, Account>()
  private readonly watchers = new Set<() => void>()
  private sequence = 0

  constructor(log: Logger) {
    this.log = log
  }

  /** The account of a number; created when there is none, so that every number can be written to. */
  account(phone: string): Account {
    const known = this.accounts.get(phone)
    if (known) return known
    const account: Account = {
      phone,
      lid: String(10n ** 14n + (BigInt(phone) % 10n ** 12n)),
      name: `User ${phone}`,
      onWhatsApp: true,
      behavior: { ...DEFAULT_BEHAVIOR },
      device: new PhoneDevice(),
      companions: new Map(),
    }
    this.add(account)
    return account
  }

  resolve(jid: string): { account: Account; device: number } | undefined {
    const decoded = jidDecode(jid)
    if (!decoded?.user) return undefined
    const account = decoded.server === 'lid' ? this.byLid.get(decoded.user) : this.account(decoded.user)
    return account && { account, device: decoded.device ?? 0 }
  }

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

  changed(): void {
    for (const watcher of [...this.watchers]) watcher()
  }

  /** Resolves with the first truthy answer; rejects after `timeoutMs`, naming `what`. */
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

  /** Accounts, keys, links and undelivered stanzas as JSON text; without sockets and faults. */
  snapshot(): string {
    const accounts = [...this.accounts.values()].map((account) => ({
      ...account,
      device: account.device.toJSON(),
      companions: [...account.companions.values()].map(({ link: _, ...companion }) => companion),
    }))
    return JSON.stringify({ at: unixSeconds(), accounts, history: this.history }, BufferJSON.replacer)
  }

  /** Restores a `snapshot`, so that devices stay linked over a restart of the sandbox. */
  restore(text: string): void {
    const state: { accounts: AccountSnapshot[]; history: HistoryMessage[] } = JSON.parse(text, BufferJSON.reviver)
    for (const { device, companions, manners, ...account } of state.accounts)
      this.add({
        ...account,
        behavior: account.behavior ?? manners ?? { ...DEFAULT_BEHAVIOR },
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

type AccountSnapshot = Omit<Account, 'device' | 'companions' | 'behavior'> & {
  behavior?: Behavior
  /** The name of `behavior` in snapshots of earlier versions. */
  manners?: Behavior
  device: PhoneSnapshot
  companions: Omit<Companion, 'link'>[]
}

export const phoneJid = (phone: string, device?: number) => jidEncode(phone, 's.whatsapp.net', device)
export const lidJid = (lid: string, device?: number) => jidEncode(lid, 'lid', device)
export const toE164 = (digits: string) => `+${digits}`
