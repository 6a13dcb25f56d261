import { rmsOfMulaw } from '../../../media/audio/energy.ts'

/** Loudness (16-bit RMS) that counts as a voice on a telephone line. */
const VOICE_RMS = 330
/** Frames kept for a look back: 320 ms at 20 ms each. */
const KEPT = 16
/** Every how many frames one is listened to: 160 ms at 20 ms each. */
const SAMPLED = 8
/** Two loud samples in a row make it likely that somebody speaks. */
const LOUD_SAMPLES = 2

/**
 * A cheap ear of our own beside the engine's: it keeps the last frames undecoded, so that a speech start can be weighed, and
 * samples one in eight, so that an engine which no longer listens is noticed.
 */
export class LineEar {
  readonly #kept: string[] = new Array(KEPT).fill('')
  #frames = 0
  #loud = 0
  /** When a voice was last heard, and whether the engine knows of it. */
  #voiceAt: number | null = null
  #known = true

  /** @param payload base64 μ-law */
  push(payload: string, now: () => number): void {
    this.#kept[this.#frames++ % KEPT] = payload
    if (this.#frames % SAMPLED !== 0) return
    if (rmsOfMulaw(Buffer.from(payload, 'base64')) < VOICE_RMS) {
      this.#loud = 0
      return
    }
    this.#loud++
    if (this.#loud < LOUD_SAMPLES) return
    this.#voiceAt = now()
    this.#known = false
  }

  /** The engine reported speech: what was heard is accounted for. */
  reported(): void {
    this.#known = true
    this.#loud = 0
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
    let ms = 0
    for (let back = 1; back <= Math.min(frames, this.#frames, KEPT); back++) {
      const payload = this.#kept[(this.#frames - back) % KEPT]
      if (!payload) continue
      const frame = Buffer.from(payload, 'base64')
      if (rmsOfMulaw(frame) >= VOICE_RMS) ms += frame.length / 8
    }
    return ms
  }
}
