import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { proto } from '@whiskeysockets/baileys'
import postgres from 'postgres'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../db/embedded.ts'
import { readConnection } from '../../db/embedded-files.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { createDeps, type Deps } from '../../src/composition/deps.ts'
import { loadConfig } from '../../src/config.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { requestMessage } from '../../src/domain/messages/index.ts'
import { type AccountSettings, createAccount, getLink } from '../../src/domain/whatsapp/index.ts'
import { AppError } from '../../src/lib/errors.ts'
import { createLogger } from '../../src/lib/log.ts'
import { waitAtMost } from '../../src/lib/wait-at-most.ts'
import type { WhatsAppSandbox } from '../../src/sandbox/whatsapp/sandbox.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { ownPostgresDirectory, TEST_SETTINGS } from '../support/postgres.ts'
import { type ProductProcess, startProductProcess } from '../support/product-process.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { randomNumbers } from '../support/seed.ts'

export const STRIKES = ['worker', 'redis', 'postgres', 'postgres-stop'] as const
export type Strike = (typeof STRIKES)[number]

export type SoakOptions = {
  accounts: number
  contactsPerAccount: number
  sends: number
  inbound: number
  workers: number
  delivery: 'at-least-once' | 'at-most-once'
  /** Pauses between two strikes, in ms, drawn evenly from this range. */
  every: [number, number]
  firstMs?: number
  /**
   * The targets. `worker`, `redis` and `postgres` are killed by SIGKILL; `postgres-stop` is stopped in order, its clients
   * disconnected.
   */
  strike: Strike[]
  limitMs: number
  seed: number
  /** Where the log lines of all workers go at the end. */
  logFile?: string
}

export type SoakReport = {
  seed: number
  seconds: number
  strikes: Record<string, number>
  /** The longest time without a message in either direction, ms. */
  longestStallMs: number
  /** Messages that a phone confirmed and whose rows are not confirmed. */
  unconfirmed: number
  /** Rows by status. */
  rows: Record<string, number>
  /** Messages that no phone got although their rows are sent. */
  lost: string[]
  /** Texts that a phone got more than once, with their ids. */
  repeated: { text: string; ids: string[] }[]
  /** Texts that arrived under more than one id. */
  doubled: string[]
  /** Contacts that got messages out of order. */
  disordered: string[]
  inbound: { sent: number; rows: number; missing: number; doubled: number }
  undecryptable: number
}

type Setup = { ctx: BusinessContext; accountId: string; phone: string; contacts: string[] }

const NOTHING: Required<Pick<AccountSettings, 'gapMs' | 'jitterMs' | 'typingMsPerChar' | 'newContactsPerDay'>> = {
  gapMs: 0,
  jitterMs: 0,
  typingMsPerChar: 0,
  newContactsPerDay: null,
}

/**
 * Sends and receives through real worker processes while they, the queue or the database are killed at random, then counts at
 * the phones. Everything but WhatsApp's own servers is the product as it runs.
 */
export async function runSoak(options: SoakOptions, tell: (line: string) => void = () => {}): Promise<SoakReport> {
  const random = randomNumbers(options.seed)
  const dataDir = temporaryDirectory('soak')
  const databaseDir = ownPostgresDirectory(`soak-${options.seed}`)
  const log = createLogger('silent')
  // A killed server preserves commits only with synchronous commits.
  const settings = { ...TEST_SETTINGS, synchronous_commit: 'on' }
  const startDatabase = () => startEmbeddedPostgres({ dataDir: databaseDir, logger: log, settings })
  let database: EmbeddedPostgres = await startDatabase()
  const redis: TestRedis = await startRedis()
  const sandbox = await startWhatsAppSandbox({ port: 0 })
  const env = {
    NODE_ENV: 'test',
    SANDBOX: '1',
    DATA_DIR: dataDir,
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    SESSION_SECRET: 'the-secret-of-the-soak-test',
    BAILEYS_WEBSOCKET_URL: sandbox.wsUrl,
    LOG_LEVEL: 'info',
  }
  await migrateDatabase(database.url)
  const deps = await createDeps(loadConfig(env), 'cli')
  const workers: ProductProcess[] = []
  const all: ProductProcess[] = []
  const startWorker = async () => {
    const worker = await startProductProcess('workers/whatsapp.ts', env)
    all.push(worker)
    return worker
  }
  const strikes: Record<string, number> = {}
  let over = false
  const end = Promise.withResolvers<void>()
  try {
    for (let index = 0; index < options.workers; index++) workers.push(await startWorker())
    const setups: Setup[] = []
    for (let index = 0; index < options.accounts; index++) setups.push(await link(deps, sandbox, index, options))
    tell(`linked ${options.accounts} accounts over ${options.workers} workers`)

    const beginAt = performance.now()
    const deadline = Date.now() + options.limitMs
    const striking = (async () => {
      let { firstMs } = options
      while (!over) {
        const pauseMs = firstMs ?? options.every[0] + random() * (options.every[1] - options.every[0])
        firstMs = undefined
        await waitAtMost(end.promise, pauseMs)
        if (over) return
        const what = options.strike[Math.floor(random() * options.strike.length)]
        if (!what) return
        strikes[what] = (strikes[what] ?? 0) + 1
        if (what === 'redis') {
          await redis.halt()
          await Bun.sleep(500)
          await redis.start()
        } else if (what === 'postgres' || what === 'postgres-stop') {
          if (what === 'postgres') killPostgres(databaseDir)
          else await database.stop()
          await Bun.sleep(500)
          database = await startDatabase()
        } else {
          const index = Math.floor(random() * workers.length)
          workers[index]?.kill('SIGKILL')
          await workers[index]?.exited
          workers[index] = await startWorker()
        }
      }
    })()
    // The failure is thrown where it is awaited, so that everything is cleaned up first.
    striking.catch(() => {})
    const stall = watchForStalls(() => arrivals(sandbox, setups))
    const writing = writeInbound(sandbox, setups, options, random)
    await askForAll(setups, options)
    tell(`asked for ${options.sends} messages`)
    await writing
    await untilSettled(deps, options, deadline, tell)
    const longestStallMs = stall.end()
    over = true
    end.resolve()
    await striking
    await untilSettled(deps, options, deadline, tell)
    const seconds = (performance.now() - beginAt) / 1_000
    const unconfirmed = await untilConfirmed(deps, Date.now() + 30_000)
    const judged = await judge(deps, sandbox, setups, options)
    return { seed: options.seed, seconds, strikes, longestStallMs, unconfirmed, ...judged }
  } finally {
    over = true
    for (const worker of workers) await worker.stop(5_000)
    if (options.logFile) {
      const lines = all.flatMap(({ pid, log: worker }) => worker.map((line) => ({ ...line, pid })))
      lines.sort((a, b) => String(Reflect.get(a, 'time')).localeCompare(String(Reflect.get(b, 'time'))))
      await Bun.write(options.logFile, lines.map((line) => JSON.stringify(line)).join('\n'))
    }
    await deps.close()
    await sandbox.close()
    await redis.dispose()
    await database.stop()
    rmSync(databaseDir, { recursive: true, force: true })
  }
}

/** The server and all its processes at once, as when the machine runs out of memory. */
function killPostgres(dataDir: string): void {
  const cluster = readConnection(dataDir)?.clusterDirectory ?? ''
  const server = Number.parseInt(readFileSync(join(cluster, 'postmaster.pid'), 'utf8'), 10)
  const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').split(' ').filter(Boolean)
  for (const pid of [server, ...children.map(Number)])
    try {
      process.kill(pid, 'SIGKILL')
    } catch (error) {
      // A process of one connection may have ended by itself.
      if (pid === server) throw error
    }
}

async function link(deps: Deps, sandbox: WhatsAppSandbox, index: number, options: SoakOptions): Promise<Setup> {
  const businessId = await createBusiness(deps.ctx, { name: `Soak ${index}`, language: 'he' })
  const ctx = within(deps.ctx, businessId)
  const { id } = await createAccount(ctx, { ...NOTHING, delivery: options.delivery })
  const phone = `+97250200${String(index).padStart(4, '0')}`
  let scanned = ''
  for (const deadline = Date.now() + 30_000; ; await Bun.sleep(50)) {
    const view = await getLink(ctx, id)
    if (view.state === 'working') break
    if (view.qr && view.qr !== scanned) {
      scanned = view.qr
      try {
        await sandbox.scan(view.qr, phone)
      } catch (error) {
        // The client shows another one by now.
        if (!(error instanceof AppError) || error.code !== 'unknown_qr') throw error
      }
    }
    if (Date.now() > deadline) throw new Error(`account ${index} was not linked: ${JSON.stringify(view)}`)
  }
  const contacts = Array.from(
    { length: options.contactsPerAccount },
    (_, contact) => `+9725030${String(index).padStart(2, '0')}${String(contact).padStart(3, '0')}`,
  )
  for (const contact of contacts) sandbox.putAccount({ phone: contact })
  return { ctx, accountId: id, phone, contacts }
}

const outText = (account: number, index: number) => `out ${account} ${String(index).padStart(5, '0')}`
const inText = (account: number, index: number) => `in ${account} ${String(index).padStart(5, '0')}`

/** Repeats each request until it is answered, as a client with an idempotency key does. */
async function askForAll(setups: Setup[], { sends }: SoakOptions): Promise<void> {
  const settings = { twilio: () => ({ configured: false, defaultSender: null, own: false }) }
  const each = Math.ceil(sends / setups.length)
  await Promise.all(
    setups.map(async ({ ctx, contacts }, account) => {
      for (let index = 0; index < each; index++) {
        const request = {
          to: contacts[index % contacts.length] ?? '',
          text: outText(account, index),
          provider: 'baileys',
          idempotencyKey: `${account}-${index}`,
        }
        await insist(() => requestMessage(ctx, request, settings))
      }
    }),
  )
}

async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++)
    try {
      return await work()
    } catch (error) {
      if (attempt > 200) throw error
      await Bun.sleep(100)
    }
}

/** Contacts write during the strikes. */
async function writeInbound(sandbox: WhatsAppSandbox, setups: Setup[], options: SoakOptions, random: () => number) {
  for (let index = 0; index < options.inbound; index++) {
    const account = index % setups.length
    const setup = setups[account]
    if (!setup) return
    const from = setup.contacts[Math.floor(random() * setup.contacts.length)] ?? ''
    await sandbox.send({ from, to: setup.phone }, { kind: 'text', text: inText(account, index) })
    await Bun.sleep(10)
  }
}

async function untilSettled(deps: Deps, options: SoakOptions, deadline: number, tell: (line: string) => void) {
  let reportedAt = 0
  for (;;) {
    const count = await insist(async () => {
      const [row] = await deps.database.sql<{ open: number; inbound: number }[]>`
        select (select count(*)::int from messages where status in ('queued', 'sending')) as open,
          (select count(*)::int from messages where direction = 'in') as inbound`
      return row ?? { open: -1, inbound: -1 }
    })
    if (count.open === 0 && count.inbound >= options.inbound) return
    if (Date.now() - reportedAt > 10_000) {
      reportedAt = Date.now()
      tell(`waiting: ${count.open} open, ${count.inbound} of ${options.inbound} inbound`)
    }
    if (Date.now() > deadline) return
    await Bun.sleep(250)
  }
}

function arrivals(sandbox: WhatsAppSandbox, setups: Setup[]): number {
  return setups.flatMap(({ contacts }) => contacts).reduce((sum, contact) => sum + sandbox.inbox(contact).length, 0)
}

function watchForStalls(look: () => number) {
  let last = look()
  let since = performance.now()
  let longest = 0
  const check = () => {
    const now = performance.now()
    longest = Math.max(longest, now - since)
    const count = look()
    if (count === last) return
    last = count
    since = now
  }
  const timer = setInterval(check, 250)
  return {
    end: () => {
      clearInterval(timer)
      return Math.round(longest)
    },
  }
}

/** Receipts arrive for a while after the last message. @returns how many never came */
async function untilConfirmed(deps: Deps, deadline: number): Promise<number> {
  for (;;) {
    const unconfirmed = await insist(async () => {
      const [row] = await deps.database.sql<{ count: number }[]>`
        select count(*)::int as count from messages where direction = 'out' and status = 'sent'`
      return row?.count ?? -1
    })
    if (unconfirmed === 0 || Date.now() > deadline) return unconfirmed
    await Bun.sleep(250)
  }
}

type Row = { status: string; direction: string; body: string }

async function judge(deps: Deps, sandbox: WhatsAppSandbox, setups: Setup[], options: SoakOptions) {
  const sql = postgres(deps.config.database.kind === 'external' ? deps.config.database.url : '', { max: 1 })
  // The database may have been killed a moment ago.
  const all = await insist(() => sql<Row[]>`select status, direction, body from messages order by id`)
  await sql.end()
  const rows: Record<string, number> = {}
  for (const { status } of all) rows[status] = (rows[status] ?? 0) + 1
  const arrived = new Map<string, string[]>()
  const disordered: string[] = []
  let undecryptable = 0
  for (const { phone, contacts } of setups) {
    undecryptable += sandbox.undecryptable(phone).length
    for (const contact of contacts) {
      const inOrder: string[] = []
      for (const delivery of sandbox.inbox(contact)) {
        const text = textOf(delivery.message)
        if (!arrived.has(text)) inOrder.push(text)
        arrived.set(text, [...(arrived.get(text) ?? []), delivery.id])
      }
      if (inOrder.some((text, index) => index > 0 && text < (inOrder[index - 1] ?? ''))) disordered.push(contact)
    }
  }
  const sent = all.filter(
    ({ direction, status }) => direction === 'out' && ['sent', 'delivered', 'read'].includes(status),
  )
  const repeated = [...arrived].flatMap(([text, ids]) => (ids.length > 1 ? [{ text, ids }] : []))
  const received = all.filter(({ direction }) => direction === 'in').map(({ body }) => body)
  const wanted = Array.from({ length: options.inbound }, (_, index) => inText(index % setups.length, index))
  const unique = new Set(received)
  return {
    rows,
    lost: sent.filter(({ body }) => !arrived.has(body)).map(({ body }) => body),
    repeated,
    doubled: repeated.filter(({ ids }) => new Set(ids).size > 1).map(({ text }) => text),
    disordered,
    inbound: {
      sent: options.inbound,
      rows: received.length,
      missing: wanted.filter((text) => !unique.has(text)).length,
      doubled: received.length - unique.size,
    },
    undecryptable,
  }
}

function textOf(message: proto.IMessage): string {
  return message.conversation || message.extendedTextMessage?.text || ''
}
