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

export type JobNamesOf<Q extends QueueName> = {
  [N in JobName]: (typeof jobs)[N]['queue'] extends Q ? N : never
}[JobName]

export type JobContext = {
  id: string
  name: JobName
  /** 1 for the first attempt. */
  attempt: number
  attempts: number
  givesUp(error: unknown): boolean
  enqueuedAt: Date
  logger: Logger
}

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
  concurrency: number
  logger: Logger
  metrics?: ConsumerMetrics
  /** Without it, jobs carry their payloads, and failed ones stay in the failed set. */
  events?: EventStore
}

export type Consumer = {
  ready(): Promise<void>
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

const IDLE_CLOSE_MS = 2_000

/** The database refuses the same value again; some attempts distinguish it from a temporary failure. */
const ATTEMPTS_OF_REFUSED = 3
/** A bug stays until it is fixed: half an hour of attempts with the usual backoff. */
const ATTEMPTS_OF_UNKNOWN = 12

/**
 * Milliseconds before attempt `attempt + 1`: exponential up to `maxDelayMs`, less up to a fifth at random against bursts.
 */
export function backoffDelay(backoff: JobDefinition['backoff'], attempt: number, random = Math.random()): number {
  const full = Math.min(backoff.delayMs * 2 ** (attempt - 1), backoff.maxDelayMs)
  return Math.round(full * (1 - random / 5))
}

type Read = { payload: unknown; eventId: string | null }
type RunningJob = Parameters<JobProcessor>[0]

class JobRunner<Q extends QueueName> {
  readonly erased = new Set<string>()
  running = 0
  readonly #handlers: Partial<Record<string, (payload: never, job: JobContext) => Promise<void>>>

  constructor(
    private readonly options: ConsumerOptions<Q>,
    private readonly logger: Logger,
  ) {
    this.#handlers = options.handlers
  }

  readonly run: JobProcessor = async (job, token) => {
    const finish = this.#reporter(job)
    this.running += 1
    let read: Read | null = null
    try {
      if (!isJobName(job.name)) throw new PermanentJobError(`The job ${job.name} is unknown.`)
      read = await this.#read(job.data)
      if (read) await this.#handle(read.payload, this.#contextOf(job, job.name))
      if (read?.eventId) await this.options.events?.finish(read.eventId)
      finish('completed')
    } catch (error) {
      if (error instanceof DelayJob) {
        await job.moveToDelayed(Date.now() + error.delayMs, token)
        finish('delayed', error)
        throw new DelayedError(error.message)
      }
      if (isErased(error)) {
        if (read?.eventId) await this.options.events?.finish(read.eventId)
        finish('completed')
        this.logger.info({ job: job.name, jobId: job.id }, 'job of an erased person removed')
        if (job.id) this.erased.add(job.id)
        return
      }
      if (!givesUp(job, error)) {
        finish('retried', error)
        throw redactedError(error)
      }
      finish('failed', error)
      if (!(await this.#quarantine(job, read, error))) throw new UnrecoverableError(describe(error))
    } finally {
      this.running -= 1
    }
  }

  #reporter(job: RunningJob): (outcome: JobOutcome, error?: unknown) => void {
    const { metrics, queue } = this.options
    const startedAt = performance.now()
    const waitedMs = Math.max(0, (job.processedOn ?? Date.now()) - job.timestamp - (job.opts.delay ?? 0))
    return (outcome, error) => {
      const durationMs = performance.now() - startedAt
      if (isJobName(job.name)) metrics?.jobFinished?.({ queue, job: job.name, outcome, durationMs, waitedMs })
      const line = { job: job.name, jobId: job.id, attempt: attemptOf(job), ms: Math.round(durationMs) }
      if (outcome === 'completed') this.logger.debug(line, 'job completed')
      else if (outcome === 'delayed') this.logger.debug({ ...line, reason: errorMessage(error) }, 'job delayed')
      else if (outcome === 'retried')
        this.logger.warn({ ...line, reason: describe(error) }, 'job failed, retry scheduled')
      else this.logger.error({ ...line, reason: describe(error) }, 'job failed for good')
    }
  }

  /** The payload of a job, or of its event; null when the event is done. */
  async #read(data: unknown): Promise<Read | null> {
    const reference = eventReference.safeParse(data)
    if (!reference.success) return { payload: data, eventId: null }
    const eventId = reference.data.inboundEventId
    if (!this.options.events) throw new PermanentJobError('This consumer has no event store.')
    const text = await this.options.events.load(eventId)
    return text === null ? null : { payload: JSON.parse(text), eventId }
  }

  async #handle(payload: unknown, context: JobContext): Promise<void> {
    const handle = this.#handlers[context.name]
    if (!handle)
      throw new PermanentJobError(`There is no handler for ${context.name} on the queue ${this.options.queue}.`)
    const parsed = jobs[context.name].payload.safeParse(payload)
    if (!parsed.success) {
      const where = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join(', ')
      throw new PermanentJobError(`The payload of ${context.name} does not fit its schema (${where}).`)
    }
    // The lookup by name loses the type that the schema has just checked.
    await handle(parsed.data as never, context)
  }

  #contextOf(job: RunningJob, name: JobName): JobContext {
    return {
      id: job.id ?? '',
      name,
      attempt: attemptOf(job),
      attempts: job.opts.attempts ?? 1,
      givesUp: (error) => givesUp(job, error),
      enqueuedAt: new Date(job.timestamp),
      logger: this.logger.child({ job: name, jobId: job.id }),
    }
  }

  /** Moves the payload of a failed job from the queue to the quarantine, if it is nowhere else. @returns whether it did */
  async #quarantine(job: RunningJob, read: Read | null, error: unknown): Promise<boolean> {
    const { events } = this.options
    if (!read || !isJobName(job.name) || !isDurable(job.name) || !events) return false
    const { payload, eventId } = read
    const key = `${job.name}:${eventId ?? job.id ?? ''}`
    const entry = { job: job.name, key, payload, error, attempts: attemptOf(job), eventId }
    await events.setAside(entry).catch((refusal: unknown) => {
      throw redactedError(refusal)
    })
    return true
  }
}

function attemptOf(job: RunningJob): number {
  return job.attemptsMade + 1
}

function givesUp(job: RunningJob, error: unknown): boolean {
  return attemptOf(job) >= attemptsFor(error, job.opts.attempts ?? 1)
}

export function createConsumer<Q extends QueueName>(options: ConsumerOptions<Q>): Consumer {
  const logger = options.logger.child({ queue: options.queue })
  const logFailure = createQuietLogger(logger, 'queue consumer failed')
  const runner = new JobRunner(options, logger)
  let closing = false
  const open = () => openWorker(options, runner, logger, logFailure)

  let worker = open()
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
        worker = open()
      }
    }
  })()

  return {
    ready: () => readiness,
    get running() {
      return runner.running
    },
    close: async (timeoutMs = 30_000) => {
      closing = true
      const closed = await closeWorker(worker, () => runner.running, timeoutMs)
      const { running } = runner
      if (running > 0) logger.warn({ running }, 'process stopped with unfinished jobs')
      else if (!closed) logger.warn('process stopped without an answer of the queue')
      return running === 0
    },
  }
}

function openWorker<Q extends QueueName>(
  { backend, queue, concurrency, metrics }: ConsumerOptions<Q>,
  runner: JobRunner<Q>,
  logger: Logger,
  logFailure: (error: unknown) => void,
): JobWorker {
  const worker = backend.openWorker(queue, runner.run, {
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
        const backoff = isJobName(name) ? jobs[name].backoff : { delayMs: 1_000, maxDelayMs: 60_000 }
        return backoffDelay(backoff, attemptsMade)
      },
    },
  })
  worker.on('error', logFailure)
  worker.on('completed', (job) => {
    // A job that is not removed here expires later.
    if (runner.erased.delete(job.id ?? '')) job.remove().catch(logFailure)
  })
  worker.on('stalled', (jobId) => {
    logger.warn({ jobId }, 'job of a dead worker recovered')
    metrics?.jobsRecovered?.(queue, 1)
  })
  return worker
}

/** @returns whether the worker closed in time; an idle one gets a few seconds only */
async function closeWorker(worker: JobWorker, running: () => number, timeoutMs: number): Promise<boolean> {
  let closed = false
  const ending = worker.close().finally(() => {
    closed = true
  })
  // It may be abandoned below: its failure is ignored.
  ending.catch(() => undefined)
  const beganAt = Date.now()
  let idleSince: number | null = null
  while (!closed && Date.now() - beganAt < timeoutMs) {
    idleSince = running() > 0 ? null : (idleSince ?? Date.now())
    if (idleSince !== null && Date.now() - idleSince > IDLE_CLOSE_MS) break
    await Promise.race([ending, Bun.sleep(50)])
  }
  return closed
}

function isJobName(name: string): name is JobName {
  return Object.hasOwn(jobs, name)
}

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
