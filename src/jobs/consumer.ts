import { DelayedError, UnrecoverableError } from 'bullmq'
import { AppError, errorMessage, failureKind, isErased, stackFrames } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { createQuietLogger, type JobProcessor, type JobWorker, type QueueBackend } from './backend.ts'
import {
  eventReference,
  isDurable,
  type JobDefinition,
  type JobName,
  type JobPayload,
  jobs,
  type QueueName,
} from './registry.ts'

/** The jobs that travel on queue `Q`. */
export type JobNamesOf<Q extends QueueName> = {
  [N in JobName]: (typeof jobs)[N]['queue'] extends Q ? N : never
}[JobName]

/** What a handler may know of its job beside the payload. */
export type JobContext = {
  id: string
  name: JobName
  /** 1 for the first try. */
  attempt: number
  attempts: number
  /** Whether nothing retries after this try, should it fail with this error. */
  givesUp(error: unknown): boolean
  enqueuedAt: Date
  logger: Logger
}

/** One handler for every job of the queue: leaving one out does not compile. */
export type JobHandlers<Q extends QueueName> = {
  [N in JobNamesOf<Q>]: (payload: JobPayload<N>, job: JobContext) => Promise<void>
}

/** Thrown by a handler: trying again cannot help. The job goes to the failed set with this message. */
export class PermanentJobError extends Error {
  override name = 'PermanentJobError'
}

/** Thrown by a handler: run this job again in `delayMs`, without using up a try. */
export class DelayJob extends Error {
  override name = 'DelayJob'
  readonly delayMs: number

  constructor(delayMs: number, reason = 'not yet') {
    super(reason)
    // Postgres keeps whole milliseconds alone.
    this.delayMs = Math.ceil(delayMs)
  }
}

export type JobOutcome = 'completed' | 'retried' | 'delayed' | 'failed'

/** What a consumer tells about itself; the composition root hands in counters. */
export type ConsumerMetrics = {
  jobFinished?(event: {
    queue: QueueName
    job: JobName
    outcome: JobOutcome
    durationMs: number
    waitedMs: number
  }): void
  jobsRecovered?(queue: QueueName, count: number): void
}

/** Where the payloads of durable jobs stand, and where they go when they are given up. */
export type EventStore = {
  /** The payload as JSON text, or null when the event is worked off. */
  load(id: string): Promise<string | null>
  finish(id: string): Promise<void>
  setAside(entry: {
    job: JobName
    key: string
    payload: unknown
    error: unknown
    attempts: number
    eventId: string | null
  }): Promise<void>
}

export type ConsumerOptions<Q extends QueueName> = {
  backend: QueueBackend
  queue: Q
  handlers: JobHandlers<Q>
  /** Jobs at once in this process. */
  concurrency: number
  logger: Logger
  metrics?: ConsumerMetrics
  /** Left out, jobs carry their payloads, and what is given up stays in the failed set. */
  events?: EventStore
}

export type Consumer = {
  /** Resolves once the worker has its connections. */
  ready(): Promise<void>
  /** Jobs being worked on now. */
  readonly running: number
  /**
   * Takes no more jobs and waits for the running ones, at most `timeoutMs` (30,000); what is cut off then is given to
   * another worker when its lock runs out. With nothing running, it waits no more than a few seconds for a queue that does
   * not answer. @returns whether all jobs ended
   */
  close(timeoutMs?: number): Promise<boolean>
}

// A dead worker's job is free once its lock has run out and the next check has come round: at most some 8 s.
const LOCK_MS = 5_000
const STALLED_CHECK_MS = 2_500

/** How long a queue may take to let an idle worker go. */
const IDLE_CLOSE_MS = 2_000

/** A value that was refused is refused again; some tries tell it from a fault that passes. */
const TRIES_OF_REFUSED = 3
/** A fault of ours is there until somebody mends it: half an hour of tries with the usual backoff. */
const TRIES_OF_UNKNOWN = 12

/**
 * Milliseconds before try `attempt + 1`: exponential from `delayMs`, capped at `maxDelayMs`, up to a fifth shorter at
 * random so that jobs that failed together do not come back together.
 */
export function backoffDelay(backoff: JobDefinition['backoff'], attempt: number, random = Math.random()): number {
  const full = Math.min(backoff.delayMs * 2 ** (attempt - 1), backoff.maxDelayMs)
  return Math.round(full * (1 - random / 5))
}

/** Starts working on a queue: parses, runs the handler, logs and counts. */
export function createConsumer<Q extends QueueName>(options: ConsumerOptions<Q>): Consumer {
  const { backend, queue, concurrency, metrics } = options
  const logger = options.logger.child({ queue })
  const logTrouble = createQuietLogger(logger, 'queue: consumer in trouble')
  const handlers: Partial<Record<string, (payload: never, job: JobContext) => Promise<void>>> = options.handlers
  /** Done, and not to be kept: they carry what belonged to an erased person. */
  const unkept = new Set<string>()
  let running = 0
  let closing = false

  /** The payload that a job carries, or that its event holds; null for an event that is worked off. */
  const readPayload = async (data: unknown): Promise<{ payload: unknown; eventId: string | null } | null> => {
    const reference = eventReference.safeParse(data)
    if (!reference.success) return { payload: data, eventId: null }
    const eventId = reference.data.inboundEventId
    if (!options.events) throw new PermanentJobError('This consumer has no store of events.')
    const text = await options.events.load(eventId)
    return text === null ? null : { payload: JSON.parse(text), eventId }
  }

  const runHandler = async (payload: unknown, context: JobContext): Promise<void> => {
    const handle = handlers[context.name]
    if (!handle) throw new PermanentJobError(`No handler for ${context.name} on queue ${queue}.`)
    const parsed = jobs[context.name].payload.safeParse(payload)
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join(', ')
      throw new PermanentJobError(`The payload of ${context.name} does not fit its schema (${where}).`)
    }
    // The lookup by name has lost which payload belongs to which handler; the schema of that name has just proved it.
    await handle(parsed.data as never, context)
  }

  const runJob: JobProcessor = async (job, token) => {
    const startedAt = performance.now()
    const waitedMs = Math.max(0, (job.processedOn ?? Date.now()) - job.timestamp - (job.opts.delay ?? 0))
    const finish = (outcome: JobOutcome, error?: unknown) => {
      const durationMs = performance.now() - startedAt
      if (isJobName(job.name)) metrics?.jobFinished?.({ queue, job: job.name, outcome, durationMs, waitedMs })
      const line = { job: job.name, jobId: job.id, attempt: job.attemptsMade + 1, ms: Math.round(durationMs) }
      if (outcome === 'completed') logger.debug(line, 'job completed')
      else if (outcome === 'delayed') logger.debug({ ...line, reason: errorMessage(error) }, 'job delayed')
      else if (outcome === 'retried') logger.warn({ ...line, reason: describe(error) }, 'job failed, will be retried')
      else logger.error({ ...line, reason: describe(error) }, 'job failed for good')
    }
    running += 1
    const attempts = job.opts.attempts ?? 1
    const attempt = job.attemptsMade + 1
    const givesUp = (error: unknown) => attempt >= triesOf(error, attempts)
    let read: Awaited<ReturnType<typeof readPayload>> = null
    try {
      if (!isJobName(job.name)) throw new PermanentJobError(`Unknown job ${job.name}.`)
      read = await readPayload(job.data)
      if (read)
        await runHandler(read.payload, {
          id: job.id ?? '',
          name: job.name,
          attempt,
          attempts,
          givesUp,
          enqueuedAt: new Date(job.timestamp),
          logger: logger.child({ job: job.name, jobId: job.id }),
        })
      if (read?.eventId) await options.events?.finish(read.eventId)
      finish('completed')
    } catch (error) {
      if (error instanceof DelayJob) {
        await job.moveToDelayed(Date.now() + error.delayMs, token)
        finish('delayed', error)
        throw new DelayedError(error.message)
      }
      if (isErased(error)) {
        if (read?.eventId) await options.events?.finish(read.eventId)
        finish('completed')
        logger.info({ job: job.name, jobId: job.id }, 'a job of an erased person did nothing, and is removed')
        if (job.id) unkept.add(job.id)
        return
      }
      if (!givesUp(error)) {
        finish('retried', error)
        throw keepableError(error)
      }
      finish('failed', error)
      if (read && isJobName(job.name) && isDurable(job.name) && options.events) {
        // Its payload is nowhere else: it goes where a person finds it, and out of the queue.
        const { payload, eventId } = read
        const entry = {
          job: job.name,
          key: `${job.name}:${eventId ?? job.id ?? ''}`,
          payload,
          error,
          attempts: attempt,
          eventId,
        }
        await options.events.setAside(entry).catch((refusal: unknown) => {
          throw keepableError(refusal)
        })
        return
      }
      throw new UnrecoverableError(describe(error))
    } finally {
      running -= 1
    }
  }

  const openWorker = (): JobWorker => {
    const worker = backend.openWorker(queue, runJob, {
      concurrency,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A crash is never the job's fault alone: it may come back as often as workers die under it.
      maxStalledCount: 1_000_000,
      // Bounds how long a worker sleeps on a connection that died silently.
      drainDelay: 5,
      runRetryDelay: 1_000,
      settings: {
        backoffStrategy: (attemptsMade, _type, _error, job) => {
          const name = job?.name ?? ''
          return backoffDelay(
            isJobName(name) ? jobs[name].backoff : { delayMs: 1_000, maxDelayMs: 60_000 },
            attemptsMade,
          )
        },
      },
    })
    worker.on('error', logTrouble)
    worker.on('completed', (job) => {
      // What is not removed now goes with its time.
      if (unkept.delete(job.id ?? '')) job.remove().catch(logTrouble)
    })
    worker.on('stalled', (jobId) => {
      logger.warn({ jobId }, 'job recovered from a worker that died or hung')
      metrics?.jobsRecovered?.(queue, 1)
    })
    return worker
  }

  let worker = openWorker()
  // A worker whose very first round trip failed stays broken (BullMQ remembers it): open another until one stands.
  const readiness = (async () => {
    while (!closing) {
      try {
        await worker.waitUntilReady()
        return
      } catch (error) {
        if (closing) return
        logTrouble(error)
        await worker.close(true)
        await Bun.sleep(500)
        worker = openWorker()
      }
    }
  })()

  return {
    ready: () => readiness,
    get running() {
      return running
    },
    close: async (timeoutMs = 30_000) => {
      closing = true
      let closed = false
      const goodbye = worker.close().finally(() => {
        closed = true
      })
      // Given up on below, its failure is nobody's.
      goodbye.catch(() => undefined)
      const beganAt = Date.now()
      let idleSince: number | null = null
      while (!closed && Date.now() - beganAt < timeoutMs) {
        idleSince = running > 0 ? null : (idleSince ?? Date.now())
        if (idleSince !== null && Date.now() - idleSince > IDLE_CLOSE_MS) break
        await Promise.race([goodbye, Bun.sleep(50)])
      }
      if (running > 0) logger.warn({ running }, 'queue: stopping with jobs unfinished; another worker takes them')
      else if (!closed) logger.warn('queue: stopping without a goodbye; the queue does not answer')
      return running === 0
    },
  }
}

function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name)
}

/** How many tries a job has in all, by what became of the last one. */
function triesOf(error: unknown, attempts: number): number {
  if (error instanceof PermanentJobError || error instanceof UnrecoverableError) return 1
  const kind = failureKind(error)
  if (kind === 'transient') return attempts
  if (kind === 'unknown') return Math.min(attempts, TRIES_OF_UNKNOWN)
  // A decision of ours stands; the database may have refused what another try writes otherwise.
  return error instanceof AppError ? 1 : Math.min(attempts, TRIES_OF_REFUSED)
}

/** What the queue keeps of an error: why and where, without the data that a statement carried. */
function keepableError(error: unknown): Error {
  const kept = new Error(describe(error))
  kept.stack = `${kept.message}\n${stackFrames(error)}`
  return kept
}

function describe(error: unknown): string {
  return error instanceof AppError ? `${error.code}: ${error.message}` : errorMessage(error)
}
