import { type CallContext, dialTarget, notify } from './call-context.ts'
import type { StreamReport } from './call-report.ts'
import type { ReturnedMark } from './playback-buffer.ts'
import { signableUrl, signTwilioRequest } from './signature.ts'
import { readServerMessage } from './stream-wire.ts'
import { newSid } from './twilio-sid.ts'
import type { TwimlElement } from './twiml.ts'

/** The subprotocol that Twilio offers and expects back. */
export const MEDIA_SUBPROTOCOL = 'audio.twilio.com'

/** No answer to the upgrade within this = 31901. */
const HANDSHAKE_MS = 5000
/** Between `connected` and `start`, to detect a server that sends before `start`. */
const START_DELAY_MS = 10
/** Unsent bytes at which the server reads too slowly (31930). */
const MAX_UNSENT_BYTES = 1024 * 1024
/** Name and value of one `<Parameter>` stay under this many characters together. */
const MAX_PARAMETER_CHARS = 500

type SocketOptions = { headers: Record<string, string>; protocols: string[]; perMessageDeflate: boolean }
type OpenSocket = { socket: WebSocket } | { code: number; message: string }

/**
 * Runs `<Connect><Stream>`: a signed upgrade, `connected`, `start`, the caller's audio in 20 ms `media` messages, `dtmf`,
 * `mark`, `stop`, and strict checks of everything that the server sends. Returns when either side ends the stream.
 * @param base URL of the document, for a relative stream URL
 */
export async function runStream(
  context: CallContext,
  element: TwimlElement,
  base: string | null,
): Promise<StreamReport> {
  const { log, line, interrupt } = context
  const streamSid = newSid('MZ')
  const report: StreamReport = {
    streamSid,
    name: element.attributes.name ?? streamSid,
    url: element.attributes.url ?? '',
    customParameters: readParameters(context, element),
    connectedAtMs: null,
    startAtMs: null,
    firstMediaAtMs: null,
    greetingLatencyMs: null,
    framesSent: 0,
    mediaReceived: 0,
    bytesReceived: 0,
    endedAtMs: null,
    endedBy: null,
    closeCode: null,
    closeReason: null,
    error: null,
  }
  log.streams.push(report)
  const tell = (event: string, error?: string): void => tellStatus(context, element, report, event, error)
  const target = checkStreamUrl(element, base)
  const opened = 'code' in target ? target : await openSocket(context, target.url)
  if ('code' in opened) {
    report.error = `${opened.code} ${opened.message}`
    report.endedBy = 'handshake'
    report.endedAtMs = Math.round(line.now())
    log.raise(line.now(), opened.code, 'error', opened.message)
    tell('stream-error', opened.message)
    return report
  }
  report.url = 'url' in target ? target.url : report.url
  report.connectedAtMs = Math.round(line.now())
  tell('stream-started')
  await new StreamSession(context, report, opened.socket).run()
  report.endedAtMs = Math.round(line.now())
  const cause = interrupt.cause
  if (report.endedBy === 'server') {
    const why = report.closeReason ? ` (${report.closeReason})` : ''
    log.raise(line.now(), 31921, 'notice', `the server closed the stream: ${report.closeCode ?? 'no code'}${why}`)
  } else if (cause?.kind === 'hangup') report.endedBy = cause.by
  else report.endedBy = 'rest'
  log.note(line.now(), 'stream_ended', report.endedBy)
  tell('stream-stopped')
  return report
}

class StreamSession {
  readonly #context: CallContext
  readonly #report: StreamReport
  readonly #socket: WebSocket
  #sequence = 0
  #frames = 0
  #started = false
  #overflowed = false
  #discarded = false

  constructor(context: CallContext, report: StreamReport, socket: WebSocket) {
    this.#context = context
    this.#report = report
    this.#socket = socket
  }

  async run(): Promise<void> {
    const { line, interrupt } = this.#context
    const socket = this.#socket
    const startTimer = setTimeout(() => this.#start(), START_DELAY_MS)
    await new Promise<void>((resolve) => {
      socket.onmessage = (event) => this.#receive(event.data)
      socket.onclose = (event) => {
        if (this.#report.endedBy === null && !interrupt.signal.aborted) {
          this.#report.endedBy = 'server'
          this.#report.closeCode = event.code
          this.#report.closeReason = event.reason
        }
        resolve()
      }
      this.#send({ event: 'connected', protocol: 'Call', version: '1.0.0' })
      if (interrupt.signal.aborted) resolve()
      interrupt.signal.addEventListener('abort', () => resolve(), { once: true })
      if (socket.readyState !== WebSocket.OPEN) resolve()
    })
    clearTimeout(startTimer)
    line.connect(null)
    line.playback.clear(line.now())
    if (socket.readyState === WebSocket.OPEN) {
      const { accountSid, call } = this.#context
      if (this.#started) this.#sendNumbered({ event: 'stop' }, { stop: { accountSid, callSid: call.sid } })
      socket.close(1000)
    } else if (this.#report.endedBy === null && !interrupt.signal.aborted) this.#report.endedBy = 'server'
  }

  #start(): void {
    const { line, log, accountSid, call } = this.#context
    if (this.#socket.readyState !== WebSocket.OPEN) return
    this.#started = true
    this.#report.startAtMs = Math.round(line.now())
    log.note(line.now(), 'stream_start', this.#report.streamSid)
    this.#sendNumbered(
      { event: 'start' },
      {
        start: {
          accountSid,
          streamSid: this.#report.streamSid,
          callSid: call.sid,
          tracks: ['inbound'],
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
          customParameters: this.#report.customParameters,
        },
      },
    )
    line.connect({
      frame: (frame) => this.#sendFrame(frame),
      key: (digit) => this.#sendNumbered({ event: 'dtmf' }, { dtmf: { track: 'inbound_track', digit } }),
      marks: (marks) => this.#returnMarks(marks),
    })
  }

  #sendFrame(frame: Uint8Array | null): void {
    this.#frames += 1
    if (frame === null) return
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) {
      if (!this.#overflowed) this.#raise(31930, 'the server reads too slowly: audio of the caller is dropped')
      this.#overflowed = true
      return
    }
    this.#report.framesSent += 1
    const media = {
      track: 'inbound',
      chunk: String(this.#report.framesSent),
      timestamp: String((this.#frames - 1) * 20),
      payload: Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString('base64'),
    }
    this.#sendNumbered({ event: 'media' }, { media })
  }

  #receive(data: unknown): void {
    const { line, log } = this.#context
    const message = readServerMessage(data, this.#started ? this.#report.streamSid : null)
    const now = line.now()
    if ('code' in message) {
      this.#raise(message.code, message.message)
      return
    }
    if (message.event === 'media') {
      this.#noteMedia(message.payload.length, now)
      if (!line.hear(message.payload) && !this.#discarded) {
        this.#discarded = true
        this.#raise(31931, 'more than 10 minutes of audio buffered: the rest is discarded')
      }
      return
    }
    if (message.event === 'mark') {
      log.marks.sent.push({ atMs: Math.round(now), name: message.name })
      line.playback.mark(now, message.name)
      line.flushMarks()
      return
    }
    const { marks, clearedMs } = line.playback.clear(now)
    const pendingMarks = marks.filter((mark) => mark.cleared).length
    log.clears.push({ atMs: Math.round(now), clearedMs: Math.round(clearedMs), pendingMarks })
    log.note(now, 'clear', `${Math.round(clearedMs)} ms unheard`)
    this.#context.onClear(now)
    this.#returnMarks(marks)
  }

  #noteMedia(bytes: number, now: number): void {
    const report = this.#report
    report.mediaReceived += 1
    report.bytesReceived += bytes
    if (report.firstMediaAtMs !== null) return
    report.firstMediaAtMs = Math.round(now)
    report.greetingLatencyMs = Math.round((now - (report.startAtMs ?? now)) * 10) / 10
    this.#context.log.note(now, 'first_media')
  }

  #returnMarks(marks: readonly ReturnedMark[]): void {
    const { line, log, marks: plan } = this.#context
    if (plan.lost) return
    const send = (): void => {
      for (const { name, cleared } of marks) {
        log.marks.returned.push({ atMs: Math.round(line.now()), name, cleared })
        this.#sendNumbered({ event: 'mark' }, { mark: { name } })
      }
    }
    if (plan.lateMs > 0) setTimeout(send, plan.lateMs)
    else send()
  }

  #raise(code: number, message: string): void {
    this.#context.log.raise(this.#context.line.now(), code, 'warning', message)
  }

  #sendNumbered(head: { event: string }, body: Record<string, unknown>): void {
    this.#sequence += 1
    this.#send({ ...head, sequenceNumber: String(this.#sequence), streamSid: this.#report.streamSid, ...body })
  }

  #send(message: unknown): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message))
  }
}

function readParameters(context: CallContext, element: TwimlElement): Record<string, string> {
  const parameters: Record<string, string> = {}
  for (const child of element.children) {
    const { name, value } = child.attributes
    if (child.name !== 'Parameter' || name === undefined) continue
    if (name.length + (value ?? '').length >= MAX_PARAMETER_CHARS) {
      context.log.raise(context.line.now(), 12200, 'warning', `<Parameter> ${name} has 500 characters or more`)
    }
    parameters[name] = value ?? ''
  }
  return parameters
}

/** Why a stream's URL cannot be used: 31923 malformed, 31922 not wss, 31920 query string, 31941 wrong track. */
function checkStreamUrl(
  element: TwimlElement,
  base: string | null,
): { url: string } | { code: number; message: string } {
  const given = element.attributes.url ?? ''
  const socketBase = base?.replace(/^http/, 'ws') ?? undefined
  if (given === '' || !URL.canParse(given, socketBase))
    return { code: 31923, message: `malformed stream URL: ${given}` }
  const url = URL.canParse(given) ? given : new URL(given, socketBase).toString().replace(/^ws:/, 'wss:')
  if (!/^wss:/i.test(url)) return { code: 31922, message: `only wss is supported: ${url}` }
  if (url.includes('?')) return { code: 31920, message: 'a stream URL carries no query string' }
  const track = element.attributes.track ?? 'inbound_track'
  if (track !== 'inbound_track') return { code: 31941, message: `track ${track} is not possible with <Connect>` }
  return { url }
}

function openSocket(context: CallContext, url: string): Promise<OpenSocket> {
  const { signature, authToken } = context
  const signed = signableUrl(url, 'stream') + (signature === 'trailing_slash' && !url.endsWith('/') ? '/' : '')
  const headers: Record<string, string> = { 'User-Agent': 'Twilio.TmeWs/1.0' }
  if (signature !== 'none') {
    headers['X-Twilio-Signature'] = signTwilioRequest(signature === 'wrong' ? `${authToken}x` : authToken, signed)
  }
  const options: SocketOptions = { headers, protocols: [MEDIA_SUBPROTOCOL], perMessageDeflate: false }
  return new Promise((resolve) => {
    // Bun's client takes headers; the DOM's type of the same constructor does not have them.
    const socket: WebSocket = Reflect.construct(WebSocket, [dialTarget(context, url), options])
    socket.binaryType = 'arraybuffer'
    const early: MessageEvent[] = []
    let reason = ''
    const timer = setTimeout(() => {
      resolve({ code: 31901, message: `no answer to the upgrade within ${HANDSHAKE_MS} ms` })
      socket.close()
    }, HANDSHAKE_MS)
    socket.onmessage = (event) => early.push(event)
    socket.onerror = (event) => {
      reason = 'message' in event && typeof event.message === 'string' ? event.message : 'connection failed'
    }
    socket.onclose = () => {
      clearTimeout(timer)
      resolve(describeFailure(reason))
    }
    socket.onopen = () => {
      clearTimeout(timer)
      resolve({ socket })
      queueMicrotask(() => {
        for (const event of early.splice(0)) socket.onmessage?.(event)
      })
    }
  })
}

function describeFailure(reason: string): { code: number; message: string } {
  const message = reason.replace(/^WebSocket connection to '[^']*' failed: /, '')
  if (/ECONNREFUSED|Failed to connect/i.test(message)) return { code: 31902, message: `connection refused: ${message}` }
  if (/tls|ssl|certificate/i.test(message)) return { code: 31910, message }
  return { code: 31920, message: `handshake failed: ${message}` }
}

function tellStatus(
  context: CallContext,
  element: TwimlElement,
  report: StreamReport,
  event: string,
  error: string | undefined,
): void {
  const url = element.attributes.statusCallback
  if (url === undefined) return
  if (!URL.canParse(url)) {
    context.log.raise(context.line.now(), 11100, 'warning', `statusCallback is not an absolute URL: ${url}`)
    return
  }
  const params: Record<string, string> = {
    AccountSid: context.accountSid,
    CallSid: context.call.sid,
    StreamSid: report.streamSid,
    StreamName: report.name,
    StreamEvent: event,
    Timestamp: new Date().toISOString(),
    ...(error === undefined ? {} : { StreamError: error }),
  }
  notify(context, 'stream_status', url, params, element.attributes.statusCallbackMethod === 'GET' ? 'GET' : 'POST')
}
