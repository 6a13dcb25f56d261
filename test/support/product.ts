import { rmSync } from 'node:fs'
import postgres, { type Sql } from 'postgres'
import { createDatabase } from '../../db/client.ts'
import { loadConfig } from '../../src/config.ts'
import { type DomainContext, within } from '../../src/domain/context.ts'
import { createLogger } from '../../src/lib/log.ts'
import { setUp } from '../../src/processes/setup.ts'
import type { CallReport } from '../../src/sandbox/carrier/call-report.ts'
import { type PlaceCall, placeCall } from '../../src/sandbox/carrier/caller.ts'
import { type Carrier, startCarrier } from '../../src/sandbox/carrier/server.ts'
import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import type { CarrierSettings } from '../../src/sandbox/carrier/state.ts'
import { createClient } from '../../src/trpc/client.ts'
import { temporaryDirectory } from './cleanup.ts'
import { createTestDatabase } from './postgres.ts'
import { type ProductProcess, startProductProcess } from './product-process.ts'
import { shareRenderedPrompts } from './prompts.ts'
import { startRedis, type TestRedis } from './redis.ts'
import { testSeed } from './seed.ts'

export { eventually } from './wait.ts'

export const NUMBER = '+97233760000'
export const CALLER = '+972501234567'
export const WHATSAPP_SENDER = '+14155238886'
export const BAILEYS_SECRET = 'baileys-secret-of-the-tests'
const PUBLIC_BASE_URL = 'http://127.9.9.9'

export type ProductOptions = {
  queue: 'redis' | 'postgres'
  env?: Record<string, string>
  /** Web servers, each on its own port, or all on one port (`shareOnePort`). */
  webCount?: number
  shareOnePort?: boolean
  /** Processes of each worker. */
  workerCount?: number
  /** Those that what is tested needs; left out, all. */
  workers?: readonly WorkerName[]
  carrier?: Partial<CarrierSettings>
  /** The agent answers WhatsApp, as in the sandbox; otherwise it is off. */
  agent?: boolean
  /** Fills the database after the setup, before any server reads it. */
  prepare?: (ctx: DomainContext, businessId: string) => Promise<void>
}

const WORKERS = ['whatsapp', 'crm', 'recordings'] as const
export type WorkerName = (typeof WORKERS)[number]

export type SignMode = 'right' | 'wrong' | 'none'

/** One of the two kinds of queue, by the seed of the run: what the tests of the queue itself find the same. */
export function queueOfThisRun(): 'redis' | 'postgres' {
  return Math.floor(testSeed() / 2) % 2 === 0 ? 'redis' : 'postgres'
}

/** The product as it runs: its own processes on a real Postgres, a real queue, and a carrier that speaks Twilio's protocol. */
export class Product {
  readonly web: ProductProcess[] = []
  readonly workers: ProductProcess[] = []

  constructor(
    readonly env: Record<string, string>,
    readonly carrier: Carrier,
    readonly redis: TestRedis | null,
    readonly sql: Sql,
    readonly businessId: string,
    readonly apiKey: string,
    private readonly dispose: () => Promise<void>,
  ) {}

  get publicBaseUrl(): string {
    return (this.env.PUBLIC_BASE_URL ?? '').replace(/\/+$/, '')
  }

  url(index = 0): string {
    return `http://127.0.0.1:${this.server(index).port}`
  }

  server(index = 0): ProductProcess {
    const found = this.web[index]
    if (!found) throw new Error(`There is no web server ${index}.`)
    return found
  }

  async startWeb(extra: Record<string, string> = {}): Promise<ProductProcess> {
    const started = await startProductProcess('src/processes/web-server.ts', { ...this.env, ...extra })
    this.web.push(started)
    return started
  }

  async startWorker(name: WorkerName): Promise<ProductProcess> {
    const started = await startProductProcess(`workers/${name}.ts`, this.env)
    this.workers.push(started)
    return started
  }

  workersOf(name: WorkerName): ProductProcess[] {
    return this.workers.filter((worker) => worker.name === `workers/${name}.ts` && worker.alive)
  }

  webLog(): Record<string, unknown>[] {
    return this.web.flatMap((server) => server.log)
  }

  /** A signature of a request with these fields, as the carrier makes it. */
  sign(path: string, params: Record<string, string> = {}, mode: SignMode = 'right'): Record<string, string> {
    if (mode === 'none') return {}
    const token = mode === 'right' ? this.carrier.authToken : `${this.carrier.authToken}x`
    return { 'X-Twilio-Signature': signTwilioRequest(token, this.publicBaseUrl + path, params) }
  }

  /** A form as the carrier posts it. `path` may hold a query. */
  post(path: string, params: Record<string, string>, mode: SignMode = 'right', index = 0): Promise<Response> {
    return fetch(this.url(index) + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...this.sign(path, params, mode) },
      body: new URLSearchParams(params).toString(),
      signal: AbortSignal.timeout(10_000),
    })
  }

  /** A request of the REST API with the bootstrap key, another one, or none (`null`). */
  api(path: string, init: RequestInit & { key?: string | null; index?: number } = {}): Promise<Response> {
    const { key = this.apiKey, index = 0, headers, ...rest } = init
    return fetch(this.url(index) + path, {
      ...rest,
      headers: { ...(key ? { Authorization: `Bearer ${key}` } : {}), ...Object.fromEntries(new Headers(headers)) },
      signal: AbortSignal.timeout(70_000),
    })
  }

  send(body: unknown, headers: Record<string, string> = {}, key: string | null = this.apiKey): Promise<Response> {
    return this.api('/api/whatsapp/send', {
      method: 'POST',
      key,
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
  }

  trpc(key: string | null = this.apiKey, index = 0) {
    return createClient({ url: this.url(index), apiKey: key })
  }

  /** A phone call of a scripted caller, in real time, to its end. */
  call(options: Partial<PlaceCall> & { index?: number } = {}): Promise<CallReport> {
    const { index = 0, ...rest } = options
    return placeCall({
      carrier: this.carrier,
      webhookUrl: `${this.publicBaseUrl}/webhook/incoming_call`,
      statusCallbackUrl: `${this.publicBaseUrl}/webhook/call_status`,
      connectBaseUrl: this.url(index),
      from: CALLER,
      to: NUMBER,
      maxSeconds: 45,
      ...rest,
    })
  }

  /** Rows of all tables that an external event may write, to prove that nothing was written. */
  async countRows(): Promise<Record<string, number>> {
    const [row] = await this.sql<Record<string, number>[]>`select
      (select count(*)::int from calls) as calls, (select count(*)::int from call_turns) as turns,
      (select count(*)::int from recordings) as recordings, (select count(*)::int from leads) as leads,
      (select count(*)::int from contacts) as contacts, (select count(*)::int from messages) as messages,
      (select count(*)::int from audit_log) as audit`
    return { ...row }
  }

  /** How many jobs (of that name) this web server has stored, by its own metrics. */
  async jobsStored(index = 0, job = ''): Promise<number> {
    const text = await (await this.api('/metrics', { index })).text()
    return text
      .split('\n')
      .filter((line) => /jobs_enqueued\w*\{/.test(line) && line.includes(`job="${job}`))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** The value of one metric of a web server, with its labels as in the text; 0 when it was never counted. */
  async metric(name: string, index = 0): Promise<number> {
    const text = await (await this.api('/metrics', { index })).text()
    const found = text.split('\n').find((line) => line.startsWith(`${name} `) || line.includes(`_${name} `))
    return Number(found?.split(' ').at(-1) ?? 0)
  }

  /**
   * Ends every process, then the services below them.
   * @throws Error when one had to be killed: a process must end by itself
   */
  async stop(): Promise<void> {
    const late: string[] = []
    const stopAll = async (processes: ProductProcess[]) => {
      await Promise.all(
        processes.map(async (each) => {
          if (!(await each.stop(30_000))) late.push(each.name)
        }),
      )
    }
    await stopAll(this.web)
    await stopAll(this.workers)
    await this.dispose()
    if (late.length > 0) throw new Error(`Had to be killed: ${late.join(', ')}`)
  }
}

/** Starts the product: setup, web servers, workers, each in its own ready process. */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const database = await createTestDatabase()
  const redis = options.queue === 'redis' ? await startRedis() : null
  const dataDir = temporaryDirectory('product')
  shareRenderedPrompts(dataDir)
  const carrier = startCarrier({
    port: 0,
    accountSid: `AC${'0'.repeat(31)}7`,
    authToken: '0123456789abcdef0123456789abcdef',
    logger: createLogger('silent'),
    ...(options.carrier ? { settings: options.carrier } : {}),
  })
  const apiKey = 'key-of-the-first-business'
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    SANDBOX: '1',
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    ...(redis ? { REDIS_URL: redis.url } : {}),
    PUBLIC_BASE_URL,
    SESSION_SECRET: 'a-session-secret-of-the-tests',
    API_KEY: apiKey,
    BUSINESS_NAME: 'מספרת דנה',
    TWILIO_ACCOUNT_SID: carrier.accountSid,
    TWILIO_AUTH_TOKEN: carrier.authToken,
    TWILIO_API_BASE_URL: carrier.url,
    TWILIO_WHATSAPP_FROM: `whatsapp:${WHATSAPP_SENDER}`,
    BAILEYS_SECRET,
    DRAIN_SECONDS: '1',
    // What waits for them should not wait for all other tests too.
    WORKER_NICENESS: '0',
    API_RATE_LIMIT: '0',
    ...options.env,
  }
  const sql = postgres(database.url, { max: 4, onnotice: () => {} })
  const dispose = async () => {
    await carrier.close()
    await sql.end({ timeout: 2 })
    await database.drop()
    await redis?.dispose()
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    await setUp(loadConfig({ ...env, LOG_LEVEL: 'warn' }))
    const [first] = await sql<{ id: string }[]>`select id from businesses order by id limit 1`
    if (!first) throw new Error('The setup made no business.')
    if (!options.agent) await sql`update agent_settings set enabled_at = null`
    if (options.prepare) await prepare(env.DATABASE_URL, first.id, options.prepare)
    const product = new Product(env, carrier, redis, sql, first.id, apiKey, dispose)
    await startAll(product, options)
    return product
  } catch (error) {
    await dispose()
    throw error
  }
}

async function startAll(product: Product, options: ProductOptions): Promise<void> {
  const { webCount = 1, workerCount = 1, workers = WORKERS, shareOnePort = false } = options
  try {
    await Promise.all([
      ...Array.from({ length: workerCount }, () => workers.map((name) => product.startWorker(name))).flat(),
      (async () => {
        if (webCount === 0) return
        const shared: Record<string, string> = shareOnePort ? { WEB_CONCURRENCY: '2' } : {}
        const first = await product.startWeb(shared)
        const same: Record<string, string> = shareOnePort ? { ...shared, PORT: String(first.port) } : {}
        await Promise.all(Array.from({ length: webCount - 1 }, () => product.startWeb(same)))
      })(),
    ])
  } catch (error) {
    for (const each of [...product.web, ...product.workers]) each.kill('SIGKILL')
    throw error
  }
  if (webCount > 0)
    product.carrier.settings.connectRules = [{ publicBaseUrl: product.publicBaseUrl, connectBaseUrl: product.url() }]
}

async function prepare(
  url: string,
  businessId: string,
  run: (ctx: DomainContext, businessId: string) => Promise<void>,
): Promise<void> {
  const database = createDatabase(url, { max: 2 })
  const ctx: DomainContext = {
    db: database.db,
    enqueue: () => Promise.reject(new Error('Nothing is queued while the product is prepared.')),
    log: createLogger('silent'),
    actor: { kind: 'system', id: 'test' },
  }
  try {
    await run(within(ctx, businessId), businessId)
  } finally {
    await database.close()
  }
}
