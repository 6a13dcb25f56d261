import { areJidsSameUser, type BinaryNode, proto, type WAMessageKey } from '@whiskeysockets/baileys'
import { type Batcher, createBatcher } from '../../../lib/batcher.ts'
import { errorMessage } from '../../../lib/errors.ts'
import type { Logger } from '../../../lib/log.ts'
import type { ReceiptEvent } from '../port.ts'
import { kindOfJid } from './jids.ts'

const REMEMBERED = 10_000
const ATTEMPTS = 5
const { Status } = proto.WebMessageInfo

/** Statuses from receipts, Baileys' updates, or messages that Baileys' buffer folded them into; each is passed on once. */
export class ReceiptTracker {
  private readonly account: string
  private readonly log: Logger
  private readonly tell: (events: ReceiptEvent[]) => Promise<void>
  private readonly seen = new Map<string, Set<string>>()
  private waiting: ReceiptEvent[] = []
  private readonly passing: Batcher

  constructor(account: string, log: Logger, tell: (events: ReceiptEvent[]) => Promise<void>) {
    this.account = account
    this.log = log
    this.tell = tell
    this.passing = createBatcher(() => this.pass())
  }

  /** WhatsApp reported a status that implies that it took this message. */
  has(providerMessageId: string): boolean {
    const statuses = this.seen.get(providerMessageId)
    return statuses !== undefined && [...statuses].some((status) => status !== 'failed')
  }

  /**
   * Takes a status from any source; statuses of other messages are ignored.
   * @returns once it is stored; rejects when it could not be stored, and the next report of it is tried again
   */
  note(
    key: WAMessageKey,
    code: proto.WebMessageInfo.Status | null | undefined,
    details?: string[] | null,
  ): Promise<void> {
    const status = meaningOf(code)
    if (!key.fromMe || !key.id || !status) return Promise.resolve()
    const statuses = this.seen.get(key.id) ?? new Set()
    // The store may not have answered yet.
    if (statuses.has(status)) return this.passing.settled()
    statuses.add(status)
    this.remember(key.id, statuses)
    const errorCode = status === 'failed' ? (details?.[0] ?? null) : null
    this.waiting.push({ account: this.account, providerMessageId: key.id, status, errorCode, at: new Date() })
    return this.passing.ask()
  }

  /** Takes the statuses of a receipt stanza. @param me own addresses, by number and by LID */
  async noteReceipt(node: BinaryNode, me: { id?: string | undefined; lid?: string | undefined }): Promise<void> {
    const { keys, status } = readReceipt(node, me)
    await Promise.all(keys.map((key) => this.note(key, status)))
  }

  private async pass(): Promise<void> {
    const events = this.waiting
    this.waiting = []
    for (let attempt = 1; ; attempt++)
      try {
        if (events.length > 0) await this.tell(events)
        return
      } catch (error) {
        this.log.warn({ count: events.length, attempt, reason: errorMessage(error) }, 'receipts not stored')
        if (attempt >= ATTEMPTS) {
          for (const { providerMessageId, status } of events) this.seen.get(providerMessageId)?.delete(status)
          throw error
        }
        await Bun.sleep(200 * 2 ** attempt)
      }
  }

  private remember(id: string, statuses: Set<string>): void {
    this.seen.set(id, statuses)
    const oldest = this.seen.keys().next()
    if (this.seen.size > REMEMBERED && !oldest.done) this.seen.delete(oldest.value)
  }
}

/** The messages of a receipt, by the same rules as Baileys' own reading of it; none in groups and broadcasts. */
function readReceipt({ attrs, content }: BinaryNode, me: { id?: string | undefined; lid?: string | undefined }) {
  const { from = '', recipient, participant, type, id } = attrs
  const status = statusOf(type)
  const byMe = areJidsSameUser(participant || from, from.includes('lid') ? me.lid : me.id)
  const fromMe = !recipient || (type === 'sender' && byMe)
  const kind = kindOfJid(from)
  if (status === null || !fromMe || (kind !== 'person' && kind !== 'lid')) return { keys: [], status }
  const [list] = Array.isArray(content) ? content : []
  const items = list && Array.isArray(list.content) ? list.content.filter(({ tag }) => tag === 'item') : []
  const ids = [id, ...items.map((item) => item.attrs.id)].filter((one): one is string => Boolean(one))
  return { keys: ids.map((one): WAMessageKey => ({ remoteJid: from, id: one, fromMe })), status }
}

function statusOf(type: string | undefined): proto.WebMessageInfo.Status | null {
  switch (type) {
    case undefined:
      return Status.DELIVERY_ACK
    case 'sender':
      return Status.SERVER_ACK
    case 'read':
    case 'read-self':
      return Status.READ
    case 'played':
      return Status.PLAYED
    default:
      return null
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
