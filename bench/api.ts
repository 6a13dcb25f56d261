import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import type { Sql, TransactionSql } from 'postgres'
import { audit, within } from '../src/domain/context.ts'
import { createQueueBackend } from '../src/jobs/backend.ts'
import { createLogger } from '../src/lib/log.ts'
import { signTwilioRequest } from '../src/sandbox/carrier/signature.ts'
import { createTestApi } from '../test/support/api.ts'
import { fillBigBusiness } from '../test/support/big-business.ts'
import { runCleanups } from '../test/support/cleanup.ts'
import { createTestDatabase } from '../test/support/postgres.ts'
import { startRedis } from '../test/support/redis.ts'
import { startTestServer } from '../test/support/server.ts'
import { recordStatements, replayStatements, type Statement } from '../test/support/statements.ts'

/**
 * The API beside its floors, in one run: `bun bench/api.ts [--calls 300] [--subscribers 100] [--seconds 4] [--only lists]`.
 * Procedures on a million messages beside their bare SQL; the delay from commit to subscriber; durable webhooks beside a bare
 * `Queue.add` behind Bun.serve. Everything runs in one process, including the load.
 */
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '300' },
    subscribers: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
})

const wanted = (part: string) => values.only === undefined || values.only === part

function summary(samples: number[]) {
  const sorted = samples.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), max: at(1) }
}

const ms = (value: number) => `${value.toFixed(2)} ms`.padStart(11)

async function time(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await run()
  return performance.now() - started
}

async function benchLists() {
  const api = await createTestApi()
  console.log('filling a million messages …')
  await fillBigBusiness(api)
  const threads = await api.database.sql<{ contact_id: string }[]>`
    select contact_id from conversations where business_id = ${api.businessId} order by id limit 1000`
  const contactOf = (index: number) => threads[(index * 37) % threads.length]?.contact_id ?? ''
  const caller = api.as({})
  const cases: [string, (index: number) => Promise<unknown>][] = [
    ['messages.list', () => caller.messages.list({})],
    ['messages.list of a contact', (index) => caller.messages.list({ contactId: contactOf(index) })],
    ['conversations.list', () => caller.conversations.list({ status: 'open' })],
    ['conversations.timeline', (index) => caller.conversations.timeline({ contactId: contactOf(index) })],
    ['leads.board', () => caller.leads.board({ perStage: 20 })],
    ['search.all by words', (index) => caller.search.all({ q: `word${index % 5000} הודעה` })],
    ['search.all by number', (index) => caller.search.all({ q: `050${String(index * 13).padStart(7, '0')}` })],
  ]
  console.log(
    `${'procedure'.padEnd(28)}${'p50'.padStart(11)}${'p99'.padStart(11)}   bare SQL${'p99'.padStart(9)}   ratio of p99`,
  )
  for (const [name, run] of cases) {
    const ours: number[] = []
    const floor: number[] = []
    for (let index = 0; index < Number(values.calls); index += 1) {
      const statements = await recordStatements(api.database.sql, () => run(index))
      ours.push(await time(() => run(index)))
      floor.push(await time(() => replayStatements(api.database.sql, statements, send)))
    }
    const [a, b] = [summary(ours), summary(floor)]
    console.log(`${name.padEnd(28)}${ms(a.p50)}${ms(a.p99)}${ms(b.p50)}${ms(b.p99)}   ${(a.p99 / b.p99).toFixed(2)}`)
  }
  await api.close()
}

/** The same statement through the driver alone. */
const send = (on: Sql | TransactionSql, { query, params }: Statement) =>
  on.unsafe(query, params as never[], { prepare: true })

async function benchEvents() {
  const database = await createTestDatabase()
  const web = await startTestServer(database.url)
  const key = await web.key('read')
  const count = Number(values.subscribers)
  const heard = new Map<string, number[]>()
  const abort = new AbortController()
  const open = Array.from({ length: count }, async () => {
    const response = await fetch(`${web.url}/trpc/events.stream`, {
      headers: { Authorization: `Bearer ${key}`, Accept: 'text/event-stream' },
      signal: abort.signal,
    })
    if (!response.ok || !response.body) throw new Error(`The stream answered ${response.status}.`)
    return response.body
  })
  const bodies = await Promise.all(open)
  const reading = bodies.map(async (stream) => {
    const decoder = new TextDecoder()
    try {
      for await (const chunk of stream)
        for (const match of decoder.decode(chunk, { stream: true }).matchAll(/"entityId":"(bench-\d+)"/g))
          heard.get(match[1] ?? '')?.push(performance.now())
    } catch (error) {
      if (!abort.signal.aborted) throw error
    }
  })
  await Bun.sleep(1_000)
  const ctx = within(web.deps.ctx, web.businessId)
  const latencies: number[] = []
  for (let index = 0; index < 40; index += 1) {
    const id = `bench-${index}`
    const at: number[] = []
    heard.set(id, at)
    await ctx.db.transaction((tx) => audit(tx, ctx, { action: 'bench.event', entity: 'bench', entityId: id }))
    const committed = performance.now()
    for (const deadline = Date.now() + 5_000; at.length < count && Date.now() < deadline; ) await Bun.sleep(2)
    if (at.length < count) throw new Error(`Only ${at.length} of ${count} subscribers heard of event ${index}.`)
    latencies.push(...at.map((moment) => Math.max(0, moment - committed)))
    await Bun.sleep(20)
  }
  const { p50, p99, max } = summary(latencies)
  console.log(`\n${count} subscribers, from commit to arrival: p50 ${ms(p50)}  p99 ${ms(p99)}  slowest ${ms(max)}`)
  abort.abort()
  await Promise.all(reading)
  await web.stop()
  await database.drop()
}

async function benchIngest() {
  const database = await createTestDatabase()
  const redis = await startRedis()
  const token = randomBytes(16).toString('hex')
  const web = await startTestServer(database.url, {
    REDIS_URL: redis.url,
    TWILIO_ACCOUNT_SID: `AC${randomBytes(16).toString('hex')}`,
    TWILIO_AUTH_TOKEN: token,
  })
  const path = '/webhook/whatsapp/twilio'
  let counter = 0
  const webhook = async () => {
    counter += 1
    const fields = {
      MessageSid: `SM${String(counter).padStart(32, '0')}`,
      From: 'whatsapp:+972501234567',
      To: 'whatsapp:+14155238886',
      Body: 'שלום, אפשר לקבוע תור?',
      NumMedia: '0',
    }
    const response = await fetch(`${web.url}${path}`, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': signTwilioRequest(token, `${web.deps.config.publicBaseUrl}${path}`, fields) },
      body: new URLSearchParams(fields),
    })
    if (response.status !== 204) throw new Error(`The webhook answered ${response.status}.`)
  }

  const backend = await createQueueBackend({ kind: 'redis', url: redis.url }, { logger: createLogger('silent') })
  const queue = backend.openQueue('recordings')
  const bare = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      await queue.add('bare', Object.fromEntries(new URLSearchParams(await request.text())))
      return new Response(null, { status: 204 })
    },
  })
  const floor = async () => {
    const body = new URLSearchParams({
      MessageSid: 'SM',
      From: '+972501234567',
      To: '+1',
      Body: 'שלום, אפשר לקבוע תור?',
    })
    await fetch(bare.url, { method: 'POST', body })
  }
  const seconds = Number(values.seconds)
  await flood(webhook, 1)
  await flood(floor, 1)
  const ours = await flood(webhook, seconds)
  const theirs = await flood(floor, seconds)
  console.log(
    `\ndurable webhooks ${Math.round(ours)}/s, bare Queue.add behind Bun.serve ${Math.round(theirs)}/s, ratio ${(ours / theirs).toFixed(2)} (the load runs in the same process)`,
  )
  await bare.stop(true)
  await queue.close()
  await backend.close()
  await web.stop()
  await redis.dispose()
  await database.drop()
}

/** With 64 concurrent callers. @returns calls per second */
async function flood(run: () => Promise<unknown>, seconds: number): Promise<number> {
  const started = performance.now()
  const until = started + seconds * 1_000
  let done = 0
  await Promise.all(
    Array.from({ length: 64 }, async () => {
      while (performance.now() < until) {
        await run()
        done += 1
      }
    }),
  )
  return done / ((performance.now() - started) / 1_000)
}

if (import.meta.main) {
  try {
    if (wanted('events')) await benchEvents()
    if (wanted('ingest')) await benchIngest()
    if (wanted('lists')) await benchLists()
  } finally {
    await runCleanups()
  }
  process.exit(0)
}
