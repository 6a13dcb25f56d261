import { afterEach, describe, expect, test } from 'bun:test'
import { validateRequest } from 'twilio/lib/webhooks/webhooks'
import { concatBytes } from '../../../src/audio/mulaw.ts'
import { makeTone } from '../../../src/sandbox/carrier/audio.ts'
import { type PlaceCall, placeCall } from '../../../src/sandbox/carrier/caller.ts'
import type { Carrier } from '../../../src/sandbox/carrier/server.ts'
import { newCarrierCall } from '../../../src/sandbox/carrier/state.ts'
import {
  ACCOUNT_SID,
  AUTH_TOKEN,
  type MediaSocket,
  noContent,
  payloadOf,
  startTestApp,
  startTestCarrier,
  type TestApp,
  twiml,
  until,
  voice,
} from './support.ts'

const FROM = '+972501110000'
const TO = '+97231110000'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

type AppOptions = Parameters<typeof startTestApp>[0]

function startStreamApp(options: Partial<AppOptions>): TestApp {
  const app: TestApp = startTestApp({
    ...options,
    routes: {
      '/voice': () =>
        twiml(
          `<Connect action="${app.url}/ended"><Stream url="wss://${app.host}/ws" statusCallback="${app.url}/stream"><Parameter name="token" value="t&amp;1"/></Stream></Connect>`,
        ),
      '/ended': () => twiml('<Hangup/>'),
      '/stream': noContent,
      ...options.routes,
    },
  })
  stops.push(app.stop)
  return app
}

function startTestedCarrier(settings: Parameters<typeof startTestCarrier>[0] = {}) {
  const carrier = startTestCarrier(settings)
  stops.push(carrier.close)
  return carrier
}

const sidOf = (message: Record<string, unknown>): string => String(message.streamSid)
const sendTo = (socket: MediaSocket, message: unknown): void => {
  socket.send(JSON.stringify(message))
}

function callApp(app: TestApp, carrier: Carrier, call: Partial<PlaceCall> = {}) {
  return placeCall({ carrier, webhookUrl: `${app.url}/voice`, from: FROM, to: TO, ...call })
}

describe('a media stream', () => {
  test('has a signed webhook and upgrade, connected, start, paced media with exact fields, stop', async () => {
    const messages: (Record<string, unknown> & { at: number })[] = []
    const app = startStreamApp({ onMessage: (_, message) => messages.push({ ...message, at: performance.now() }) })
    const carrier = startTestedCarrier()
    const report = await placeCall({
      carrier,
      webhookUrl: `${app.url}/voice?x=1#rc=2&rp=all`,
      from: FROM,
      to: TO,
      script: [{ wait: 1000 }, { hangup: true }],
    })
    const [webhook] = app.to('/voice')
    expect(webhook?.valid).toBe(true)
    expect(webhook?.params).toMatchObject({
      AccountSid: ACCOUNT_SID,
      ApiVersion: '2010-04-01',
      CallSid: report.callSid,
      CallStatus: 'ringing',
      Direction: 'inbound',
      From: FROM,
      Caller: FROM,
      To: TO,
      Called: TO,
      FromCountry: 'IL',
    })
    expect(webhook?.headers.get('i-twilio-idempotency-token')).toBeTruthy()
    const [upgrade] = app.to('/ws')
    expect(upgrade?.valid).toBe(true)
    expect(upgrade?.headers.get('sec-websocket-protocol')).toBe('audio.twilio.com')
    const streamSid = report.streams[0]?.streamSid ?? ''
    const { at: _at, ...connected } = messages[0] ?? { at: 0 }
    expect(connected).toEqual({ event: 'connected', protocol: 'Call', version: '1.0.0' })
    const { at: _startAt, ...start } = messages[1] ?? { at: 0 }
    expect(start).toEqual({
      event: 'start',
      sequenceNumber: '1',
      streamSid,
      start: {
        accountSid: ACCOUNT_SID,
        streamSid,
        callSid: report.callSid,
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        customParameters: { token: 't&1' },
      },
    })
    const media = messages.filter((message) => message.event === 'media')
    expect(media[0]).toMatchObject({
      sequenceNumber: '2',
      streamSid,
      media: { track: 'inbound', chunk: '1', timestamp: '0', payload: payloadOf(new Uint8Array(160).fill(0xff)) },
    })
    expect(media[9]).toMatchObject({ sequenceNumber: '11', media: { chunk: '10', timestamp: '180' } })
    // The script's second began with the answer, shortly before the stream: no frames may pile up or be missing.
    const span = (media.at(-1)?.at ?? 0) - (media[0]?.at ?? 0)
    expect(Math.abs(span - (media.length - 1) * 20)).toBeLessThan(25)
    expect(media.length).toBeGreaterThan(40)
    const { at: _stopAt, ...stop } = messages.at(-1) ?? { at: 0 }
    expect(stop).toEqual({
      event: 'stop',
      sequenceNumber: String(media.length + 2),
      streamSid,
      stop: { accountSid: ACCOUNT_SID, callSid: report.callSid },
    })
    expect(report).toMatchObject({ status: 'completed', ended: { by: 'caller' }, codes: [], stepsLeft: 0 })
    expect(app.to('/ended').map((each) => [each.valid, each.params.CallStatus])).toEqual([[true, 'completed']])
    expect(report.documents.at(-1)).toMatchObject({ source: 'connect_action', followed: false })
    expect(app.to('/stream').map((each) => [each.valid, each.params.StreamEvent, each.params.StreamName])).toEqual([
      [true, 'stream-started', streamSid],
      [true, 'stream-stopped', streamSid],
    ])
  })

  test('an agent that greets, hears the caller out, answers and closes: turns, latencies, marks, what was heard', async () => {
    let loud = 0
    let quiet = 0
    const app = startStreamApp({
      onMessage: (socket, message) => {
        const say = (ms: number, mark: string): void => {
          sendTo(socket, { event: 'media', streamSid: sidOf(message), media: { payload: payloadOf(voice(ms)) } })
          sendTo(socket, { event: 'mark', streamSid: sidOf(message), mark: { name: mark } })
        }
        if (message.event === 'start') say(300, 'greeting')
        if (message.event === 'media') {
          const { payload } = message.media as { payload: string }
          const isLoud = Buffer.from(payload, 'base64').some((byte) => (byte & 0x7f) < 0x60)
          loud += isLoud ? 1 : 0
          quiet = isLoud ? 0 : quiet + 1
          if (loud >= 20 && quiet === 10) say(200, 'goodbye')
        }
        if (message.event === 'mark' && (message.mark as { name: string }).name === 'goodbye')
          socket.close(1000, 'done')
      },
    })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, {
      script: [{ say: voice(400), quietMs: 100, label: 'name' }],
      maxSeconds: 5,
    })
    expect(report.ended).toEqual({ by: 'agent', detail: '<Hangup>' })
    expect(report.codes.map((code) => [code.code, code.level])).toEqual([[31921, 'notice']])
    expect(report.streams[0]).toMatchObject({
      endedBy: 'server',
      closeCode: 1000,
      closeReason: 'done',
      mediaReceived: 2,
    })
    expect(report.greetingLatencyMs).toBeLessThan(1_000)
    const [turn] = report.turns
    // The greeting lasts 300 ms, the caller waits for 100 ms of quiet behind it.
    expect(turn?.startMs).toBeGreaterThan((report.streams[0]?.startAtMs ?? 0) + 380)
    expect((turn?.endMs ?? 0) - (turn?.startMs ?? 0)).toBeCloseTo(400, 0)
    // Ten frames of silence, so 200 ms.
    expect(turn?.responseLatencyMs).toBeGreaterThan(160)
    expect(turn?.responseLatencyMs).toBeLessThan(1_000)
    expect(report.marks.returned.map((mark) => [mark.name, mark.cleared])).toEqual([
      ['greeting', false],
      ['goodbye', false],
    ])
    const [greeted] = report.marks.returned
    expect((greeted?.atMs ?? 0) - (report.streams[0]?.firstMediaAtMs ?? 0)).toBeGreaterThanOrEqual(299)
    expect(report.heardMs).toBe(500)
    expect(report.unheardMs).toBe(0)
    expect(app.to('/ended')[0]?.params.CallStatus).toBe('in-progress')
    expect(loud).toBeGreaterThanOrEqual(19)
  })

  test('barge-in: the caller interrupts a running answer; clear brings the marks back and what was unheard is known', async () => {
    const returned: string[] = []
    const app = startStreamApp({
      onMessage: (socket, message) => {
        if (message.event === 'start') {
          for (const name of ['a', 'b', 'c']) {
            sendTo(socket, { event: 'media', streamSid: sidOf(message), media: { payload: payloadOf(voice(400)) } })
            sendTo(socket, { event: 'mark', streamSid: sidOf(message), mark: { name } })
          }
        }
        const isLoud =
          message.event === 'media' &&
          Buffer.from((message.media as { payload: string }).payload, 'base64').some((byte) => (byte & 0x7f) < 0x60)
        if (isLoud && returned.length < 2) sendTo(socket, { event: 'clear', streamSid: sidOf(message) })
        if (message.event === 'mark') returned.push((message.mark as { name: string }).name)
        if (returned.length === 3) socket.close(1000)
      },
    })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, {
      script: [{ say: voice(300), when: 'barge_in', bargeInMs: 600 }],
      maxSeconds: 5,
    })
    expect(returned).toEqual(['a', 'b', 'c'])
    expect(report.marks.returned.map((mark) => mark.cleared)).toEqual([false, true, true])
    expect(report.clears[0]?.pendingMarks).toBe(2)
    expect(report.heardMs).toBeGreaterThan(600)
    expect(report.heardMs).toBeLessThan(1_100)
    expect(report.heardMs + report.unheardMs).toBeCloseTo(1200, 5)
    expect(report.turns[0]?.clearLatencyMs).toBeLessThan(400)
    const begin = (report.turns[0]?.startMs ?? 0) - (report.streams[0]?.firstMediaAtMs ?? 0)
    expect(begin).toBeGreaterThanOrEqual(595)
    expect(begin).toBeLessThan(680)
  })

  test('a clear or mark on an empty buffer answers at once, and keys arrive as dtmf', async () => {
    const got: unknown[] = []
    const app = startStreamApp({
      onMessage: (socket, message) => {
        if (message.event === 'start') {
          sendTo(socket, { event: 'clear', streamSid: sidOf(message) })
          sendTo(socket, { event: 'mark', streamSid: sidOf(message), mark: { name: 'now' } })
        }
        if (message.event === 'mark') got.push(message.mark)
        if (message.event === 'dtmf') got.push(message.dtmf)
        if (got.length === 3) socket.close(1000)
      },
    })
    const carrier = startTestedCarrier()
    const script = [{ dtmf: '0#', when: { afterMs: 100 } }]
    const report = await callApp(app, carrier, {
      script,
      maxSeconds: 5,
    })
    expect(got).toEqual([
      { name: 'now' },
      { track: 'inbound_track', digit: '0' },
      { track: 'inbound_track', digit: '#' },
    ])
    expect(report.keys.map((key) => key.digit)).toEqual(['0', '#'])
    expect(report.clears).toEqual([expect.objectContaining({ clearedMs: 0, pendingMarks: 0 })])
  })

  test('an echo gives back byte for byte what was said, turn by turn', async () => {
    let heard: Uint8Array[] = []
    let quiet = 0
    const app = startStreamApp({
      onMessage: (socket, message) => {
        const say = (audio: Uint8Array): void =>
          sendTo(socket, { event: 'media', streamSid: sidOf(message), media: { payload: payloadOf(audio) } })
        if (message.event === 'start') say(voice(100))
        if (message.event !== 'media') return
        const frame = new Uint8Array(Buffer.from((message.media as { payload: string }).payload, 'base64'))
        if (frame.some((byte) => byte !== 0xff)) {
          heard.push(frame)
          quiet = 0
          return
        }
        quiet += 1
        if (heard.length === 0 || quiet < 5) return
        for (const each of heard) say(each)
        heard = []
      },
    })
    const carrier = startTestedCarrier()
    const first = makeTone(300, 200)
    const second = makeTone(700, 300)
    const report = await callApp(app, carrier, {
      script: [
        { say: first, quietMs: 60 },
        { say: second, quietMs: 60 },
        { hangup: true, when: 'agent_done', quietMs: 60 },
      ],
      maxSeconds: 5,
    })
    expect(report.ended.by).toBe('caller')
    expect(Buffer.from(report.audio.heard).equals(concatBytes([voice(100), first, second]))).toBe(true)
    expect(report.heardSpans.length).toBe(3)
    expect(report.turns.length).toBe(2)
    for (const turn of report.turns) {
      expect(turn.responseLatencyMs).toBeGreaterThan(60)
      expect(turn.responseLatencyMs).toBeLessThan(1_000)
    }
  })

  test('a network gap loses frames but not time', async () => {
    const timestamps: number[] = []
    const app = startStreamApp({
      onMessage: (_, message) => {
        if (message.event === 'media') timestamps.push(Number((message.media as { timestamp: string }).timestamp))
      },
    })
    const carrier = startTestedCarrier()
    const script = [{ wait: 200 }, { networkGap: 300 }, { wait: 200 }, { hangup: true as const }]
    await callApp(app, carrier, { script })
    const gaps = timestamps.slice(1).map((each, i) => each - (timestamps[i] ?? 0))
    const odd = gaps.filter((gap) => gap !== 20)
    expect(odd.length).toBe(1)
    expect(Math.abs((odd[0] ?? 0) - 320)).toBeLessThanOrEqual(40)
  })

  test('a server that vanishes in mid-call leads to the action, and what it had queued is not heard', async () => {
    const app = startStreamApp({
      onMessage: (socket, message) => {
        if (message.event !== 'start') return
        sendTo(socket, { event: 'media', streamSid: sidOf(message), media: { payload: payloadOf(voice(1000)) } })
        setTimeout(() => socket.terminate(), 200)
      },
    })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 5 })
    expect(report.streams[0]).toMatchObject({ endedBy: 'server', closeCode: 1006 })
    expect(app.to('/ended')[0]?.params.CallStatus).toBe('in-progress')
    expect(report.heardMs).toBeLessThan(900)
    expect(report.heardMs + report.unheardMs).toBeCloseTo(1000, 5)
  })

  test('what the server sends wrongly is found out', async () => {
    const app = startStreamApp({
      onOpen: (socket) => sendTo(socket, { event: 'media', media: { payload: 'AAAA' } }),
      onMessage: (socket, message) => {
        if (message.event !== 'start') return
        const streamSid = sidOf(message)
        socket.send(new Uint8Array([1, 2, 3]))
        socket.send('not json')
        sendTo(socket, { event: 'hello', streamSid })
        sendTo(socket, { event: 'media', streamSid: 'MZ0', media: { payload: 'AAAA' } })
        sendTo(socket, { event: 'media', stream_sid: streamSid, media: { payload: 'AAAA' } })
        sendTo(socket, { event: 'media', streamSid, media: { payload: '@@' } })
        sendTo(socket, { event: 'mark', streamSid })
        sendTo(socket, { event: 'media', streamSid, media: { payload: payloadOf(new Uint8Array(4_799_000)) } })
        sendTo(socket, { event: 'media', streamSid, media: { payload: payloadOf(new Uint8Array(8_000)) } })
        sendTo(socket, { event: 'media', streamSid, media: { payload: payloadOf(new Uint8Array(8_000)) } })
        socket.close(1000)
      },
    })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 5 })
    expect(report.codes.map((code) => code.code)).toEqual([
      31951, 31950, 31951, 31951, 31951, 31951, 31951, 31951, 31931, 31921,
    ])
    expect(report.codes[0]?.message).toBe('message before start')
  })

  test.each([
    ['a refused upgrade', { refuseUpgrade: 403 }, 31920],
    ['a missing subprotocol', { subprotocol: null }, 31920],
    ['another subprotocol', { subprotocol: 'other' }, 31920],
  ])('%s is a handshake error, reported to the status callback, and leads to the action', async (_, options, code) => {
    const app = startStreamApp(options)
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 5 })
    expect(report.codes.map((each) => [each.code, each.level])).toEqual([[code, 'error']])
    expect(report.streams[0]).toMatchObject({ connectedAtMs: null, endedBy: 'handshake' })
    const [reported] = app.to('/stream')
    expect(reported?.params).toMatchObject({ StreamEvent: 'stream-error', CallSid: report.callSid })
    expect(reported?.params.StreamError).not.toBe('')
    expect(app.to('/ended').length).toBe(1)
    expect(report.ended.by).toBe('agent')
  })

  test.each([
    ['ws://a.example/ws', 31922],
    ['wss://a.example/ws?x=1', 31920],
    ['wss://', 31923],
  ])('the URL %s gives %d', async (url, code) => {
    const app = startStreamApp({ routes: { '/voice': () => twiml(`<Connect><Stream url="${url}"/></Connect>`) } })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 5 })
    expect(report.codes.map((each) => each.code)).toEqual([code])
    expect(report.ended.by).toBe('document_end')
  })

  test('is signed as asked: with a trailing slash, wrongly, not at all', async () => {
    const app = startStreamApp({ onMessage: (socket) => socket.close(1000) })
    const carrier = startTestedCarrier()
    const call = { carrier, webhookUrl: `${app.url}/voice`, from: FROM, to: TO, maxSeconds: 5 } as const
    await placeCall({ ...call, signature: 'trailing_slash' })
    await placeCall({ ...call, signature: 'wrong' })
    await placeCall({ ...call, signature: 'none' })
    expect(app.to('/voice').map((each) => each.valid)).toEqual([true, false, false])
    expect(app.to('/ws').map((each) => each.valid)).toEqual([false, false, false])
    const signatures = app.to('/ws').map((each) => each.headers.get('x-twilio-signature'))
    const withSlash = signatures.map((each) => validateRequest(AUTH_TOKEN, each ?? '', `wss://${app.host}/ws/`, {}))
    expect(withSlash).toEqual([true, false, false])
    expect(signatures.map((each) => each === null)).toEqual([false, false, true])
  })

  test('a public base of another host is signed as written and dialled by its rule', async () => {
    const app = startStreamApp({
      routes: {
        '/voice': () => twiml('<Connect><Stream url="wss://phone.example/ws"/></Connect>'),
      },
      onMessage: (socket) => socket.close(1000),
    })
    const carrier = startTestedCarrier()
    const report = await placeCall({
      carrier,
      webhookUrl: 'https://phone.example/voice',
      connectBaseUrl: app.url,
      from: FROM,
      to: TO,
      maxSeconds: 5,
    })
    expect(report.streams[0]).toMatchObject({ url: 'wss://phone.example/ws', endedBy: 'server' })
    expect(app.to('/ws').length).toBe(1)
  })
})

describe('a live call', () => {
  test('obeys the REST API: new TwiML tears the stream down without its action, then 21220 for a dead call', async () => {
    const app = startStreamApp({})
    const carrier = startTestedCarrier()
    const auth = { Authorization: `Basic ${btoa(`${ACCOUNT_SID}:${carrier.authToken}`)}` }
    let sid = ''
    const update = (params: Record<string, string>): Promise<Response> =>
      fetch(`${carrier.url}/2010-04-01/Accounts/${ACCOUNT_SID}/Calls/${sid}.json`, {
        method: 'POST',
        headers: auth,
        body: new URLSearchParams(params),
      })
    const over = callApp(app, carrier, {
      maxSeconds: 5,
      onPlaced: (placed) => {
        sid = placed
      },
    })
    await until(() => app.to('/stream').length > 0)
    const answer = await update({ Twiml: '<Response><Say language="he-IL">רגע</Say></Response>' })
    expect([answer.status, (await answer.json()).status]).toEqual([200, 'in-progress'])
    const report = await over
    expect(app.to('/ended').length).toBe(0)
    expect(report.said.map((each) => each.text)).toEqual(['רגע'])
    expect(report.streams[0]?.endedBy).toBe('rest')
    expect(report.ended.by).toBe('document_end')
    const late = await update({ Status: 'completed' })
    expect([late.status, (await late.json()).code]).toEqual([400, 21220])
  })

  test('is ended by Status=completed', async () => {
    const app = startStreamApp({})
    const carrier = startTestedCarrier()
    const over = callApp(app, carrier, { maxSeconds: 5 })
    await until(() => app.to('/stream').length > 0)
    for (const call of carrier.calls.values()) call.control?.update({ kind: 'complete' })
    expect(await over).toMatchObject({ status: 'completed', ended: { by: 'rest' } })
  })

  test('is hung up at its time limit', async () => {
    const app = startStreamApp({})
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 0.3 })
    expect(report.ended.by).toBe('time_limit')
    expect(report.durationMs).toBeLessThan(1000)
  })
})

describe('documents', () => {
  test.each([
    ['an error status', () => new Response('x', { status: 500 }), 11200],
    ['no XML', () => new Response('{}', { headers: { 'Content-Type': 'text/xml' } }), 12100],
    ['JSON', () => Response.json({}), 12300],
  ])('%s is an application error', async (_, answer, code) => {
    const app = startStreamApp({ routes: { '/voice': answer } })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, { maxSeconds: 5 })
    expect(report.codes.map((each) => each.code)).toEqual([code])
    expect(report.ended.by).toBe('application_error')
  })

  test('an application error goes to the fallback URL with its code', async () => {
    const app = startStreamApp({
      routes: { '/voice': () => new Response('x', { status: 503 }), '/fallback': () => twiml('<Hangup/>') },
    })
    const carrier = startTestedCarrier()
    const report = await placeCall({
      carrier,
      webhookUrl: `${app.url}/voice`,
      fallbackUrl: `${app.url}/fallback`,
      from: FROM,
      to: TO,
    })
    expect(app.to('/fallback')[0]?.params).toMatchObject({ ErrorCode: '11200', ErrorUrl: `${app.url}/voice` })
    expect(report.ended.by).toBe('agent')
  })

  test('Pause, Redirect, Dial with whisper and action, Reject; status callbacks', async () => {
    const app = startStreamApp({
      routes: {
        '/voice': () => twiml('<Pause length="0"/><Redirect>/next</Redirect>'),
        '/next': () => twiml('<Dial action="/dialled"><Number url="/whisper">+972501234567</Number></Dial>'),
        '/whisper': () => twiml('<Say>a call</Say>'),
        '/dialled': () => twiml('<Hangup/>'),
        '/reject': () => twiml('<Reject/>'),
        '/status': noContent,
      },
    })
    const carrier = startTestedCarrier()
    const report = await callApp(app, carrier, {
      dial: { outcome: 'answered', afterMs: 20, talkMs: 50 },
      statusCallbackUrl: `${app.url}/status`,
      statusCallbackEvents: ['ringing', 'answered', 'completed'],
    })
    expect(report.documents.map((each) => each.source)).toEqual(['webhook', 'redirect', 'whisper', 'dial_action'])
    expect(app.to('/dialled')[0]?.params).toMatchObject({ DialCallStatus: 'completed', DialBridged: 'true' })
    expect(app.to('/whisper')[0]?.params).toMatchObject({ To: '+972501234567', ParentCallSid: report.callSid })
    const reported = app.to('/status').map((each) => [each.params.CallStatus, each.valid])
    expect(reported.toSorted()).toEqual([
      ['completed', true],
      ['in-progress', true],
      ['ringing', true],
    ])
    const rejected = await placeCall({ carrier, webhookUrl: `${app.url}/reject`, from: FROM, to: TO })
    expect(rejected).toMatchObject({ status: 'busy', ended: { by: 'rejected' } })
  })
})

test('the newest calls are kept, the oldest forgotten', () => {
  const carrier = startTestedCarrier()
  for (let i = 0; i < 520; i += 1) carrier.addCall(newCarrierCall(FROM, TO))
  expect(carrier.calls.size).toBe(500)
})
