import { PROBE } from './settings.ts'

export type WarmConnectionTimes = {
  /** How often a waiting connection is probed. */
  probeMs: number
  /** How long it may take to answer a probe, or to open. */
  answerMs: number
  /** A connection is replaced after this: a session of the Realtime API lives for an hour. */
  renewMs: number
  /** Between a connection that failed and the next. */
  retryMs: number
}

const DEFAULT_TIMES: WarmConnectionTimes = { probeMs: 20_000, answerMs: 2_000, renewMs: 20 * 60_000, retryMs: 30_000 }

/**
 * One connection to the engine that is open before a call needs it: the call saves the handshakes. Only a connection that
 * answered its last probe is given away, so that the next message on it is for the call.
 */
export class WarmConnection {
  #socket: WebSocket | null = null
  #state: 'none' | 'opening' | 'probed' | 'ready' = 'none'
  #openedAt = 0
  #closed = false
  #timer: Timer | undefined

  constructor(
    private readonly open: () => WebSocket,
    private readonly times: WarmConnectionTimes = DEFAULT_TIMES,
  ) {
    this.#renew()
  }

  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** The open connection, which belongs to the call from now on, or null; another one is opened in its place. */
  take(): WebSocket | null {
    const socket = this.#socket
    if (!socket || this.#state !== 'ready' || socket.readyState !== WebSocket.OPEN) return null
    this.#forget()
    this.#later(0, () => this.#renew())
    return socket
  }

  close(): void {
    this.#closed = true
    this.#drop()
  }

  #renew(): void {
    if (this.#closed) return
    this.#drop()
    const socket = this.open()
    this.#socket = socket
    this.#state = 'opening'
    socket.onopen = () => {
      this.#openedAt = performance.now()
      this.#probe()
    }
    // The first message is `session.created`; the answer to the probe follows it.
    socket.onmessage = (event) => {
      if (this.#state === 'probed' && String(event.data).includes('"session.updated"')) this.#answered()
    }
    socket.onclose = () => this.#failed()
    socket.onerror = () => this.#failed()
    this.#later(this.times.answerMs, () => this.#failed())
  }

  #probe(): void {
    if (performance.now() - this.#openedAt > this.times.renewMs) {
      this.#renew()
      return
    }
    this.#state = 'probed'
    this.#socket?.send(JSON.stringify(PROBE))
    this.#later(this.times.answerMs, () => this.#failed())
  }

  #answered(): void {
    this.#state = 'ready'
    this.#later(this.times.probeMs, () => this.#probe())
  }

  #failed(): void {
    this.#drop()
    if (!this.#closed) this.#later(this.times.retryMs, () => this.#renew())
  }

  #drop(): void {
    const socket = this.#socket
    this.#forget()
    socket?.close(1000)
  }

  #forget(): void {
    clearTimeout(this.#timer)
    const socket = this.#socket
    if (socket) {
      socket.onopen = null
      socket.onmessage = null
      socket.onclose = null
      socket.onerror = null
    }
    this.#socket = null
    this.#state = 'none'
  }

  #later(ms: number, act: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(act, ms)
  }
}
