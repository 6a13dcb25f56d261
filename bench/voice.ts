/**
 * What a call costs: this product beside a bare relay on Bun and one on Node, in one run. Every call has 20 ms frames both ways
 * in real time; the carrier's and the engine's ends live in this process, each relay in its own.
 *
 *   bun bench/voice.ts [--calls 50] [--seconds 15] [--rounds 1] [--modes bun,node,product]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { createStreamToken } from '../src/domain/calls/index.ts'
import { percentile } from '../src/media/call-metrics.ts'
import { signTwilioRequest } from '../src/sandbox/carrier/signature.ts'

const FRAME_MS = 20
/** One frame of this many is timed. */
const TIMED = 10
const SECRET = 'bench secret of the stream tokens'
const AUTH_TOKEN = '0123456789abcdef0123456789abcdef'
const PUBLIC = 'https://bench.example'

type Mode = 'bun' | 'node' | 'product'
type Figures = {
  mode: Mode
  calls: number
  cpuPerCallMinute: number
  inP50: number
  inP99: number
  outP50: number
  outP99: number
  lost: number
  kbPerCall: number
  greetingP99: number | null
  clearP99: number | null
}

const usage = z.object({ cpu: z.object({ user: z.number(), system: z.number() }), rss: z.number() })

/** A frame that carries the time it was sent at, or zeros; loud, so that it counts as a voice. */
const frame = new Uint8Array(160)
const stampView = new DataView(frame.buffer)
for (let i = 8; i < 160; i++) frame[i] = i % 2 ? 0x10 : 0x90

const UNSTAMPED = Buffer.from(frame).toString('base64')

function stamped(): string {
  stampView.setFloat64(0, performance.now())
  return Buffer.from(frame).toString('base64')
}

/** How old a piece is; null for one without a time. */
function noteAge(latencies: number[], base64: string): void {
  if (!base64.startsWith('AAAAAAAA')) latencies.push(ageOf(base64))
}

function ageOf(base64: string): number {
  const bytes = Buffer.from(base64.slice(0, 12), 'base64')
  return performance.now() - bytes.readDoubleBE(0)
}

type EngineCall = { streaming: boolean; sent: number; received: number; item: number; clearAsked: number | null }

/** The engine's end: takes audio, and answers with 50 pieces a second for as long as the call lasts. */
function startEngine() {
  const calls = new Set<Bun.ServerWebSocket<EngineCall>>()
  const inLatencies: number[] = []
  const server = Bun.serve<EngineCall>({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, self) =>
      self.upgrade(request, { data: { streaming: false, sent: 0, received: 0, item: 0, clearAsked: null } })
        ? undefined
        : new Response(null, { status: 426 }),
    websocket: {
      perMessageDeflate: false,
      open: (ws) => void calls.add(ws),
      close: (ws) => void calls.delete(ws),
      message(ws, data) {
        const text = String(data)
        if (text.startsWith('{"type":"input_audio_buffer.append"')) {
          ws.data.streaming = true
          ws.data.received++
          const at = text.indexOf('"audio":"') + 9
          noteAge(inLatencies, text.slice(at, at + 12))
        } else if (text.includes('session.update')) {
          ws.send('{"type":"session.created","event_id":"event_1","session":{}}')
          ws.send('{"type":"session.updated","event_id":"event_2","session":{}}')
          ws.send('{"type":"response.created","event_id":"event_3","response":{"id":"resp_1"}}')
        }
      },
    },
  })
  return { server, calls, inLatencies }
}

function sendPiece(ws: Bun.ServerWebSocket<EngineCall>) {
  const call = ws.data
  if (!call.streaming) return
  call.sent++
  const payload = call.sent % TIMED === 0 ? stamped() : UNSTAMPED
  ws.send(
    `{"type":"response.output_audio.delta","event_id":"event_${call.sent}","response_id":"resp_1","item_id":"item_${call.item}","output_index":0,"content_index":0,"delta":"${payload}"}`,
  )
}

type Carrier = {
  socket: WebSocket
  sid: string
  chunk: number
  received: number
  startedAt: number
  greetingMs: number | null
  clearedAt: number | null
}

async function openCarrier(port: number, index: number, outLatencies: number[], mode: Mode): Promise<Carrier> {
  const callSid = `CA${String(index).padStart(32, '0')}`
  const sid = `MZ${String(index).padStart(32, '0')}`
  const signature = signTwilioRequest(AUTH_TOKEN, `${PUBLIC.replace('https', 'wss')}/ws/twilio-media`, {})
  const socket: WebSocket = Reflect.construct(WebSocket, [
    `ws://127.0.0.1:${port}/ws/twilio-media`,
    { headers: { 'X-Twilio-Signature': signature }, perMessageDeflate: false },
  ])
  const carrier: Carrier = { socket, sid, chunk: 0, received: 0, startedAt: 0, greetingMs: null, clearedAt: null }
  const media = `{"event":"media","streamSid":"${sid}"`
  socket.onmessage = (event) => {
    const text = String(event.data)
    if (text.startsWith(media)) {
      if (carrier.greetingMs === null && mode === 'product') carrier.greetingMs = performance.now() - carrier.startedAt
      else {
        carrier.received++
        const at = text.indexOf('"payload":"') + 11
        noteAge(outLatencies, text.slice(at, at + 12))
      }
      return
    }
    if (text.startsWith('{"event":"mark"')) socket.send(text)
    else if (text.startsWith('{"event":"clear"')) carrier.clearedAt = performance.now()
  }
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve()
    socket.onerror = () => reject(new Error('the relay refused a socket'))
  })
  const token = createStreamToken(SECRET, {
    callSid,
    businessId: '019d0000-0000-7000-8000-000000000001',
    from: '+972501234567',
    to: '+97233760000',
  })
  socket.send('{"event":"connected","protocol":"Call","version":"1.0.0"}')
  carrier.startedAt = performance.now()
  socket.send(
    JSON.stringify({
      event: 'start',
      sequenceNumber: '1',
      streamSid: sid,
      start: {
        accountSid: 'AC',
        streamSid: sid,
        callSid,
        tracks: ['inbound'],
        mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        customParameters: { token },
      },
    }),
  )
  return carrier
}

function sendFrame(carrier: Carrier) {
  const chunk = ++carrier.chunk
  const payload = chunk % TIMED === 0 ? stamped() : UNSTAMPED
  carrier.socket.send(
    `{"event":"media","sequenceNumber":"${chunk + 1}","streamSid":"${carrier.sid}","media":{"track":"inbound","chunk":"${chunk}","timestamp":"${(chunk - 1) * FRAME_MS}","payload":"${payload}"}}`,
  )
}

/** Calls `act` for each of `items` every 20 ms, spread evenly, catching up when late. */
function everyFrame<T>(items: () => readonly T[], act: (item: T) => void): () => void {
  const startedAt = performance.now()
  let done = 0
  const timer = setInterval(() => {
    const all = items()
    const due = Math.floor(((performance.now() - startedAt) / FRAME_MS) * all.length)
    for (; done < due; done++) {
      const item = all[done % all.length]
      if (item) act(item)
    }
  }, 2)
  return () => clearInterval(timer)
}

async function measure(mode: Mode, calls: number, seconds: number): Promise<Figures> {
  const engine = startEngine()
  const engineUrl = `ws://127.0.0.1:${engine.server.port}/v1/realtime`
  const records = mkdtempSync(join(tmpdir(), 'agentlocator-bench-'))
  const here = import.meta.dir
  const command = {
    bun: [process.execPath, join(here, 'voice/relay-bun.ts'), engineUrl],
    node: ['node', join(here, 'voice/relay-node.mjs'), engineUrl],
    product: [process.execPath, join(here, 'voice/product.ts'), engineUrl, SECRET, AUTH_TOKEN, records, PUBLIC],
  }[mode]
  const answers: ((message: unknown) => void)[] = []
  const child = Bun.spawn(command, {
    stdio: ['ignore', 'inherit', 'inherit'],
    serialization: 'json',
    ipc: (message) => answers.shift()?.(message),
  })
  const next = () => new Promise<unknown>((resolve) => answers.push(resolve))
  const ask = async () => {
    const answer = next()
    child.send({ usage: true })
    return usage.parse(await answer)
  }
  const { port } = z.object({ port: z.number() }).parse(await next())
  const idle = await ask()

  const outLatencies: number[] = []
  const carriers: Carrier[] = []
  const stopFrames = everyFrame(() => carriers, sendFrame)
  for (let i = 0; i < calls; i++) {
    carriers.push(await openCarrier(port, i, outLatencies, mode))
    await Bun.sleep(4)
  }
  let sockets: Bun.ServerWebSocket<EngineCall>[] = []
  const stopPieces = everyFrame(() => sockets, sendPiece)
  await Bun.sleep(1_000)
  sockets = [...engine.calls]
  await Bun.sleep(2_000)

  engine.inLatencies.length = 0
  outLatencies.length = 0
  const sentBefore = carriers.reduce((sum, each) => sum + each.chunk, 0)
  const gotBefore = sockets.reduce((sum, each) => sum + each.data.received, 0)
  const before = await ask()
  await Bun.sleep(seconds * 1_000)
  const after = await ask()
  stopFrames()
  const piecesSent = () => sockets.reduce((sum, each) => sum + each.data.sent, 0)
  stopPieces()
  await Bun.sleep(500)
  const sent = carriers.reduce((sum, each) => sum + each.chunk, 0) - sentBefore
  const got = sockets.reduce((sum, each) => sum + each.data.received, 0) - gotBefore
  const piecesLost = piecesSent() - carriers.reduce((sum, each) => sum + each.received, 0)

  const clears: number[] = []
  if (mode === 'product') {
    // Audio that plays, and a caller who speaks: what it takes until the carrier is told to stop.
    for (const ws of sockets) {
      for (let i = 0; i < 50; i++) sendPiece(ws)
    }
    await Bun.sleep(300)
    for (const [i, ws] of sockets.entries()) {
      sendPiece(ws)
      const askedAt = performance.now()
      const cleared = new Set(carriers.filter((each) => each.clearedAt !== null))
      ws.send(`{"type":"input_audio_buffer.speech_started","event_id":"e","audio_start_ms":1000,"item_id":"user_${i}"}`)
      const end = askedAt + 1_000
      for (;;) {
        const found = carriers.find((each) => each.clearedAt !== null && !cleared.has(each))
        if (found?.clearedAt) {
          clears.push(found.clearedAt - askedAt)
          break
        }
        if (performance.now() > end) break
        await Bun.sleep(0)
      }
    }
  }
  for (const carrier of carriers) carrier.socket.close()
  await Bun.sleep(200)
  child.kill()
  await child.exited
  await engine.server.stop(true)
  rmSync(records, { recursive: true, force: true })

  const cpuSeconds = (after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1e6
  const greetings = carriers.flatMap((each) => (each.greetingMs === null ? [] : [each.greetingMs]))
  const at = (values: number[], share: number) => percentile(values, share, 2) ?? Number.NaN
  return {
    mode,
    calls,
    cpuPerCallMinute: cpuSeconds / ((calls * seconds) / 60),
    inP50: at(engine.inLatencies, 0.5),
    inP99: at(engine.inLatencies, 0.99),
    outP50: at(outLatencies, 0.5),
    outP99: at(outLatencies, 0.99),
    lost: sent - got + piecesLost,
    kbPerCall: (after.rss - idle.rss) / 1024 / calls,
    greetingP99: mode === 'product' ? at(greetings, 0.99) : null,
    clearP99: mode === 'product' ? at(clears, 0.99) : null,
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      calls: { type: 'string', default: '50' },
      seconds: { type: 'string', default: '15' },
      rounds: { type: 'string', default: '1' },
      modes: { type: 'string', default: 'bun,node,product' },
    },
  })
  const calls = Number(values.calls)
  const modes = z.array(z.enum(['bun', 'node', 'product'])).parse(values.modes.split(','))
  const floors: number[] = []
  for (let round = 1; round <= Number(values.rounds); round++)
    for (const mode of modes) {
      const figures = await measure(mode, calls, Number(values.seconds))
      if (mode === 'bun') floors.push(figures.cpuPerCallMinute)
      const floor = floors.at(-1)
      const ms = (value: number) => value.toFixed(1).padStart(6)
      console.log(
        [
          `${mode.padEnd(8)} ${figures.calls} calls`,
          `cpu ${figures.cpuPerCallMinute.toFixed(4)} s per call-minute`,
          floor ? `= ${(figures.cpuPerCallMinute / floor).toFixed(2)} × bun` : '',
          `in p50 ${ms(figures.inP50)} p99 ${ms(figures.inP99)} ms`,
          `out p50 ${ms(figures.outP50)} p99 ${ms(figures.outP99)} ms`,
          `lost ${figures.lost}`,
          `${figures.kbPerCall.toFixed(0)} KB a call`,
          figures.greetingP99 === null ? '' : `greeting p99 ${ms(figures.greetingP99)} ms`,
          figures.clearP99 === null ? '' : `clear p99 ${ms(figures.clearP99)} ms`,
        ]
          .filter(Boolean)
          .join('  '),
      )
    }
}

if (import.meta.main) await main()
