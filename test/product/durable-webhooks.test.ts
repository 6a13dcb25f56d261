import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { Redis } from 'ioredis'
import { openOutage } from '../support/outage.ts'
import { BAILEYS_SECRET, eventually, NUMBER, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'
import { randomNumbers, withSeed } from '../support/seed.ts'

const LONG_MS = 150_000

let product: Product
let queue: Redis
let outage: Awaited<ReturnType<typeof openOutage>>

beforeAll(async () => {
  product = await startProduct({ queue: 'redis' })
  if (!product.redis) throw new Error('There is no Redis.')
  queue = new Redis(product.redis.url, { maxRetriesPerRequest: null })
  queue.on('error', () => {})
  outage = await openOutage(product)
})
afterEach(() => outage.shut(false))
afterAll(async () => {
  await outage.close()
  queue.disconnect()
  await product.stop()
})

/** What was acknowledged, by its provider's id. */
type Acknowledged = { messages: string[]; bridged: string[]; calls: string[]; ended: string[]; refused: number }

/** Each sender waits this long between two rounds: what is acknowledged is to be stored, not to fill the machine for minutes. */
const PAUSE_MS = 40

/** Sends signed webhooks until it is asked to stop, from several senders at once, and keeps what was acknowledged. */
function sendWebhooks(mark: string): { counts: Acknowledged; stop(): Promise<Acknowledged> } {
  const counts: Acknowledged = { messages: [], bridged: [], calls: [], ended: [], refused: 0 }
  let over = false
  let serial = 0
  const note = (response: Response, list: string[], id: string) => {
    if (response.status < 300) list.push(id)
    else if (response.status === 503) counts.refused += 1
    else throw new Error(`${id}: ${response.status}`)
  }
  const send = async () => {
    while (!over) {
      const id = `${mark}${String(++serial).padStart(8, '0')}`
      const from = `+97252${1_000_000 + (serial % 40)}`
      const message = { MessageSid: `SM${id}`, From: `whatsapp:${from}`, To: `whatsapp:${WHATSAPP_SENDER}`, Body: id }
      note(await product.post('/webhook/whatsapp/twilio', message), counts.messages, `SM${id}`)
      const bridged = await fetch(`${product.url()}/webhook/whatsapp/baileys`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-BAILEYS-SECRET': BAILEYS_SECRET },
        body: JSON.stringify({ id: `BR${id}`, from, text: id }),
      })
      note(bridged, counts.bridged, `BR${id}`)
      if (serial % 4 === 0) {
        const CallSid = `CA${id}`
        const call = await product.post('/webhook/incoming_call', { CallSid, From: from, To: NUMBER })
        expect(await call.text()).toContain('<Response>')
        note(call, counts.calls, CallSid)
        const ended = { CallSid, CallStatus: 'completed', CallDuration: '7' }
        note(await product.post('/webhook/call_status', ended), counts.ended, CallSid)
      }
      await Bun.sleep(PAUSE_MS)
    }
  }
  const senders = Array.from({ length: 8 }, send)
  return {
    counts,
    async stop() {
      over = true
      await Promise.all(senders)
      return counts
    },
  }
}

/** Waits until everything that was acknowledged is stored, without waiting for the sweep's patience to run out. */
async function expectStored(sent: Acknowledged): Promise<void> {
  const missing = async () => {
    // What a worker deletes at the moment needs no sweep; waiting for it here could be a deadlock.
    await product.sql`
      update inbound_events set next_check_at = now() + interval '5 seconds' where id in (
        select id from inbound_events where next_check_at > now() + interval '5 seconds' for update skip locked)`
    const ids = [...sent.messages, ...sent.bridged]
    const found = await product.sql<{ id: string }[]>`
      select provider_message_id as id from messages where provider_message_id = any(${ids})`
    const calls = await product.sql<{ id: string; contact: string | null; status: string | null }[]>`
      select call_sid as id, contact_id as contact, carrier_status as status from calls where call_sid = any(${sent.calls})`
    const have = new Set(found.map(({ id }) => id))
    return [
      ...ids.filter((id) => !have.has(id)),
      ...sent.calls.filter((id) => !calls.some((row) => row.id === id && row.contact !== null)),
      ...sent.ended.filter((id) => !calls.some((row) => row.id === id && row.status === 'completed')),
    ]
  }
  let left: string[] = []
  try {
    await eventually(
      async () => {
        left = await missing()
        // Each look reads every row that was acknowledged.
        if (left.length > 0) await Bun.sleep(250)
        return left.length === 0
      },
      'everything acknowledged',
      100_000,
    )
  } catch (error) {
    throw new Error(`${left.length} acknowledged and not stored, such as ${left.slice(0, 5).join(', ')}`, {
      cause: error,
    })
  }
  // Worked off: nothing stands in the inbox, and nothing is set aside.
  await eventually(
    async () => (await product.sql`select 1 from inbound_events limit 1`).length === 0,
    'an empty inbox',
    30_000,
  )
  expect(await product.sql`select * from quarantine`).toHaveLength(0)
}

const total = (sent: Acknowledged) => sent.messages.length + sent.bridged.length + sent.calls.length + sent.ended.length

test(
  'a queue that is emptied at random moments, while workers stop and start, loses nothing that was acknowledged',
  withSeed(async (seed) => {
    const random = randomNumbers(seed)
    const load = sendWebhooks('flush')
    for (let round = 0; round < 6; round += 1) {
      await Bun.sleep(200 + random() * 600)
      if (round % 3 === 0) for (const worker of product.workersOf('crm')) await worker.stop(15_000)
      await Bun.sleep(random() * 400)
      await queue.flushall()
      if (product.workersOf('crm').length === 0) await product.startWorker('crm')
    }
    const sent = await load.stop()
    await queue.flushall()
    expect(sent.refused).toBe(0)
    expect(total(sent)).toBeGreaterThan(200)
    await expectStored(sent)
  }),
  LONG_MS,
)

test(
  'a database that is away for some seconds: the queue alone takes what comes, and says so',
  async () => {
    const load = sendWebhooks('nodb')
    await Bun.sleep(700)
    await outage.shut(true)
    await Bun.sleep(4_000)
    await outage.shut(false)
    await Bun.sleep(700)
    const sent = await load.stop()
    expect(sent.refused).toBe(0)
    expect(total(sent)).toBeGreaterThan(50)
    await expectStored(sent)
    expect(product.webLog().some(({ msg }) => String(msg).includes('events stored in the queue only'))).toBe(true)
  },
  LONG_MS,
)

test(
  'a queue that is away: the database alone takes what comes',
  async () => {
    const load = sendWebhooks('noqueue')
    await Bun.sleep(500)
    await product.redis?.halt()
    await Bun.sleep(3_000)
    await product.redis?.start()
    const sent = await load.stop()
    expect(sent.refused).toBe(0)
    await expectStored(sent)
  },
  LONG_MS,
)

test(
  'neither database nor queue: the sender is asked to come again, calls are answered, and their registrations survive the process',
  async () => {
    await product.redis?.halt()
    await outage.shut(true)
    const load = sendWebhooks('neither')
    await Bun.sleep(3_000)
    const sent = await load.stop()
    expect(sent.refused).toBeGreaterThan(0)
    expect(sent.calls.length).toBeGreaterThan(0)
    // The process dies with what it could give to no one.
    const [web] = product.web.splice(0)
    web?.kill('SIGKILL')
    await web?.exited
    await product.redis?.start()
    await outage.shut(false)
    await product.startWeb()
    await expectStored(sent)
  },
  LONG_MS,
)
