import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { mulawSilence } from '../../src/audio/mulaw.ts'
import { createStreamToken } from '../../src/domain/calls/index.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import type { RealtimeFaultInput } from '../../src/sandbox/openai/faults.ts'
import type { OpenAiSandbox } from '../../src/sandbox/openai/server.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { machineEnvironment } from '../support/product-process.ts'
import { OPENAI_KEY, startTestOpenAi } from '../support/realtime.ts'
import { randomIntegers, withSeed } from '../support/seed.ts'
import { eventually } from '../support/wait.ts'

const SECRET = 'a secret for stream tokens'
const WARM_UP = 3_000
const SEQUENCES = 4_000
/** Calls at once. */
const CALLERS = 120

const stateOf = z.object({
  calls: z.number(),
  sockets: z.number(),
  engineSessions: z.number(),
  timers: z.number(),
  ends: z.record(z.string(), z.number()),
  records: z.number(),
  rss: z.number(),
})

let openai: OpenAiSandbox
let child: ReturnType<typeof Bun.spawn>
let port = 0
const records = temporaryDirectory('fuzzed')

beforeAll(async () => {
  openai = startTestOpenAi({})
  const ready = Promise.withResolvers<number>()
  child = Bun.spawn(
    [
      process.execPath,
      join(import.meta.dir, 'fixtures/fuzzed-server.ts'),
      openai.realtimeUrl,
      OPENAI_KEY,
      SECRET,
      records,
    ],
    {
      env: machineEnvironment(),
      stdio: ['ignore', 'inherit', 'inherit'],
      serialization: 'json',
      ipc: (message) => ready.resolve(z.object({ port: z.number() }).parse(message).port),
      onExit: (_, code) => ready.reject(new Error(`the server ended with ${code}`)),
    },
  )
  ready.promise.catch(() => {})
  port = await ready.promise
})
afterAll(async () => {
  child.kill()
  await child.exited
  await openai.close()
})

const state = async () => stateOf.parse(await (await fetch(`http://127.0.0.1:${port}/`)).json())

const base64 = (audio: Uint8Array) => Buffer.from(audio).toString('base64')
const VOICE = base64(makeTone(440, 400))
const QUIET = base64(mulawSilence(700))
const FRAME = base64(makeTone(440, 20))
const steps = [
  { say: 'Yes?', ms: 400 },
  { say: 'A long answer', ms: 3_000 },
  { tools: [{ name: 'save_lead', args: { name: 'Dana' } }] },
  { tools: [{ name: 'lookup_business_info', args: { query: 'hours' } }] },
  { tools: [{ name: 'lookup_business_info', args: '{"broken' }] },
  { tools: [{ name: 'transfer_to_human', args: {} }] },
  { tools: [{ name: 'make_coffee', args: {} }] },
  { say: 'Goodbye.', ms: 200, tools: [{ name: 'end_call', args: {} }] },
  { fail: { code: 'server_error' } },
  { hang: true },
]
const effects: RealtimeFaultInput['effect'][] = [
  { kind: 'close' },
  { kind: 'vanish' },
  { kind: 'stall' },
  { kind: 'rate_limit' },
  { kind: 'session_expired' },
  { kind: 'server_error' },
]
const places = ['connect', 'configure', 'speech', 'turn', 'response'] as const

/** One stream that does anything in any order, then ends in any way. Resolves once its socket is gone. */
async function live(seed: number): Promise<void> {
  const random = randomIntegers(seed)
  const pick = <T>(list: readonly T[], fallback: T): T => list[random(list.length)] ?? fallback
  const callSid = `CA${String(seed).padStart(32, '0')}`
  const streamSid = `MZ${String(seed).padStart(32, '0')}`
  const marks: string[] = []
  const gone = Promise.withResolvers<void>()
  const opened = Promise.withResolvers<void>()
  const socket: WebSocket & { terminate(): void } = Reflect.construct(WebSocket, [
    `ws://127.0.0.1:${port}/ws/twilio-media`,
    {
      protocols: ['audio.twilio.com'],
      perMessageDeflate: false,
      headers: random(3) ? { 'X-Twilio-Signature': 'x' } : {},
    },
  ])
  socket.onopen = () => opened.resolve()
  socket.onclose = () => {
    opened.resolve()
    gone.resolve()
  }
  socket.onmessage = ({ data }) => {
    const mark = /"event":"mark".*"name":"([^"]+)"/.exec(String(data))?.[1]
    if (mark) marks.push(mark)
  }
  await opened.promise
  let atMs = 0
  const send = (data: string | Uint8Array<ArrayBuffer>) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data)
  }
  const tell = (event: Record<string, unknown>) => send(JSON.stringify({ streamSid, sequenceNumber: '1', ...event }))
  const media = (payload: string, ms: number) => {
    tell({ event: 'media', media: { track: 'inbound', chunk: '1', timestamp: String(atMs), payload } })
    atMs += ms
  }
  const token = () =>
    random(15) === 0 ? 'no token' : createStreamToken(SECRET, { callSid, businessId: 'b', from: '+1', to: '+2' })
  const start = () =>
    tell({
      event: 'start',
      start: {
        callSid,
        streamSid,
        accountSid: 'AC',
        tracks: ['inbound'],
        mediaFormat: { encoding: random(40) ? 'audio/x-mulaw' : 'audio/l16', sampleRate: 8000, channels: 1 },
        customParameters: { token: token() },
      },
    })
  const happens = [
    () => media(FRAME, 20),
    () => media(VOICE, 400),
    () => {
      media(VOICE, 400)
      media(QUIET, 700)
    },
    () => media(QUIET, 700),
    () => {
      atMs += random(3_000)
      media(FRAME, 20)
    },
    () => media('not base64 at all! ***', 20),
    () => send(`{"event":"media","media":{"payload":"${FRAME}","timestamp":${random(99_999)}}}`),
    () =>
      send(
        `{"media":{"timestamp":"${random(99)}","payload":"${FRAME.slice(0, random(FRAME.length))}"},"event":"media"}`,
      ),
    () => tell({ event: 'mark', mark: { name: marks.splice(random(marks.length || 1), 1)[0] ?? 'never sent' } }),
    () => {
      for (const name of marks.splice(0)) tell({ event: 'mark', mark: { name } })
    },
    () => tell({ event: 'dtmf', dtmf: { track: 'inbound_track', digit: String(1 + random(9)) } }),
    () => send('{"event":"media","media":{"payload":"cut'),
    () => send(pick(['', '[]', 'null', '"media"', '{}', '{"event":5}', '\u0000', '{"event":"tomorrow"}', 'שלום'], '')),
    () => send(JSON.stringify({ event: 'mark', mark: { name: 'x'.repeat(random(2_000)) } })),
    () => Bun.sleep(random(12)),
  ]
  if (random(20)) tell({ event: 'connected', protocol: 'Call', version: '1.0.0' })
  if (random(25)) start()
  for (let i = random(24); i > 0; i--) await pick(happens, () => {})()
  if (random(4) === 0) await Bun.sleep(random(250))
  const ways = [
    () => tell({ event: 'stop', stop: { callSid } }),
    () => tell({ event: 'stop', stop: { callSid } }),
    () => socket.close(1000),
    () => socket.terminate(),
    () => tell({ event: 'dtmf', dtmf: { digit: '0' } }),
    () => start(),
    () => send(new Uint8Array([1, 2, 3])),
    () => send('x'.repeat(70_000)),
    // Nothing: the server’s own limits end it.
    () => {},
  ]
  await pick(ways, () => {})()
  const late = setTimeout(() => socket.close(1000), 6_000)
  await gone.promise
  clearTimeout(late)
}

/** Lives so many streams, many at once; scripts and faults of the engine change on the way. */
async function fuzz(from: number, count: number): Promise<void> {
  let next = from
  const random = randomIntegers(from)
  const caller = async () => {
    while (next < from + count) {
      const seed = next++
      if (seed % 25 === 0)
        openai.setScript({
          chunkMs: 200,
          speed: random(2) * 20,
          transcriptDelayMs: random(30),
          heard: ['Dana', 'yes'],
          steps: Array.from({ length: 3 }, () => steps[random(steps.length)] ?? {}),
        })
      if (seed % 60 === 0) {
        openai.faults.clear()
        const at = places[random(places.length)] ?? 'turn'
        const effect =
          at === 'connect'
            ? { kind: 'refuse' as const, status: [401, 429, 503][random(3)] ?? 500 }
            : effects[random(effects.length)]
        if (effect) openai.faults.add({ at, times: 1 + random(12), effect })
      }
      await live(seed)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  openai.faults.clear()
}

/** The server once nothing goes on in it any more. */
async function settled(): Promise<z.infer<typeof stateOf>> {
  const deadline = performance.now() + 20_000
  for (;;) {
    const now = await state()
    if (now.calls + now.sockets + now.engineSessions + now.timers === 0 || performance.now() > deadline) return now
    await Bun.sleep(100)
  }
}

test(
  'thousands of streams in which anything happens leave no call, no socket, no engine session, no timer, no record, no memory',
  withSeed(async (seed) => {
    await fuzz(seed, WARM_UP)
    const before = await settled()
    expect(before).toMatchObject({ calls: 0, sockets: 0, engineSessions: 0, timers: 0 })
    const from = performance.now()
    await fuzz(seed + 1_000_000, SEQUENCES)
    let after = await settled()
    expect(after).toMatchObject({ calls: 0, sockets: 0, engineSessions: 0, timers: 0 })
    expect(openai.open()).toBe(0)
    // The last records are written and gone a moment after their calls.
    await eventually(() => readdirSync(records).length === 0, 'the end of the last records')
    // An allocator gives pages back in its own time.
    for (let i = 0; i < 40 && after.rss > before.rss * 1.1; i++) {
      await Bun.sleep(250)
      after = await state()
    }
    console.log(
      `${SEQUENCES} streams in ${((performance.now() - from) / 1000).toFixed(1)} s; RSS ${(before.rss / 2 ** 20).toFixed(1)} MB before, ${(after.rss / 2 ** 20).toFixed(1)} MB after; ends ${JSON.stringify(after.ends)}`,
    )
    expect(after.rss / before.rss).toBeLessThan(1.1)
    // It did go through all of a call: these ends were reached, among others.
    for (const reason of [
      'caller_hung_up',
      'stream_lost',
      'protocol_error',
      'voicemail_requested',
      'completed',
      'silence',
      'transferred',
      'bad_token',
      'engine_refused',
      'engine_rate_limited',
    ])
      expect({ reason, count: after.ends[reason] ?? 0 }).not.toEqual({ reason, count: 0 })
  }, 1_000_000),
  240_000,
)
