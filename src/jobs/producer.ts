import { AppError, errorMessage } from '../lib/errors.ts'
import { newId } from '../lib/ids.ts'
import type { Logger } from '../lib/log.ts'
import { cleanDeep } from '../lib/text.ts'
import { createQuietLogger, type JobQueue, type QueueBackend, queueUnavailable, withDeadline } from './backend.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import {
  type DurableJob,
  type Enqueue,
  type EnqueueOptions,
  eventReference,
  type JobInput,
  type JobName,
  type JobPayload,
  jobs,
  QUEUES,
  type QueueName,
} from './registry.ts'

/** What a producer tells about itself; the composition root hands in counters. */
export type ProducerMetrics = {
  jobEnqueued?(job: JobName, outcome: 'stored' | 'unavailable'): void
  outboxChanged?(state: { depth: number; dropped: number }): void
}

export type ProducerOptions = {
  /** The longest an `enqueue` may take during an outage, in ms. */
  addTimeoutMs?: number
  /** Jobs the outbox holds at most; one more is dropped, counted and logged. */
  outboxLimit?: number
  metrics?: ProducerMetrics
}

export type Producer = {
  /** Resolves once the job is stored. @throws AppError `unavailable` within the deadline, `invalid` for a bad payload */
  enqueue: Enqueue
  /**
   * Stores the job as soon as the queue takes it: for callers that can neither wait nor fail, such as a live call.
   * Never throws and never blocks; what waits is lost with the process, so it is no substitute for `enqueue`.
   */
  enqueueEventually<N extends JobName>(name: N, payload: JobInput<N>, options?: EnqueueOptions): void
  /** Has a stored event worked off: soon, or, when the queue is away, once the sweep has found it. Never throws or blocks. */
  enqueueEvent(name: DurableJob, eventId: string, options?: EnqueueOptions): void
  /**
   * Has an event worked off that the queue may have lost. A job of it that waits or runs stays the only one; one that is
   * finished, while its event is not, gives way to a new one. @throws AppError `unavailable`
   */
  requeueEvent(name: DurableJob, eventId: string): Promise<void>
  /** Makes `name` run every `everyMs`, once however many processes ask for it; made anew when the queue has lost it. */
  scheduleEvery<N extends JobName>(name: N, payload: JobInput<N>, everyMs: number): Promise<void>
  readonly outbox: Pick<Outbox, 'depth' | 'dropped'>
  /** The open queues, for the board. */
  readonly queues: JobQueue[]
  /** Stops taking jobs, gives the outbox `flushMs` (5,000) to empty, and closes the queues. */
  close(flushMs?: number): Promise<void>
}

const SCHEDULE_CHECK_MS = 10_000

/** Kept long enough that a webhook repeated within the hour is still recognised by its job id. */
const KEEP_COMPLETED = { age: 3_600, count: 5_000 }

const FINISHED: ReadonlySet<string> = new Set(['completed', 'failed'])

/** Opens a producer for every queue of the catalogue. */
export function createProducer(backend: QueueBackend, logger: Logger, options: ProducerOptions = {}): Producer {
  const addTimeoutMs = options.addTimeoutMs ?? 2_000
  const logTrouble = createQuietLogger(logger, 'queue: producer in trouble')
  const open = new Map<QueueName, JobQueue>()
  const schedules: Timer[] = []
  let closing = false

  const openQueue = (name: QueueName): JobQueue => {
    const queue = backend.openQueue(name)
    queue.on('error', logTrouble)
    open.set(name, queue)
    // A queue whose very first round trip failed stays broken: the next use opens another.
    queue.waitUntilReady().catch((error: unknown) => {
      logTrouble(error)
      if (open.get(name) === queue) open.delete(name)
    })
    return queue
  }
  for (const name of QUEUES) openQueue(name)

  const store = async (prepared: PreparedJob, replacesFinished = false): Promise<void> => {
    const add = async () => {
      await backend.whenReachable(addTimeoutMs)
      const queue = open.get(prepared.queue) ?? openQueue(prepared.queue)
      const { jobId } = prepared.options
      if (replacesFinished && FINISHED.has(await queue.getJobState(jobId))) await queue.remove(jobId)
      await queue.add(prepared.name, prepared.payload, prepared.options)
    }
    try {
      await withDeadline(add(), addTimeoutMs, `storing ${prepared.name}`)
      options.metrics?.jobEnqueued?.(prepared.name, 'stored')
    } catch (error) {
      options.metrics?.jobEnqueued?.(prepared.name, 'unavailable')
      throw error instanceof AppError ? error : queueUnavailable(`storing ${prepared.name} failed`, error)
    }
  }

  const outbox = createOutbox<PreparedJob>({
    limit: options.outboxLimit ?? 10_000,
    deliver: (job) => store(job),
    onChange: (state) => options.metrics?.outboxChanged?.(state),
    onRetry: (error, depth) => {
      logTrouble(error)
      logger.debug({ depth }, 'queue: outbox waits for the queue')
    },
    onDrop: (job, error) =>
      logger.error({ job: job.name, reason: error ? errorMessage(error) : 'too many wait' }, 'queue: job dropped'),
  })

  return {
    enqueue: async (name, payload, enqueueOptions) => {
      if (closing) throw queueUnavailable('this process is stopping')
      await store(prepareJob(name, payload, enqueueOptions))
    },
    enqueueEventually: (name, payload, enqueueOptions) => {
      try {
        outbox.put(prepareJob(name, payload, enqueueOptions))
      } catch (error) {
        logger.error({ job: name, reason: errorMessage(error) }, 'queue: job refused')
      }
    },
    enqueueEvent: (name, eventId, enqueueOptions) => {
      if (!closing) outbox.put(prepareEvent(name, eventId, { jobId: eventId, ...enqueueOptions }))
    },
    requeueEvent: (name, eventId) => store(prepareEvent(name, eventId, { jobId: eventId }), true),
    scheduleEvery: async (name, payload, everyMs) => {
      const job = prepareJob(name, payload)
      const { attempts, backoff, removeOnComplete, removeOnFail } = job.options
      const queueOf = () => open.get(job.queue) ?? openQueue(job.queue)
      const schedule = () =>
        queueOf().upsertJobScheduler(
          name,
          { every: everyMs },
          { name, data: job.payload, opts: { attempts, backoff, removeOnComplete, removeOnFail } },
        )
      await schedule()
      // A queue that was emptied has lost it, and with it all that puts back what else was lost.
      const look = async () => {
        try {
          if (!closing && !(await queueOf().getJobScheduler(name))) await schedule()
        } catch (error) {
          logTrouble(error)
        }
      }
      schedules.push(setInterval(look, SCHEDULE_CHECK_MS))
    },
    outbox,
    get queues() {
      return [...open.values()]
    },
    close: async (flushMs = 5_000) => {
      if (closing) return
      closing = true
      for (const timer of schedules) clearInterval(timer)
      const left = await outbox.close(flushMs)
      if (left > 0) logger.error({ left }, 'queue: stopping with jobs that were never stored')
      await Promise.all([...open.values()].map((queue) => queue.close()))
    },
  }
}

type PreparedJob = ReturnType<typeof prepare>

/**
 * A job's payload as it is stored: checked, and without what no database stores.
 * @throws AppError `invalid_job`
 */
export function checkPayload<N extends JobName>(name: N, payload: JobInput<N>): JobPayload<N> {
  const definition = jobs[name]
  const parsed = definition.payload.safeParse(payload)
  if (!parsed.success) {
    throw new AppError('invalid', 'invalid_job', `The payload of ${name} does not fit its schema.`, {
      cause: parsed.error,
    })
  }
  // The schema of that name has just proved it; the lookup by name has lost it.
  return cleanDeep(parsed.data) as JobPayload<N>
}

function prepareJob<N extends JobName>(name: N, payload: JobInput<N>, options?: EnqueueOptions) {
  return prepare(name, checkPayload(name, payload), options)
}

function prepareEvent(name: DurableJob, inboundEventId: string, options?: EnqueueOptions) {
  return prepare(name, eventReference.parse({ inboundEventId }), options)
}

function prepare(name: JobName, payload: unknown, options: EnqueueOptions = {}) {
  const definition = jobs[name]
  return {
    name,
    queue: definition.queue,
    payload,
    options: {
      // Always an id of ours: a job stored by an attempt whose answer was lost is then not stored twice.
      jobId: options.jobId === undefined ? newId() : checkJobId(options.jobId),
      attempts: definition.attempts,
      backoff: { type: 'catalogue' },
      delay: options.delayMs ?? 0,
      removeOnComplete: KEEP_COMPLETED,
      removeOnFail: false,
      stackTraceLimit: 5,
    },
  }
}

/** BullMQ takes neither `:` (its key separator) nor an integer (its own ids). */
function checkJobId(jobId: string): string {
  if (!/^[A-Za-z0-9_.-]{1,200}$/.test(jobId) || /^\d+$/.test(jobId)) {
    throw new AppError('invalid', 'invalid_job_id', 'A job id is 1 to 200 of A-Z a-z 0-9 _ . - and not just digits.')
  }
  return jobId
}
