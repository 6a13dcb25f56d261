import type { Server, ServerWebSocket, WebSocketHandler } from 'bun'
import type { Logger } from '../lib/log.ts'
import { ThrottledLog } from '../lib/throttled-log.ts'
import type { Signer } from '../providers/telephony/port.ts'
import { MediaSession } from './media-session.ts'
import type { SessionDeps, Tester } from './media-session-ports.ts'

/** Twilio offers it; it is echoed exactly once, and only when offered (error 31920 otherwise). */
const SUBPROTOCOL = 'audio.twilio.com'
const PATH = '/ws/twilio-media'
const MAX_FRAME_BYTES = 64 * 1024
/** Bun drops a longer frame without a reason: leave room to refuse it with one. */
const MAX_PAYLOAD_BYTES = 1024 * 1024
/** A greeting has some 100 KB of base64; with more than this the carrier does not read and audio is lost. */
const BACKPRESSURE_BYTES = 8 * 1024 * 1024

/** The socket of one who listens in, as its peer sees it. */
export type ListenerTransport = {
  send(data: Uint8Array): number
  getBufferedAmount(): number
  close(code: number, reason: string): void
}

/** Listens in on a call over a socket of its own, which the same server serves. */
export type ListenerPeer = {
  open(transport: ListenerTransport): void
  message(data: string | Uint8Array): void
  close(): void
}

/**
 * `signer`: the businesses of the account that signed the upgrade; null when it had no signature. `tester`: whose connection
 * it is when it is for a test call. With a `listener` the socket has no call of its own.
 */
export type MediaSocketData = {
  session: MediaSession | null
  signer: Pick<Signer, 'only'> | null
  listener?: ListenerPeer
  tester?: Tester
}

export type MediaSocket = {
  /**
   * Answers an upgrade of the media path.
   * @param path without the base path
   * @returns undefined once upgraded, a response when refused, null when the path is another one
   */
  upgrade(request: Request, server: Server<MediaSocketData>, path?: string): Response | undefined | null
  /** Answers an upgrade for test calls of a member who was authenticated; undefined once upgraded. */
  upgradeTest(request: Request, server: Server<MediaSocketData>, tester: Tester): Response | undefined
  handlers: WebSocketHandler<MediaSocketData>
  liveCalls(): number
  sessionOf(callSid: string): MediaSession | null
  /** Open media sockets, those that wait for their `start` included. */
  sockets(): number
  /** Notes in the trace of each live call that the event loop was late. */
  noteDelay(ms: number): void
  /** Ends every call, each with its reason written. */
  drain(): Promise<void>
}

export function createMediaSocket(deps: {
  session: SessionDeps
  /** The signer of an upgrade of `path`; null when the signature is wrong. */
  verifyUpgrade(path: string, signature: string): Pick<Signer, 'only'> | null
  log: Logger
}): MediaSocket {
  const sessions = new Set<MediaSession>()
  const { log } = deps
  const refused = new ThrottledLog(log)

  return {
    upgrade(request, server, path = pathOf(request.url)) {
      if (path.replace(/\/+$/, '') !== PATH) return null
      const noSocket = refuseNoSocket(request)
      if (noSocket) return noSocket
      const signature = request.headers.get('x-twilio-signature')
      // A handshake without a signature is allowed for diagnosis; the token in `start` decides in any case.
      const signer = signature === null ? null : deps.verifyUpgrade(PATH, signature)
      if (signature !== null && !signer) {
        refused.write('warn', 'invalid_signature', {}, 'media socket rejected: wrong signature')
        return refusal(403, 'invalid_signature', 'The X-Twilio-Signature does not match.')
      }
      const offered = (request.headers.get('sec-websocket-protocol') ?? '')
        .split(',')
        .some((name) => name.trim().toLowerCase() === SUBPROTOCOL)
      // Bun echoes the first offer by itself; an empty header suppresses that.
      const upgraded = server.upgrade(request, {
        data: { session: null, signer },
        headers: { 'Sec-WebSocket-Protocol': offered ? SUBPROTOCOL : '' },
      })
      return upgraded ? undefined : badHandshake()
    },
    upgradeTest(request, server, tester) {
      const upgraded = server.upgrade(request, { data: { session: null, signer: null, tester } })
      return upgraded ? undefined : badHandshake()
    },
    handlers: {
      maxPayloadLength: MAX_PAYLOAD_BYTES,
      backpressureLimit: BACKPRESSURE_BYTES,
      closeOnBackpressureLimit: false,
      perMessageDeflate: false,
      idleTimeout: 120,
      open(ws) {
        if (ws.data.listener) {
          ws.data.listener.open(ws)
          return
        }
        const session = new MediaSession(ws, deps.session, ws.data)
        ws.data.session = session
        sessions.add(session)
      },
      message(ws: ServerWebSocket<MediaSocketData>, data) {
        const { session } = ws.data
        if (!session) {
          ws.data.listener?.message(data)
          return
        }
        if (typeof data !== 'string') session.onViolation('a binary frame', 1003)
        // Base64 and JSON are ASCII: characters are bytes.
        else if (data.length > MAX_FRAME_BYTES) session.onViolation('a frame over 64 KiB', 1009)
        else session.onText(data)
      },
      close(ws, code, reason) {
        const { session } = ws.data
        if (!session) {
          ws.data.listener?.close()
          return
        }
        session.onClose(code, reason)
        sessions.delete(session)
      },
    },
    liveCalls() {
      let live = 0
      for (const session of sessions) if (session.live) live++
      return live
    },
    sessionOf(callSid) {
      for (const session of sessions) if (session.live && session.callSid === callSid) return session
      return null
    },
    sockets: () => sessions.size,
    noteDelay(ms) {
      for (const session of sessions) if (session.live) session.noteDelay(ms)
    },
    async drain() {
      await Promise.all([...sessions].map((session) => session.drain()))
    },
  }
}

/** The path of an absolute URL without parsing all of it: this runs before every request. */
export function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const end = url.indexOf('?', start)
  return url.slice(start, end < 0 ? undefined : end)
}

const badHandshake = () => refusal(400, 'bad_handshake', 'The WebSocket handshake is not valid.')

/** The answer to a request that does not ask for a WebSocket; null when it does. */
export function refuseNoSocket(request: Request): Response | null {
  if (request.headers.get('upgrade')?.toLowerCase() === 'websocket') return null
  const headers = { Upgrade: 'websocket' }
  return refusal(426, 'upgrade_required', 'This address is a WebSocket. Send Upgrade: websocket.', headers)
}

function refusal(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ success: false, error: { code, message } }, { status, headers })
}
