import { decodeMulawByte } from '../mulaw.ts'
import { SILERO_FRAME, type SileroStream } from './silero.ts'

/** Where speech began and ended, in milliseconds on the line's media clock. */
export type SpeechMark =
  | { type: 'speech_started'; atMs: number }
  /** `voicedMs`: how much of it was voice; a cough has little. */
  | { type: 'speech_stopped'; atMs: number; voicedMs: number }

export type TurnDetectorOptions = {
  /** The silence that ends a turn. */
  endOfTurnMs?: number
  /** How much voice within 160 ms begins a turn: less is a click. */
  minSpeechMs?: number
}

const FRAME_MS = SILERO_FRAME / 8
const START = 0.5
const END = 0.35
/** The voice that begins a turn lies within this many frames: 160 ms. */
const WINDOW = 5
/** Timestamps may jitter by this much before they count as a gap. */
const JITTER_MS = 40
/** After a gap of this length the model's memory is reset. */
const FORGET_MS = 200

/** Turns on one line. Pure: its clock is that of the audio, its input are the frames. */
export class TurnDetector {
  readonly #stream: SileroStream
  readonly #minFrames: number
  readonly #pcm = new Int16Array(SILERO_FRAME)
  #filled = 0
  #endOfTurnMs: number
  /** The end of the last frame in media time; undefined before the first one. */
  #clockMs: number | undefined
  #recent: { atMs: number; voiced: boolean }[] = []
  #speaking = false
  #voicedMs = 0
  #lastVoiceMs = 0

  constructor(stream: SileroStream, options: TurnDetectorOptions = {}) {
    this.#stream = stream
    this.#endOfTurnMs = options.endOfTurnMs ?? 700
    this.#minFrames = Math.max(1, Math.round((options.minSpeechMs ?? 96) / FRAME_MS))
  }

  get speaking(): boolean {
    return this.#speaking
  }

  /** Takes effect at once, within a turn too. */
  setEndOfTurn(ms: number): void {
    this.#endOfTurnMs = ms
  }

  /**
   * μ-law of any length that begins at `atMs`. A jump forward of the clock is silence; an empty frame means that
   * the line was silent until `atMs`.
   */
  push(mulaw: Uint8Array, atMs: number): SpeechMark[] {
    const marks: SpeechMark[] = []
    this.#clockMs ??= atMs
    if (atMs - this.#clockMs > (mulaw.length === 0 ? 0 : JITTER_MS)) this.#skipTo(atMs, marks)
    for (let i = 0; i < mulaw.length; i++) {
      this.#pcm[this.#filled++] = decodeMulawByte(mulaw[i] as number)
      if (this.#filled < SILERO_FRAME) continue
      this.#filled = 0
      const frameMs = this.#clockMs + (i + 1) / 8 - FRAME_MS
      this.#judge(this.#stream.process(this.#pcm), frameMs, marks)
    }
    this.#clockMs += mulaw.length / 8
    return marks
  }

  #skipTo(atMs: number, marks: SpeechMark[]): void {
    if (atMs - (this.#clockMs ?? atMs) > FORGET_MS) {
      this.#stream.reset()
      this.#recent = []
    }
    this.#filled = 0
    this.#clockMs = atMs
    this.#endIfSilent(atMs, marks)
  }

  #judge(probability: number, frameMs: number, marks: SpeechMark[]): void {
    if (this.#speaking) {
      if (probability >= END) {
        this.#voicedMs += FRAME_MS
        this.#lastVoiceMs = frameMs + FRAME_MS
      }
      this.#endIfSilent(frameMs + FRAME_MS, marks)
      return
    }
    this.#recent.push({ atMs: frameMs, voiced: probability >= START })
    if (this.#recent.length > WINDOW) this.#recent.shift()
    const voiced = this.#recent.filter((frame) => frame.voiced)
    const first = voiced[0]
    if (!first || voiced.length < this.#minFrames) return
    this.#speaking = true
    this.#voicedMs = voiced.length * FRAME_MS
    this.#lastVoiceMs = frameMs + FRAME_MS
    this.#recent = []
    marks.push({ type: 'speech_started', atMs: first.atMs })
  }

  #endIfSilent(nowMs: number, marks: SpeechMark[]): void {
    if (!this.#speaking || nowMs - this.#lastVoiceMs < this.#endOfTurnMs) return
    this.#speaking = false
    marks.push({ type: 'speech_stopped', atMs: this.#lastVoiceMs, voicedMs: this.#voicedMs })
  }
}
