import type { Socket } from 'bun'
import { createStreamToken } from '../../src/domain/calls/index.ts'
import { signTwilioRequest } from '../../src/sandbox/carrier/signature.ts'
import { CYCLE_MS, type Dialogue, pieceOf } from './dialogue.ts'
import { AudioFrame, FrameReader, type TextView, textFrame } from './frames.ts'
import { AUTH_TOKEN, PUBLIC, SECRET } from './relays.ts'

const FRAME_MS = 20
const TICK_MS = 1
const PATH = '/ws/twilio-media'
const TOKEN = {
  businessId: '019d0000-0000-7000-8000-000000000001',
  from: '+972501234567',
  to: '+97233760000',
}

/** What one end got of what the other end of its call sent, by the numbers in the frames. */
export class Tally {
  received = 0
  /** Never sent before the first one that came. */
  lostAtStart = 0
  lost = 0
  /** Older than one that had come already. */
  disordered = 0
  /** Pieces that the other end did not send: the greeting, or silence that was filled in. */
  others = 0
  #last = 0

  take(number: number): void {
    this.received++
    const missing = number - this.#last - 1
    if (missing < 0) this.disordered++
    else if (this.#last === 0) this.lostAtStart += missing
    else this.lost += missing
    this.#last = Math.max(this.#last, number)
  }

  /** The other end sent this many: what did not come by now is lost. */
  close(sent: number): this {
    if (this.#last === 0) this.lostAtStart += sent
    else this.lost += Math.max(0, sent - this.#last)
    this.#last = sent
    return this
  }
}

/** What all calls together got. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = new Tally()
  for (const each of tallies) {
    sum.received += each.received
    sum.lostAtStart += each.lostAtStart
    sum.lost += each.lost
    sum.disordered += each.disordered
    sum.others += each.others
  }
  return sum
}

/** Frames missing between others. */
const lostOf = (got: Tally) => got.lost + got.disordered

type Link = { write(bytes: Uint8Array): void; end(): void }

/** Writes what a socket takes and keeps the rest. */
class Outbox implements Link {
  #waiting: Uint8Array[] = []
  constructor(private readonly socket: Pick<Socket, 'write' | 'end'>) {}

  write(bytes: Uint8Array): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(bytes.slice())
      return
    }
    const written = Math.max(0, this.socket.write(bytes))
    if (written < bytes.length) this.#waiting.push(bytes.slice(written))
  }

  drain(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const bytes of waiting) this.write(bytes)
  }

  end(): void {
    this.socket.end()
  }
}

/** The carrier's end of a call. */
export type CarrierCall = {
  index: number
  link: Link
  frame: AudioFrame
  dueAt: number
  /** When its `start` was sent. */
  startedAt: number
  greetingMs: number | null
  clearedAt: number | null
  got: Tally
}

/** The engine's end of a call; its number is known once audio comes. */
export type EngineCall = {
  index: number
  link: Link
  piece: AudioFrame
  dueAt: number
  talking: boolean
  got: Tally
  dialogue: Dialogue | null
}

type EngineSocket = { reader: FrameReader; call: EngineCall | null; outbox: Outbox; greeted: boolean; head: string }

const APPEND = '{"type":"input_audio_buffer.append","audio":"'
const MEDIA_AT = (sid: string) => `{"event":"media","streamSid":"${sid}","media":{"payload":"`.length

/** What differs from one measurement to another; by default the token is made here, and the engines speak without end. */
export type LoadOptions = {
  /** Announces a call as the carrier does. @returns the token of its stream */
  announce?: (callSid: string) => Promise<string>
  /** Makes an engine's end of a call a dialogue. */
  dialogue?: (send: (event: Record<string, unknown>) => void, heardMs: () => number, startsAt: number) => Dialogue
}

/** Both ends of many calls, in real time, with a relay between them. */
export class Load {
  constructor(private readonly options: LoadOptions = {}) {}

  readonly carriers: CarrierCall[] = []
  readonly engines = new Map<number, EngineCall>()
  inMs: number[] = []
  outMs: number[] = []
  /** How late the load itself was with what it sent. */
  lateMs: number[] = []
  #engineTalks = true
  #callersTalk = true
  readonly #server = this.#listen()
  readonly #timer = setInterval(() => this.#tick(), TICK_MS)
  #relayPort = 0
  #opened = 0
  readonly #ended = { lost: 0, sent: 0 }

  get enginePort(): number {
    return this.#server.port
  }

  aimAt(relayPort: number): void {
    this.#relayPort = relayPort
  }

  /** Opens a call; its frames flow from then on. */
  async open(): Promise<CarrierCall> {
    const index = this.#opened++
    const callSid = callSidOf(index)
    const token = await (this.options.announce?.(callSid) ?? createStreamToken(SECRET, { callSid, ...TOKEN }))
    const call = await openCarrier(this.#relayPort, index, token, (sentMs) => this.outMs.push(sentMs))
    this.carriers.push(call)
    return call
  }

  /** The caller hangs up. */
  hangUp(call: CarrierCall): void {
    const at = this.carriers.indexOf(call)
    if (at < 0) return
    this.carriers.splice(at, 1)
    const engine = this.engines.get(call.index)
    this.engines.delete(call.index)
    this.#ended.lost += lostOf(call.got) + (engine ? lostOf(engine.got) : 0)
    this.#ended.sent += call.frame.number + (engine?.piece.number ?? 0)
    call.link.write(textFrame(JSON.stringify(stopMessage(call)), true))
    call.link.end()
  }

  forgetTimes(): void {
    this.inMs = []
    this.outMs = []
    this.lateMs = []
  }

  /** The engines fall silent, or speak again. */
  engineTalks(on: boolean): void {
    const now = performance.now()
    for (const call of this.engines.values()) call.dueAt = now
    this.#engineTalks = on
  }

  /** The callers fall silent for good. */
  hushCallers(): void {
    this.#callersTalk = false
  }

  /** What the engines got of what the callers sent, once nothing is under way any more. */
  framesIn(): Tally {
    return sumOf(
      this.carriers.map((call) => (this.engines.get(call.index)?.got ?? new Tally()).close(call.frame.number)),
    )
  }

  /** What the callers got of what the engines sent, once nothing is under way any more. */
  framesOut(): Tally {
    return sumOf(this.carriers.map((call) => call.got.close(this.engines.get(call.index)?.piece.number ?? 0)))
  }

  /** Frames missing between others so far, both ways. */
  lostSoFar(): number {
    let sum = this.#ended.lost
    for (const call of this.carriers) sum += lostOf(call.got)
    for (const call of this.engines.values()) sum += lostOf(call.got)
    return sum
  }

  /** Frames sent so far, both ways. */
  sentSoFar(): number {
    let sum = this.#ended.sent
    for (const call of this.carriers) sum += call.frame.number
    for (const call of this.engines.values()) sum += call.piece.number
    return sum
  }

  /** Sends one piece of a call's answer out of turn. */
  sendPiece(call: EngineCall): void {
    call.link.write(call.piece.next(call.index, [call.piece.number + 1]))
  }

  close(): void {
    clearInterval(this.#timer)
    for (const call of this.carriers) call.link.end()
    this.#server.stop(true)
  }

  #tick(): void {
    const now = performance.now()
    let sample = true
    for (const call of this.carriers)
      while (this.#callersTalk && call.dueAt <= now) {
        if (sample) this.lateMs.push(now - call.dueAt)
        sample = false
        const number = call.frame.number + 1
        call.link.write(call.frame.next(call.index, [number + 1, number, (number - 1) * FRAME_MS]))
        call.dueAt += FRAME_MS
      }
    if (!this.#engineTalks) return
    for (const call of this.engines.values()) {
      if (call.dialogue) this.#converse(call, call.dialogue, now)
      while (call.talking && call.dueAt <= now) {
        this.sendPiece(call)
        call.dueAt += FRAME_MS
      }
    }
  }

  #converse(call: EngineCall, dialogue: Dialogue, now: number): void {
    const before = dialogue.item
    dialogue.advance(now)
    const { item } = dialogue
    call.talking = item !== null
    if (item === null || item === before) return
    const { number } = call.piece
    call.piece = new AudioFrame(pieceOf(item), false)
    call.piece.number = number
    call.dueAt = now
  }

  #listen() {
    return Bun.listen<EngineSocket>({
      hostname: '127.0.0.1',
      port: 0,
      socket: {
        open(socket) {
          socket.setNoDelay(true)
          socket.data = { reader: new FrameReader(), call: null, outbox: new Outbox(socket), greeted: false, head: '' }
        },
        drain: (socket) => socket.data.outbox.drain(),
        data: (socket, chunk) => {
          const { data } = socket
          if (data.greeted) {
            data.reader.read(chunk, (text) => this.#heard(data, text))
            return
          }
          data.head += chunk.toString('latin1')
          if (!data.head.includes('\r\n\r\n')) return
          data.greeted = true
          data.outbox.write(Buffer.from(handshakeAnswer(data.head)))
        },
      },
    })
  }

  #heard(socket: EngineSocket, text: TextView): void {
    // `{"type":"input…` against `{"type":"session…`, `{"type":"response…` and the like.
    if (text.byte(9) !== 105) {
      const event = text.toString()
      if (event.includes('"type":"session.update"'))
        for (const each of CONFIGURED.slice(0, this.options.dialogue ? 2 : 3))
          socket.outbox.write(textFrame(each, false))
      else socket.call?.dialogue?.asked(JSON.parse(event))
      return
    }
    const label = text.label(APPEND.length)
    if (!label) {
      if (socket.call) socket.call.got.others++
      return
    }
    socket.call ??= this.#begin(label.call, socket.outbox)
    socket.call.got.take(label.number)
    this.inMs.push(label.ageMs)
  }

  #begin(index: number, link: Link): EngineCall {
    const piece = new AudioFrame(
      `{"type":"response.output_audio.delta","event_id":"event_########","response_id":"resp_1","item_id":"item_0","output_index":0,"content_index":0,"delta":"@"}`,
      false,
    )
    const { dialogue } = this.options
    const now = performance.now()
    const got = new Tally()
    const spoken = dialogue?.(
      (event) => link.write(textFrame(JSON.stringify(event), false)),
      () => got.received * FRAME_MS,
      // Not all of them at once.
      now + Math.random() * CYCLE_MS,
    )
    const call = { index, link, piece, dueAt: now, talking: !spoken, got, dialogue: spoken ?? null }
    this.engines.set(index, call)
    return call
  }
}

const CONFIGURED = [
  '{"type":"session.created","event_id":"event_1","session":{}}',
  '{"type":"session.updated","event_id":"event_2","session":{}}',
  '{"type":"response.created","event_id":"event_3","response":{"id":"resp_1"}}',
]

const streamSidOf = (index: number) => `MZ${String(index).padStart(32, '0')}`
const callSidOf = (index: number) => `CA${String(index).padStart(32, '0')}`

function stopMessage({ index }: CarrierCall) {
  const stop = { accountSid: 'AC', callSid: callSidOf(index) }
  return { event: 'stop', sequenceNumber: '2', streamSid: streamSidOf(index), stop }
}

function startMessage(sid: string, callSid: string, token: string): string {
  return JSON.stringify({
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
  })
}

async function openCarrier(
  port: number,
  index: number,
  token: string,
  onAge: (ms: number) => void,
): Promise<CarrierCall> {
  const sid = streamSidOf(index)
  const callSid = callSidOf(index)
  const payloadAt = MEDIA_AT(sid)
  const reader = new FrameReader()
  let head = ''
  let opened: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    opened = resolve
  })
  const got = new Tally()
  const hear = (text: TextView) => {
    // `{"event":"me…` is media, `ma` a mark, `cl` a clear.
    if (text.byte(10) === 109 && text.byte(11) === 101) {
      const label = text.label(payloadAt)
      if (label) {
        got.take(label.number)
        onAge(label.ageMs)
        return
      }
      got.others++
      call.greetingMs ??= performance.now() - call.startedAt
    } else if (text.byte(10) === 109) call.link.write(textFrame(text.toString(), true))
    else call.clearedAt = performance.now()
  }
  const socket = await Bun.connect<{ outbox: Outbox | null }>({
    hostname: '127.0.0.1',
    port,
    data: { outbox: null },
    socket: {
      drain: ({ data }) => data.outbox?.drain(),
      data(_, chunk) {
        if (head.endsWith('\r\n\r\n')) {
          reader.read(chunk, hear)
          return
        }
        // The relay says nothing before `start`: what comes is the handshake's answer alone.
        head += chunk.toString('latin1')
        if (head.endsWith('\r\n\r\n')) opened()
      },
    },
  })
  socket.setNoDelay(true)
  const outbox = new Outbox(socket)
  socket.data.outbox = outbox
  const signature = signTwilioRequest(AUTH_TOKEN, `${PUBLIC.replace('https', 'wss')}${PATH}`, {})
  outbox.write(
    Buffer.from(
      `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Twilio-Signature: ${signature}\r\n\r\n`,
    ),
  )
  await ready
  if (!head.startsWith('HTTP/1.1 101')) throw new Error(`the relay refused a socket: ${head.slice(0, 100)}`)
  outbox.write(textFrame('{"event":"connected","protocol":"Call","version":"1.0.0"}', true))
  const startedAt = performance.now()
  const call: CarrierCall = {
    index,
    link: outbox,
    frame: new AudioFrame(
      `{"event":"media","sequenceNumber":"#####","streamSid":"${sid}","media":{"track":"inbound","chunk":"#####","timestamp":"#######","payload":"@"}}`,
      true,
    ),
    dueAt: startedAt + FRAME_MS,
    startedAt,
    greetingMs: null,
    clearedAt: null,
    got,
  }
  outbox.write(textFrame(startMessage(sid, callSid, token), true))
  return call
}

function handshakeAnswer(request: string): string {
  const key = /sec-websocket-key: *(\S+)/i.exec(request)?.[1] ?? ''
  const accept = new Bun.CryptoHasher('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}
