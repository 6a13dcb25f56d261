import { rememberWhatsAppId } from '../domain/contacts/index.ts'
import type { BusinessContext } from '../domain/context.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import { fetchMessageMedia, moveToFallback, moveWaitingToFallback } from '../domain/messages/index.ts'
import {
  type AcceptedSend,
  type AccountCommand,
  applyReceipts,
  beginSend,
  closeCommand,
  createAuthStore,
  endAndBegin,
  endSend,
  findMessageSecret,
  getLink,
  isCurrent,
  isOver,
  type Lease,
  type LinkView,
  markSent,
  nextInOutbox,
  type OutboxItem,
  pendingFiles,
  recallMessage,
  refuseQueued,
  saveAccountStatus,
  settleDoubt,
  storeInbound,
} from '../domain/whatsapp/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { SecretBox } from '../lib/secret-box.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import {
  type AccountStatus,
  type InboundEvent,
  type LinkedAccount,
  mediaOf,
  type OpenLinkedAccount,
  type ReceiptEvent,
  type StoredSecret,
  WHATSAPP_MEDIA_SCHEME,
  withMedia,
} from '../providers/whatsapp/port.ts'
import { applyOrSetAside, storeOrSetAside } from './store-attempts.ts'

/** What every account of a process shares. */
export type AccountRunnerDeps = {
  open: OpenLinkedAccount
  /** Seals the addresses of files, which hold their keys. */
  box: SecretBox
  storage: ObjectStorage
  settings: SendSettings
  log: Logger
  /** Told of every QR code; the sandbox plays the phone that scans it. */
  onQr?(account: LinkView, qr: string): Promise<void>
}

/** Codes of refusals that speak of the account, so that another provider may take the message. */
const ACCOUNT_REFUSED = new Set(['463', 'account_restricted'])
const LONGEST_TYPING_MS = 6_000
const SEND_GRACE_MS = 700
const COMMAND_MS = 20_000
const FILE_RETRY_MS = 60_000
/** How many messages are read from the outbox at once, and for how long what was read serves. */
const AHEAD = 16
const AHEAD_MS = 1_000

/** One linked account in the process that owns it: its connection, what comes in, and its outbox. */
export class AccountRunner {
  readonly lease: Lease
  private readonly ctx: BusinessContext
  private readonly means: AccountRunnerDeps
  private readonly log: Logger
  private readonly onOver: (runner: AccountRunner) => void
  private account: LinkedAccount | null = null
  private readonly stopping = Promise.withResolvers<void>()
  private stopped = false
  private inFlight: string | null = null
  private pumping: Promise<void> | null = null
  private again = false
  private ahead: { items: OutboxItem[]; at: number } = { items: [], at: 0 }
  /** Taken by WhatsApp, and not yet written down as sent. */
  private accepted: AcceptedSend | null = null
  private lastSendAt = 0
  private typingMsPerChar = 0
  private unsaved: AccountStatus | null = null
  private saving: Promise<void> | null = null
  private fetching = false
  private fetchAgain = false
  private fileTimer: ReturnType<typeof setTimeout> | null = null
  private readonly fileRetryAt = new Map<string, number>()
  private commands: Promise<void> = Promise.resolve()
  private readonly seenCommands = new Set<string>()
  private over = false
  /** The number that is known to the database as the one that is linked; whether it may send is decided there. */
  private savedPhone: string | null = null

  constructor(ctx: BusinessContext, lease: Lease, means: AccountRunnerDeps, onOver: (runner: AccountRunner) => void) {
    this.ctx = ctx
    this.lease = lease
    this.means = means
    this.onOver = onOver
    this.log = means.log.child({ account: lease.accountId })
  }

  async start(): Promise<void> {
    const { settings } = await getLink(this.ctx, this.lease.accountId)
    const { allowGroups, historyLimit } = settings
    this.typingMsPerChar = settings.typingMsPerChar
    if (this.stopped) return
    this.account = this.means.open({
      account: this.lease.accountId,
      store: createAuthStore(this.ctx, this.lease),
      allowGroups,
      historyLimit,
      typingMs: (text) => Math.min(LONGEST_TYPING_MS, text.length * this.typingMsPerChar) * (0.75 + Math.random() / 2),
      hooks: {
        onInbound: (event) => this.keep(event),
        onHistory: async (events) => {
          for (const event of events) await this.keep(event)
        },
        onReceipts: (events) => this.onReceipts(events),
        onStatus: (status) => this.onStatus(status),
        isOwner: () => isCurrent(this.ctx, this.lease),
        findSecret: (id) => this.findSecret(id),
        onIdentity: (phone, jid) => rememberWhatsAppId(this.ctx, phone, jid),
        getMessage: (id) => recallMessage(this.ctx, this.lease.accountId, id),
      },
    })
    await this.account.start()
  }

  /** Sends what waits; asked as often as one likes. */
  wake(): void {
    if (this.stopped || !this.canSend()) return
    if (this.pumping) {
      this.again = true
      return
    }
    this.pumping = this.pump().finally(() => {
      this.pumping = null
    })
  }

  /** Carries out a command once, after those before it. */
  command(command: AccountCommand): void {
    if (this.seenCommands.has(command.id)) return
    this.seenCommands.add(command.id)
    this.commands = this.commands.then(async () => {
      let failure: string | null = null
      try {
        await this.carryOut(command)
      } catch (error) {
        failure = errorMessage(error)
        this.log.warn({ command: command.kind, reason: failure }, 'a command could not be carried out')
      }
      try {
        await closeCommand(this.ctx, command.id, failure)
      } catch (error) {
        // Still open, it is seen again at the next look.
        this.seenCommands.delete(command.id)
        this.log.warn({ command: command.kind, reason: errorMessage(error) }, 'a command could not be closed')
      }
    })
  }

  /** Ends the connection so that the next owner can open it; a send under way gets a moment to be acknowledged. */
  async stop(reason: string): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    this.stopping.resolve()
    if (this.fileTimer) clearTimeout(this.fileTimer)
    await Promise.race([this.pumping ?? Promise.resolve(), Bun.sleep(SEND_GRACE_MS)])
    await this.account?.stop(reason)
    await this.saving
  }

  private async carryOut({ kind, data }: AccountCommand): Promise<void> {
    const { account } = this
    if (!account || this.stopped) throw new Error('The account is not open.')
    switch (kind) {
      case 'restart':
        await account.stop('restart')
        // Opened anew, with the settings as they are now.
        await this.start()
        return
      case 'logout':
        // A phone can only be told over a connection.
        await this.until(() => account.status().state !== 'starting', 5_000)
        await account.logout()
        return
      case 'pairing_code':
        await this.until(() => account.status().qr !== null, COMMAND_MS)
        await account.requestPairingCode(data?.phone ?? '')
    }
  }

  private async until(look: () => boolean, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!look() && !this.stopped && Date.now() < deadline) await Bun.sleep(50)
  }

  private async pump(): Promise<void> {
    try {
      do {
        this.again = false
        // What an earlier round read holds only as long as that round went well.
        this.ahead.items = []
        while (!this.stopped && this.account && this.canSend()) {
          const item = await this.nextItem()
          if (!item) break
          if (!(await this.handle(this.account, item))) this.ahead.items = []
        }
        await this.endAccepted()
      } while (this.again && !this.stopped)
    } catch (error) {
      this.log.warn({ reason: errorMessage(error) }, 'the outbox could not be worked on; it is looked at again')
    }
  }

  private canSend(): boolean {
    const status = this.account?.status()
    return status?.state === 'working' && status.phone === this.savedPhone
  }

  private async nextItem(): Promise<OutboxItem | null> {
    const { items, at } = this.ahead
    const next = Date.now() - at < AHEAD_MS ? items.shift() : undefined
    if (next) return next
    // What was accepted and is not written down would be read as in doubt.
    await this.endAccepted()
    this.ahead = { items: await nextInOutbox(this.ctx, this.lease, AHEAD), at: Date.now() }
    return this.ahead.items.shift() ?? null
  }

  /** @returns whether it was accepted, so that those read after it may follow */
  private async handle(account: LinkedAccount, item: OutboxItem): Promise<boolean> {
    const { message } = item
    if (item.status === 'sending') {
      await this.endAccepted()
      const since = item.lastAttemptAt ?? new Date(0)
      const found = await account.reconcile({ ...message, since, otherIds: [] })
      // Away again: what WhatsApp kept for us has not come yet.
      if (found.outcome === 'undecided' && account.status().state !== 'working') return false
      await settleDoubt(this.ctx, item, found)
      return false
    }
    this.typingMsPerChar = item.rules.typingMsPerChar
    await this.pace(item)
    if (this.stopped || account.status().state !== 'working') return false
    const providerMessageId = account.fixedId(message)
    if (!(await this.begin(item, providerMessageId))) return false
    this.inFlight = providerMessageId
    try {
      const outcome = await account.send({ ...message, providerMessageId })
      this.lastSendAt = Date.now()
      if (outcome.outcome === 'accepted') {
        this.accepted = { id: message.id, providerMessageId: outcome.providerMessageId }
        return true
      }
      this.log.info({ messageId: message.id, outcome: outcome.outcome, code: outcome.code }, 'a send did not go well')
      await endSend(this.ctx, item, outcome)
      if (outcome.outcome === 'rejected' && ACCOUNT_REFUSED.has(outcome.code))
        await moveToFallback(this.ctx, message.id, this.means.settings, ['failed'])
      return false
    } finally {
      this.inFlight = null
    }
  }

  private async begin(item: OutboxItem, providerMessageId: string): Promise<boolean> {
    const { id } = item.message
    if (this.accepted && !item.isFirst) {
      const begun = await endAndBegin(this.ctx, this.lease, this.accepted, { id, providerMessageId })
      this.accepted = null
      return begun
    }
    await this.endAccepted()
    const permit = await beginSend(this.ctx, this.lease, item, providerMessageId)
    if (permit.may) return true
    if (permit.why === 'restricted') {
      await refuseQueued(this.ctx, id, permit.outcome)
      await moveToFallback(this.ctx, id, this.means.settings, ['failed'])
    }
    return false
  }

  private async endAccepted(): Promise<void> {
    const { accepted } = this
    if (!accepted) return
    await markSent(this.ctx, accepted)
    this.accepted = null
  }

  /** People do not write like machines: a pause between two messages, never the same. */
  private async pace({ rules }: OutboxItem): Promise<void> {
    const pause = this.lastSendAt + rules.gapMs + Math.random() * rules.jitterMs - Date.now()
    if (this.lastSendAt === 0 || pause <= 0) return
    await this.endAccepted()
    await Promise.race([Bun.sleep(pause), this.stopping.promise])
  }

  private keep(event: InboundEvent): Promise<void> {
    return storeOrSetAside(this.ctx, this.lease.accountId, event, () => this.store(event))
  }

  private async store(event: InboundEvent): Promise<void> {
    const { secret, content } = event
    const sealed: InboundEvent = {
      ...event,
      content: withMedia(content, (file) => ({ ...file, url: file.url && this.seal(file.url) })),
      ...(secret && { secret: this.means.box.seal(secret, this.secretContext()) }),
    }
    await storeInbound(this.ctx, this.lease.accountId, sealed)
    if (mediaOf(content).some(({ url }) => url !== null)) void this.fetchFiles()
  }

  private async findSecret(providerMessageId: string): Promise<StoredSecret | null> {
    const found = await findMessageSecret(this.ctx, this.lease.accountId, providerMessageId)
    return found && { ...found, secret: this.means.box.open(found.secret, this.secretContext()) }
  }

  private secretContext(): string {
    return `message-secret:${this.lease.accountId}`
  }

  private async onReceipts(events: ReceiptEvent[]): Promise<void> {
    // The answer to a message under way is its send's to judge: some refusals may be tried again.
    const isAnswer = ({ status, providerMessageId }: ReceiptEvent) =>
      (status === 'failed' || status === 'sent') && providerMessageId === this.inFlight
    const { accountId } = this.lease
    const news = events.filter((event) => !isAnswer(event))
    await applyOrSetAside(this.ctx, accountId, news, (some) => applyReceipts(this.ctx, accountId, some))
  }

  private onStatus(status: AccountStatus): void {
    // The last word on an account that is over is why it is.
    if (this.over) return
    this.unsaved = status
    this.saving ??= this.saveStatus().finally(() => {
      this.saving = null
    })
    if (status.state === 'working') void this.fetchFiles()
  }

  private async saveStatus(): Promise<void> {
    let pauseMs = 500
    for (let status = this.unsaved; status; status = this.unsaved) {
      this.unsaved = null
      try {
        const saved = await saveAccountStatus(this.ctx, this.lease, status)
        pauseMs = 500
        if (saved === 'stale') return
        if (saved === 'number_taken') await this.refuseNumber()
        else if (status.state === 'working') {
          this.savedPhone = status.phone
          this.wake()
        } else if (status.qr) await this.showQr(status.qr)
        if (isOver(status) && !this.stopped) await this.end()
      } catch (error) {
        this.log.warn({ state: status.state, reason: errorMessage(error) }, 'the state could not be stored')
        if (this.stopped) return
        this.unsaved ??= status
        await Promise.race([Bun.sleep(pauseMs), this.stopping.promise])
        pauseMs = Math.min(pauseMs * 2, 30_000)
      }
    }
  }

  /** One phone number, one account: else a message would be shown in another business's chat. */
  private async refuseNumber(): Promise<void> {
    const { account } = this
    if (!account) return
    this.log.error('the phone that linked this account belongs to another account; it is unlinked')
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
    const { onQr } = this.means
    if (!onQr) return
    await onQr(await getLink(this.ctx, this.lease.accountId), qr)
  }

  private async end(): Promise<void> {
    if (this.over) return
    this.over = true
    const moved = await moveWaitingToFallback(this.ctx, this.lease.accountId, this.means.settings)
    if (moved > 0) this.log.info({ moved }, 'what waited goes by the second provider')
    this.onOver(this)
  }

  private async fetchFiles(): Promise<void> {
    const { account } = this
    if (!account) return
    if (this.fetching) {
      // What has come since the list was read is on the next one.
      this.fetchAgain = true
      return
    }
    this.fetching = true
    this.fetchAgain = false
    try {
      for (const { id } of await pendingFiles(this.ctx, this.lease.accountId)) {
        if (this.stopped || account.status().state !== 'working') return
        if ((this.fileRetryAt.get(id) ?? 0) > Date.now()) continue
        try {
          const source = { downloadMedia: (url: string, max: number) => account.downloadMedia(this.unseal(url), max) }
          await fetchMessageMedia(this.ctx, id, source, this.means.storage)
          this.fileRetryAt.delete(id)
        } catch (error) {
          this.fileRetryAt.set(id, Date.now() + FILE_RETRY_MS)
          this.fileTimer ??= setTimeout(() => {
            this.fileTimer = null
            void this.fetchFiles()
          }, FILE_RETRY_MS + 100)
          this.log.warn({ mediaId: id, reason: errorMessage(error) }, 'a file could not be fetched; it is tried again')
        }
      }
    } catch (error) {
      this.log.warn({ reason: errorMessage(error) }, 'files could not be looked for')
    } finally {
      this.fetching = false
    }
    if (this.fetchAgain && !this.stopped) void this.fetchFiles()
  }

  private seal(url: string): string {
    return WHATSAPP_MEDIA_SCHEME + this.means.box.seal(url, `media:${this.lease.accountId}`)
  }

  private unseal(url: string): string {
    return this.means.box.open(url.slice(WHATSAPP_MEDIA_SCHEME.length), `media:${this.lease.accountId}`)
  }
}
