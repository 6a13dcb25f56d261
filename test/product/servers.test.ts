import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import { announceCall, openStream } from '../support/media-stream.ts'
import { CALLER, eventually, NUMBER, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'
import type { ProductProcess } from '../support/product-process.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { quietFor } from '../support/wait.ts'

const LONG_MS = 70_000
const ENGLISH = { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme' }

afterAll(endSpeech)

describe('two web servers and two of each worker on one database and one Redis', () => {
  let product: Product
  let calls = 0
  const callSid = () => `CAservers${(++calls).toString().padStart(24, '0')}`

  beforeAll(async () => {
    product = await startProduct({ queue: 'redis', webCount: 2, workerCount: 2, env: ENGLISH })
  })
  afterAll(() => product.stop())

  const reasonOf = (sid: string) =>
    eventually(
      async () =>
        (await product.sql`select end_reason from calls where call_sid = ${sid} and end_reason is not null`)[0],
      'the end of the call',
    )

  const askAfter = async (sid: string, index: number) =>
    (
      await product.post(
        '/webhook/stream_ended',
        { CallSid: sid, To: NUMBER, CallStatus: 'in-progress' },
        'right',
        index,
      )
    ).text()

  test('both are ready and see all workers', async () => {
    for (const index of [0, 1]) expect((await fetch(`${product.url(index)}/readyz`)).status).toBe(200)
    expect(product.url(0)).not.toBe(product.url(1))
    for (const name of ['whatsapp', 'crm', 'recordings'] as const) expect(product.workersOf(name)).toHaveLength(2)
  })

  test.each([
    ['the caller hung up', { event: 'stop' }, 'caller_hung_up', '<Hangup/>'],
    ['the caller pressed 0', { event: 'dtmf', dtmf: { digit: '0' } }, 'voicemail_requested', '<Record '],
  ])('announced on B, streamed on A, asked about on B: %s', async (_, event, reason, verb) => {
    const sid = callSid()
    const stream = await openStream(product, 0)
    stream.start(sid, await announceCall(product, sid, 1))
    await eventually(() => stream.received.length > 0, 'the greeting')
    stream.media(100)
    stream.send({ ...event, streamSid: `MZ${sid.slice(2)}` })
    await stream.closed
    // At once: nothing but the database can tell B.
    expect(await askAfter(sid, 1)).toContain(verb)
    expect(await askAfter(sid, 0)).toContain(verb)
    expect((await reasonOf(sid)).end_reason).toBe(reason)
  })

  test('a token that one server took is refused by the other; the call goes on', async () => {
    const sid = callSid()
    const token = await announceCall(product, sid, 0)
    const first = await openStream(product, 0)
    first.start(sid, token)
    await eventually(
      async () => (await product.sql`select 1 from calls where call_sid = ${sid} and stream_sid is not null`)[0],
      'the claim',
    )
    const second = await openStream(product, 1)
    second.start(sid, token, 'MZthief')
    const end = await Promise.race([second.closed, Bun.sleep(5_000).then(() => null)])
    expect(end?.code).toBe(1008)
    expect(await product.metric('agentlocator_calls_live', 0)).toBe(1)
    const [row] = await product.sql`select state, stream_sid, end_reason from calls where call_sid = ${sid}`
    expect(row).toEqual({ state: 'live', stream_sid: `MZ${sid.slice(2)}`, end_reason: null })
    first.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
    await first.closed
    expect((await reasonOf(sid)).end_reason).toBe('caller_hung_up')
  })

  test('a token shown to both at the same moment opens one stream', async () => {
    for (let round = 0; round < 5; round += 1) {
      const sid = callSid()
      const token = await announceCall(product, sid, 0)
      const streams = await Promise.all([openStream(product, 0), openStream(product, 1)])
      for (const [index, stream] of streams.entries()) stream.start(sid, token, `MZ${index}${sid.slice(3)}`)
      const refused = await Promise.race([...streams.map((stream) => stream.closed), Bun.sleep(5_000).then(() => null)])
      expect(refused?.code).toBe(1008)
      const live = async () =>
        (await product.metric('agentlocator_calls_live', 0)) + (await product.metric('agentlocator_calls_live', 1))
      await eventually(async () => (await live()) === 1, 'one live call')
      for (const [index, stream] of streams.entries())
        stream.send({ event: 'stop', streamSid: `MZ${index}${sid.slice(3)}` })
      await Promise.all(streams.map((stream) => stream.closed))
      expect((await reasonOf(sid)).end_reason).toBe('caller_hung_up')
    }
  })

  test('a WhatsApp message delivered ten times at once to both is one row, one contact, its file once', async () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
      'base64',
    )
    const { params } = await sendInboundWhatsApp({
      carrier: product.carrier,
      // No one is dialled here: the message is made by the carrier, and posted below, to both.
      webhookUrl: 'http://127.0.0.1:9/webhook/whatsapp/twilio',
      from: CALLER,
      to: WHATSAPP_SENDER,
      body: 'שלום',
      profileName: 'Dana',
      media: [{ bytes: new Uint8Array(png), contentType: 'image/png' }],
    })
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        product.post('/webhook/whatsapp/twilio', { ...params }, 'right', index % 2),
      ),
    )
    expect(answers.map((answer) => answer.status)).toEqual(Array(10).fill(204))
    const stored = await eventually(
      async () => (await product.sql`select * from message_media where state = 'stored'`)[0],
      'the file',
    )
    expect(stored).toMatchObject({ content_type: 'image/png', bytes: png.length })
    await quietFor(300, 'the message would have been stored twice')
    expect(await product.sql`select body, direction, status from messages where direction = 'in'`).toEqual([
      { body: 'שלום', direction: 'in', status: 'received' },
    ] as never)
    expect(await product.sql`select 1 from message_media`).toHaveLength(1)
    expect(await product.sql`select name from contacts where phone = ${CALLER}`).toHaveLength(1)
    // A queue that has forgotten the job takes it for a new one: the row is still one.
    await product.redis?.halt()
    await product.redis?.start()
    const later = await eventually(
      async () => {
        const answer = await product.post('/webhook/whatsapp/twilio', { ...params }, 'right', 1)
        return answer.status === 204 && answer
      },
      'the queue to come back',
      20_000,
    )
    expect(later.status).toBe(204)
    await quietFor(300, 'the message would have been stored twice')
    expect(await product.sql`select 1 from messages where direction = 'in'`).toHaveLength(1)
  }, 40_000)

  test('twenty messages asked for on both are sent, each once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        product.api('/api/whatsapp/send', {
          index: index % 2,
          method: 'POST',
          headers: { 'Content-Type': 'application/json', Prefer: 'wait=20' },
          body: JSON.stringify({ to: '+972502222222', text: `message ${index}`, provider: 'twilio' }),
        }),
      ),
    )
    expect(answers.map((answer) => answer.status)).toEqual(Array(20).fill(200))
    const bodies = [...product.carrier.messages.values()]
      .filter((message) => message.direction === 'outbound-api')
      .map((message) => message.body)
    expect(bodies.toSorted()).toEqual(Array.from({ length: 20 }, (_, index) => `message ${index}`).toSorted())
  }, 40_000)
})

describe('a server that goes away', () => {
  let product: Product
  beforeAll(async () => {
    product = await startProduct({
      queue: 'redis',
      webCount: 2,
      shareOnePort: true,
      env: { ...ENGLISH, DRAIN_SECONDS: '25' },
    })
  })
  afterAll(() => product.stop())

  /** The server that has this call. */
  const serverOf = (sid: string): Promise<ProductProcess> =>
    eventually(async () => {
      const [row] = await product.sql`select server_id from calls where call_sid = ${sid} and stream_sid is not null`
      return row && product.web.find((server) => String(row.server_id).endsWith(String(server.pid)))
    }, 'the server of the call')

  test(
    'killed in the middle of a call: the other one takes the message, and it is in the CRM',
    async () => {
      expect(product.server(0).port).toBe(product.server(1).port)
      const placed = Promise.withResolvers<string>()
      const reported = product.call({
        onPlaced: placed.resolve,
        script: [
          { wait: 5_000 },
          { say: await speak('Please call me back about the garden.', 'en'), quietMs: 1_500 },
          { dtmf: '#', when: 'now' },
        ],
      })
      const sid = await placed.promise
      const server = await serverOf(sid)
      await Bun.sleep(1_000)
      server.kill('SIGKILL')
      const report = await reported
      expect(report.streams[0]).toMatchObject({ endedBy: 'server' })
      expect(report.documents.map((document) => document.verbs)).toEqual([
        ['Connect'],
        ['Play', 'Record'],
        ['Play', 'Hangup'],
      ])
      const row = await eventually(
        async () =>
          (
            await product.sql`select c.end_reason, c.fallback, c.state, r.sha256 from calls c join recordings r on r.call_id = c.id
          where c.call_sid = ${sid} and r.state = 'stored' and c.end_reason is not null`
          )[0],
        'the recording and the reason',
      )
      expect(row).toMatchObject({ end_reason: 'server_lost', fallback: 'voicemail', state: 'ended' })
      expect(row.sha256).toMatch(/^[0-9a-f]{64}$/)
      expect(await product.sql`select source from leads`).toMatchObject([{ source: 'voicemail' }])
      // Its place is taken again.
      await product.startWeb({ WEB_CONCURRENCY: '2', PORT: String(product.server(0).port) })
    },
    LONG_MS,
  )

  test(
    'asked to stop, it takes no more calls, lets the live one end, and goes',
    async () => {
      const placed = Promise.withResolvers<string>()
      const reported = product.call({
        onPlaced: placed.resolve,
        script: [{ say: await speak('My name is David Levy', 'en') }, { hangup: true, when: 'agent_done' }],
      })
      const sid = await placed.promise
      const server = await serverOf(sid)
      server.kill('SIGTERM')
      await eventually(() => server.log.find((line) => line.msg === 'web server draining'), 'the draining')
      const asked = await Promise.all(
        Array.from({ length: 24 }, async (_, index) => {
          const fields = { CallSid: `CAdrain${index}`, From: CALLER, To: NUMBER }
          return await (await product.post('/webhook/incoming_call', fields)).text()
        }),
      )
      // Both servers share the port: the one that stops sends its share of the callers to voicemail, the other one answers.
      expect(asked.filter((twiml) => twiml.includes('<Stream')).length).toBeGreaterThan(0)
      expect(asked.every((twiml) => twiml.includes('<Stream') || twiml.includes('<Record'))).toBe(true)
      const report = await reported
      expect(report.streams[0]).toMatchObject({ endedBy: 'caller' })
      expect(await Promise.race([server.exited, Bun.sleep(10_000).then(() => 'still there')])).toBe(0)
      // It does not go before all is written that the call left.
      const [call] = await product.sql`select id, end_reason, fallback, record_key from calls where call_sid = ${sid}`
      expect(call).toMatchObject({ end_reason: 'caller_hung_up', fallback: null })
      expect(call?.record_key).toEndWith(`/${sid}/record.jsonl`)
      await eventually(
        async () =>
          (await product.sql`select 1 from call_turns where call_id = ${call?.id} and audio_key is not null`)[0],
        'what the caller said',
      )
    },
    LONG_MS,
  )

  test(
    'asked to stop and out of patience, it sends the caller to voicemail before it goes, though no one else is there',
    async () => {
      for (const each of product.web) await each.stop(30_000)
      const alone = await product.startWeb({ PORT: '0', DRAIN_SECONDS: '1' })
      const placed = Promise.withResolvers<string>()
      const reported = product.call({
        index: product.web.indexOf(alone),
        onPlaced: placed.resolve,
        script: [{ hangup: true, when: { afterMs: 9_000 } }],
      })
      const sid = await placed.promise
      await serverOf(sid)
      alone.kill('SIGTERM')
      await eventually(() => alone.log.find((line) => line.msg === 'web server draining'), 'the draining')
      const ready = await fetch(`http://127.0.0.1:${alone.port}/readyz`)
      expect(ready.status).toBe(503)
      expect(await ready.json()).toMatchObject({ missing: ['draining'] })
      const report = await reported
      expect(report.streams[0]).toMatchObject({ endedBy: 'server', closeReason: 'server_draining' })
      expect(report.documents[1]?.verbs).toEqual(['Play', 'Record'])
      const [call] = await product.sql`select end_reason, fallback from calls where call_sid = ${sid}`
      expect(call).toEqual({ end_reason: 'server_draining', fallback: 'voicemail' })
      expect(await Promise.race([alone.exited, Bun.sleep(10_000).then(() => 'still there')])).toBe(0)
      const [kept] = await product.sql`select record_key from calls where call_sid = ${sid}`
      expect(kept?.record_key).toEndWith(`/${sid}/record.jsonl`)
    },
    LONG_MS,
  )
})
