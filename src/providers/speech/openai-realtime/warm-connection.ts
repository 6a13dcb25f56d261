/** Asked of a spare that waits: whoever answers it lives. */
const PROBE = '{"type":"session.update","session":{"type":"realtime"}}'

export type WarmConnectionTimes = {
  /** How often a waiting connection is asked whether it lives. */
  probeMs: number
  /** How long it may take to answer, or to open. */
  answerMs: number
  /** A connection is replaced after this: a session of the Realtime API lives for an hour. */
  renewMs: number
  /** Between one that failed and the next. */
  retryMs: number
}

const DEFAULT_TIMES: WarmConnectionTimes = { probeMs: 20_000, answerMs: 2_000, renewMs: 20 * 60_000, retryMs: 30_000 }

/**
 * One connection to the engine that is open before anybody needs it: a call that takes it saves the handshakes. Only one that
 * answered lately, and is asked nothing at the moment, is given away: what comes next on it is the call's.
 */
export class WarmConnection {
  #socket: WebSocket | null = null
  #state: 'none' | 'opening' | 'asked' | 'ready' = 'none'
  #openedAt = 0
  #closed = false
  #timer: Timer | undefined

  /** @param open begins a connection */
  constructor(
    private readonly open: () => WebSocket,
    private readonly times: WarmConnectionTimes = DEFAULT_TIMES,
  ) {
    this.#renew()
  }

  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** The open connection, which is the caller's from now on, or null; another one is opened in its place. */
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
      this.#ask()
    }
    // The first answer is the session itself; the one to what was asked follows it.
    socket.onmessage = (event) => {
      if (this.#state === 'asked' && String(event.data).includes('"session.updated"')) this.#answered()
    }
    socket.onclose = () => this.#failed()
    socket.onerror = () => this.#failed()
    this.#later(this.times.answerMs, () => this.#failed())
  }

  #ask(): void {
    if (performance.now() - this.#openedAt > this.times.renewMs) {
      this.#renew()
      return
    }
    this.#state = 'asked'
    this.#socket?.send(PROBE)
    this.#later(this.times.answerMs, () => this.#failed())
  }

  #answered(): void {
    this.#state = 'ready'
    this.#later(this.times.probeMs, () => this.#ask())
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
