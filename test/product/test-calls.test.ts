import { afterAll, beforeAll, expect, test } from 'bun:test'
import { newId } from '../../src/lib/ids.ts'
import { announceCall, type HandStream, openSocket, openStream } from '../support/media-stream.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'
import { speak } from '../support/speech.ts'

const GREETING = 'Acme Flowers, this is the draft. Who is speaking?'

let product: Product
beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    env: { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme', MAX_CONCURRENT_CALLS: '4' },
  })
  const { revision } = await product.trpc().receptionist.draft.query()
  await product.trpc().receptionist.saveDraft.mutate({
    revision,
    settings: { greeting: { en: GREETING }, followUp: { en: 'Thank you for calling.' } },
  })
}, 60_000)
afterAll(() => product.stop())

const begin = (input: { draft?: boolean; language?: 'he' | 'en' } = {}) =>
  product.trpc().receptionist.testCall.mutate(input)

const dial = (headers: Record<string, string> = { Authorization: `Bearer ${product.apiKey}` }, query = '') =>
  openSocket(product, `${product.url().replace('http', 'ws')}/ws/test-call${query}`, { headers })

const marks = (stream: HandStream) =>
  stream.received.flatMap((frame) => (frame.event === 'mark' ? [String(Reflect.get(Object(frame.mark), 'name'))] : []))

/** Waits for the greeting and has heard it. */
async function hearGreeting(stream: HandStream): Promise<void> {
  await eventually(async () => marks(stream).length > 0, 'the greeting')
  for (const name of marks(stream)) stream.mark(name)
}

/** The row of a call is written beside it, and later on a busy machine. */
const written = (callSid: string) =>
  eventually(
    async () => (await product.sql`select from calls where call_sid = ${callSid}`).length > 0,
    'the row of the call',
    30_000,
  )

test('a test call speaks the draft, and leaves no lead, no contact, no summary, no message and no figure', async () => {
  const before = await product.countRows()
  const { callSid, token } = await begin()
  const stream = await dial()
  stream.start(callSid, token)
  await hearGreeting(stream)
  const read = () => product.trpc().calls.get.query({ id: callSid })
  await written(callSid)
  await eventually(async () => (await read()).turns.some(({ text }) => text === GREETING), 'the turn of the greeting')
  stream.media(6_000)
  stream.speak(await speak('My name is Dana Levi', 'en'))
  stream.media(1_500)
  await eventually(async () => (await read()).turns.some(({ role }) => role === 'caller'), 'the turn of the caller')
  stream.send({ event: 'stop' })
  expect(await stream.closed).toEqual({ code: 1000, reason: 'caller_hung_up' })

  const call = await read()
  expect(call).toMatchObject({ isTest: true, state: 'ended', endReason: 'caller_hung_up', contactId: null, lead: null })
  const { items: listed } = await product.trpc().calls.list.query({})
  expect(listed.map((each) => each.callSid)).not.toContain(callSid)
  const { items: tests } = await product.trpc().calls.list.query({ tests: true })
  expect(tests.map((each) => each.callSid)).toContain(callSid)
  expect((await product.trpc().calls.stats.query({})).calls).toBe(0)
  expect((await product.trpc().search.all.query({ q: 'draft' })).calls).toEqual([])
  const types = (await product.trpc().events.list.query({ limit: 200 })).items.map(({ type }) => type)
  expect(types).toContain('test_call.begin')
  expect(types).toContain('test_call.turn')
  expect(types).toContain('test_call.end')
  expect(types.filter((type) => /^(call|lead|message|contact)\./.test(type))).toEqual([])
  const { leads, contacts, messages } = await product.countRows()
  expect({ leads, contacts, messages }).toEqual({
    leads: before.leads,
    contacts: before.contacts,
    messages: before.messages,
  })
  const [queued] = await product.sql`select count(*)::int as jobs from inbound_events where job in ('lead.save')`
  expect(queued?.jobs).toBe(0)
  expect(await product.metric('calls_ended_total{reason="caller_hung_up"}')).toBe(0)
}, 60_000)

test('what is in force can be tried out too, in either language', async () => {
  const { callSid, token } = await begin({ draft: false, language: 'he' })
  const stream = await dial()
  stream.start(callSid, token)
  await hearGreeting(stream)
  const read = () => product.trpc().calls.get.query({ id: callSid })
  await written(callSid)
  await eventually(async () => (await read()).turns.length > 0, 'the greeting')
  expect((await read()).turns[0]?.text).toContain('הגעתם')
  stream.send({ event: 'stop' })
  await stream.closed
}, 30_000)

test('a token opens one stream, of the member who asked for it, on the socket for test calls alone', async () => {
  const refused = { code: 1008, reason: 'the token is missing, wrong, used or expired' }
  const { callSid, token } = await begin()
  const onCarrier = await openStream(product)
  onCarrier.start(callSid, token)
  expect(await onCarrier.closed).toEqual(refused)

  const other = (await product.trpc().keys.create.mutate({ name: 'Other', scope: 'admin' })).key
  const ofOther = await dial({ Authorization: `Bearer ${other}` })
  ofOther.start(callSid, token)
  expect(await ofOther.closed).toEqual(refused)

  const caller = `CA${newId().replaceAll('-', '')}`
  const carriers = await dial()
  carriers.start(caller, await announceCall(product, caller))
  expect(await carriers.closed).toEqual(refused)

  const mine = await dial()
  mine.start(callSid, token)
  await hearGreeting(mine)
  const again = await dial()
  again.start(callSid, token)
  expect(await again.closed).toEqual(refused)
  mine.send({ event: 'stop' })
  await mine.closed
}, 30_000)

test('only who may change the receptionist opens the socket, and no page of another site', async () => {
  const reader = (await product.trpc().keys.create.mutate({ name: 'Reader', scope: 'read' })).key
  const refused: Record<string, string>[] = [
    { Authorization: `Bearer ${reader}` },
    { Authorization: 'Bearer wrong' },
    { Origin: 'https://evil.example.test' },
  ]
  for (const headers of refused) await expect(dial(headers)).rejects.toThrow()
  // A business that is not the caller's.
  await expect(dial(undefined, `?business=${newId()}`)).rejects.toThrow()
  await expect(product.trpc(reader).receptionist.testCall.mutate({})).rejects.toMatchObject({
    data: { code: 'FORBIDDEN' },
  })
})

test('two test calls of a business go on at once; a full server takes none', async () => {
  const streams: HandStream[] = []
  for (let i = 0; i < 2; i++) {
    const { callSid, token } = await begin()
    const stream = await dial()
    stream.start(callSid, token)
    await hearGreeting(stream)
    streams.push(stream)
  }
  await eventually(
    async () => (await product.trpc().calls.list.query({ tests: true, state: 'live' })).items.length === 2,
    'two calls',
  )
  const code = (error: unknown) =>
    Reflect.get(Object(Reflect.get(Object(Reflect.get(Object(error), 'data')), 'error')), 'code')
  expect(code(await begin().catch((error: unknown) => error))).toBe('too_many_test_calls')
  for (const stream of streams) {
    stream.send({ event: 'stop' })
    await stream.closed
  }
  for (let i = 0; i < 4; i++) await announceCall(product, `CA${newId().replaceAll('-', '')}`).catch(() => null)
  expect(code(await begin().catch((error: unknown) => error))).toBe('no_capacity')
}, 30_000)
