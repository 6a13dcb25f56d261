import { rmsOfMulaw } from '../../audio/energy.ts'
import type { TurnDetection } from './client-events.ts'

const FRAME_BYTES = 160
const FRAME_MS = 20
const VOICE_RMS = 330
/** Loud frames among the last ten that begin a turn: 160 ms, about when the real one reports. */
const START_FRAMES = 8

export type VadMark = { type: 'started'; atMs: number } | { type: 'stopped'; atMs: number }

/** Turn detection by loudness. Times are ms of audio since the session began, as the Realtime API counts. */
export class LoudnessVad {
  #rest: Uint8Array = new Uint8Array(0)
  #ms = 0
  #recent: boolean[] = []
  #speaking = false
  #silentMs = 0

  get totalMs(): number {
    return this.#ms + this.#rest.length / 8
  }

  push(mulaw: Uint8Array, settings: TurnDetection): VadMark[] {
    const audio = this.#rest.length > 0 ? Buffer.concat([this.#rest, mulaw]) : mulaw
    const marks: VadMark[] = []
    let at = 0
    for (; at + FRAME_BYTES <= audio.length; at += FRAME_BYTES) {
      this.#ms += FRAME_MS
      if (settings) this.#judge(rmsOfMulaw(audio.subarray(at, at + FRAME_BYTES)), settings, marks)
    }
    this.#rest = audio.slice(at)
    return marks
  }

  #judge(rms: number, settings: NonNullable<TurnDetection>, marks: VadMark[]): void {
    const loud = rms >= VOICE_RMS * (settings.type === 'server_vad' ? settings.threshold * 2 : 1)
    if (this.#speaking) {
      this.#silentMs = loud ? 0 : this.#silentMs + FRAME_MS
      if (this.#silentMs < silenceOf(settings)) return
      this.#speaking = false
      this.#recent = []
      marks.push({ type: 'stopped', atMs: this.#ms })
      return
    }
    this.#recent.push(loud)
    if (this.#recent.length > 10) this.#recent.shift()
    if (!loud || this.#recent.filter(Boolean).length < START_FRAMES) return
    this.#speaking = true
    this.#silentMs = 0
    const prefix = settings.type === 'server_vad' ? settings.prefix_padding_ms : 0
    marks.push({ type: 'started', atMs: Math.max(0, this.#ms - this.#recent.length * FRAME_MS - prefix) })
  }
}

/** The silence that ends a turn; a semantic detector waits according to its eagerness. */
export function silenceOf(settings: NonNullable<TurnDetection>): number {
  if (settings.type === 'server_vad') return settings.silence_duration_ms
  return { low: 1_200, medium: 700, auto: 700, high: 300 }[settings.eagerness]
}
