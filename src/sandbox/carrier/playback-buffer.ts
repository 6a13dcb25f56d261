import { concatBytes } from '../../audio/mulaw.ts'
import { BYTES_PER_MS } from './audio.ts'

/** A returned mark. `cleared` = its audio was not heard because the buffer was cleared. */
export type ReturnedMark = { name: string; cleared: boolean }
/** Sound that the caller heard without a pause of 200 ms. Times are milliseconds on the buffer's clock. */
export type HeardSpan = { startMs: number; endMs: number }

type Segment = { start: number; end: number; bytes: Uint8Array }
type PendingMark = { name: string; due: number }

/** A shorter pause does not end a span: a server that paces its chunks jitters by a few ms. */
const SAME_SPAN_GAP_MS = 200

/** More than this much buffered audio is dropped (error 31931). */
export const MAX_BUFFERED_MS = 10 * 60 * 1000

/**
 * Twilio's playback buffer: audio arrives at any speed and plays at 8,000 bytes a second; a mark returns when all audio before
 * it was played, at once when nothing is queued; `clear` drops unplayed audio and returns every pending mark. Pure: every
 * method takes the time (ms, never decreasing).
 */
export class PlaybackBuffer {
  #segments: Segment[] = []
  #marks: PendingMark[] = []
  #endsAt = 0
  #heard: Uint8Array[] = []
  #unheard: Uint8Array[] = []
  #spans: HeardSpan[] = []

  push(now: number, bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true
    if (this.bufferedMs(now) + bytes.length / BYTES_PER_MS > MAX_BUFFERED_MS) {
      this.#unheard.push(bytes)
      return false
    }
    const start = Math.max(now, this.#endsAt)
    this.#endsAt = start + bytes.length / BYTES_PER_MS
    this.#segments.push({ start, end: this.#endsAt, bytes })
    const last = this.#spans.at(-1)
    if (last && start - last.endMs < SAME_SPAN_GAP_MS) last.endMs = this.#endsAt
    else this.#spans.push({ startMs: start, endMs: this.#endsAt })
    return true
  }

  /** Queues a mark behind the queued audio. Without any it is due at once; `advance` returns it. */
  mark(now: number, name: string): void {
    this.#marks.push({ name, due: Math.max(now, this.#endsAt) })
  }

  /** Moves the playhead and returns the marks that have become due, in order. */
  advance(now: number): ReturnedMark[] {
    while (this.#segments[0] && this.#segments[0].end <= now) {
      const done = this.#segments.shift()
      if (done) this.#heard.push(done.bytes)
    }
    const back: ReturnedMark[] = []
    while (this.#marks[0] && this.#marks[0].due <= now) {
      const mark = this.#marks.shift()
      if (mark) back.push({ name: mark.name, cleared: false })
    }
    return back
  }

  /** Clears the buffer. Returns the marks due by now followed by every pending one, and the ms dropped. */
  clear(now: number): { marks: ReturnedMark[]; clearedMs: number } {
    const marks = this.advance(now)
    let cleared = 0
    for (const segment of this.#segments) {
      const played = Math.min(segment.bytes.length, Math.max(0, Math.floor((now - segment.start) * BYTES_PER_MS)))
      if (played > 0) this.#heard.push(segment.bytes.subarray(0, played))
      this.#unheard.push(segment.bytes.subarray(played))
      cleared += segment.bytes.length - played
    }
    this.#segments = []
    for (const mark of this.#marks) marks.push({ name: mark.name, cleared: true })
    this.#marks = []
    if (this.#endsAt > now) {
      this.#endsAt = now
      this.#spans = this.#spans.filter((span) => span.startMs < now)
      const last = this.#spans.at(-1)
      if (last) last.endMs = Math.min(last.endMs, now)
    }
    return { marks, clearedMs: cleared / BYTES_PER_MS }
  }

  bufferedMs(now: number): number {
    return Math.max(0, this.#endsAt - now)
  }

  playing(now: number): HeardSpan | null {
    const last = this.#spans.findLast((span) => span.startMs <= now)
    return last && last.endMs > now ? last : null
  }

  /** When the last sound up to now ended (or will end, when it still sounds); null before the first. */
  lastSoundEnd(): number | null {
    return this.#spans.at(-1)?.endMs ?? null
  }

  spans(): readonly HeardSpan[] {
    return this.#spans
  }

  /** All audio played up to the last `advance` or `clear`, without the gaps. */
  heard(): Uint8Array {
    return concatBytes(this.#heard)
  }

  /** All audio that was queued and never played: cleared, or dropped at the limit. */
  unheard(): Uint8Array {
    return concatBytes(this.#unheard)
  }
}
