import type { BusinessContext } from '../domain/context.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import { moveToFallback, withdrawOvertaken } from '../domain/messages/index.ts'
import {
  type AcceptedSend,
  beginSend,
  endAndBegin,
  endSend,
  type Lease,
  markSent,
  nextInOutbox,
  type OutboxItem,
  refuseQueued,
  settleDoubt,
} from '../domain/whatsapp/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { waitAtMost } from '../lib/wait-at-most.ts'
import type { LinkedAccount, ReceiptEvent } from '../providers/whatsapp/port.ts'

/** WhatsApp refused the account, not the message: another provider may take it. */
const ACCOUNT_REFUSED = new Set(['463', 'account_restricted'])
const LONGEST_TYPING_MS = 6_000
/** How many messages one read of the outbox takes, and how long that read is valid. */
const AHEAD = 16
const AHEAD_MS = 1_000

export type OutboxDeps = {
  settings: SendSettings
  log: Logger
  /** null while the account may not send. */
  sendable(): LinkedAccount | null
}

export class OutboxSender {
  typingMsPerChar = 0
  private readonly ctx: BusinessContext
  private readonly lease: Lease
  private readonly deps: OutboxDeps
  private readonly stopping = Promise.withResolvers<void>()
  private stopped = false
  private inFlight: string | null = null
  private pumping: Promise<void> | null = null
  private again = false
  private ahead: { items: OutboxItem[]; at: number } = { items: [], at: 0 }
  /** Accepted by WhatsApp, not yet stored as sent. */
  private accepted: AcceptedSend | null = null
  private lastSendAt = 0

  constructor(ctx: BusinessContext, lease: Lease, deps: OutboxDeps) {
    this.ctx = ctx
    this.lease = lease
    this.deps = deps
  }

  wake(): void {
    if (this.stopped || !this.deps.sendable()) return
    if (this.pumping) {
      this.again = true
      return
    }
    this.pumping = this.pump().finally(() => {
      this.pumping = null
    })
  }

  /** Begins no further send, and gives the one in progress `graceMs` to be acknowledged. */
  async stop(graceMs: number): Promise<void> {
    this.stopped = true
    this.stopping.resolve()
    if (this.pumping) await waitAtMost(this.pumping, graceMs)
  }

  typingMs(text: string): number {
    return Math.min(LONGEST_TYPING_MS, text.length * this.typingMsPerChar) * (0.75 + Math.random() / 2)
  }

  /** The send in progress decides about its own answer: some rejections may be retried. */
  isAnswerInProgress({ status, providerMessageId }: ReceiptEvent): boolean {
    return (status === 'failed' || status === 'sent') && providerMessageId === this.inFlight
  }

  private async pump(): Promise<void> {
    try {
      do {
        this.again = false
        // Items read in an earlier round are valid only as long as that round succeeded.
        this.ahead.items = []
        for (let account = this.deps.sendable(); account && !this.stopped; account = this.deps.sendable()) {
          const item = await this.nextItem()
          if (!item) break
          if (!(await this.handle(account, item))) this.ahead.items = []
        }
        await this.endAccepted()
      } while (this.again && !this.stopped)
    } catch (error) {
      this.deps.log.warn({ reason: errorMessage(error) }, 'outbox round failed; it will be retried')
    }
  }

  private async nextItem(): Promise<OutboxItem | null> {
    const { items, at } = this.ahead
    const next = Date.now() - at < AHEAD_MS ? items.shift() : undefined
    if (next) return next
    // An accepted message that is not stored as sent would be read as in doubt.
    await this.endAccepted()
    this.ahead = { items: await nextInOutbox(this.ctx, this.lease, AHEAD), at: Date.now() }
    return this.ahead.items.shift() ?? null
  }

  /** @returns whether it was accepted, so that the messages read after it may follow */
  private async handle(account: LinkedAccount, item: OutboxItem): Promise<boolean> {
    const { message } = item
    if (item.status === 'sending') {
      await this.endAccepted()
      const since = item.lastAttemptAt ?? new Date(0)
      const found = await account.reconcile({ ...message, since, otherIds: [] })
      // Disconnected again: what WhatsApp stored for us has not arrived yet.
      if (found.outcome === 'undecided' && account.status().state !== 'working') return false
      await settleDoubt(this.ctx, item, found)
      return false
    }
    this.typingMsPerChar = item.rules.typingMsPerChar
    await this.pace(item)
    if (this.stopped || account.status().state !== 'working') return false
    if (item.byAgent && (await withdrawOvertaken(this.ctx, message.id))) return false
    const providerMessageId = account.fixedId(message)
    if (!(await this.begin(item, providerMessageId))) return false
    this.inFlight = providerMessageId
    try {
      return await this.send(account, item, providerMessageId)
    } finally {
      this.inFlight = null
    }
  }

  private async send(account: LinkedAccount, item: OutboxItem, providerMessageId: string): Promise<boolean> {
    const { message } = item
    const outcome = await account.send({ ...message, providerMessageId })
    this.lastSendAt = Date.now()
    if (outcome.outcome === 'accepted') {
      this.accepted = { id: message.id, providerMessageId: outcome.providerMessageId }
      return true
    }
    this.deps.log.info({ messageId: message.id, outcome: outcome.outcome, code: outcome.code }, 'send not accepted')
    await endSend(this.ctx, item, outcome)
    if (outcome.outcome === 'rejected' && ACCOUNT_REFUSED.has(outcome.code))
      await moveToFallback(this.ctx, message.id, this.deps.settings, ['failed'])
    return false
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
      await moveToFallback(this.ctx, id, this.deps.settings, ['failed'])
    }
    return false
  }

  private async endAccepted(): Promise<void> {
    const { accepted } = this
    if (!accepted) return
    await markSent(this.ctx, accepted)
    this.accepted = null
  }

  private async pace({ rules }: OutboxItem): Promise<void> {
    const pause = this.lastSendAt + rules.gapMs + Math.random() * rules.jitterMs - Date.now()
    if (this.lastSendAt === 0 || pause <= 0) return
    await this.endAccepted()
    await waitAtMost(this.stopping.promise, pause)
  }
}
