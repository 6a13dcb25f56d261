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

/** The jobs of queue `Q`. */
export type JobNamesOf<Q extends QueueName> = {
  [N in JobName]: (typeof jobs)[N]['queue'] extends Q ? N : never
}[JobName]

/** The job of a handler, besides its payload. */
export type JobContext = {
  id: string
  name: JobName
  /** 1 for the first attempt. */
  attempt: number
  attempts: number
  /** Whether the job is not retried after this error. */
  givesUp(error: unknown): boolean
  enqueuedAt: Date
  logger: Logger
}

/** One handler for every job of the queue. */
export type JobHandlers<Q extends QueueName> = {
  [N in JobNamesOf<Q>]: (payload: JobPayload<N>, job: JobContext) => Promise<void>
}

/** Thrown by a handler: a retry cannot help. The job fails with this message. */
export class PermanentJobError extends Error {
  override name = 'PermanentJobError'
}

/** Thrown by a handler: runs the job again in `delayMs`, without counting an attempt. */
export class DelayJob extends Error {
  override name = 'DelayJob'
  readonly delayMs: number

  constructor(delayMs: number, reason = 'not yet') {
    super(reason)
    // Postgres stores whole milliseconds.
    this.delayMs = Math.ceil(delayMs)
  }
}

export type JobOutcome = 'completed' | 'retried' | 'delayed' | 'failed'

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

/** The store of the payloads of durable jobs, and of those that failed for good. */
export type EventStore = {
  /** The payload as JSON, or null when the event is done. */
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
  /** Without it, jobs carry their payloads, and failed ones stay in the failed set. */
  events?: EventStore
}

export type Consumer = {
  /** Resolves once the worker has its connections. */
  ready(): Promise<void>
  /** Jobs being worked on now. */
  readonly running: number
  /**
   * Takes no more jobs and waits for the running ones, at most `timeoutMs` (30,000); another worker takes the others when their
   * locks expire. With no running job it waits only a few seconds for the queue. @returns whether all jobs ended
   */
  close(timeoutMs?: number): Promise<boolean>
}

// The job of a dead worker is free after its lock and the next check: about 8 s at most.
const LOCK_MS = 5_000
const STALLED_CHECK_MS = 2_500

/** How long closing an idle worker may take. */
const IDLE_CLOSE_MS = 2_000

/** The database refuses the same value again; some attempts distinguish it from a temporary failure. */
const ATTEMPTS_OF_REFUSED = 3
/** A bug stays until it is fixed: half an hour of attempts with the usual backoff. */
const ATTEMPTS_OF_UNKNOWN = 12

/**
 * Milliseconds before attempt `attempt + 1`: exponential from `delayMs`, at most `maxDelayMs`, and up to a fifth shorter at
 * random, so that jobs that failed together do not retry together.
 */
export function backoffDelay(backoff: JobDefinition['backoff'], attempt: number, random = Math.random()): number {
  const full = Math.min(backoff.delayMs * 2 ** (attempt - 1), backoff.maxDelayMs)
  return Math.round(full * (1 - random / 5))
}

/** Starts a worker of a queue: it parses payloads, runs handlers, logs and counts. */
export function createConsumer<Q extends QueueName>(options: ConsumerOptions<Q>): Consumer {
  const { backend, queue, concurrency, metrics } = options
  const logger = options.logger.child({ queue })
  const logFailure = createQuietLogger(logger, 'queue consumer failed')
  const handlers: Partial<Record<string, (payload: never, job: JobContext) => Promise<void>>> = options.handlers
  /** Finished jobs with the data of an erased person, to be removed. */
  const erased = new Set<string>()
  let running = 0
  let closing = false

  /** The payload of a job, or of its event; null when the event is done. */
  const readPayload = async (data: unknown): Promise<{ payload: unknown; eventId: string | null } | null> => {
    const reference = eventReference.safeParse(data)
    if (!reference.success) return { payload: data, eventId: null }
    const eventId = reference.data.inboundEventId
    if (!options.events) throw new PermanentJobError('This consumer has no event store.')
    const text = await options.events.load(eventId)
    return text === null ? null : { payload: JSON.parse(text), eventId }
  }

  const runHandler = async (payload: unknown, context: JobContext): Promise<void> => {
    const handle = handlers[context.name]
    if (!handle) throw new PermanentJobError(`There is no handler for ${context.name} on the queue ${queue}.`)
    const parsed = jobs[context.name].payload.safeParse(payload)
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join(', ')
      throw new PermanentJobError(`The payload of ${context.name} does not fit its schema (${where}).`)
    }
    // The lookup by name loses the type that the schema has just checked.
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
      else if (outcome === 'retried') logger.warn({ ...line, reason: describe(error) }, 'job failed, retry scheduled')
      else logger.error({ ...line, reason: describe(error) }, 'job failed for good')
    }
    running += 1
    const attempts = job.opts.attempts ?? 1
    const attempt = job.attemptsMade + 1
    const givesUp = (error: unknown) => attempt >= attemptsFor(error, attempts)
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
        logger.info({ job: job.name, jobId: job.id }, 'job of an erased person removed')
        if (job.id) erased.add(job.id)
        return
      }
      if (!givesUp(error)) {
        finish('retried', error)
        throw redactedError(error)
      }
      finish('failed', error)
      if (read && isJobName(job.name) && isDurable(job.name) && options.events) {
        // The payload is nowhere else: it moves from the queue to the quarantine.
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
          throw redactedError(refusal)
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
      // A crash of a worker does not count against the job.
      maxStalledCount: 1_000_000,
      // Limits how long a worker waits on a dead connection.
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
    worker.on('error', logFailure)
    worker.on('completed', (job) => {
      // A job that is not removed here expires later.
      if (erased.delete(job.id ?? '')) job.remove().catch(logFailure)
    })
    worker.on('stalled', (jobId) => {
      logger.warn({ jobId }, 'job of a dead worker recovered')
      metrics?.jobsRecovered?.(queue, 1)
    })
    return worker
  }

  let worker = openWorker()
  // BullMQ never recovers from a failed first round trip: open another worker until one is ready.
  const readiness = (async () => {
    while (!closing) {
      try {
        await worker.waitUntilReady()
        return
      } catch (error) {
        if (closing) return
        logFailure(error)
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
      const ending = worker.close().finally(() => {
        closed = true
      })
      // It may be abandoned below: its failure is ignored.
      ending.catch(() => undefined)
      const beganAt = Date.now()
      let idleSince: number | null = null
      while (!closed && Date.now() - beganAt < timeoutMs) {
        idleSince = running > 0 ? null : (idleSince ?? Date.now())
        if (idleSince !== null && Date.now() - idleSince > IDLE_CLOSE_MS) break
        await Promise.race([ending, Bun.sleep(50)])
      }
      if (running > 0) logger.warn({ running }, 'process stopped with unfinished jobs')
      else if (!closed) logger.warn('process stopped without an answer of the queue')
      return running === 0
    },
  }
}

function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name)
}

/** The number of attempts of a job, by the error of the last one. */
function attemptsFor(error: unknown, attempts: number): number {
  if (error instanceof PermanentJobError || error instanceof UnrecoverableError) return 1
  const kind = failureKind(error)
  if (kind === 'transient') return attempts
  if (kind === 'unknown') return Math.min(attempts, ATTEMPTS_OF_UNKNOWN)
  // An AppError is a decision; the database may accept another attempt.
  return error instanceof AppError ? 1 : Math.min(attempts, ATTEMPTS_OF_REFUSED)
}

/** An error for the queue: message and stack, without the parameters of statements. */
function redactedError(error: unknown): Error {
  const redacted = new Error(describe(error))
  redacted.stack = `${redacted.message}\n${stackFrames(error)}`
  return redacted
}

function describe(error: unknown): string {
  return error instanceof AppError ? `${error.code}: ${error.message}` : errorMessage(error)
}
