import {
  type BackendFactory,
  createPostgresBackend,
  createRedisBackend,
  type IQueueBackend,
  type Processor,
  Queue,
  runMigrations,
  Worker,
  type WorkerOptions,
} from 'bullmq'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { Pool } from 'pg'
import { AppError, errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { QueueName } from './registry.ts'

/** Where the queues live: Redis in production, the product's own Postgres where there is no Redis. */
export type QueueBackendConfig =
  | {
      kind: 'redis'
      /** `redis://` or `rediss://`; several nodes with commas between them mean a Redis Cluster. */
      url: string
    }
  | { kind: 'postgres'; databaseUrl: string }

/** BullMQ insists on a connection of some kind; the factories below put the process's own in its place. */
type SharedConnection = 'shared'

export type JobQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend, SharedConnection>
export type JobWorker = Worker<unknown, void, string, IQueueBackend, never, SharedConnection>
export type JobProcessor = Processor<unknown, void, string, never>

/** The shared connections behind every queue and worker of one process. */
export type QueueBackend = {
  readonly kind: 'redis' | 'postgres'
  openQueue(name: QueueName): JobQueue
  openWorker(
    name: QueueName,
    processor: JobProcessor,
    options: Omit<WorkerOptions<SharedConnection>, 'connection'>,
  ): JobWorker
  /** Resolves when a command would be sent now; rejects after `timeoutMs` of outage. */
  whenReachable(timeoutMs: number): Promise<void>
  /** One round trip, for readiness. @throws AppError `unavailable` after `timeoutMs` (1,000 ms) */
  ping(timeoutMs?: number): Promise<void>
  /** Ends the connections, so that nothing keeps the process alive. Close producers and consumers first. */
  close(): Promise<void>
}

export type QueueBackendOptions = {
  logger: Logger
  /** How long the first connection may take before the start is given up, in ms. */
  startTimeoutMs?: number
  /** Postgres connections of this process; each consumer holds one of them for LISTEN. */
  poolSize?: number
}

/**
 * Opens the shared connections of the queues and, on Postgres, brings BullMQ's schema up to date.
 * BullMQ remembers a failed first connection for ever, so this resolves only once the server has answered.
 * @throws AppError `unavailable` when it does not within `startTimeoutMs`
 */
export async function createQueueBackend(
  config: QueueBackendConfig,
  options: QueueBackendOptions,
): Promise<QueueBackend> {
  return config.kind === 'redis' ? openRedis(config.url, options) : openPostgres(config.databaseUrl, options)
}

/** All keys of a queue share one hash tag, hence one slot: BullMQ's scripts touch several keys at once. */
export function redisPrefix(queue: QueueName): string {
  return `{agentlocator:${queue}}`
}

/** Settles as `promise` does, or rejects as `unavailable` after `timeoutMs`. */
export function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(queueUnavailable(`${what} took longer than ${timeoutMs} ms`)), timeoutMs)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

export function queueUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError('unavailable', 'queue_unavailable', `The job queue cannot be reached: ${reason}.`, { cause })
}

/** An outage repeats itself many times a second on every connection; one line in ten seconds says as much. */
export function createQuietLogger(logger: Logger, message: string): (error: unknown) => void {
  let nextAt = 0
  let suppressed = 0
  return (error) => {
    const now = Date.now()
    if (now < nextAt) {
      suppressed += 1
      return
    }
    logger.warn({ reason: errorMessage(error), suppressed }, message)
    nextAt = now + 10_000
    suppressed = 0
  }
}

function createOpeners(factory: BackendFactory<IQueueBackend, SharedConnection>) {
  return {
    openQueue: (name: QueueName): JobQueue =>
      new Queue(name, { connection: 'shared', prefix: redisPrefix(name) }, factory),
    openWorker: (
      name: QueueName,
      processor: JobProcessor,
      options: Omit<WorkerOptions<SharedConnection>, 'connection'>,
    ): JobWorker =>
      new Worker(name, processor, { ...options, connection: 'shared', prefix: redisPrefix(name) }, factory),
  }
}

async function openRedis(url: string, options: QueueBackendOptions): Promise<QueueBackend> {
  // Commands wait for the server for ever: what a worker needs. Producers are bounded by `whenReachable` and a deadline.
  const redisOptions: RedisOptions = {
    maxRetriesPerRequest: null,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    // After a failover the old primary answers READONLY until the client goes to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
  const nodes = url.split(',').map((node) => node.trim())
  const client = nodes.length > 1 ? new Cluster(nodes, { redisOptions }) : new Redis(url, redisOptions)
  client.on('error', createQuietLogger(options.logger, 'redis: connection trouble'))
  client.setMaxListeners(0)

  const whenReachable = async (timeoutMs: number) => {
    if (client.status === 'ready') return
    const { promise, resolve } = Promise.withResolvers<void>()
    client.once('ready', resolve)
    try {
      await withDeadline(promise, timeoutMs, 'connecting to Redis')
    } finally {
      client.removeListener('ready', resolve)
    }
  }
  const close = async () => {
    if (client.status === 'ready') {
      await withDeadline(client.quit(), 1_000, 'saying goodbye to Redis').catch(() => client.disconnect())
    } else {
      client.disconnect()
    }
  }

  try {
    await whenReachable(options.startTimeoutMs ?? 30_000)
  } catch (error) {
    await close()
    throw error
  }
  return {
    kind: 'redis',
    ...createOpeners((name, queueOptions, extra) =>
      createRedisBackend(name, { ...queueOptions, connection: client }, extra),
    ),
    whenReachable,
    ping: async (timeoutMs = 1_000) => {
      await whenReachable(timeoutMs)
      await withDeadline(client.ping(), timeoutMs, 'a Redis ping')
    },
    close,
  }
}

async function openPostgres(databaseUrl: string, options: QueueBackendOptions): Promise<QueueBackend> {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: options.poolSize ?? 20,
    options: '-c search_path=bullmq',
    application_name: 'agentlocator-queue',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    statement_timeout: 30_000,
  })
  const logTrouble = createQuietLogger(options.logger, 'postgres queue: connection trouble')
  pool.on('error', logTrouble)
  // A connection that breaks while it is handed out has no listener of the pool's, and would take the process down.
  pool.on('connect', (client) => client.on('error', logTrouble))
  pool.setMaxListeners(0)

  const ping = async (timeoutMs = 1_000) => {
    await withDeadline(pool.query('select 1'), timeoutMs, 'a Postgres ping').catch((error: unknown) => {
      throw error instanceof AppError ? error : queueUnavailable('Postgres refuses', error)
    })
  }
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000)
  for (;;) {
    try {
      await migrateQueueSchema(pool)
      break
    } catch (error) {
      if (Date.now() > deadline || !isConnectionTrouble(error)) {
        await pool.end()
        throw queueUnavailable(`preparing its Postgres schema failed (${errorMessage(error)})`, error)
      }
      logTrouble(error)
      await Bun.sleep(250)
    }
  }
  return {
    kind: 'postgres',
    ...createOpeners((name, queueOptions, extra) =>
      createPostgresBackend(name, { ...queueOptions, connection: pool }, extra),
    ),
    // Without a Postgres a query is refused within milliseconds: nothing to wait for.
    whenReachable: async () => {},
    ping,
    close: () => pool.end(),
  }
}

/** BullMQ takes an advisory lock of its own around this: any number of processes may start at once. */
async function migrateQueueSchema(pool: Pool): Promise<void> {
  const client = await pool.connect()
  try {
    await runMigrations(client)
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

/** Worth trying again: no answer, or SQLSTATE class 08 (connection), 53 (resources), 57P0x (shutting down, starting). */
function isConnectionTrouble(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return !/^[0-9A-Z]{5}$/.test(code) || /^(08|53|57P0)/.test(code)
}
