import { MULAW_SILENCE, mulawSilence } from '../audio/mulaw.ts'

/** Gets both sides of a call, every `LISTEN_STEP_MS`: μ-law of the same length, silence where a side is silent. */
export type CallListener = {
  hear(caller: Uint8Array, agent: Uint8Array): void
  /** The call is over, or nothing comes any more. */
  end(): void
}

export const LISTEN_STEP_MS = 100
const BYTES_PER_MS = 8
/** The caller's audio that waits for the next step: a loop that is late loses the rest for the listeners, not for the call. */
const MAX_CALLER_FRAMES = 100
/** The agent's audio that waits to be heard: four minutes; it is sent as soon as it is made. */
const MAX_AGENT_BYTES = 4 * 60_000 * BYTES_PER_MS
/** Without frames of the caller for this long the agent's side goes by the clock. */
const LINE_LOST_MS = 300

/**
 * Copies both sides of a call for those who listen in. The audio path only appends to two bounded lists; a timer of its
 * own does the rest. The agent's audio is passed on as fast as the caller hears it, and dropped when the carrier drops it.
 */
export class ListenTap {
  #caller: string[] = []
  #agent: (string | Uint8Array)[] = []
  #agentBytes = 0
  #head: Uint8Array | null = null
  readonly #listeners = new Set<CallListener>()
  #timer: Timer | null = null
  /** When frames of the caller came last, and when a step last passed something on. */
  #framesAt = performance.now()
  #steppedAt = performance.now()

  /** @param onUnused the last listener left */
  constructor(private readonly onUnused: () => void) {}

  /** @returns removes the listener; repeated calls have no effect */
  add(listener: CallListener): () => void {
    this.#listeners.add(listener)
    this.#timer ??= setInterval(() => this.#step(), LISTEN_STEP_MS)
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#stop()
    }
  }

  /** A frame of the caller. @param payload base64 μ-law */
  caller(payload: string): void {
    if (this.#caller.length < MAX_CALLER_FRAMES) this.#caller.push(payload)
  }

  /** Audio of the agent, when it is sent to the carrier. @param audio base64 or raw μ-law */
  agent(audio: string | Uint8Array): void {
    if (this.#agentBytes > MAX_AGENT_BYTES) return
    this.#agent.push(audio)
    this.#agentBytes += bytesOf(audio)
  }

  /** The carrier drops what it has not played. */
  clear(): void {
    this.#agent = []
    this.#agentBytes = 0
    this.#head = null
  }

  end(): void {
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    this.#stop()
    for (const listener of listeners) attempt(() => listener.end())
  }

  #stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    this.onUnused()
  }

  #step(): void {
    const caller = this.#takeCaller()
    if (caller.length === 0) return
    const agent = this.#takeAgent(caller.length)
    for (const listener of this.#listeners) attempt(() => listener.hear(caller, agent))
  }

  #takeCaller(): Uint8Array {
    const now = performance.now()
    const frames = this.#caller.splice(0)
    if (frames.length === 0 && now - this.#framesAt < LINE_LOST_MS) return new Uint8Array(0)
    const passedMs = Math.round(now - this.#steppedAt)
    this.#steppedAt = now
    if (frames.length === 0) return mulawSilence(Math.min(passedMs, LINE_LOST_MS + LISTEN_STEP_MS))
    this.#framesAt = now
    return Buffer.concat(frames.map((payload) => Buffer.from(payload, 'base64')))
  }

  #takeAgent(length: number): Uint8Array {
    const taken = new Uint8Array(length).fill(MULAW_SILENCE)
    let at = 0
    while (at < length) {
      const head = this.#head ?? this.#nextHead()
      if (!head) break
      const part = head.subarray(0, length - at)
      taken.set(part, at)
      at += part.length
      this.#head = part.length < head.length ? head.subarray(part.length) : null
    }
    return taken
  }

  #nextHead(): Uint8Array | null {
    const next = this.#agent.shift()
    if (next === undefined) return null
    this.#agentBytes -= bytesOf(next)
    return typeof next === 'string' ? Buffer.from(next, 'base64') : next
  }
}

function bytesOf(audio: string | Uint8Array): number {
  return typeof audio === 'string' ? audio.length * 0.75 : audio.length
}

/** A listener that fails costs the others and the call nothing. */
function attempt(act: () => void): void {
  try {
    act()
  } catch {
    // Its own socket closes or the relay ends it.
  }
}
