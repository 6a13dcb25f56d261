import { proto, type WAMessageKey } from '@whiskeysockets/baileys'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { ReceiptEvent } from '../port.ts'

const REMEMBERED = 10_000
const ATTEMPTS = 5
const { Status } = proto.WebMessageInfo

/**
 * What is known of messages that were sent. Baileys tells a status in an update, or, when its buffer holds the message
 * still, folded into the message itself; both end here, and each status is passed on once.
 */
export class ReceiptBook {
  private readonly account: string
  private readonly log: Logger
  private readonly tell: (event: ReceiptEvent) => Promise<void>
  private readonly seen = new Map<string, Set<string>>()

  constructor(account: string, log: Logger, tell: (event: ReceiptEvent) => Promise<void>) {
    this.account = account
    this.log = log
    this.tell = tell
  }

  /** WhatsApp said something of this message that it only says of messages it took. */
  has(providerMessageId: string): boolean {
    const statuses = this.seen.get(providerMessageId)
    return statuses !== undefined && [...statuses].some((status) => status !== 'failed')
  }

  /** Takes a status from wherever it came; what says nothing of a message of ours is left alone. */
  note(key: WAMessageKey, code: proto.WebMessageInfo.Status | null | undefined, details?: string[] | null): void {
    const status = meaningOf(code)
    if (!key.fromMe || !key.id || !status) return
    const statuses = this.seen.get(key.id) ?? new Set()
    if (statuses.has(status)) return
    statuses.add(status)
    this.remember(key.id, statuses)
    const errorCode = status === 'failed' ? (details?.[0] ?? null) : null
    void this.pass({ account: this.account, providerMessageId: key.id, status, errorCode, at: new Date() })
  }

  private async pass(event: ReceiptEvent): Promise<void> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++)
      try {
        await this.tell(event)
        return
      } catch (error) {
        this.log.warn({ status: event.status, attempt, reason: errorMessage(error) }, 'a receipt could not be stored')
        await Bun.sleep(200 * 2 ** attempt)
      }
    this.log.error({ status: event.status }, 'a receipt is lost: it could not be stored')
  }

  private remember(id: string, statuses: Set<string>): void {
    this.seen.set(id, statuses)
    const oldest = this.seen.keys().next()
    if (this.seen.size > REMEMBERED && !oldest.done) this.seen.delete(oldest.value)
  }
}

function meaningOf(code: proto.WebMessageInfo.Status | null | undefined): ReceiptEvent['status'] | null {
  switch (code) {
    case Status.ERROR:
      return 'failed'
    case Status.SERVER_ACK:
      return 'sent'
    case Status.DELIVERY_ACK:
      return 'delivered'
    case Status.READ:
    case Status.PLAYED:
      return 'read'
    default:
      return null
  }
}
