import { randomBytes } from 'node:crypto'
import { AppError } from '../../../../src/lib/errors.ts'
import { createLogger, type Logger } from '../../../../src/lib/log.ts'
import { createSecretBox, type SecretBox } from '../../../../src/lib/secret-box.ts'
import { BaileysAccount, type BaileysAccountOptions } from '../../../../src/providers/whatsapp/baileys/account.ts'
import { createMediaFetcher } from '../../../../src/providers/whatsapp/media-by-url.ts'
import {
  type AccountHooks,
  type AccountStatus,
  type AuthChanges,
  type AuthStore,
  type InboundEvent,
  type OutboundMessage,
  type ReceiptEvent,
  STALE_OWNER,
} from '../../../../src/providers/whatsapp/port.ts'
import type { WhatsAppSandbox } from '../../../../src/sandbox/whatsapp/sandbox.ts'

/** A store in a Map, with database failures on demand. */
export class MapStore implements AuthStore {
  creds: string | null = null
  readonly keys = new Map<string, string>()
  readonly box: SecretBox = createSecretBox(randomBytes(32))
  /** Thrown by the next reads or writes, as long as it is set. */
  readError: Error | null = null
  writeError: Error | null = null
  /** Called before every write; may wait. */
  onWrite: (changes: AuthChanges) => Promise<void> | void = () => {}

  async readCreds(): Promise<string | null> {
    if (this.readError) throw this.readError
    return this.creds
  }

  async readKeys(type: string, ids: string[]): Promise<Map<string, string>> {
    if (this.readError) throw this.readError
    const found = new Map<string, string>()
    for (const id of ids) {
      const value = this.keys.get(`${type}/${id}`)
      if (value !== undefined) found.set(id, value)
    }
    return found
  }

  async write(changes: AuthChanges): Promise<void> {
    await this.onWrite(changes)
    if (this.writeError) throw this.writeError
    this.apply(changes)
  }

  protected apply(changes: AuthChanges): void {
    this.creds = changes.creds ?? this.creds
    for (const { type, id, value } of changes.keys)
      if (value === null) this.keys.delete(`${type}/${id}`)
      else this.keys.set(`${type}/${id}`, value)
  }

  async clear(): Promise<void> {
    this.creds = null
    this.keys.clear()
  }
}

export const staleOwner = () => new AppError('conflict', STALE_OWNER, 'another worker owns this account')

/** An account, its events, and helpers that wait for them. */
export class Harness {
  readonly inbound: InboundEvent[] = []
  readonly history: InboundEvent[] = []
  readonly receipts: ReceiptEvent[] = []
  readonly statuses: AccountStatus[] = []
  readonly identities: { phone: string; jid: string }[] = []
  readonly sent = new Map<string, OutboundMessage>()
  readonly account: BaileysAccount
  /** Runs before an inbound message counts as stored; may throw. */
  beforeStore: (event: InboundEvent) => Promise<void> | void = () => {}
  /** Runs before receipts count as stored; may throw. */
  beforeReceipts: (events: ReceiptEvent[]) => Promise<void> | void = () => {}

  constructor(
    sandbox: WhatsAppSandbox,
    readonly store: MapStore,
    extra: Partial<BaileysAccountOptions> & { log?: Logger } & Pick<AccountHooks, 'isOwner' | 'onTyping'> = {},
  ) {
    const { isOwner, onTyping, ...options } = extra
    this.account = new BaileysAccount({
      account: 'acc-1',
      store,
      box: store.box,
      log: createLogger('silent'),
      websocketUrl: sandbox.wsUrl,
      mediaCa: sandbox.mediaCertificate,
      // The files of these tests are on this machine.
      fetchMedia: createMediaFetcher({ allowPrivate: true }),
      ...options,
      timing: { ackMs: 1_000, reconcileMs: 500, reconnect: { minMs: 20, maxMs: 200 }, ...options.timing },
      hooks: {
        onInbound: async (event) => {
          await this.beforeStore(event)
          this.inbound.push(event)
        },
        onReceipts: async (events) => {
          await this.beforeReceipts(events)
          this.receipts.push(...events)
        },
        onStatus: (status) => void this.statuses.push(status),
        onHistory: async (events) => void this.history.push(...events),
        findSecret: async (id) => {
          const event = this.inbound.find((one) => one.id === id)
          const options = event?.content.kind === 'poll' ? event.content.options : null
          return event?.secret ? { secret: event.secret, options } : null
        },
        onIdentity: async (phone, jid) => void this.identities.push({ phone, jid }),
        getMessage: async (id) => this.sent.get(id) ?? null,
        ...(isOwner ? { isOwner } : {}),
        ...(onTyping ? { onTyping } : {}),
      },
    })
  }

  get state(): string {
    return this.account.status().state
  }

  async until<T>(look: () => T | undefined | null | false, what: string, timeoutMs = 8_000): Promise<T> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      const value = look()
      if (value) return value
      if (Date.now() > deadline)
        throw new Error(`waited ${timeoutMs} ms for ${what}; the account is ${JSON.stringify(this.account.status())}`)
      await Bun.sleep(5)
    }
  }

  /** Starts and waits until it works, scanning a QR code where one is shown. */
  async work(sandbox: WhatsAppSandbox, phone: string): Promise<void> {
    await this.account.start()
    await this.until(() => this.state === 'working' || this.account.status().qr, 'a QR code or a login')
    const { qr } = this.account.status()
    if (qr) await sandbox.scan(qr, phone)
    await this.until(() => this.state === 'working', 'the account to work', 15_000)
  }

  async text(id: string, to: string, text: string) {
    return this.account.send({ id, account: 'acc-1', to, text })
  }

  receiptsOf(providerMessageId: string): string[] {
    return this.receipts
      .filter((receipt) => receipt.providerMessageId === providerMessageId)
      .map(({ status }) => status)
  }
}
