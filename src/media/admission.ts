/** How long a call may take from the answer to its webhook to the start of its stream. */
const ARRIVING_MS = 10_000
/** A little longer than a token is valid. */
const TOKEN_MS = 90_000
/** Fewer live calls than these are not what makes a process slow: to send the next one away would help none of them. */
const FEW_CALLS = 10
/** Callers hear a delay of several frames as a stutter. */
const SLOW_MS = 60

/** Decides whether one more call fits into this process, and that a token opens one stream only. */
export class Admission {
  /** Calls that were answered with a stream and have not started it, with the time of the answer. */
  readonly #arriving = new Map<string, number>()
  readonly #used = new Map<string, number>()

  constructor(
    private readonly options: {
      limit: number
      live(): number
      draining(): boolean
      /** How late the event loop usually is at present, in ms. */
      delayMs(): number
    },
  ) {}

  /** Whether a call may be served; a repeated request for the same call counts once. */
  admit(callSid: string, now = performance.now()): boolean {
    if (this.options.draining()) return false
    forgetBefore(this.#arriving, now - ARRIVING_MS)
    if (!this.#arriving.has(callSid) && !this.#fits()) return false
    this.#arriving.delete(callSid)
    this.#arriving.set(callSid, now)
    return true
  }

  /** A server that is late takes none before those it has suffer: voicemail is better than a voice that stutters. */
  #fits(): boolean {
    const { live, limit, delayMs } = this.options
    return live() + this.#arriving.size < limit && (live() < FEW_CALLS || delayMs() <= SLOW_MS)
  }

  /** Marks a token as used. @returns false when this process had seen it before */
  useToken(nonce: string, callSid: string, now = performance.now()): boolean {
    forgetBefore(this.#used, now - TOKEN_MS)
    if (this.#used.has(nonce)) return false
    this.#used.set(nonce, now)
    this.#arriving.delete(callSid)
    return true
  }
}

/** Entries are in order of time: the old ones are at the front. */
function forgetBefore(entries: Map<string, number>, time: number): void {
  for (const [key, at] of entries) {
    if (at >= time) return
    entries.delete(key)
  }
}
