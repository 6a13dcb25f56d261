import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createQueueBackend } from '../../src/jobs/backend.ts'
import { createProducer, type Producer } from '../../src/jobs/producer.ts'
import { createLogger } from '../../src/lib/log.ts'
import type { FaultInput } from '../../src/sandbox/carrier/faults.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'
import { quietFor } from '../support/wait.ts'

const LONG_MS = 60_000
const log = createLogger('silent')

/** Where faults of the carrier are met. */
let product: Product
/** Where workers die and jobs are lost. */
let fragile: Product

beforeAll(async () => {
  const quick = { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } }
  ;[product, fragile] = await Promise.all([
    startProduct({ queue: 'redis', carrier: quick }),
    startProduct({ queue: 'postgres', carrier: quick }),
  ])
})
afterAll(async () => {
  await Promise.all([product.stop(), fragile.stop()])
})

type MessageRow = { status: string; provider_message_id: string | null } & Record<string, unknown>

let last = 0
/** A recipient of this test alone, so that tests may run side by side. */
const recipient = () => `+97250${(7_000_000 + ++last).toString()}`

const sendTo = async (where: Product, to: string, text = `to ${to}`) => {
  const answer = (await (await where.send({ to, text, provider: 'twilio' })).json()) as { id: string; success: boolean }
  expect(answer.success).toBe(true)
  return answer.id
}

const rowOf = async (where: Product, id: string) => {
  const [row] = await where.sql<MessageRow[]>`select * from messages where id = ${id}`
  if (!row) throw new Error('The message is gone.')
  return row
}

const settled = (where: Product, id: string, statuses: string[], ms = 50_000) =>
  eventually(
    async () => {
      const row = await rowOf(where, id)
      return statuses.includes(row.status) && row
    },
    `the message to be ${statuses.join(' or ')}`,
    ms,
  )

/** What the recipient's phone got. */
const arrived = (where: Product, to: string) =>
  [...where.carrier.messages.values()].filter((message) => message.to === `whatsapp:${to}`)

const LOST_ANSWER = { kind: 'response_lost' } as const
const NO_CALLBACKS = { kind: 'callbacks_lost' } as const
const refusal = (status: number, code: number) => ({ kind: 'http_error', status, code, message: 'Injected' }) as const

test.concurrent.each([
  ['too many requests', [refusal(429, 20429)], 2],
  ['a server error before it was taken', [refusal(500, 20500)], 2],
  ['a server error, and then too many requests', [refusal(503, 20503), refusal(429, 20429)], 2],
  ['an answer that was lost, reported by the callbacks', [LOST_ANSWER], 1],
  ['an answer that was lost, and all callbacks with it', [LOST_ANSWER, NO_CALLBACKS], 1],
  ['callbacks that are lost', [NO_CALLBACKS], 1],
  ['callbacks in the wrong order', [{ kind: 'callbacks_reversed' }], 1],
  ['callbacks repeated five times', [{ kind: 'callbacks_duplicated', times: 5 }], 1],
  ['callbacks that are faster than the answer', [{ kind: 'response_delayed', ms: 1_500 }], 1],
] as [string, FaultInput['effect'][], number][])(
  '%s: the message arrives exactly once',
  async (_, effects) => {
    const to = recipient()
    for (const effect of effects) product.carrier.faults.add({ to: `whatsapp:${to}`, times: 1, effect })
    const id = await sendTo(product, to)
    const quiet = effects.some((effect) => effect.kind === 'callbacks_lost')
    const row = await settled(product, id, quiet ? ['sent'] : ['read'])
    const far = arrived(product, to)
    expect(far).toHaveLength(1)
    expect(row.provider_message_id).toBe(far[0]?.sid ?? '')
    expect(row.error_code).toBeNull()
    expect(row.sent_at).not.toBeNull()
    // What comes late changes nothing more.
    await quietFor(quiet ? 300 : 2_000, 'a late status would have changed the message')
    expect((await rowOf(product, id)).status).toBe(row.status)
    expect(arrived(product, to)).toHaveLength(1)
  },
  LONG_MS,
)

test.concurrent.each([
  ['an invalid recipient', refusal(400, 21211), '21211'],
  ['a recipient without WhatsApp', refusal(400, 63024), '63024'],
  ['a window that is closed', { kind: 'delivery_failure', status: 'undelivered', errorCode: 63016 }, '63016'],
  ['a failure on the way', { kind: 'delivery_failure', status: 'failed', errorCode: 30008 }, '30008'],
] as [string, FaultInput['effect'], string][])(
  '%s: failed with the carrier’s code, tried once',
  async (_, effect, code) => {
    const to = recipient()
    product.carrier.faults.add({ to: `whatsapp:${to}`, effect })
    const row = await settled(product, await sendTo(product, to), ['failed'])
    expect(row.error_code).toBe(code)
    expect(row.attempts).toBe(1)
    expect(row.failed_at).not.toBeNull()
  },
  LONG_MS,
)

test.concurrent('update by hand: none moves a message backwards, only signed update count', async () => {
  const to = recipient()
  product.carrier.faults.add({ to: `whatsapp:${to}`, effect: NO_CALLBACKS })
  const id = await sendTo(product, to)
  const { provider_message_id: sid } = await settled(product, id, ['sent'])
  const tell = async (status: string, mode: 'right' | 'wrong' | 'none' = 'right') => {
    const fields = { MessageSid: sid ?? '', MessageStatus: status, To: `whatsapp:${to}` }
    return (await product.post(`/webhook/whatsapp/status?message=${id}`, fields, mode)).status
  }
  expect([await tell('read', 'wrong'), await tell('read', 'none')]).toEqual([403, 403])
  await quietFor(100, 'the unsigned status would have counted')
  expect((await rowOf(product, id)).status).toBe('sent')
  expect(await tell('delivered')).toBe(204)
  await settled(product, id, ['delivered'])
  for (const status of ['queued', 'sent', 'failed', 'undelivered', 'nonsense']) expect(await tell(status)).toBe(204)
  await quietFor(300, 'an earlier status would have replaced a later one')
  expect((await rowOf(product, id)).status).toBe('delivered')
  expect(await tell('read')).toBe(204)
  await settled(product, id, ['read'])
  expect(await tell('delivered')).toBe(204)
  await quietFor(150, 'an earlier status would have replaced a later one')
  expect(await rowOf(product, id)).toMatchObject({ status: 'read', error_code: null })
})

test.concurrent('status of an unknown message dropped, or of another message, change nothing', async () => {
  const to = recipient()
  product.carrier.faults.add({ to: `whatsapp:${to}`, effect: NO_CALLBACKS })
  const id = await sendTo(product, to)
  const before = await settled(product, id, ['sent'])
  const other = `SM${'9'.repeat(32)}`
  // Our row has its provider's id already: a callback that names the row but another message is not about it.
  for (const path of [
    `/webhook/whatsapp/status?message=${id}`,
    '/webhook/whatsapp/status',
    '/webhook/whatsapp/status?message=x',
  ])
    expect((await product.post(path, { MessageSid: other, MessageStatus: 'failed' })).status).toBe(204)
  await quietFor(300, 'the status of another message would have counted')
  expect(await rowOf(product, id)).toMatchObject({ status: 'sent', provider_message_id: before.provider_message_id })
})

test.concurrent(
  'a worker killed while it sends: another one finds out what became of the message, and does not send it again',
  async () => {
    const cases = [
      { to: recipient(), effects: [{ kind: 'response_delayed', ms: 20_000 }, NO_CALLBACKS] },
      { to: recipient(), effects: [{ kind: 'response_delayed', ms: 20_000 }] },
    ] as { to: string; effects: FaultInput['effect'][] }[]
    const ids: string[] = []
    for (const { to, effects } of cases) {
      for (const effect of effects) fragile.carrier.faults.add({ to: `whatsapp:${to}`, times: 1, effect })
      ids.push(await sendTo(fragile, to))
    }
    await eventually(() => cases.every(({ to }) => arrived(fragile, to).length === 1), 'both messages at the carrier')
    const [worker] = fragile.workersOf('whatsapp')
    worker?.kill('SIGKILL')
    await worker?.exited
    expect((await rowOf(fragile, ids[0] ?? '')).status).toBe('sending')
    await fragile.startWorker('whatsapp')
    for (const [index, { to }] of cases.entries()) {
      const row = await settled(fragile, ids[index] ?? '', ['sent', 'read'])
      expect(arrived(fragile, to)).toHaveLength(1)
      expect(row.provider_message_id).toBe(arrived(fragile, to)[0]?.sid ?? '')
    }
  },
  LONG_MS,
)

test('a job that was lost is queued again by the sweep; a job too many sends nothing twice', async () => {
  const { producer, close } = await openProducer(fragile)
  try {
    const [worker] = fragile.workersOf('whatsapp')
    worker?.kill('SIGSTOP')
    const to = recipient()
    const id = await sendTo(fragile, to)
    const queue = producer.queues.find((each) => each.name.includes('whatsapp'))
    const job = await eventually(() => queue?.getJob(id), 'the job')
    await job.remove()
    worker?.kill('SIGCONT')
    await quietFor(400, 'the message whose job was removed would have been sent')
    expect((await rowOf(fragile, id)).status).toBe('queued')
    // A minute and a half later.
    await fragile.sql`update messages set updated_at = now() - interval '2 minutes' where id = ${id}`
    await producer.enqueue('maintenance.sweep', {})
    const row = await settled(fragile, id, ['read'], 15_000)
    expect(row.requeues).toBe(1)
    for (let time = 0; time < 5; time += 1)
      await producer.enqueue('whatsapp.send', { businessId: fragile.businessId, messageId: id })
    await quietFor(500, 'the message would have been sent twice')
    expect(arrived(fragile, to)).toHaveLength(1)
  } finally {
    await close()
  }
}, 30_000)

test(
  'a queue that is away: the message is safe in its row, and is sent when the queue is back',
  async () => {
    const redis = product.redis
    if (!redis) throw new Error('There is no Redis.')
    const to = recipient()
    await redis.halt()
    const started = performance.now()
    const response = await product.send({ to, text: 'safe', provider: 'twilio' })
    expect(response.status).toBe(202)
    expect(performance.now() - started).toBeLessThan(4_000)
    const { id } = (await response.json()) as { id: string }
    // An inbound message stands in the database as well.
    const inbound = {
      MessageSid: `SM${'1'.repeat(32)}`,
      From: `whatsapp:${to}`,
      To: 'whatsapp:+14155238886',
      Body: 'x',
    }
    expect((await product.post('/webhook/whatsapp/twilio', inbound)).status).toBe(204)
    await redis.start()
    await product.sql`update messages set updated_at = now() - interval '2 minutes' where id = ${id}`
    const { producer, close } = await openProducer(product)
    try {
      await producer.enqueue('maintenance.sweep', {})
    } finally {
      await close()
    }
    await settled(product, id, ['read'], 25_000)
    expect(arrived(product, to)).toHaveLength(1)
    await eventually(
      async () => {
        const rows = await product.sql`select id from messages where dedupe_key = ${`twilio:${inbound.MessageSid}`}`
        return rows.length === 1
      },
      'the message that came while the queue was away',
      25_000,
    )
  },
  LONG_MS,
)

/** A producer of the product's own queues. */
async function openProducer(where: Product): Promise<{ producer: Producer; close(): Promise<void> }> {
  const settings = where.redis
    ? ({ kind: 'redis', url: where.redis.url } as const)
    : ({ kind: 'postgres', databaseUrl: where.env.DATABASE_URL ?? '' } as const)
  const backend = await createQueueBackend(settings, { logger: log })
  const producer = createProducer(backend, log)
  return {
    producer,
    async close() {
      await producer.close(100)
      await backend.close()
    },
  }
}
