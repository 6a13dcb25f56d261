import { noteTyping } from '../domain/agent/index.ts'
import { rememberWhatsAppId } from '../domain/contacts/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import { moveWaitingToFallback } from '../domain/messages/index.ts'
import {
  type AccountCommand,
  applyReceipts,
  closeCommand,
  createAuthStore,
  findMessageSecret,
  getLink,
  isCurrent,
  isOver,
  type Lease,
  type LinkView,
  recallMessage,
  saveAccountStatus,
  storeInbound,
} from '../domain/whatsapp/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import { waitAtMost } from '../lib/wait-at-most.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import {
  type AccountHooks,
  type AccountStatus,
  type InboundEvent,
  type LinkedAccount,
  mediaOf,
  type OpenLinkedAccount,
  type ReceiptEvent,
  type StoredSecret,
  withMedia,
} from '../providers/whatsapp/port.ts'
import { MediaDownloads } from './media-downloads.ts'
import { OutboxSender } from './outbox-sender.ts'
import { applyOrSetAside, storeOrSetAside } from './store-attempts.ts'

export type AccountRunnerDeps = {
  open: OpenLinkedAccount
  box: SecretBox
  storage: ObjectStorage
  settings: SendSettings
  log: Logger
  /** Called with every QR code. In the sandbox it makes the simulated phone scan the code. */
  onQr?(account: LinkView, qr: string): Promise<void>
}

const SEND_GRACE_MS = 700
const LOGOUT_WAIT_MS = 5_000
const PAIRING_WAIT_MS = 20_000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000

/** One linked account in the process that holds its lease: connection, commands, inbound events and status. */
export class AccountRunner {
  readonly lease: Lease
  private readonly ctx: BusinessContext
  private readonly deps: AccountRunnerDeps
  private readonly log: Logger
  private readonly onEnded: (runner: AccountRunner) => void
  private readonly outbox: OutboxSender
  private readonly downloads: MediaDownloads
  private account: LinkedAccount | null = null
  private readonly stopping = Promise.withResolvers<void>()
  private stopped = false
  private unsaved: AccountStatus | null = null
  private saving: Promise<void> | null = null
  private commands: Promise<void> = Promise.resolve()
  private readonly seenCommands = new Set<string>()
  private ended = false
  /** The linked number as stored in the database, which decides whether the account may send. */
  private savedPhone: string | null = null

  constructor(ctx: BusinessContext, lease: Lease, deps: AccountRunnerDeps, onEnded: (runner: AccountRunner) => void) {
    this.ctx = ctx
    this.lease = lease
    this.deps = deps
    this.onEnded = onEnded
    this.log = deps.log.child({ account: lease.accountId })
    const { settings, box, storage } = deps
    const { log } = this
    this.outbox = new OutboxSender(ctx, lease, { settings, log, sendable: () => this.sendable() })
    this.downloads = new MediaDownloads(ctx, lease.accountId, { box, storage, log, connected: () => this.connected() })
  }

  async start(): Promise<void> {
    const { settings } = await getLink(this.ctx, this.lease.accountId)
    const { allowGroups, historyLimit } = settings
    this.outbox.typingMsPerChar = settings.typingMsPerChar
    if (this.stopped) return
    this.account = this.deps.open({
      account: this.lease.accountId,
      store: createAuthStore(this.ctx, this.lease),
      allowGroups,
      historyLimit,
      typingMs: (text) => this.outbox.typingMs(text),
      hooks: this.hooks(),
    })
    await this.account.start()
  }

  wake(): void {
    this.outbox.wake()
  }

  command(command: AccountCommand): void {
    if (this.seenCommands.has(command.id)) return
    this.seenCommands.add(command.id)
    this.commands = this.commands.then(() => this.execute(command))
  }

  /** Ends the connection so that the next owner can open it. A send in progress gets a moment to be acknowledged. */
  async stop(reason: string): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    this.stopping.resolve()
    this.downloads.stop()
    await this.outbox.stop(SEND_GRACE_MS)
    await this.account?.stop(reason)
    await this.saving
  }

  private hooks(): AccountHooks {
    const { ctx, lease } = this
    return {
      onInbound: (event) => this.receive(event),
      onHistory: async (events) => {
        for (const event of events) await this.receive(event)
      },
      onReceipts: (events) => this.onReceipts(events),
      onStatus: (status) => this.onStatus(status),
      isOwner: () => isCurrent(ctx, lease),
      findSecret: (id) => this.findSecret(id),
      onIdentity: (phone, jid) => rememberWhatsAppId(ctx, phone, jid),
      onTyping: (who, isTyping) =>
        void noteTyping(ctx, who, isTyping).catch((error: unknown) =>
          this.log.debug({ reason: errorMessage(error) }, 'typing is not passed on'),
        ),
      getMessage: (id) => recallMessage(ctx, lease.accountId, id),
    }
  }

  private async execute(command: AccountCommand): Promise<void> {
    // An account that is being given up leaves what is asked of it to the next owner, who is not needed to unlink it again.
    if (this.stopped || (this.ended && command.kind !== 'logout')) return
    let failure: string | null = null
    try {
      await this.perform(command)
    } catch (error) {
      failure = errorMessage(error)
      this.log.warn({ command: command.kind, reason: failure }, 'account command failed')
    }
    // It ended meanwhile: what was opened goes with it.
    if (command.kind !== 'logout' && (this.stopped || this.ended)) return
    try {
      await closeCommand(this.ctx, command.id, failure)
    } catch (error) {
      // The command is still open: the next tick tries it again.
      this.seenCommands.delete(command.id)
      this.log.warn({ command: command.kind, reason: errorMessage(error) }, 'account command not marked as done')
    }
  }

  private async perform({ kind, data }: AccountCommand): Promise<void> {
    const { account } = this
    if (!account) throw new Error('The account is not open.')
    switch (kind) {
      case 'restart':
        await account.stop('restart')
        await this.start()
        return
      case 'logout':
        // The phone only learns of a logout over a connection.
        await this.until(() => account.status().state !== 'starting', LOGOUT_WAIT_MS)
        await account.logout()
        return
      case 'pairing_code':
        await this.until(() => account.status().qr !== null, PAIRING_WAIT_MS)
        await account.requestPairingCode(data?.phone ?? '')
    }
  }

  private async until(condition: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!condition() && !this.stopped && Date.now() < deadline) await Bun.sleep(50)
  }

  private connected(): LinkedAccount | null {
    return this.account?.status().state === 'working' ? this.account : null
  }

  private sendable(): LinkedAccount | null {
    const account = this.connected()
    return account && account.status().phone === this.savedPhone ? account : null
  }

  private receive(event: InboundEvent): Promise<void> {
    return storeOrSetAside(this.ctx, this.lease.accountId, event, () => this.store(event))
  }

  private async store(event: InboundEvent): Promise<void> {
    const { secret, content } = event
    const sealed: InboundEvent = {
      ...event,
      content: withMedia(content, (file) => ({ ...file, url: file.url && this.downloads.seal(file.url) })),
      ...(secret && { secret: this.deps.box.seal(secret, this.secretContext()) }),
    }
    await storeInbound(this.ctx, this.lease.accountId, sealed)
    if (mediaOf(content).some(({ url }) => url !== null)) void this.downloads.run()
  }

  private async findSecret(providerMessageId: string): Promise<StoredSecret | null> {
    const found = await findMessageSecret(this.ctx, this.lease.accountId, providerMessageId)
    return found && { ...found, secret: this.deps.box.open(found.secret, this.secretContext()) }
  }

  private secretContext(): string {
    return `message-secret:${this.lease.accountId}`
  }

  private async onReceipts(events: ReceiptEvent[]): Promise<void> {
    const { accountId } = this.lease
    const others = events.filter((event) => !this.outbox.isAnswerInProgress(event))
    await applyOrSetAside(this.ctx, accountId, others, (some) => applyReceipts(this.ctx, accountId, some))
  }

  private onStatus(status: AccountStatus): void {
    // The status that ended the account is the last one stored.
    if (this.ended) return
    this.unsaved = status
    this.saving ??= this.saveStatuses().finally(() => {
      this.saving = null
    })
    if (status.state === 'working') void this.downloads.run()
  }

  private async saveStatuses(): Promise<void> {
    let pauseMs = FIRST_RETRY_MS
    for (let status = this.unsaved; status; status = this.unsaved) {
      this.unsaved = null
      try {
        const saved = await saveAccountStatus(this.ctx, this.lease, status)
        pauseMs = FIRST_RETRY_MS
        if (saved === 'stale') return
        if (saved === 'number_taken') await this.refuseNumber()
        else if (status.state === 'working') {
          this.savedPhone = status.phone
          this.wake()
        } else if (status.qr) await this.showQr(status.qr)
        if (isOver(status) && !this.stopped) await this.end()
      } catch (error) {
        this.log.warn({ state: status.state, reason: errorMessage(error) }, 'account state not stored')
        if (this.stopped) return
        this.unsaved ??= status
        await waitAtMost(this.stopping.promise, pauseMs)
        pauseMs = Math.min(pauseMs * 2, LONGEST_RETRY_MS)
      }
    }
  }

  /** A phone number belongs to one account; otherwise a message would appear in another business's chat. */
  private async refuseNumber(): Promise<void> {
    const { account } = this
    if (!account) return
    this.log.error('linked number belongs to another account; unlinking')
    const { phone: _, ...status } = account.status()
    await account.logout()
    this.unsaved = null
    await saveAccountStatus(this.ctx, this.lease, {
      ...status,
      phone: null,
      state: 'failed',
      reason: 'number_taken',
      advice: 'This phone is linked to another account of this installation. Unlink it there first.',
    })
    await this.end()
  }

  private async showQr(qr: string): Promise<void> {
    const { onQr } = this.deps
    if (!onQr) return
    await onQr(await getLink(this.ctx, this.lease.accountId), qr)
  }

  private async end(): Promise<void> {
    if (this.ended) return
    this.ended = true
    const moved = await moveWaitingToFallback(this.ctx, this.lease.accountId, this.deps.settings)
    if (moved > 0) this.log.info({ moved }, 'waiting messages moved to the fallback provider')
    this.onEnded(this)
  }
}
