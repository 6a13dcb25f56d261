import { LoudnessGate, type LoudnessGateOptions } from '../energy.ts'

const NOTHING = new Uint8Array(0)
/** Lead-in of a sound that a detector gets from the silence before it. */
const LEAD_MS = 128
/** How long after the gate closed a detector still gets empty frames. */
const CLOCK_MS = 4000

/**
 * Saves a detector work: passes on the audio while there is sound, with a short lead-in; after it empty frames that only
 * carry the time, then nothing.
 */
export class EnergyGate {
  readonly #gate: LoudnessGate
  readonly #pass: (mulaw: Uint8Array, atMs: number) => void
  #held: { mulaw: Uint8Array; atMs: number }[] = []
  #heldMs = 0
  #open = false
  #clockUntilMs = Number.NEGATIVE_INFINITY

  /** @param pass gets every frame for the detector; it may keep the bytes */
  constructor(pass: (mulaw: Uint8Array, atMs: number) => void, options: LoudnessGateOptions = {}) {
    this.#pass = pass
    // Longer than the usual end of a turn, so that the detector itself judges the pauses within speech.
    this.#gate = new LoudnessGate({ hangoverMs: 1000, ...options })
  }

  push(mulaw: Uint8Array, atMs: number): void {
    const wasOpen = this.#open
    this.#open = this.#gate.push(mulaw)
    if (this.#open) {
      for (const held of this.#held) this.#pass(held.mulaw, held.atMs)
      this.#held = []
      this.#heldMs = 0
      this.#pass(mulaw, atMs)
      return
    }
    if (wasOpen) this.#clockUntilMs = atMs + CLOCK_MS
    this.#held.push({ mulaw, atMs })
    this.#heldMs += mulaw.length / 8
    while (this.#heldMs > LEAD_MS && this.#held.length > 1) this.#heldMs -= (this.#held.shift()?.mulaw.length ?? 0) / 8
    const oldest = this.#held[0]
    if (oldest && atMs < this.#clockUntilMs) this.#pass(NOTHING, oldest.atMs)
  }
}
