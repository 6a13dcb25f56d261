/** Loudness (16-bit RMS) that counts as a voice on a telephone line. */
const VOICE_RMS = 330
/** Frames looked back at, at most: 320 ms at 20 ms each. */
const KEPT = 16
const KEPT_BITS = 2 ** KEPT - 1
/** Every how many frames one decides whether somebody speaks: 160 ms at 20 ms each. */
export const LOOKED_AT = 8
/** Two loud samples in a row make it likely that somebody speaks. */
const LOUD_SAMPLES = 2

/**
 * Which of the last frames were loud, one bit each, the latest lowest; no audio is kept.
 * @param rms how loud one more frame is, on the 16-bit scale
 */
export function withFrame(bits: number, rms: number): number {
  return ((bits << 1) | (rms >= VOICE_RMS ? 1 : 0)) & KEPT_BITS
}

/** Voice among the last frames, 320 ms of them at most, in ms. @param frameMs how long each plays */
export function voicedMs(bits: number, frameMs: number, frames = KEPT): number {
  let loud = 0
  for (let left = bits & (2 ** Math.min(frames, KEPT) - 1); left > 0; left &= left - 1) loud++
  return loud * frameMs
}

/**
 * A cheap voice-activity detector of our own beside the engine's: an engine that no longer listens is noticed by what it does
 * not report.
 */
export class EnergyDetector {
  #loudSamples = 0
  /** When a voice was last heard, and whether the engine knows of it. */
  #voiceAt: number | null = null
  #known = true

  /** To be called every `LOOKED_AT` frames. @param bits which of the last were loud @param now monotonic ms */
  look(bits: number, now: () => number): void {
    this.#loudSamples = (bits & 1) === 1 ? this.#loudSamples + 1 : 0
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
}
