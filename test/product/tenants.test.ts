import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { addPhoneNumber, createApiKey, createBusiness } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { announceCall, openStream } from '../support/media-stream.ts'
import { eventually, NUMBER, type Product, startProduct } from '../support/product.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { quietFor } from '../support/wait.ts'

const THEIR_NUMBER = '+97233760009'

/** Everything one business has, by its ids. */
type Estate = {
  key: string
  businessId: string
  callSid: string
  call: string
  contact: string
  lead: string
  message: string
  recording: string
  turn: string
}

let product: Product
let theirKey = ''
let theirBusiness = ''
let estates: [Estate, Estate]

beforeAll(async () => {
  product = await startProduct({
    queue: 'redis',
    env: { BUSINESS_LANGUAGE: 'en' },
    prepare: async (ctx) => {
      theirBusiness = await createBusiness(ctx, { name: 'Theirs', language: 'en' })
      const theirs = within(ctx, theirBusiness)
      await addPhoneNumber(theirs, { number: THEIR_NUMBER })
      theirKey = (await createApiKey(theirs, { name: 'test' })).key
    },
  })
  estates = await Promise.all([
    build(product.apiKey, product.businessId, NUMBER, 'CAmine'),
    build(theirKey, theirBusiness, THEIR_NUMBER, 'CAtheirs'),
  ])
}, 60_000)
afterAll(async () => {
  await product.stop()
  await endSpeech()
})

/** A call with a turn, a message left, a lead and a WhatsApp message, all made through the doors they come by. */
async function build(key: string, businessId: string, number: string, callSid: string): Promise<Estate> {
  const said = await speak('My name is David', 'en')
  const report = await product.call({
    to: number,
    script: [{ say: said }, { dtmf: '0', when: 'now' }, { say: said, quietMs: 1_500 }, { dtmf: '#', when: 'now' }],
  })
  const sent = (await (
    await product.send({ to: '+972502222222', text: callSid, provider: 'twilio' }, {}, key)
  ).json()) as { id: string }
  const found = await eventually(
    async () =>
      (
        await product.sql<{ call: string; contact: string; lead: string; recording: string; turn: string }[]>`
          select c.id as call, c.contact_id as contact, l.id as lead, r.id as recording, t.id as turn
          from calls c join leads l on l.call_id = c.id join recordings r on r.call_id = c.id and r.state = 'stored'
          join call_turns t on t.call_id = c.id and t.audio_key is not null
          where c.call_sid = ${report.callSid} and c.business_id = ${businessId}`
      )[0],
    'all that a call leaves',
  )
  return { key, businessId, callSid: report.callSid, message: sent.id, ...found }
}

const pairs = () => {
  const [mine, theirs] = estates
  return [
    [mine, theirs],
    [theirs, mine],
  ] as const
}

test('each sees all of its own', async () => {
  for (const own of estates) {
    const trpc = product.trpc(own.key)
    expect((await trpc.calls.get.query({ id: own.call })).recordings.map((each) => each.id)).toEqual([own.recording])
    expect((await trpc.calls.get.query({ id: own.callSid })).id).toBe(own.call)
    expect((await trpc.contacts.get.query({ id: own.contact })).id).toBe(own.contact)
    expect((await trpc.leads.get.query({ id: own.lead })).id).toBe(own.lead)
    expect((await trpc.messages.get.query({ id: own.message })).id).toBe(own.message)
    for (const path of [
      `/api/v1/recordings/${own.recording}/audio`,
      `/api/v1/turns/${own.turn}/audio`,
      `/api/whatsapp/status/${own.message}`,
    ])
      expect([path, (await product.api(path, { key: own.key })).status]).toEqual([path, 200])
  }
})

test('the lists hold nothing of the other', async () => {
  for (const [own, other] of pairs()) {
    const trpc = product.trpc(own.key)
    const lists = [
      (await trpc.calls.list.query()).items,
      (await trpc.contacts.list.query()).items,
      (await trpc.leads.list.query()).items,
      (await trpc.messages.list.query()).items,
      ((await (await product.api('/api/v1/recordings', { key: own.key })).json()) as { items: object[] }).items,
      ((await (await product.api('/api/whatsapp/list', { key: own.key })).json()) as { items: object[] }).items,
    ]
    for (const list of lists) expect(list.length).toBeGreaterThan(0)
    const text = JSON.stringify(lists)
    for (const id of [
      other.businessId,
      other.call,
      other.contact,
      other.lead,
      other.message,
      other.recording,
      other.turn,
    ])
      expect(text).not.toContain(id)
    // A filter by the other's ids finds nothing either.
    expect((await trpc.calls.list.query({ contactId: other.contact })).items).toEqual([])
    expect((await trpc.messages.list.query({ contactId: other.contact })).items).toEqual([])
    const narrowed = await product.api(`/api/whatsapp/list?contactId=${other.contact}`, { key: own.key })
    expect(((await narrowed.json()) as { items: object[] }).items).toEqual([])
  }
})

test("the other's ids are unknown, over REST", async () => {
  for (const [own, other] of pairs())
    for (const path of [
      `/api/v1/recordings/${other.recording}/audio`,
      `/api/v1/turns/${other.turn}/audio`,
      `/api/whatsapp/status/${other.message}`,
    ]) {
      const answer = await product.api(path, { key: own.key })
      expect([path, answer.status]).toEqual([path, 404])
      expect(await answer.text()).not.toContain(other.businessId)
      const part = await product.api(path, { key: own.key, headers: { Range: 'bytes=0-9' } })
      expect(part.status).toBe(404)
    }
})

test("the other's ids are unknown, over tRPC", async () => {
  for (const [own, other] of pairs()) {
    const trpc = product.trpc(own.key)
    for (const ask of [
      trpc.calls.get.query({ id: other.call }),
      trpc.calls.get.query({ id: other.callSid }),
      trpc.contacts.get.query({ id: other.contact }),
      trpc.leads.get.query({ id: other.lead }),
      trpc.messages.get.query({ id: other.message }),
    ])
      expect(
        await ask.then(
          () => 'answered',
          (error: { data?: { code: string } }) => error.data?.code,
        ),
      ).toBe('NOT_FOUND')
  }
})

describe('one batch of many questions', () => {
  test('answers its own and refuses the rest, each for itself', async () => {
    const [own, other] = estates
    const input = encodeURIComponent(JSON.stringify({ 0: { id: own.message }, 1: { id: other.message } }))
    const answer = await product.api(`/trpc/messages.get,messages.get?batch=1&input=${input}`, { key: own.key })
    expect(answer.status).toBe(207)
    expect(await answer.json()).toMatchObject([
      { result: { data: { id: own.message } } },
      { error: { data: { code: 'NOT_FOUND', httpStatus: 404, error: { code: 'message_not_found' } } } },
    ])
  })
})

test('a recording that names the other business as its own is not given to it', async () => {
  const [own, other] = estates
  const rows = await product.countRows()
  const [recording] = await product.sql`select recording_sid from recordings where id = ${own.recording}`
  // Signed, and so from the carrier, but the address was mixed up.
  const reported = {
    CallSid: own.callSid,
    RecordingSid: String(recording?.recording_sid),
    RecordingStatus: 'completed',
    To: NUMBER,
  }
  await product.post(`/webhook/recording_status?business=${other.businessId}`, {
    ...reported,
    RecordingSid: `RE${'b'.repeat(32)}`,
  })
  await quietFor(500, 'the recording would have been written')
  expect((await product.countRows()).recordings).toBe(rows.recordings ?? -1)
})

test('a stream whose token names the other business for the same call changes nothing of it', async () => {
  const [own] = estates
  const before = createHash('sha256')
    .update(JSON.stringify(await product.sql`select * from calls where id = ${own.call}`))
    .digest('hex')
  const token = await announceCall(product, own.callSid, 0, THEIR_NUMBER)
  const stream = await openStream(product)
  stream.start(own.callSid, token)
  await quietFor(300, 'the stream is under way')
  stream.send({ event: 'stop', streamSid: `MZ${own.callSid.slice(2)}` })
  await stream.closed
  await quietFor(300, 'a late job would have written')
  const after = createHash('sha256')
    .update(JSON.stringify(await product.sql`select * from calls where id = ${own.call}`))
    .digest('hex')
  expect(after).toBe(before)
})
