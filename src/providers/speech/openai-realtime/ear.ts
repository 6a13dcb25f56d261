import { rmsOfMulawBase64 } from '../../../media/audio/energy.ts'

/** Loudness (16-bit RMS) that counts as a voice on a telephone line. */
const VOICE_RMS = 330
/** Frames looked back at, at most: 320 ms at 20 ms each. */
const KEPT = 16
const KEPT_BITS = 2 ** KEPT - 1
/** Every how many frames one decides whether somebody speaks: 160 ms at 20 ms each. */
const SAMPLED = 8
/** Two loud samples in a row make it likely that somebody speaks. */
const LOUD_SAMPLES = 2

/**
 * A cheap ear of our own beside the engine's: it knows which of the last frames were loud, so that a speech start can be
 * weighed, and whether a voice goes on, so that an engine which no longer listens is noticed. It keeps a bit a frame, no audio.
 */
export class LineEar {
  /** The last frames, one bit each, the latest lowest. */
  #bits = 0
  #frames = 0
  #frameMs = 0
  #loudSamples = 0
  /** When a voice was last heard, and whether the engine knows of it. */
  #voiceAt: number | null = null
  #known = true

  /** @param payload base64 μ-law @param ms how long it plays */
  push(payload: string, ms: number, now: () => number): void {
    const loud = rmsOfMulawBase64(payload) >= VOICE_RMS ? 1 : 0
    this.#bits = ((this.#bits << 1) | loud) & KEPT_BITS
    this.#frameMs = ms
    if (++this.#frames % SAMPLED !== 0) return
    this.#loudSamples = loud === 1 ? this.#loudSamples + 1 : 0
    if (this.#loudSamples < LOUD_SAMPLES) return
    this.#voiceAt = now()
    this.#known = false
  }

  /** The engine reported speech: what was heard is accounted for. */
  reported(): void {
    this.#known = true
    this.#loudSamples = 0
  }

  /** How long ago an unreported voice fell silent, in ms; null when there was none. */
  unansweredFor(now: number): number | null {
    return this.#known ? null : this.silentFor(now)
  }

  /** How long ago the last voice fell silent, in ms; null when there was none. */
  silentFor(now: number): number | null {
    return this.#voiceAt === null ? null : now - this.#voiceAt
  }

  /** Voice among the last frames, 320 ms of them at most, in ms. */
  voicedMs(frames = KEPT): number {
    let loud = 0
    for (let bits = this.#bits & (2 ** Math.min(frames, KEPT) - 1); bits > 0; bits &= bits - 1) loud++
    return loud * this.#frameMs
  }
}
