import { appendFileSync, chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { z } from 'zod'
import { adminUrl, readConnection } from '../../db/embedded-files.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import { startModelServer } from '../../src/sandbox/models/server.ts'
import { machineEnvironment } from '../../test/support/product-process.ts'
import { AUTH_TOKEN, onCore, PUBLIC, RELAY_CORE } from '../voice/relays.ts'
import { type Account, account } from './processes.ts'

export const QUEUES = ['redis', 'postgres'] as const
export type Queue = (typeof QUEUES)[number]

export const NUMBER = '+97233760000'
const CALLER = '+972501234567'
const ROOT = join(import.meta.dir, '../..')
const READY_MS = 90_000
const STOP_MS = 60_000

export type Statement = { query: string; calls: number; totalMs: number; rows: number }

/** The product as `./start_all.sh` brings it up, on a directory of its own, with its database and its queue. */
export type Installation = {
  port: number
  account(): Account
  /** Announces a call. @returns the token of its stream @throws Error when it is not connected to one */
  announce(callSid: string): Promise<string>
  /** The carrier's last word on a call. */
  completed(callSid: string): Promise<void>
  /** Samples of a metric of the product, by their labels. */
  metric(name: string): Promise<number>
  /** What its database was asked since the last reset, the costliest first. */
  statements(): Promise<Statement[]>
  resetStatements(): Promise<void>
  stop(): Promise<void>
}

const SUMMARY = JSON.stringify({
  ...{
    summary: 'The caller wants to sell an apartment in Haifa. It has three and a half rooms.',
    sentiment: 'neutral',
  },
  ...{
    name: null,
    inquiry: 'Sell an apartment',
    area: 'Haifa',
    budget: null,
    callback_time: null,
    next_step: 'Call back',
  },
})

const statementRow = z.object({ query: z.string(), calls: z.number(), totalMs: z.number(), rows: z.number() })

/** @param oneCore everything of it shares one core */
export async function startInstallation(queue: Queue, enginePort: number, oneCore: boolean): Promise<Installation> {
  const dataDir = mkdtempSync(join(tmpdir(), 'agentlocator-whole-'))
  // The database runs as an ordinary user.
  chmodSync(dataDir, 0o755)
  const port = await findFreePort('127.0.0.1')
  const core = oneCore ? onCore(RELAY_CORE) : []
  const redis = queue === 'redis' ? await startRedis(dataDir, core) : null
  // Not of the installation: a model that answers at once.
  const model = startModelServer({ plan: { rules: [{ steps: [{ say: SUMMARY }] }] } })
  const env = {
    ...machineEnvironment(),
    DATA_DIR: dataDir,
    HOST: '127.0.0.1',
    PORT: String(port),
    PUBLIC_BASE_URL: PUBLIC,
    SANDBOX: '0',
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: AUTH_TOKEN,
    SPEECH_ENGINE: 'openai-realtime',
    OPENAI_API_KEY: 'bench',
    TEXT_MODEL: 'compatible:summaries',
    COMPATIBLE_BASE_URL: model.baseUrl,
    OPENAI_REALTIME_URL: `ws://127.0.0.1:${enginePort}/v1/realtime`,
    BUSINESS_LANGUAGE: 'en',
    METRICS_TOKEN: 'metrics-of-the-bench',
    MAX_CONCURRENT_CALLS: '100000',
    LOG_LEVEL: 'warn',
    ...(redis ? { REDIS_URL: redis.url } : {}),
  }
  let child = await startAll(env, core)
  // The embedded server keeps what it was asked only when that is set before it starts.
  await stopAll(child)
  const connection = readConnection(dataDir)
  if (!connection) throw new Error('The installation has no embedded database.')
  appendFileSync(
    join(connection.clusterDirectory, 'postgresql.auto.conf'),
    "shared_preload_libraries = 'pg_stat_statements'\n",
  )
  child = await startAll(env, core)
  const admin = postgres(adminUrl(readConnection(dataDir) ?? connection, 'agentlocator'), {
    max: 1,
    onnotice: () => {},
  })
  await admin`create extension if not exists pg_stat_statements`
  const postmaster = Number(readFileSync(join(connection.clusterDirectory, 'postmaster.pid'), 'utf8').split('\n')[0])
  const roots = [child.pid, postmaster, ...(redis ? [redis.pid] : [])]

  async function post(path: string, fields: Record<string, string>): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': signTwilioRequest(AUTH_TOKEN, PUBLIC + path, fields) },
      body: new URLSearchParams(fields),
      signal: AbortSignal.timeout(10_000),
    })
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`)
    return answer.text()
  }

  return {
    port,
    account: () => account(roots),
    async announce(callSid) {
      const twiml = await post('/webhook/incoming_call', { CallSid: callSid, From: CALLER, To: NUMBER })
      const token = /name="token" value="([^"]*)"/.exec(twiml)?.[1]
      if (!token) throw new Error(`The call was not connected to a stream: ${twiml}`)
      return token
    },
    async completed(callSid) {
      await post('/webhook/call_status', { CallSid: callSid, CallStatus: 'completed', From: CALLER, To: NUMBER })
    },
    async metric(name) {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`, {
        headers: { Authorization: `Bearer ${env.METRICS_TOKEN}` },
      })
      const lines = (await answer.text())
        .split('\n')
        .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
    },
    async statements() {
      const rows = await admin`
        select query, calls::int, total_exec_time::float8 as "totalMs", rows::int from pg_stat_statements
        order by total_exec_time desc`
      return z.array(statementRow).parse([...rows])
    },
    async resetStatements() {
      await admin`select pg_stat_statements_reset()`
    },
    async stop() {
      await admin.end()
      await stopAll(child)
      await model.close()
      await redis?.stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

async function startAll(env: Record<string, string>, core: readonly string[]) {
  const child = Bun.spawn([...core, './start_all.sh'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  const { promise: up, resolve, reject } = Promise.withResolvers<void>()
  const collect = async () => {
    const decoder = new TextDecoder()
    for await (const chunk of child.stdout) {
      output += decoder.decode(chunk, { stream: true })
      if (output.includes('AgentLocator is up.')) resolve()
    }
    reject(new Error(`The installation ended: ${output.slice(-2_000)}`))
  }
  // An end after the start is ours.
  up.catch(() => {})
  void collect()
  const timer = setTimeout(() => reject(new Error(`Not up in time: ${output.slice(-2_000)}`)), READY_MS)
  try {
    await up
  } finally {
    clearTimeout(timer)
  }
  return child
}

async function stopAll(child: Bun.Subprocess): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await child.exited
  clearTimeout(timer)
}

/** Durable, as the documentation asks for. */
async function startRedis(dataDir: string, core: readonly string[]) {
  const port = await findFreePort('127.0.0.1')
  const child = Bun.spawn(
    [
      ...core,
      'redis-server',
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dataDir, '--save', ''],
      ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--loglevel', 'warning'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: child.pid,
    async stop() {
      child.kill()
      await child.exited
    },
  }
}
