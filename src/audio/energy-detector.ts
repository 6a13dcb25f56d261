/** Loudness (16-bit RMS) that counts as a voice on a telephone line. */
const VOICE_RMS = 330
/** Frames that are remembered: 320 ms at 20 ms each. */
const WINDOW = 16
const WINDOW_BITS = 2 ** WINDOW - 1
/** The detector looks at every eighth frame: each 160 ms at 20 ms a frame. */
export const FRAMES_PER_LOOK = 8
/** This many loud looks in a row are taken for a voice. */
const LOUD_SAMPLES = 2

/** Whether a frame is loud enough for a voice. @param rms on the 16-bit scale */
export function isVoice(rms: number): boolean {
  return rms >= VOICE_RMS
}

/**
 * Which of the last frames were loud, one bit each, the latest lowest.
 * @param rms how loud one more frame is, on the 16-bit scale
 */
export function withFrame(bits: number, rms: number): number {
  return ((bits << 1) | (isVoice(rms) ? 1 : 0)) & WINDOW_BITS
}

/** Voice among the last frames, 320 ms of them at most, in ms. @param frameMs how long each plays */
export function voicedMs(bits: number, frameMs: number, frames = WINDOW): number {
  let loud = 0
  for (let left = bits & (2 ** Math.min(frames, WINDOW) - 1); left > 0; left &= left - 1) loud++
  return loud * frameMs
}

/** A cheap voice-activity detector beside the engine's: an unreported voice shows that the engine no longer listens. */
export class EnergyDetector {
  #loudSamples = 0
  /** When a voice was last heard, and whether the engine reported it. */
  #voiceAt: number | null = null
  #isReported = true

  /** To be called every `FRAMES_PER_LOOK` frames. @param bits which of the last were loud @param now monotonic ms */
  look(bits: number, now: () => number): void {
    this.#loudSamples = (bits & 1) === 1 ? this.#loudSamples + 1 : 0
    if (this.#loudSamples < LOUD_SAMPLES) return
    this.#voiceAt = now()
    this.#isReported = false
  }

  reported(): void {
    this.#isReported = true
    this.#loudSamples = 0
  }

  /** How long ago an unreported voice fell silent, in ms; null when there was none. */
  unansweredFor(now: number): number | null {
    return this.#isReported ? null : this.silentFor(now)
  }

  /** How long ago the last voice fell silent, in ms; null when there was none. */
  silentFor(now: number): number | null {
    return this.#voiceAt === null ? null : now - this.#voiceAt
  }
}
