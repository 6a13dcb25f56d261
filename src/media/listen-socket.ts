import type { Server } from 'bun'
import type { BusinessContext } from '../domain/context.ts'
import { AppError, errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { CallListener } from './listen-tap.ts'
import type { LiveControl } from './live-control.ts'
import type { ListenerPeer, ListenerTransport, MediaSocketData } from './socket.ts'

export const LISTEN_PATH = '/ws/listen'
/** From the upgrade to the token. */
const TOKEN_MS = 5_000
const MAX_TOKEN_BYTES = 4_096
/** Four seconds of both sides: a listener who is further behind is dropped. */
const MAX_BEHIND_BYTES = 64_000

/** Who may hear which call. `closing` ends when the right is gone; `leave` must be called at the end. */
export type ListenGrant = { ctx: BusinessContext; callId: string; closing: AbortSignal; leave(): void }

export type ListenSocketDeps = {
  control: Pick<LiveControl, 'listen'>
  /** Takes a token, once. Null when it is forged, expired or used, or its bearer has lost the right. */
  admit(token: string): Promise<ListenGrant | null>
  log: Logger
}

/**
 * The socket of those who listen in: the first message is the token, then every message to the browser is 8 kHz μ-law of
 * both sides, the first half of its bytes the caller's, the second the agent's.
 * @returns answers an upgrade: undefined once upgraded, a response when refused, null when the path is another one
 */
export function createListenSocket(deps: ListenSocketDeps) {
  return (request: Request, server: Server<MediaSocketData>, path: string): Response | undefined | null => {
    if (path.replace(/\/+$/, '') !== LISTEN_PATH) return null
    if (request.headers.get('upgrade')?.toLowerCase() !== 'websocket')
      return refusal(426, 'upgrade_required', 'This address is a WebSocket. Send Upgrade: websocket.')
    const listener = new Listener(deps)
    const upgraded = server.upgrade(request, { data: { session: null, signer: null, listener } })
    return upgraded ? undefined : refusal(400, 'bad_handshake', 'The WebSocket handshake is not valid.')
  }
}

class Listener implements ListenerPeer, CallListener {
  #transport: ListenerTransport | null = null
  #grant: ListenGrant | null = null
  #leave: (() => void) | null = null
  #token: Timer | null = null
  #begun = false
  #over = false

  constructor(private readonly deps: ListenSocketDeps) {}

  open(transport: ListenerTransport): void {
    this.#transport = transport
    this.#token = setTimeout(() => this.#end(1008, 'no token within 5 s'), TOKEN_MS)
  }

  message(data: string | Uint8Array): void {
    if (this.#begun || typeof data !== 'string' || data.length > MAX_TOKEN_BYTES) {
      this.#end(1008, 'only the token is expected, once')
      return
    }
    this.#begun = true
    if (this.#token) clearTimeout(this.#token)
    this.#begin(data).catch((error: unknown) => {
      const known = error instanceof AppError
      if (!known) this.deps.log.warn({ error: errorMessage(error) }, 'listening failed')
      this.#end(known && error.code === 'call_not_live' ? 1000 : 1011, known ? error.code : 'failed')
    })
  }

  close(): void {
    this.#release()
  }

  hear(caller: Uint8Array, agent: Uint8Array): void {
    const transport = this.#transport
    if (!transport || this.#over) return
    if (transport.getBufferedAmount() > MAX_BEHIND_BYTES) {
      this.#end(1013, 'the connection is too slow')
      return
    }
    transport.send(Buffer.concat([caller, agent]))
  }

  end(): void {
    this.#end(1000, 'call_ended')
  }

  async #begin(token: string): Promise<void> {
    const grant = await this.deps.admit(token)
    if (!grant) {
      this.#end(1008, 'the token is wrong, used or expired')
      return
    }
    if (this.#over) {
      grant.leave()
      return
    }
    this.#grant = grant
    grant.closing.addEventListener('abort', () => this.#end(1008, 'the right to listen is gone'), { once: true })
    const leave = await this.deps.control.listen(grant.ctx, grant.callId, this)
    if (this.#over) leave()
    else this.#leave = leave
  }

  #end(code: number, reason: string): void {
    if (this.#over) return
    this.#release()
    this.#transport?.close(code, reason)
  }

  #release(): void {
    if (this.#over) return
    this.#over = true
    if (this.#token) clearTimeout(this.#token)
    this.#leave?.()
    this.#grant?.leave()
  }
}

function refusal(status: number, code: string, message: string): Response {
  const headers: HeadersInit = status === 426 ? { Upgrade: 'websocket' } : {}
  return Response.json({ success: false, error: { code, message } }, { status, headers })
}
