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

export type ProducerMetrics = {
  jobEnqueued?(job: JobName, outcome: 'stored' | 'unavailable'): void
  outboxChanged?(state: { depth: number; dropped: number }): void
}

export type ProducerOptions = {
  addTimeoutMs?: number
  outboxLimit?: number
  metrics?: ProducerMetrics
}

export type Producer = {
  /** Resolves once the job is stored. @throws AppError `unavailable` within the deadline, `invalid` for a bad payload */
  enqueue: Enqueue
  /** For callers that can neither wait nor fail: never throws or blocks; waiting jobs are lost with the process. */
  enqueueEventually<N extends JobName>(name: N, payload: JobInput<N>, options?: EnqueueOptions): void
  /** Enqueues the job of a stored event; while the queue is down, the sweep does it later. Never throws and never blocks. */
  enqueueEvent(name: DurableJob, eventId: string, options?: EnqueueOptions): void
  /**
   * Enqueues a lost event's job; a waiting or running one stays, a finished one is replaced. @throws AppError `unavailable`
   */
  requeueEvent(name: DurableJob, eventId: string): Promise<void>
  /** Runs `name` every `everyMs`, once for all processes; recreated when the queue has lost it. */
  scheduleEvery<N extends JobName>(name: N, payload: JobInput<N>, everyMs: number): Promise<void>
  readonly outbox: Pick<Outbox, 'depth' | 'dropped'>
  readonly queues: JobQueue[]
  close(flushMs?: number): Promise<void>
}

const SCHEDULE_CHECK_MS = 10_000

/** Long enough to recognise a webhook that is repeated within the hour by its job id. */
const KEEP_COMPLETED = { age: 3_600, count: 5_000 }

const FINISHED: ReadonlySet<string> = new Set(['completed', 'failed'])

export function createProducer(backend: QueueBackend, logger: Logger, options: ProducerOptions = {}): Producer {
  const addTimeoutMs = options.addTimeoutMs ?? 2_000
  const logFailure = createQuietLogger(logger, 'queue producer failed')
  const open = new Map<QueueName, JobQueue>()
  const schedules: Timer[] = []
  let closing = false

  const openQueue = (name: QueueName): JobQueue => {
    const queue = backend.openQueue(name)
    queue.on('error', logFailure)
    open.set(name, queue)
    // BullMQ never recovers from a failed first round trip: the next use opens a new queue.
    queue.waitUntilReady().catch((error: unknown) => {
      logFailure(error)
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
      logFailure(error)
      logger.debug({ depth }, 'outbox waiting for the queue')
    },
    onDrop: (job, error) =>
      logger.error({ job: job.name, reason: error ? errorMessage(error) : 'too many waiting' }, 'job dropped'),
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
        logger.error({ job: name, reason: errorMessage(error) }, 'job refused')
      }
    },
    enqueueEvent: (name, eventId, enqueueOptions) => {
      if (!closing) outbox.put(prepareEvent(name, eventId, { jobId: eventId, ...enqueueOptions }))
    },
    requeueEvent: (name, eventId) => store(prepareEvent(name, eventId, { jobId: eventId }), true),
    scheduleEvery: async (name, payload, everyMs) => {
      const job = prepareJob(name, payload)
      const queueOf = () => open.get(job.queue) ?? openQueue(job.queue)
      const timer = await keepScheduled(job, everyMs, { queueOf, closing: () => closing, logFailure })
      if (timer) schedules.push(timer)
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
      if (left > 0) logger.error({ left }, 'process stopped with jobs that are not stored')
      await Promise.all([...open.values()].map((queue) => queue.close()))
    },
  }
}

/** Schedules a job and checks that the queue keeps it. @returns the timer; null when the producer was closed */
async function keepScheduled(
  job: PreparedJob,
  everyMs: number,
  deps: { queueOf: () => JobQueue; closing: () => boolean; logFailure: (error: unknown) => void },
): Promise<Timer | null> {
  const { queueOf, closing, logFailure } = deps
  const { attempts, backoff, removeOnComplete, removeOnFail } = job.options
  const opts = { attempts, backoff, removeOnComplete, removeOnFail }
  const schedule = () =>
    queueOf().upsertJobScheduler(job.name, { every: everyMs }, { name: job.name, data: job.payload, opts })
  await schedule()
  if (closing()) return null
  return setInterval(async () => {
    try {
      if (closing()) return
      const found = await queueOf().getJobScheduler(job.name)
      if (!found && !closing()) await schedule()
    } catch (error) {
      logFailure(error)
    }
  }, SCHEDULE_CHECK_MS)
}

type PreparedJob = ReturnType<typeof prepare>

/** Checks the payload of a job, and removes characters that cannot be stored. @throws AppError `invalid_job` */
export function checkPayload<N extends JobName>(name: N, payload: JobInput<N>): JobPayload<N> {
  const definition = jobs[name]
  const parsed = definition.payload.safeParse(payload)
  if (!parsed.success) {
    throw new AppError('invalid', 'invalid_job', `The payload of ${name} does not fit its schema.`, {
      cause: parsed.error,
    })
  }
  // The lookup by name loses the type that the schema has just checked.
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
      // Always set: a job whose answer was lost is not stored twice.
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

/** BullMQ refuses `:` (its key separator) and integers (its own ids). */
function checkJobId(jobId: string): string {
  if (!/^[A-Za-z0-9_.-]{1,200}$/.test(jobId) || /^\d+$/.test(jobId)) {
    throw new AppError(
      'invalid',
      'invalid_job_id',
      'The job id is not valid. Use 1 to 200 characters of A-Z a-z 0-9 _ . -, not only digits.',
    )
  }
  return jobId
}
