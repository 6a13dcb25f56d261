import { bytesOfMs, MULAW_SILENCE } from '../mulaw.ts'

/** The last audio of a line by media time, so that an utterance can be cut out with its onset. */
export class AudioRingBuffer {
  readonly #maxMs: number
  #frames: { mulaw: Uint8Array; atMs: number }[] = []

  /** @param maxMs its length; 60 s are 480 KB */
  constructor(maxMs = 120_000) {
    this.#maxMs = maxMs
  }

  /** Adds a frame; the bytes must not change afterwards. */
  push(mulaw: Uint8Array, atMs: number): void {
    this.#frames.push({ mulaw, atMs })
    const first = this.#frames[0]
    // In strides, so that the array is not moved for every frame.
    if (first && atMs - first.atMs > this.#maxMs + 2000) this.forget(atMs - this.#maxMs)
  }

  /** The audio between two moments, as far as it is buffered; gaps are silence. */
  slice(startMs: number, endMs: number): Uint8Array {
    const first = this.#frames[0]
    const last = this.#frames.at(-1)
    if (!first || !last) return new Uint8Array(0)
    const from = Math.max(startMs, first.atMs)
    const to = Math.min(endMs, last.atMs + last.mulaw.length / 8)
    if (to <= from) return new Uint8Array(0)
    const cut = new Uint8Array(bytesOfMs(to - from)).fill(MULAW_SILENCE)
    for (const { mulaw, atMs } of this.#frames) {
      const offset = bytesOfMs(atMs - from)
      if (offset >= cut.length || offset + mulaw.length <= 0) continue
      const begin = Math.max(0, -offset)
      cut.set(mulaw.subarray(begin, Math.min(mulaw.length, cut.length - offset)), offset + begin)
    }
    return cut
  }

  /** Drops the audio before a moment. */
  forget(beforeMs: number): void {
    const first = this.#frames.findIndex((frame) => frame.atMs + frame.mulaw.length / 8 > beforeMs)
    this.#frames = first < 0 ? [] : this.#frames.slice(first)
  }
}
