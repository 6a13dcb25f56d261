import { mulawSilence } from '../../audio/mulaw.ts'
import { BYTES_PER_MS, FRAME_BYTES } from './audio.ts'
import { PlaybackBuffer, type ReturnedMark } from './playback-buffer.ts'

export const FRAME_MS = 20

export type LineEnd = {
  /** One 20 ms frame of the caller; null while the caller's network is lost. */
  frame: (frame: Uint8Array | null) => void
  key?: (digit: string) => void
  marks?: (marks: readonly ReturnedMark[]) => void
}

export type LineListener = {
  tick?: (now: number) => void
  /** Audio was queued for the caller, who hears it from `audibleAt` on. */
  audio?: (now: number, audibleAt: number) => void
}

/**
 * The caller's telephone line. It sends one 20 ms frame every 20 ms of real time without drift (frame n is due at start + n ×
 * 20 ms, however late the one before was) and plays 8,000 bytes a second.
 * All times are ms since the call began.
 */
export class Line {
  readonly playback = new PlaybackBuffer()
  readonly #origin = performance.now()
  readonly #background: Uint8Array | null
  readonly #silence = mulawSilence(FRAME_MS)
  #speech: Uint8Array = new Uint8Array()
  #backgroundAt = 0
  #gapUntil = 0
  #startedAt = 0
  #ticks = 0
  #timer: ReturnType<typeof setTimeout> | null = null
  #end: LineEnd | null = null
  #listeners: LineListener[] = []

  /** @param background μ-law sound of the caller's room, repeated under every silence; pure silence when absent */
  constructor(background: Uint8Array | null = null) {
    this.#background = background !== null && background.length >= FRAME_BYTES ? background : null
  }

  now(): number {
    return performance.now() - this.#origin
  }

  start(): void {
    if (this.#timer !== null) return
    this.#startedAt = this.now()
    this.#schedule()
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#end = null
    this.#listeners = []
    this.playback.clear(this.now())
  }

  listen(listener: LineListener): void {
    this.#listeners.push(listener)
  }

  connect(end: LineEnd | null): void {
    this.#end = end
  }

  /** The caller speaks from the next frame on, after earlier speech. Returns the ms until it was spoken. */
  speak(bytes: Uint8Array): number {
    const joined = new Uint8Array(this.#speech.length + bytes.length)
    joined.set(this.#speech)
    joined.set(bytes, this.#speech.length)
    this.#speech = joined
    return joined.length / BYTES_PER_MS
  }

  get speaking(): boolean {
    return this.#speech.length > 0
  }

  /** The caller's network is lost for a while: no frame is sent, time continues. */
  loseNetwork(ms: number): void {
    this.#gapUntil = this.now() + ms
  }

  press(digit: string): void {
    this.#end?.key?.(digit)
  }

  /** Queues audio for the caller. False when the buffer is full and it was dropped. */
  hear(bytes: Uint8Array): boolean {
    const now = this.now()
    const audibleAt = now + this.playback.bufferedMs(now)
    const taken = this.playback.push(now, bytes)
    if (taken && bytes.length > 0) for (const listener of this.#listeners) listener.audio?.(now, audibleAt)
    return taken
  }

  flushMarks(): void {
    const marks = this.playback.advance(this.now())
    if (marks.length > 0) this.#end?.marks?.(marks)
  }

  #schedule(): void {
    const due = this.#startedAt + (this.#ticks + 1) * FRAME_MS
    this.#timer = setTimeout(() => this.#run(), Math.max(0, due - this.now()))
  }

  #run(): void {
    while (this.#timer !== null && this.#startedAt + (this.#ticks + 1) * FRAME_MS <= this.now()) {
      this.#ticks += 1
      this.#tick()
    }
    if (this.#timer !== null) this.#schedule()
  }

  #tick(): void {
    this.flushMarks()
    const now = this.now()
    for (const listener of this.#listeners) listener.tick?.(now)
    const frame = this.#nextFrame()
    this.#end?.frame(now < this.#gapUntil ? null : frame)
  }

  #nextFrame(): Uint8Array {
    const quiet = this.#nextBackground()
    if (this.#speech.length === 0) return quiet
    const said = this.#speech.subarray(0, FRAME_BYTES)
    this.#speech = this.#speech.subarray(FRAME_BYTES)
    if (said.length === FRAME_BYTES) return said
    const frame = quiet.slice()
    frame.set(said)
    return frame
  }

  #nextBackground(): Uint8Array {
    if (this.#background === null) return this.#silence
    if (this.#backgroundAt + FRAME_BYTES > this.#background.length) this.#backgroundAt = 0
    const frame = this.#background.subarray(this.#backgroundAt, this.#backgroundAt + FRAME_BYTES)
    this.#backgroundAt += FRAME_BYTES
    return frame
  }
}
