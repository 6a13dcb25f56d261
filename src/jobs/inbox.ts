import { createGatherer } from '../lib/batcher.ts'
import { AppError, errorMessage, failureKind } from '../lib/errors.ts'
import { newId, sha256Hex } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import { createQuietLogger, withDeadline } from './backend.ts'
import { createOutbox } from './outbox.ts'
import { checkPayload, type Producer } from './producer.ts'
import { type DurableJob, eventKey, isDurable, type JobInput } from './registry.ts'
import type { Spool } from './spool.ts'

export type InboxRow = {
  id: string
  key: string
  job: string
  businessId: string | null
  payload: string
  delayMs: number
}

/** Where an event was stored: in the database; in the queue only, while the database is down; or nowhere. */
export type Accepted = 'stored' | 'queue_only' | 'refused'

export type InboxOptions = {
  /** Inserts rows, skipping existing keys. @returns the ids of existing events by key; null for an ended one */
  insert(rows: InboxRow[]): Promise<ReadonlyMap<string, string | null>>
  producer: Pick<Producer, 'enqueue' | 'enqueueEvent'>
  log: Logger
  /** Keeps events on the disk until they are stored. */
  spool?: Spool | null
  /** How long the database may take before only the queue is used, in ms. */
  insertTimeoutMs?: number
  onAccepted?(job: DurableJob, how: Accepted): void
}

export type AcceptOptions = {
  /** The provider's id of the event: a repeat is the same event. Without it, every event is new. */
  key?: string
  delayMs?: number
}

export type Inbox = {
  /** Resolves once the event is in the database, or the queue. @throws AppError `queue_unavailable`, `invalid_job` */
  accept<N extends DurableJob>(name: N, payload: JobInput<N>, options?: AcceptOptions): Promise<void>
  /** For callers that can neither wait nor fail, such as live calls: resolves once stored or on disk; never rejects. */
  acceptEventually<N extends DurableJob>(name: N, payload: JobInput<N>, options?: AcceptOptions): Promise<void>
  /** Stores the events that ended processes of this machine left on the disk. @returns the number of events */
  recover(): Promise<number>
  readonly waiting: number
  /** Stores events for `flushMs` more; the others stay on the disk. */
  close(flushMs?: number): Promise<void>
}

/** Events of which many come, and the one that brings what came of them within `BUNDLE_MS`. */
const BUNDLED = { 'call.turn': { as: 'call.turns', list: 'turns' } } as const satisfies Partial<
  Record<DurableJob, { as: DurableJob; list: string }>
>
const BUNDLE_MS = 500
const BUNDLE_SIZE = 100

const INSERT_MS = 1_500
/** Events in one statement: enough for thousands a second, and far below the limit of parameters. */
const BATCH = 500
const WAITING_LIMIT = 20_000

export function createInbox(options: InboxOptions): Inbox {
  const { producer, log, spool = null, insertTimeoutMs = INSERT_MS } = options
  const logDatabaseDown = createQuietLogger(log, 'events stored in the queue only')
  /** The event that a row repeats; null when that event has ended. */
  const repeated = new WeakMap<InboxRow, string | null>()
  const rows = createGatherer<InboxRow>(
    async (batch) => {
      const existing = await withDeadline(options.insert(batch), insertTimeoutMs, 'storing events')
      for (const row of batch) {
        const id = existing.get(row.key)
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
      logDatabaseDown(error)
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
    // A repeat adds no second job: the job has the id of the event.
    if (original !== null) producer.enqueueEvent(job, original ?? row.id, { delayMs: row.delayMs })
  }

  const waiters = new Map<string, () => void>()
  const outbox = createOutbox<Waiting>({
    limit: WAITING_LIMIT,
    async deliver({ row, parts }) {
      await store(row)
      for (const { id } of parts) {
        spool?.done(id)
        waiters.get(id)?.()
      }
    },
    onChange: () => {},
    onRetry: createQuietLogger(log, 'events waiting for the database or the queue'),
    onDrop: ({ row, parts }, error) =>
      log.error(
        {
          job: row.job,
          events: parts.length,
          onDisk: spool !== null,
          reason: error ? errorMessage(error) : 'too many waiting',
        },
        'event dropped from memory',
      ),
  })

  const bundle = createBundle((waiting) => outbox.put(waiting))

  return {
    accept: async (name, payload, given) => store(rowOf(name, payload, given)),
    async acceptEventually(name, payload, given) {
      let row: InboxRow
      try {
        row = rowOf(name, payload, given)
      } catch (error) {
        log.error({ job: name, reason: errorMessage(error) }, 'event refused')
        return
      }
      const written = spool?.write(row.id, JSON.stringify(row))
      const stored = new Promise<void>((resolve) => waiters.set(row.id, resolve))
      if (Object.hasOwn(BUNDLED, name)) bundle.put(row)
      else outbox.put({ row, parts: [row] })
      // Durable on either: a slow disk does not delay an event that the database has stored.
      await Promise.race([written, stored])
      waiters.delete(row.id)
    },
    async recover() {
      const recovered = await spool?.recover(async (line) => {
        const row = readLine(line)
        if (row) await store(row)
        else log.warn('spool line not readable')
      })
      if (recovered) log.warn({ recovered }, 'events of an ended process recovered')
      return recovered ?? 0
    },
    get waiting() {
      return outbox.depth + bundle.depth
    },
    async close(flushMs = 5_000) {
      bundle.flush()
      const left = await outbox.close(flushMs)
      if (left > 0) log.error({ left, onDisk: spool !== null }, 'process stopped with events that are not stored')
      await spool?.close()
    },
  }
}

/** What is stored, and the events that it brings: on the disk each is a line of its own. */
type Waiting = { row: InboxRow; parts: InboxRow[] }

/** Gathers events for a while; each is on the disk meanwhile. */
function createBundle(pass: (waiting: Waiting) => void) {
  let parts: InboxRow[] = []
  let timer: Timer | null = null

  function flush(): void {
    if (timer) clearTimeout(timer)
    timer = null
    const byJob = Map.groupBy(parts, ({ job }) => job)
    parts = []
    for (const rows of byJob.values()) pass({ row: bundled(rows), parts: rows })
  }

  return {
    get depth() {
      return parts.length
    },
    flush,
    put(row: InboxRow): void {
      parts.push(row)
      if (parts.length >= BUNDLE_SIZE) flush()
      else timer ??= setTimeout(flush, BUNDLE_MS)
    },
  }
}

/** One event of several of a kind; alone it stays what it is. */
function bundled(rows: InboxRow[]): InboxRow {
  const [first] = rows
  if (!first) throw new Error('There is nothing to bundle.')
  const into = first.job === 'call.turn' ? BUNDLED[first.job] : null
  if (rows.length === 1 || !into) return first
  const id = newId()
  return {
    id,
    key: eventKey(into.as, id),
    job: into.as,
    businessId: null,
    // The payloads are checked, and JSON already.
    payload: `{"${into.list}":[${rows.map(({ payload }) => payload).join(',')}]}`,
    delayMs: 0,
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
    // Its process ended while writing: the event was not acknowledged.
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
  throw new AppError('invalid', 'invalid_job', `The job ${name} has no events.`)
}
