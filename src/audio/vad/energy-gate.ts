import { LoudnessGate, type LoudnessGateOptions } from '../energy.ts'

const NOTHING = new Uint8Array(0)
/** What is kept of a silent line, so that a detector hears how a sound begins. */
const LEAD_MS = 128
/** For how long after the gate shut a detector is told that time passes. */
const TELL_MS = 4000

/**
 * The cheap look in front of a detector: passes on the audio while there is sound, with a short lead-in, and after it only
 * empty frames that tell the time, then nothing at all.
 */
export class EnergyGate {
  readonly #gate: LoudnessGate
  readonly #pass: (mulaw: Uint8Array, atMs: number) => void
  #held: { mulaw: Uint8Array; atMs: number }[] = []
  #heldMs = 0
  #open = false
  #tellUntilMs = Number.NEGATIVE_INFINITY

  /** @param pass gets every frame worth a look; it may keep the bytes */
  constructor(pass: (mulaw: Uint8Array, atMs: number) => void, options: LoudnessGateOptions = {}) {
    this.#pass = pass
    // Longer than the usual end of a turn, so that the pauses within speech are judged by the detector itself.
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
    if (wasOpen) this.#tellUntilMs = atMs + TELL_MS
    this.#held.push({ mulaw, atMs })
    this.#heldMs += mulaw.length / 8
    while (this.#heldMs > LEAD_MS && this.#held.length > 1) this.#heldMs -= (this.#held.shift()?.mulaw.length ?? 0) / 8
    const oldest = this.#held[0]
    if (oldest && atMs < this.#tellUntilMs) this.#pass(NOTHING, oldest.atMs)
  }
}
