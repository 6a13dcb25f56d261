import { createGatherer } from '../lib/batcher.ts'
import { AppError, errorMessage, failureKind } from '../lib/errors.ts'
import { newId, sha256Hex } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import { createQuietLogger, withDeadline } from './backend.ts'
import { createOutbox } from './outbox.ts'
import { checkPayload, type Producer } from './producer.ts'
import { type DurableJob, eventKey, isDurable, type JobInput } from './registry.ts'
import type { Spool } from './spool.ts'

/** A row as it is written before an event is acknowledged. */
export type InboxRow = {
  id: string
  key: string
  job: string
  businessId: string | null
  payload: string
  delayMs: number
}

/** How an event was taken: in the database; by the queue alone, while the database was away; or not at all. */
export type Accepted = 'stored' | 'queue_only' | 'refused'

export type InboxOptions = {
  /**
   * Writes rows in one statement; one whose key is there already is left out.
   * @returns under which ids such keys stand, by key; a key whose event ended meanwhile has none
   */
  insert(rows: InboxRow[]): Promise<ReadonlyMap<string, string | null>>
  producer: Pick<Producer, 'enqueue' | 'enqueueEvent'>
  log: Logger
  /** Where what is not stored yet outlives this process. */
  spool?: Spool | null
  /** How long the database may take before the queue alone is asked, in ms. */
  insertTimeoutMs?: number
  onAccepted?(job: DurableJob, how: Accepted): void
}

export type AcceptOptions = {
  /** The provider's identity of the event, within its job: a repeat is the same event. Left out, every one is new. */
  key?: string
  delayMs?: number
}

/** Takes what is acknowledged: it is durable before the sender hears so. */
export type Inbox = {
  /**
   * Resolves when the event stands in the database, or, while that is away, in the queue.
   * @throws AppError `queue_unavailable` when neither takes it: the sender is to come again; `invalid_job`
   */
  accept<N extends DurableJob>(name: N, payload: JobInput<N>, options?: AcceptOptions): Promise<void>
  /**
   * For callers that can neither wait for a database nor fail, such as a live call: the event is stored as soon as something takes
   * it, and stands on this machine's disk until then. Resolves when it is on the disk or stored, and never rejects.
   */
  acceptEventually<N extends DurableJob>(name: N, payload: JobInput<N>, options?: AcceptOptions): Promise<void>
  /** Takes over what processes of this machine left behind. @returns how many events */
  recover(): Promise<number>
  /** Events that are not stored yet. */
  readonly waiting: number
  /** Gives what waits `flushMs` to be stored. What is left stays on the disk. */
  close(flushMs?: number): Promise<void>
}

const INSERT_MS = 1_500
/** Events in one statement: enough for thousands a second, and far below what a statement may carry. */
const BATCH = 500
const WAITING_LIMIT = 20_000

export function createInbox(options: InboxOptions): Inbox {
  const { producer, log, spool = null, insertTimeoutMs = INSERT_MS } = options
  const logAway = createQuietLogger(log, 'inbox: the database does not take events, the queue alone does')
  /** The event that a row repeats; null where that has ended. */
  const repeated = new WeakMap<InboxRow, string | null>()
  const rows = createGatherer<InboxRow>(
    async (batch) => {
      const standing = await withDeadline(options.insert(batch), insertTimeoutMs, 'storing events')
      for (const row of batch) {
        const id = standing.get(row.key)
        if (id !== undefined) repeated.set(row, id)
      }
    },
    { max: BATCH, isPoisoned: (error) => failureKind(error) !== 'transient' },
  )

  async function store(row: InboxRow): Promise<void> {
    const job = durableJob(row.job)
    try {
      await rows.put(row)
      options.onAccepted?.(job, 'stored')
    } catch (error) {
      logAway(error)
      try {
        await producer.enqueue(job, JSON.parse(row.payload), {
          jobId: `in-${sha256Hex(row.key).slice(0, 40)}`,
          delayMs: row.delayMs,
        })
      } catch (refusal) {
        options.onAccepted?.(job, 'refused')
        throw refusal
      }
      options.onAccepted?.(job, 'queue_only')
      return
    }
    const original = repeated.get(row)
    // One job per event, under its id: a repeat adds none.
    if (original !== null) producer.enqueueEvent(job, original ?? row.id, { delayMs: row.delayMs })
  }

  /** Who waits for an event to be durable, by its row. */
  const waiters = new Map<string, () => void>()
  const outbox = createOutbox<InboxRow>({
    limit: WAITING_LIMIT,
    async deliver(row) {
      await store(row)
      spool?.done(row.id)
      waiters.get(row.id)?.()
    },
    onChange: () => {},
    onRetry: createQuietLogger(log, 'inbox: events wait for the database or the queue'),
    onDrop: (row, error) =>
      log.error(
        { job: row.job, onDisk: spool !== null, reason: error ? errorMessage(error) : 'too many wait' },
        'inbox: an event waits in memory no longer',
      ),
  })

  return {
    accept: async (name, payload, given) => store(rowOf(name, payload, given)),
    async acceptEventually(name, payload, given) {
      let row: InboxRow
      try {
        row = rowOf(name, payload, given)
      } catch (error) {
        log.error({ job: name, reason: errorMessage(error) }, 'inbox: event refused')
        return
      }
      const written = spool?.write(row.id, JSON.stringify(row))
      const stored = new Promise<void>((resolve) => waiters.set(row.id, resolve))
      outbox.put(row)
      // Durable is whichever comes first: a disk that is slow is not waited for while the database takes the event.
      await Promise.race([written, stored])
      waiters.delete(row.id)
    },
    async recover() {
      const recovered = await spool?.recover(async (line) => {
        const row = readLine(line)
        if (row) await store(row)
        else log.warn('inbox: a line of the spool cannot be read')
      })
      if (recovered) log.warn({ recovered }, 'inbox: events of a process that is gone were taken over')
      return recovered ?? 0
    },
    get waiting() {
      return outbox.depth
    },
    async close(flushMs = 5_000) {
      const left = await outbox.close(flushMs)
      if (left > 0) log.error({ left, onDisk: spool !== null }, 'inbox: stopping with events that are not stored')
      await spool?.close()
    },
  }
}

function rowOf<N extends DurableJob>(
  name: N,
  payload: JobInput<N>,
  { key, delayMs = 0 }: AcceptOptions = {},
): InboxRow {
  const parsed = checkPayload(name, payload)
  const id = newId()
  return {
    id,
    key: eventKey(name, key ?? id),
    job: name,
    businessId: 'businessId' in parsed && typeof parsed.businessId === 'string' ? parsed.businessId : null,
    payload: JSON.stringify(parsed),
    delayMs,
  }
}

function readLine(line: string): InboxRow | null {
  try {
    const row: unknown = JSON.parse(line)
    return isRow(row) ? row : null
  } catch {
    // Cut off by the end of its process: it was not acknowledged yet.
    return null
  }
}

function isRow(row: unknown): row is InboxRow {
  if (typeof row !== 'object' || row === null) return false
  const fields = new Map<string, unknown>(Object.entries(row))
  const strings = ['id', 'key', 'job', 'payload'].every((name) => typeof fields.get(name) === 'string')
  return strings && isDurable(String(fields.get('job'))) && typeof fields.get('delayMs') === 'number'
}

function durableJob(name: string): DurableJob {
  if (isDurable(name)) return name
  throw new AppError('invalid', 'invalid_job', `${name} is no job of an event.`)
}
