import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createDeps, type Deps } from '../../../src/composition/deps.ts'
import { type Config, loadConfig } from '../../../src/config.ts'
import { findFreePort } from '../../../src/lib/net.ts'
import { setUp } from '../../../src/processes/setup.ts'
import { decideAt, paymentEnvironment, startPaymentServers, until } from '../../support/payments.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { randomNumbers, withSeed } from '../../support/seed.ts'

/** How a customer behaves depends on the number by 2, 4, 5, 10 and 17: each combination comes once. */
const PAYMENTS = 200
const BUYERS = 24
const PATIENCE_MS = 60_000
const KILLS = 12
/** At the longest: the slower the machine, the longer between two kills. */
const KILLING_MS = 60_000
const ROOT = join(import.meta.dir, '../../..')

let database: TestDatabase
let servers: ReturnType<typeof startPaymentServers>
let environment: Record<string, string>
let config: Config
let deps: Deps
let url: string

beforeAll(async () => {
  database = await createTestDatabase()
  const port = await findFreePort('127.0.0.1')
  url = `http://127.0.0.1:${port}`
  servers = startPaymentServers(`${url}/webhook/paypal`)
  const { paypal, tranzila } = servers
  environment = {
    ...paymentEnvironment({ port, databaseUrl: database.url, paypalUrl: paypal.url, tranzilaUrl: tranzila.url }),
    LOG_LEVEL: 'fatal',
    WEB_CONCURRENCY: '2',
    PATH: '/usr/bin:/bin',
  }
  config = loadConfig(environment)
  await setUp(config)
  deps = await createDeps(config, 'cli')
}, 60_000)
afterAll(async () => {
  await deps.close()
  await servers.close()
  await database.drop()
})

/** Processes of the product that the test kills all the time. */
function startVictims(files: string[], random: () => number) {
  let kills = 0
  let over = false
  const victims = files.map((file) => {
    const victim: { child: Bun.Subprocess | null; ready: Promise<void> } = { child: null, ready: Promise.resolve() }
    const spawn = () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      victim.ready = promise
      victim.child = Bun.spawn([process.execPath, join(ROOT, file)], {
        cwd: ROOT,
        env: environment,
        stdio: ['ignore', 'ignore', 'inherit'],
        serialization: 'json',
        ipc: () => resolve(),
        onExit: () => {
          if (!over) spawn()
        },
      })
    }
    spawn()
    return victim
  })
  return {
    ready: () => Promise.all(victims.map(({ ready }) => ready)),
    async halfReady() {
      for (const kind of new Set(files))
        await Promise.race(victims.filter((_, i) => files[i] === kind).map((v) => v.ready))
    },
    kill() {
      const victim = victims[Math.floor(random() * victims.length)]
      victim?.child?.kill('SIGKILL')
      kills += 1
    },
    get kills() {
      return kills
    },
    async end() {
      over = true
      for (const { child } of victims) child?.kill('SIGKILL')
      await Promise.all(victims.map(({ child }) => child?.exited))
    },
  }
}

/** A client that tries again until it has an answer, as every real one does. */
async function insist(path: string, init: RequestInit): Promise<Response> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await Bun.sleep(200)) {
    try {
      const response = await fetch(url + path, { ...init, redirect: 'manual', signal: AbortSignal.timeout(20_000) })
      if (response.status < 500) return response
      await response.text()
    } catch (error) {
      // The server died under it.
      if (Date.now() > deadline) throw error
    }
    if (Date.now() > deadline) throw new Error(`${path} got no answer.`)
  }
}

async function press(id: string): Promise<string | null> {
  const response = await insist(`/pay/${id}/checkout`, { method: 'POST', body: '' })
  await response.text()
  expect(response.status).toBe(303)
  const target = new URL(response.headers.get('location') ?? '', url).href
  return target.startsWith(url) ? null : target
}

type Outcome = { id: string; wantsRefund: boolean; walkedAway: boolean }

/** One customer: is asked, presses, pays; some walk away, some are refused first, some change their mind. */
async function live(number: number): Promise<Outcome> {
  const provider = number % 2 === 0 ? 'paypal' : 'tranzila'
  const key = { authorization: `Bearer ${environment.API_KEY}`, 'content-type': 'application/json' }
  const made = await insist('/api/payments', {
    method: 'POST',
    headers: key,
    body: JSON.stringify({
      contact: `+97250${String(2_000_000 + number)}`,
      amount: 100 + ((number * 7_919) % 90_000),
      description: `Soak ${number}`,
      provider,
      idempotencyKey: `soak-${number}`,
    }),
  })
  const { id } = (await made.json()) as { id: string }
  const outcome = { id, wantsRefund: provider === 'paypal' && number % 10 === 0, walkedAway: number % 17 === 0 }
  let page = await press(id)
  if (outcome.walkedAway) return outcome
  if (provider === 'tranzila' && number % 5 === 0 && page) {
    await decideAt(page, 'decline')
    page = await press(id)
  }
  if (page) await decideAt(page, provider === 'paypal' ? 'approve' : 'pay')
  // Half of them close the browser instead of coming back.
  if (number % 4 < 2) await (await insist(`/pay/${id}/return`, {})).text()
  return outcome
}

test(
  `${PAYMENTS} payments while web and workers are killed at random: both books agree to the agora`,
  withSeed(async (seed) => {
    const random = randomNumbers(seed)
    const { paypal, tranzila } = servers
    const victims = startVictims(
      ['src/processes/web-server.ts', 'src/processes/web-server.ts', 'workers/crm.ts', 'workers/crm.ts'],
      random,
    )
    await victims.ready()
    for (const operation of ['orders.create', 'orders.capture', 'orders.get', 'captures.refund', 'token'] as const) {
      paypal.faults.add({ operation, rate: 0.08, effect: { kind: 'response_lost' } })
      paypal.faults.add({ operation, rate: 0.04, effect: { kind: 'http_error', status: 503 } })
    }
    paypal.faults.add({ operation: 'orders.capture', rate: 0.05, effect: { kind: 'declined' } })
    paypal.faults.add({
      operation: 'orders.capture',
      rate: 0.06,
      effect: { kind: 'capture_pending', outcome: 'completed', afterMs: 3_000 },
    })
    paypal.faults.add({
      operation: 'orders.capture',
      rate: 0.04,
      effect: { kind: 'capture_pending', outcome: 'denied', afterMs: 3_000 },
    })
    for (const operation of ['handshake', 'report'] as const)
      tranzila.faults.add({ operation, rate: 0.08, effect: { kind: 'response_lost' } })
    for (const { faults } of [paypal, tranzila]) {
      faults.add({ operation: 'webhook', rate: 0.15, effect: { kind: 'webhook_lost' } })
      faults.add({ operation: 'webhook', rate: 0.15, effect: { kind: 'webhook_duplicated', times: 3 } })
      faults.add({ operation: 'webhook', rate: 0.1, effect: { kind: 'webhook_delayed', ms: 4_000 } })
    }

    let killing = true
    const killer = (async () => {
      for (const end = Date.now() + KILLING_MS; killing && victims.kills < KILLS && Date.now() < end; ) {
        await Bun.sleep(300 + random() * 900)
        if (killing) victims.kill()
        // On a slow machine a start takes longer than a life: half of the victims stay up while the others come back.
        await victims.halfReady()
      }
    })()
    const started = performance.now()
    const outcomes: Outcome[] = []
    let next = 0
    await Promise.all(
      Array.from({ length: BUYERS }, async () => {
        while (next < PAYMENTS) {
          next += 1
          outcomes.push(await live(next))
        }
      }),
    )
    const refunds = outcomes.filter(({ wantsRefund, walkedAway }) => wantsRefund && !walkedAway)
    await Promise.all(
      refunds.map(async ({ id }) => {
        // Not paid yet, or never (409), is an answer too.
        const answer = await insist(`/api/payments/${id}/refund`, {
          method: 'POST',
          headers: { authorization: `Bearer ${environment.API_KEY}` },
        })
        await answer.text()
      }),
    )
    killing = false
    await killer
    await victims.ready()
    const busySeconds = (performance.now() - started) / 1_000
    for (const { faults } of [paypal, tranzila]) faults.clear()

    // Hours pass: what was not reported comes up in the sweep.
    const entries = () => [...paypal.ledger.entries, ...tranzila.ledger.entries]
    const sumOf = (kind: string) =>
      entries()
        .filter((entry) => entry.kind === kind && entry.status === 'completed')
        .reduce((total, { amount }) => total + amount, 0)
    const { sql } = deps.database
    const counted = async (kind: string) => {
      const [row] = await sql<{ amount: string }[]>`
      select coalesce(sum(amount), 0)::text as amount from payment_transactions where counted and kind = ${kind}`
      return Number(row?.amount)
    }
    let lastTravel = 0
    await until(async () => {
      if (Date.now() - lastTravel > 4_000) {
        lastTravel = Date.now()
        await sql`update payments set next_check_at = now() where next_check_at is not null`
        await sql`update payments set updated_at = now() - interval '1 hour' where receipt = 'due'`
        await deps.producer.enqueue('payment.sweep', {})
      }
      await Bun.sleep(300)
      const [left] = await sql<{ n: number }[]>`
      select count(*)::int as n from payments where receipt = 'due'
        or exists (select from payment_transactions t where t.payment_id = payments.id and t.status = 'pending')`
      // What a vendor still decides would be charged behind our back.
      if (entries().some(({ status }) => status === 'pending')) return false
      return (
        left?.n === 0 && (await counted('charge')) === sumOf('charge') && (await counted('refund')) === sumOf('refund')
      )
    }, 90_000)
    await victims.end()

    const rows = await sql<
      { id: string; state: string; amount: string; refunded: string; paid: number; receipts: number }[]
    >`
    select id, state, amount::text, refunded_amount::text as refunded,
      (select count(*)::int from payment_events e where e.payment_id = p.id and e.kind = 'payment.paid') as paid,
      (select count(*)::int from messages m where m.idempotency_key = 'payment-receipt-' || p.id) as receipts
    from payments p`
    expect(rows).toHaveLength(PAYMENTS)
    for (const row of rows) {
      const taken = entries().filter((e) => e.reference === row.id && e.kind === 'charge' && e.status === 'completed')
      const given = entries().filter((e) => e.reference === row.id && e.kind === 'refund' && e.status === 'completed')
      const isPaid = row.state === 'paid' || row.state === 'refunded'
      expect(taken.map(({ amount }) => amount)).toEqual(isPaid ? [Number(row.amount)] : [])
      expect(given.map(({ amount }) => amount)).toEqual(row.state === 'refunded' ? [Number(row.amount)] : [])
      expect([row.paid, row.receipts]).toEqual(isPaid ? [1, 1] : [0, 0])
    }
    const states = Object.groupBy(rows, ({ state }) => state)
    const counts = Object.entries(states).map(([state, list]) => `${list?.length} ${state}`)
    console.log(
      `soak: ${counts.join(', ')}; ${victims.kills} kills in ${busySeconds.toFixed(0)} s; ` +
        `${(sumOf('charge') / 100).toFixed(2)} taken, ${(sumOf('refund') / 100).toFixed(2)} given back, in both books`,
    )
    expect(victims.kills).toBeGreaterThan(10)
    expect((states.paid?.length ?? 0) + (states.refunded?.length ?? 0)).toBeGreaterThan(PAYMENTS * 0.7)
  }),
  300_000,
)
