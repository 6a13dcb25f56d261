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
import { withTimeout } from '../lib/timeout.ts'
import type { QueueName } from './registry.ts'

export type QueueBackendConfig =
  | {
      kind: 'redis'
      /** `redis://` or `rediss://`; several comma-separated nodes are a Redis Cluster. */
      url: string
    }
  | { kind: 'postgres'; databaseUrl: string }

/** BullMQ requires a connection option; the factories below replace it by the connection of the process. */
type SharedConnection = 'shared'

export type JobQueue = Queue<unknown, unknown, string, unknown, unknown, string, IQueueBackend, SharedConnection>
export type JobWorker = Worker<unknown, void, string, IQueueBackend, never, SharedConnection>
export type JobProcessor = Processor<unknown, void, string, never>

export type QueueBackend = {
  readonly kind: 'redis' | 'postgres'
  openQueue(name: QueueName): JobQueue
  openWorker(
    name: QueueName,
    processor: JobProcessor,
    options: Omit<WorkerOptions<SharedConnection>, 'connection'>,
  ): JobWorker
  whenReachable(timeoutMs: number): Promise<void>
  /** One round trip, for readiness. @throws AppError `unavailable` after `timeoutMs` (1,000 ms) */
  ping(timeoutMs?: number): Promise<void>
  close(): Promise<void>
}

export type QueueBackendOptions = {
  logger: Logger
  startTimeoutMs?: number
  /** Postgres connections of this process; each consumer uses one for LISTEN. */
  poolSize?: number
}

/**
 * Opens shared connections; waits for the server, as BullMQ never recovers from a failed first one. @throws AppError
 * `unavailable` after `startTimeoutMs`
 */
export async function createQueueBackend(
  config: QueueBackendConfig,
  options: QueueBackendOptions,
): Promise<QueueBackend> {
  return config.kind === 'redis' ? openRedis(config.url, options) : openPostgres(config.databaseUrl, options)
}

/** One hash tag, hence one slot of a cluster: BullMQ's scripts use several keys at once. */
export function redisPrefix(queue: QueueName): string {
  return `{agentlocator:${queue}}`
}

export function withDeadline<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  return withTimeout(promise, timeoutMs, () => queueUnavailable(`${what} took longer than ${timeoutMs} ms`))
}

export function queueUnavailable(reason: string, cause?: unknown): AppError {
  return new AppError(
    'unavailable',
    'queue_unavailable',
    `The job queue cannot be reached: ${reason}. Try again in a moment.`,
    { cause },
  )
}

/** Logs one line in ten seconds: an outage causes many errors a second on every connection. */
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
  // Commands wait without a limit, as workers need; producers use `whenReachable` and a deadline.
  const redisOptions: RedisOptions = {
    maxRetriesPerRequest: null,
    connectTimeout: 5_000,
    keepAlive: 10_000,
    retryStrategy: (times) => Math.min(times * 100, 2_000),
    // After a failover the old primary answers READONLY until the client reconnects.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
  const nodes = url.split(',').map((node) => node.trim())
  const client = nodes.length > 1 ? new Cluster(nodes, { redisOptions }) : new Redis(url, redisOptions)
  client.on('error', createQuietLogger(options.logger, 'redis connection failed'))
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
      await withDeadline(client.quit(), 1_000, 'closing the connection to Redis').catch(() => client.disconnect())
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
  const logFailure = createQuietLogger(options.logger, 'postgres queue connection failed')
  pool.on('error', logFailure)
  // The pool does not listen to a connection in use: without a listener its error would end the process.
  pool.on('connect', (client) => client.on('error', logFailure))
  pool.setMaxListeners(0)

  const ping = async (timeoutMs = 1_000) => {
    await withDeadline(pool.query('select 1'), timeoutMs, 'a Postgres ping').catch((error: unknown) => {
      throw error instanceof AppError ? error : queueUnavailable('Postgres refuses the connection', error)
    })
  }
  const deadline = Date.now() + (options.startTimeoutMs ?? 30_000)
  for (;;) {
    try {
      await migrateQueueSchema(pool)
      break
    } catch (error) {
      if (Date.now() > deadline || !isConnectionFailure(error)) {
        await pool.end()
        throw queueUnavailable(`its Postgres schema was not migrated (${errorMessage(error)})`, error)
      }
      logFailure(error)
      await Bun.sleep(250)
    }
  }
  return {
    kind: 'postgres',
    ...createOpeners((name, queueOptions, extra) =>
      createPostgresBackend(name, { ...queueOptions, connection: pool }, extra),
    ),
    // Postgres refuses a query within milliseconds when it is down: there is nothing to wait for.
    whenReachable: async () => {},
    ping,
    close: () => pool.end(),
  }
}

/** BullMQ holds an advisory lock meanwhile, so that any number of processes may start at once. */
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

/** No answer, or SQLSTATE class 08 (connection), 53 (resources), 57P0x (shutting down, starting). */
function isConnectionFailure(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return !/^[0-9A-Z]{5}$/.test(code) || /^(08|53|57P0)/.test(code)
}
