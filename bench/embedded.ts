/**
 * What calls on the embedded engine do to the audio path: a server pinned to one core relays a few calls, alone first and then
 * beside many callers who talk to the embedded engine (real speech, real detector, spoken questions).
 *
 *   bun bench/embedded.ts [--calls 40] [--seconds 30] [--core 0]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { concatBytes, mulawSilence } from '../src/audio/mulaw.ts'
import { createStreamToken } from '../src/domain/calls/index.ts'
import { percentile } from '../src/media/call-metrics.ts'
import { createEspeakSynthesizer } from '../src/providers/speech/espeak/synthesizer.ts'
import { Load } from './voice/load.ts'
import { SECRET, spawnServer, usageOf } from './voice/relays.ts'

const FRAME_MS = 20
const RELAYED = 10
/** What a caller says, and how long they listen then. */
const ANSWERS = ['קוראים לי דנה לוי', 'אני מחפשת דירה של ארבעה חדרים ברמת גן', 'אפשר להתקשר אליי מחר בבוקר']
const LISTEN_MS = 6_000

const report = z.object({
  ends: z.array(z.object({ reason: z.string(), metrics: z.record(z.string(), z.number().nullable()) })),
  heardTurns: z.number(),
  loopP99Ms: z.number(),
})

/** A caller who answers, listens, and answers again; marks come back when what is before them was played. */
class Caller {
  readonly #socket: WebSocket
  readonly #sid: string
  #playedAt = 0
  #marks: { text: string; timer: Timer }[] = []
  frames = 0
  utterances = 0
  closed = false

  constructor(
    port: number,
    index: number,
    private readonly line: Uint8Array,
    private readonly startsOfSpeech: readonly number[],
    readonly offset: number,
  ) {
    this.#sid = `MZ${String(index).padStart(32, '0')}`
    const callSid = `CA${String(900_000 + index).padStart(32, '0')}`
    const token = createStreamToken(SECRET, {
      callSid,
      businessId: '019d0000-0000-7000-8000-000000000001',
      from: '+972501234567',
      to: '+97233760000',
    })
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/ws/twilio-media`)
    this.#socket.onmessage = (event) => this.#hear(String(event.data))
    this.#socket.onclose = () => {
      this.closed = true
    }
    this.#socket.onopen = () => {
      const format = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 }
      const start = { accountSid: 'AC', streamSid: this.#sid, callSid, tracks: ['inbound'], mediaFormat: format }
      this.#socket.send('{"event":"connected","protocol":"Call","version":"1.0.0"}')
      this.#socket.send(
        JSON.stringify({
          event: 'start',
          sequenceNumber: '1',
          streamSid: this.#sid,
          start: { ...start, customParameters: { token } },
        }),
      )
    }
  }

  /** Sends one frame; the engine sees silence until the caller's turn to begin. */
  send(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return
    const spokenAt = this.frames * 160 - this.offset * 160
    const at = spokenAt < 0 ? 0 : spokenAt % this.line.length
    if (spokenAt >= 0 && this.startsOfSpeech.includes(at)) this.utterances++
    const frame = spokenAt < 0 ? SILENT_FRAME : this.line.subarray(at, at + 160)
    const payload = Buffer.from(frame).toString('base64')
    this.frames++
    this.#socket.send(
      `{"event":"media","sequenceNumber":"${this.frames + 1}","streamSid":"${this.#sid}","media":{"track":"inbound","chunk":"${this.frames}","timestamp":"${(this.frames - 1) * FRAME_MS}","payload":"${payload}"}}`,
    )
  }

  stop(): void {
    if (this.#socket.readyState === WebSocket.OPEN)
      this.#socket.send(JSON.stringify({ event: 'stop', streamSid: this.#sid }))
  }

  #hear(text: string): void {
    const now = performance.now()
    if (text.startsWith('{"event":"media"')) {
      const from = text.indexOf('"payload":"') + 11
      this.#playedAt = Math.max(now, this.#playedAt) + ((text.indexOf('"', from) - from) * 3) / 4 / 8
    } else if (text.startsWith('{"event":"mark"')) {
      const mark = { text, timer: setTimeout(() => this.#return(mark), Math.max(0, this.#playedAt - now)) }
      this.#marks.push(mark)
    } else if (text.startsWith('{"event":"clear"')) {
      this.#playedAt = now
      for (const mark of [...this.#marks]) this.#return(mark)
    }
  }

  #return(mark: { text: string; timer: Timer }): void {
    clearTimeout(mark.timer)
    this.#marks = this.#marks.filter((each) => each !== mark)
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(mark.text)
  }
}

const SILENT_FRAME = mulawSilence(FRAME_MS)

/** The line of a caller in whole frames, and where in it they begin to speak. */
async function makeLine(): Promise<{ line: Uint8Array; starts: number[] }> {
  const voice = createEspeakSynthesizer()
  const parts: Uint8Array[] = []
  const starts: number[] = []
  for (const text of ANSWERS) {
    const audio = await voice.synthesize({ text, language: 'he' })
    starts.push(parts.reduce((sum, part) => sum + part.length, 0))
    const rest = (160 - (audio.length % 160)) % 160
    parts.push(audio, mulawSilence(rest / 8), mulawSilence(LISTEN_MS))
  }
  await voice.close()
  return { line: concatBytes(parts), starts }
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '40' },
      seconds: { type: 'string', default: '30' },
      core: { type: 'string', default: '0' },
    },
  })
  const seconds = Number(values.seconds)
  const { line, starts } = await makeLine()
  const dir = mkdtempSync(join(tmpdir(), 'agentlocator-bench-'))
  const load = new Load()
  const server = await spawnServer([
    'taskset',
    '-c',
    values.core,
    process.execPath,
    join(import.meta.dir, 'voice/embedded-server.ts'),
    `ws://127.0.0.1:${load.enginePort}/v1/realtime`,
    SECRET,
    dir,
  ])
  const { port, embeddedPort } = z.object({ port: z.number(), embeddedPort: z.number() }).parse(server.first)
  load.aimAt(port)
  try {
    for (let i = 0; i < RELAYED; i++) await load.open()
    await Bun.sleep(3_000)
    await look('alone')

    const callers: Caller[] = []
    for (let i = 0; i < Number(values.calls); i++) {
      // The greeting is heard out; then they speak at different times.
      callers.push(new Caller(embeddedPort, i, line, starts, 300 + ((i * 37) % 400)))
      await Bun.sleep(25)
    }
    const talking = everyFrame(callers)
    await Bun.sleep(8_000)
    await look(`beside ${callers.length} calls on the embedded engine`)
    // No call is cut off in the middle of an answer.
    await Bun.sleep(2_000)
    clearInterval(talking)
    const closed = callers.filter((each) => each.closed).length
    for (const caller of callers) caller.stop()
    await Bun.sleep(2_000)
    describeEmbedded(callers, closed, report.parse(await server.ask()))
    load.engineTalks(false)
    load.hushCallers()
    await Bun.sleep(500)
    const framesIn = load.framesIn()
    const framesOut = load.framesOut()
    console.log(
      `relayed: lost in ${framesIn.lost + framesIn.lostAtStart} of ${framesIn.received}, out ${framesOut.lost} of ${framesOut.received}`,
    )
  } finally {
    load.close()
    await Bun.sleep(100)
    await server.stop()
    rmSync(dir, { recursive: true, force: true })
  }

  async function look(name: string): Promise<void> {
    load.forgetTimes()
    const before = usageOf(await server.ask(), server.pid)
    await Bun.sleep(seconds * 1_000)
    const answer = await server.ask()
    const after = usageOf(answer, server.pid)
    const ms = (values: number[], share: number) => (percentile(values, share, 2) ?? Number.NaN).toFixed(1)
    console.log(
      `${name}: ${RELAYED} relayed calls  in p50 ${ms(load.inMs, 0.5)} p99 ${ms(load.inMs, 0.99)} ms  out p50 ${ms(load.outMs, 0.5)} p99 ${ms(load.outMs, 0.99)} ms  ` +
        `event loop p99 ${report.parse(answer).loopP99Ms.toFixed(1)} ms  core ${(((after.cpuSeconds - before.cpuSeconds) / seconds) * 100).toFixed(0)} %, waited for it ${(((after.waitedSeconds - before.waitedSeconds) / seconds) * 100).toFixed(0)} %  ${(after.rss / 1e6).toFixed(0)} MB  load late p99 ${ms(load.lateMs, 0.99)} ms`,
    )
  }
}

function describeEmbedded(
  callers: readonly Caller[],
  closed: number,
  { ends, heardTurns }: z.output<typeof report>,
): void {
  const total = (name: string) => ends.reduce((sum, end) => sum + (end.metrics[name] ?? 0), 0)
  const sent = callers.reduce((sum, each) => sum + each.frames, 0)
  const said = callers.reduce((sum, each) => sum + each.utterances, 0)
  const answers = ends.flatMap((end) => end.metrics.responseP95Ms ?? [])
  console.log(
    `embedded: frames sent ${sent}, taken ${total('framesIn')}; answers said ${said}, heard ${heardTurns}; ` +
      `answered within p50 ${percentile(
        ends.flatMap((end) => end.metrics.responseMedianMs ?? []),
        0.5,
      )} ms, ` +
      `p95 of the worst call ${percentile(answers, 1)} ms; ended early ${closed}`,
  )
}

/** Every caller's frames in real time, spread over the 20 ms. */
function everyFrame(callers: readonly Caller[]): Timer {
  const from = performance.now()
  const sent = callers.map(() => 0)
  return setInterval(() => {
    const now = performance.now()
    for (const [i, caller] of callers.entries())
      for (; from + (sent[i] ?? 0) * FRAME_MS + (i % FRAME_MS) <= now; sent[i] = (sent[i] ?? 0) + 1) caller.send()
  }, 2)
}

if (import.meta.main) await main()
