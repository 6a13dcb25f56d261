import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createStreamToken } from '../../src/domain/calls/index.ts'
import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import { announceCall, type HandStream, handshake, openStream } from '../support/media-stream.ts'
import { eventually, type Product, startProduct } from '../support/product.ts'

const PATHS = ['/ws/twilio-media', '/ws/twilio-media/']
const OFFER = 'Sec-WebSocket-Protocol'

let product: Product
let calls = 0
const callSid = () => `CAmedia${(++calls).toString().padStart(26, '0')}`

beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'redis',
    env: { BUSINESS_LANGUAGE: 'en', BUSINESS_NAME: 'Acme' },
  })
})
afterAll(() => product.stop())

describe.each(PATHS)('the handshake of %s', (path) => {
  const shake = (...headers: [string, string][]) => handshake(product.server().port, path, headers)

  test.each([
    ['alone', [[OFFER, 'audio.twilio.com']]],
    ['first of a list', [[OFFER, 'audio.twilio.com, other']]],
    ['last of a list', [[OFFER, 'other,audio.twilio.com']]],
    [
      'on a second header line',
      [
        [OFFER, 'other'],
        [OFFER, 'audio.twilio.com'],
      ],
    ],
    ['in a lower-case header', [['sec-websocket-protocol', 'audio.twilio.com']]],
    ['in an upper-case header', [['SEC-WEBSOCKET-PROTOCOL', 'audio.twilio.com']]],
  ] as [string, [string, string][]][])('the subprotocol offered %s comes back, once', async (_, headers) => {
    const { status, protocols } = await shake(...headers)
    expect({ status, protocols }).toEqual({ status: 101, protocols: ['audio.twilio.com'] })
  })

  test.each([
    ['nothing', []],
    ['another', [[OFFER, 'other']]],
    ['one that only looks like it', [[OFFER, 'audio.twilio.com.example.test, xaudio.twilio.com']]],
  ] as [string, [string, string][]][])('offered %s, none comes back', async (_, headers) => {
    const { status, protocols } = await shake(...headers)
    expect(status).toBe(101)
    expect(protocols.filter((each) => each !== '')).toEqual([])
  })

  test('no header without a value is sent either: a client would have to refuse it', async () => {
    const { head } = await shake()
    expect(head.toLowerCase()).not.toContain('sec-websocket-protocol')
  })

  test.each([
    ['right', 'wss://127.9.9.9/ws/twilio-media', 101],
    ['right, with a slash behind', 'wss://127.9.9.9/ws/twilio-media/', 101],
    ['over https', 'https://127.9.9.9/ws/twilio-media', 403],
    ['over another host', 'wss://other.example.test/ws/twilio-media', 403],
    ['over another path', 'wss://127.9.9.9/ws/other', 403],
  ])('a signature that is %s', async (_, signed, wanted) => {
    const signature = signTwilioRequest(product.carrier.authToken, signed)
    const { status } = await shake(['X-Twilio-Signature', signature], [OFFER, 'audio.twilio.com'])
    expect(status).toBe(wanted)
  })

  test('a signature by another token, or an empty one, is refused; none is let in', async () => {
    const wrong = signTwilioRequest('another-token', 'wss://127.9.9.9/ws/twilio-media')
    expect((await shake(['X-Twilio-Signature', wrong])).status).toBe(403)
    expect((await shake(['X-Twilio-Signature', ''])).status).toBe(403)
    expect((await shake()).status).toBe(101)
  })

  test('a plain request is reported to upgrade', async () => {
    const answer = await fetch(product.url() + path)
    expect([answer.status, answer.headers.get('upgrade')]).toEqual([426, 'websocket'])
  })
})

test('another path below /ws is nothing', async () => {
  expect((await handshake(product.server().port, '/ws/other', [])).status).toBe(404)
})

describe('a socket that breaks the rules', () => {
  /** It ends, its reason is in the log, no session stays behind. */
  const expectEnd = async (stream: HandStream, code: number, reason: RegExp, ms = 3_000) => {
    const end = await Promise.race([stream.closed, Bun.sleep(ms).then(() => null)])
    expect(end?.code).toBe(code)
    const found = await eventually(
      () => product.webLog().find((line) => reason.test(`${line.reason} ${line.detail}`)),
      `a log line with ${reason}`,
      2_000,
    )
    expect(found).toBeDefined()
    await eventually(async () => (await product.metric('agentlocator_media_sockets')) === 0, 'all sockets gone', 2_000)
    expect(await product.metric('agentlocator_calls_live')).toBe(0)
    product.server().log.length = 0
  }

  test('no start within five seconds', async () => {
    const stream = await openStream(product)
    stream.send({ event: 'connected', protocol: 'Call', version: '1.0.0' })
    const started = performance.now()
    expect(await product.metric('agentlocator_media_sockets')).toBe(1)
    await expectEnd(stream, 1008, /no start/, 7_000)
    expect(performance.now() - started).toBeGreaterThan(4_500)
    expect(performance.now() - started).toBeLessThan(6_500)
  })

  test('a second start', async () => {
    const sid = callSid()
    const token = await announceCall(product, sid)
    const stream = await openStream(product)
    stream.start(sid, token)
    stream.start(sid, token)
    await expectEnd(stream, 1008, /a second start/)
    const twiml = await (await product.post('/webhook/stream_ended', { CallSid: sid, To: '' })).text()
    expect(twiml).toContain('<Record')
  })

  test('no token, a forged one, an expired one, one of another call', async () => {
    const sid = callSid()
    const secret = product.env.SESSION_SECRET ?? ''
    const about = { callSid: sid, businessId: product.businessId, from: '+972501234567', to: '+97233760000' }
    const good = createStreamToken(secret, about)
    const tokens = [
      '',
      'preview',
      'a.b',
      `${good}x`,
      `x${good}`,
      good.replace('.', '..'),
      createStreamToken('another-secret-of-someone', about),
      createStreamToken(secret, about, Date.now() - 62_000),
      createStreamToken(secret, { ...about, callSid: 'CAother' }),
      createStreamToken(secret, { ...about, businessId: '019d0000-0000-7000-8000-000000000000' }),
    ]
    for (const token of tokens) {
      const stream = await openStream(product)
      stream.start(sid, token)
      await expectEnd(stream, 1008, /token is missing|business is unknown/)
      expect(stream.received).toEqual([])
    }
    expect(await product.sql`select 1 from calls where call_sid = ${sid}`).toHaveLength(0)
  })

  test('a token that opens nothing ends its call with that reason, and the caller is asked for a message', async () => {
    const sid = callSid()
    const rightToken = await announceCall(product, sid)
    await eventually(async () => (await product.sql`select 1 from calls where call_sid = ${sid}`)[0], 'the call')
    const stream = await openStream(product)
    stream.start(sid, `${rightToken}x`)
    await expectEnd(stream, 1008, /token is missing/)
    const call = await eventually(
      async () =>
        (
          await product.sql`select state, end_reason, end_detail, stream_sid from calls where call_sid = ${sid} and end_reason is not null`
        )[0],
      'the reason',
    )
    expect(call).toEqual({
      state: 'ended',
      end_reason: 'bad_token',
      end_detail: 'the token is missing, wrong, used or expired',
      stream_sid: null,
    })
    const twiml = await (await product.post('/webhook/stream_ended', { CallSid: sid, To: '' })).text()
    expect(twiml).toContain('<Record')
    expect(await product.metric('agentlocator_calls_ended_total{reason="bad_token"}')).toBe(1)
  })

  test('a stream that is refused before its call has a row: the reason is written once it has', async () => {
    const sid = callSid()
    const stream = await openStream(product)
    stream.start(sid, 'no token')
    await expectEnd(stream, 1008, /token is missing/)
    await announceCall(product, sid)
    await eventually(
      async () => (await product.sql`select 1 from calls where call_sid = ${sid} and end_reason = 'bad_token'`)[0],
      'the reason',
      30_000,
    )
  }, 40_000)

  test('a stranger without the carrier’s signature cannot end a call', async () => {
    const sid = callSid()
    const token = await announceCall(product, sid)
    await eventually(async () => (await product.sql`select 1 from calls where call_sid = ${sid}`)[0], 'the call')
    const stranger = await openStream(product, 0, 'none')
    stranger.start(sid, `${token}x`)
    await expectEnd(stranger, 1008, /token is missing/)
    expect(await product.sql`select end_reason from calls where call_sid = ${sid}`).toMatchObject([
      { end_reason: null },
    ])
    const carrier = await openStream(product)
    carrier.start(sid, token)
    await eventually(() => carrier.received.length > 0, 'the greeting')
    carrier.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
    await expectEnd(carrier, 1000, /caller_hung_up/)
  })

  test('a token that was used before', async () => {
    const sid = callSid()
    const token = await announceCall(product, sid)
    const first = await openStream(product)
    first.start(sid, token)
    await eventually(() => first.received.length > 0, 'the greeting')
    const second = await openStream(product)
    second.start(sid, token, 'MZsecond')
    const end = await Promise.race([second.closed, Bun.sleep(3_000).then(() => null)])
    expect(end?.code).toBe(1008)
    expect(second.received).toEqual([])
    // The call itself goes on.
    expect(await product.metric('agentlocator_calls_live')).toBe(1)
    first.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
    await expectEnd(first, 1000, /caller_hung_up/)
  })

  test('a binary frame', async () => {
    const stream = await openStream(product)
    stream.sendRaw(new Uint8Array([1, 2, 3]))
    await expectEnd(stream, 1003, /a binary frame/)
  })

  test('a binary frame in a live call', async () => {
    const sid = callSid()
    const stream = await openStream(product)
    stream.start(sid, await announceCall(product, sid))
    await eventually(() => stream.received.length > 0, 'the greeting')
    stream.sendRaw(new Uint8Array(160))
    await expectEnd(stream, 1003, /a binary frame/)
    const row = await eventually(
      async () => (await product.sql`select end_reason, end_detail from calls where call_sid = ${sid}`)[0],
      'the call',
    )
    expect(row).toEqual({ end_reason: 'protocol_error', end_detail: 'a binary frame' })
  })

  test.each([65_537, 900_000])('a frame of %d bytes', async (bytes) => {
    const stream = await openStream(product)
    stream.sendRaw('x'.repeat(bytes))
    await expectEnd(stream, 1009, /over 64 KiB/)
  })

  test('a frame larger than any', async () => {
    const stream = await openStream(product)
    stream.sendRaw('x'.repeat(3_000_000))
    const end = await Promise.race([stream.closed, Bun.sleep(3_000).then(() => null)])
    expect([1006, 1009]).toContain(end?.code ?? 0)
    await eventually(async () => (await product.metric('agentlocator_media_sockets')) === 0, 'all sockets gone', 2_000)
  })

  test('what cannot be read is counted and ignored; the call goes on', async () => {
    const sid = callSid()
    const stream = await openStream(product)
    stream.sendRaw('not json')
    stream.start(sid, await announceCall(product, sid))
    await eventually(() => stream.received.length > 0, 'the greeting')
    for (const frame of ['{', '[]', 'null', '{"event":5}', '{"event":"media"}', '{"event":"mark","mark":{}}', ''])
      stream.sendRaw(frame)
    stream.send({ event: 'an event of tomorrow', data: {} })
    stream.media(200)
    stream.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
    expect((await stream.closed).code).toBe(1000)
    const row = await eventually(
      async () =>
        (
          await product.sql`select end_reason, metrics from calls where call_sid = ${sid} and end_reason is not null`
        )[0],
      'the call',
    )
    expect(row).toMatchObject({ end_reason: 'caller_hung_up', metrics: { malformedFrames: 8, mediaMs: 180 } })
  })

  test('a socket that goes away without a word', async () => {
    const sid = callSid()
    const stream = await openStream(product)
    stream.start(sid, await announceCall(product, sid))
    await eventually(() => stream.received.length > 0, 'the greeting')
    stream.close()
    const row = await eventually(
      async () =>
        (await product.sql`select end_reason from calls where call_sid = ${sid} and end_reason is not null`)[0],
      'the end',
    )
    expect(row.end_reason).toBe('stream_lost')
    const twiml = await (await product.post('/webhook/stream_ended', { CallSid: sid, To: '' })).text()
    expect(twiml).toContain('<Record')
  })
})

test('the greeting leaves as one message with a mark behind it, before anything else', async () => {
  const sid = callSid()
  const stream = await openStream(product)
  stream.start(sid, await announceCall(product, sid))
  await eventually(() => stream.received.length >= 2, 'the greeting')
  expect(stream.received.map((message) => message.event)).toEqual(['media', 'mark'])
  const [first] = stream.received as { streamSid: string; media: { payload: string } }[]
  expect(first?.streamSid).toBe(`MZ${sid.slice(2)}`)
  // Raw μ-law: no WAV or other header, a second and more of it.
  const audio = Buffer.from(first?.media.payload ?? '', 'base64')
  expect(audio.subarray(0, 4).toString('latin1')).not.toBe('RIFF')
  expect(audio.length).toBeGreaterThan(8_000)
  stream.send({ event: 'stop', streamSid: `MZ${sid.slice(2)}` })
  await stream.closed
})
