import { AudioRingBuffer } from './audio-ring-buffer.ts'
import { EnergyGate } from './energy-gate.ts'
import type { SileroModel } from './silero.ts'
import { type SpeechMark, TurnDetector, type TurnDetectorOptions } from './turn-detector.ts'

/** Lead-in that an utterance's audio carries before its detected onset. */
export const PRE_ROLL_MS = 300

/** A mark; the end of a turn brings its audio, from 300 ms before its onset, as μ-law. */
export type SpeechEvent =
  | Extract<SpeechMark, { type: 'speech_started' }>
  | (Extract<SpeechMark, { type: 'speech_stopped' }> & { startMs: number; audio: Uint8Array })

/** Energy gate, Silero, turn rules and tape in one: everything on the calling thread. */
export class SpeechDetector {
  readonly #turns: TurnDetector
  readonly #line: EnergyGate
  readonly #tape = new AudioRingBuffer()
  #startMs = 0
  #events: SpeechEvent[] = []

  constructor(model: SileroModel, options: TurnDetectorOptions = {}) {
    this.#turns = new TurnDetector(model.stream(), options)
    this.#line = new EnergyGate((mulaw, atMs) => {
      for (const mark of this.#turns.push(mulaw, atMs)) this.#take(mark)
    })
  }

  /** The silence that ends a turn, from now on. */
  setEndOfTurn(ms: number): void {
    this.#turns.setEndOfTurn(ms)
  }

  /** A frame of any length; the bytes must not change afterwards. */
  push(mulaw: Uint8Array, atMs: number): SpeechEvent[] {
    this.#events = []
    this.#tape.push(mulaw, atMs)
    this.#line.push(mulaw, atMs)
    if (!this.#turns.speaking) this.#tape.forget(atMs - 2000)
    return this.#events
  }

  #take(mark: SpeechMark): void {
    if (mark.type === 'speech_started') {
      this.#startMs = mark.atMs
      this.#events.push(mark)
      return
    }
    const audio = this.#tape.slice(this.#startMs - PRE_ROLL_MS, mark.atMs + 100)
    this.#events.push({ ...mark, startMs: this.#startMs, audio })
  }
}
