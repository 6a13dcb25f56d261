import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import { sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import { CALLER, eventually, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'

const LONG = 120_000
const NAME = 'אלמונית-למחיקה'
const NAMED = 'מישהי-שמספרים-עליה'

type Delivery = { id: string; at: number; signature: string; body: string; answered: number }

/** A receiver as a customer writes one: it knows its secret and the standard, nothing of ours. */
function startReceiver() {
  const got: Delivery[] = []
  const answers: number[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const answered = answers.shift() ?? 200
      got.push({
        id: request.headers.get('webhook-id') ?? '',
        at: Number(request.headers.get('webhook-timestamp')),
        signature: request.headers.get('webhook-signature') ?? '',
        body: await request.text(),
        answered,
      })
      return new Response(null, { status: answered })
    },
  })
  return {
    got,
    answers,
    url: `http://127.0.0.1:${server.port}/hook?token=of-the-receiver`,
    stop: () => server.stop(true),
  }
}

/** Standard Webhooks, "Verifying signatures": the key is what stands behind `whsec_`, in plain base64. */
function isSigned(secret: string, delivery: Delivery): boolean {
  const key = Uint8Array.from(atob(secret.slice('whsec_'.length)), (char) => char.charCodeAt(0))
  const mac = createHmac('sha256', key).update(`${delivery.id}.${delivery.at}.${delivery.body}`).digest('base64')
  return delivery.signature.split(' ').includes(`v1,${mac}`) && Math.abs(Date.now() / 1_000 - delivery.at) < 300
}

let product: Product
let receiver: ReturnType<typeof startReceiver>

beforeAll(async () => {
  receiver = startReceiver()
  product = await startProduct({ queue: 'postgres' })
}, LONG)
afterAll(async () => {
  await receiver?.stop()
  await product?.stop()
}, LONG)

const bodyOf = (delivery: Delivery) =>
  JSON.parse(delivery.body) as { id: string; type: string; entityId: string; data: unknown }

test(
  'events reach a receiver through the worker: signed, in order, again after a refusal, again when asked',
  async () => {
    const client = product.trpc()
    const hook = await client.webhooks.create.mutate({ url: receiver.url, types: ['contact.*'] })
    receiver.answers.push(500)
    const first = await client.contacts.create.mutate({ name: NAMED, phone: '050-777-1234' })
    await eventually(() => receiver.got.length >= 1, 'the first attempt', 30_000)
    expect(receiver.got[0]?.answered).toBe(500)
    await eventually(() => receiver.got.length >= 2, 'the second attempt', 60_000)
    const [refused, taken] = receiver.got
    if (!refused || !taken) throw new Error('no attempts')
    expect([isSigned(hook.secret, refused), isSigned(hook.secret, taken)]).toEqual([true, true])
    expect(isSigned(hook.secret, { ...taken, body: taken.body.replace('contact', 'contract') })).toBe(false)
    expect(isSigned(hook.secret, { ...taken, id: 'evt_1' })).toBe(false)
    // The same event, reported apart from a new one by its id.
    expect(taken.id).toBe(refused.id)
    expect(taken.body).toBe(refused.body)
    expect(bodyOf(taken)).toMatchObject({ id: taken.id, type: 'contact.create', entityId: first.id })
    expect(taken.body).not.toContain(NAMED)

    await eventually(
      async () => (await client.webhooks.deliveries.query({ id: hook.id })).items[0]?.state === 'delivered',
      'the delivery to be written',
      30_000,
    )
    const [delivery] = (await client.webhooks.deliveries.query({ id: hook.id })).items
    expect(delivery).toMatchObject({ attempts: 2, status: 200, error: null, eventId: taken.id.replace('evt_', '') })

    for (const value of ['one', 'two', 'three']) await client.contacts.tag.mutate({ id: first.id, add: [value] })
    await eventually(() => receiver.got.length >= 5, 'three more events', 30_000)
    const numbers = receiver.got.slice(1).map(({ id }) => BigInt(id.replace('evt_', '')))
    // Ids grow with the order of what happened: a receiver can sort by them.
    expect(numbers.toSorted((a, b) => (a < b ? -1 : 1)).map(String)).toEqual(
      [...new Set(numbers.map(String))].toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1)),
    )
    expect(receiver.got.slice(2).map((each) => bodyOf(each).type)).toEqual([
      'contact.tag',
      'contact.tag',
      'contact.tag',
    ])

    await client.webhooks.replay.mutate({ id: hook.id, eventId: delivery?.eventId ?? '' })
    const replayed = await eventually(
      () => receiver.got.slice(5).find(({ id }) => id === taken.id),
      'the replay',
      30_000,
    )
    expect(isSigned(hook.secret, replayed)).toBe(true)
    expect(replayed.body).toBe(taken.body)

    // A receiver that says it is gone is asked no more.
    receiver.answers.push(410)
    await client.contacts.tag.mutate({ id: first.id, add: ['four'] })
    await eventually(
      async () => (await client.webhooks.list.query({})).items[0]?.enabled === false,
      'the webhook to be off',
      30_000,
    )

    const logged = [...product.webLog(), ...product.workers.flatMap((worker) => worker.log)]
      .map((line) => JSON.stringify(line))
      .join('\n')
    for (const secret of [hook.secret, taken.signature, 'of-the-receiver', NAMED]) expect(logged).not.toContain(secret)
  },
  LONG,
)

test(
  'a webhook leads inside this network only where the settings allow it',
  async () => {
    const client = product.trpc()
    const [worker] = product.workersOf('crm')
    await worker?.stop(30_000)
    product.env.WEBHOOKS_ALLOW_PRIVATE = '0'
    await product.startWorker('crm')
    const before = receiver.got.length
    const hook = await client.webhooks.create.mutate({ url: receiver.url, types: ['lead.*'] })
    await client.leads.create.mutate({ name: 'someone' })
    const refused = await eventually(
      async () => (await client.webhooks.deliveries.query({ id: hook.id, state: 'failed' })).items[0],
      'the refusal',
      30_000,
    )
    expect(refused).toMatchObject({ attempts: 1, status: null, error: expect.stringContaining('public address') })
    expect(receiver.got.length).toBe(before)
  },
  LONG,
)

test(
  'an erased person is nowhere: not in a row, a file, the search, the carrier, or a finished job',
  async () => {
    const client = product.trpc()
    const phone = CALLER
    await sendInboundWhatsApp({
      carrier: product.carrier,
      webhookUrl: `${product.publicBaseUrl}/webhook/whatsapp/twilio`,
      to: WHATSAPP_SENDER,
      from: phone,
      body: `${NAME} כאן`,
      profileName: NAME,
      media: [
        {
          bytes: new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0]),
          contentType: 'image/png',
        },
      ],
    })
    await product.call({ script: [{ hangup: true, when: { afterMs: 2_000 } }] })
    // A blocked business takes a voicemail: a recording at the carrier and here.
    await client.businesses.block.mutate({ id: product.businessId, reason: 'test' })
    await eventually(
      async () => {
        const report = await product.call({
          script: [
            { say: makeTone(300, 1_500), when: 'agent_done' },
            { hangup: true, when: { afterMs: 500 } },
          ],
        })
        return report.documents.some((document) => document.body?.includes('<Record'))
      },
      'a voicemail',
      60_000,
    )
    await client.businesses.unblock.mutate({ id: product.businessId })

    const [contact] = await product.sql<{ id: string }[]>`select id from contacts where phone = ${phone}`
    if (!contact) throw new Error('no contact')
    await eventually(
      async () => {
        const [row] = await product.sql`select
      (select count(*)::int from recordings where state = 'stored') as recordings,
      (select count(*)::int from message_media where state = 'stored') as media,
      (select count(*)::int from calls where record_key is not null) as records,
      (select count(*)::int from calls where state <> 'ended') as live`
        return row?.recordings >= 1 && row?.media === 1 && row?.records >= 1 && row?.live === 0
      },
      'everything to be stored',
      60_000,
    )
    await client.contacts.addNote.mutate({ id: contact.id, body: `${NAME} ${phone}` })
    await client.leads.create.mutate({ contactId: contact.id, name: NAME })
    expect((await client.search.all.query({ q: NAME })).contacts.length).toBeGreaterThan(0)
    const files = () =>
      readdirSync(join(product.env.DATA_DIR ?? '', 'files'), { recursive: true, encoding: 'utf8' })
        .map((name) => join(product.env.DATA_DIR ?? '', 'files', name))
        .filter((name) => statSync(name).isFile())
    expect(files().length).toBeGreaterThanOrEqual(3)
    expect(product.carrier.recordings.size).toBeGreaterThanOrEqual(1)

    const erased = await client.privacy.eraseContact.mutate({ id: contact.id })
    expect(erased).toMatchObject({ messages: 1, notes: 1 })
    expect(erased.calls).toBeGreaterThanOrEqual(2)
    await eventually(
      async () => (await product.sql`select 1 from pending_deletions`).length === 0,
      'every deletion',
      60_000,
    )

    expect(files().map((name) => readFileSync(name, 'latin1').slice(0, 40))).toEqual([])
    expect(product.carrier.recordings.size).toBe(0)
    expect(await client.search.all.query({ q: NAME })).toMatchObject({ contacts: [], messages: [], leads: [] })
    expect(await client.search.all.query({ q: phone })).toMatchObject({ contacts: [] })
    const tables = await product.sql<
      { schema: string; name: string }[]
    >`select table_schema as schema, table_name as name
    from information_schema.tables where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`
    const left: Record<string, number> = {}
    for (const { schema, name } of tables) {
      const [row] = await product.sql.unsafe<{ count: number }[]>(
        `select count(*)::int as count from "${schema}"."${name}" t where t::text like $1 or t::text like $2`,
        [`%${NAME}%`, `%${phone.slice(1)}%`],
      )
      if (row && row.count > 0) left[`${schema}.${name}`] = row.count
    }
    expect(left).toEqual({})
  },
  LONG,
)
