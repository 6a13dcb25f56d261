import { AudioTape } from '../../../audio/audio-tape.ts'
import { rmsOfMulawBase64 } from '../../../audio/energy.ts'
import { EnergyDetector, FRAMES_PER_LOOK, isVoice, voicedMs, withFrame } from '../../../audio/energy-detector.ts'
import { mulawSilence } from '../../../audio/mulaw.ts'
import { msOfBase64 } from './audio-delta.ts'
import type { RealtimeConnection } from './connection.ts'

/** Frames buffered while the session is not configured: half a minute. */
const MAX_EARLY_FRAMES = 1_500
/** A jump of the media clock by more than this is a gap; it is filled with silence, up to ten seconds. */
const GAP_MS = 60
const MAX_GAP_MS = 10_000
const PAD_MS = 1_000
/** 120 ms of silence are 960 bytes: base64 without padding, so that pieces can be joined. */
const SILENCE_MS = 120
const SILENCE = Buffer.from(mulawSilence(SILENCE_MS)).toString('base64')

/** A server reports speech this much later at most: after it became ready, it is sent what was held for it. */
const REPORT_FRAMES = MAX_EARLY_FRAMES
/** The longest turn whose audio is cut out, and what is kept of a silent line: more than a turn's start is reported late. */
const MAX_TURN_MS = 120_000
const IDLE_MS = 3_000
const TRIM_EVERY_FRAMES = 50
/** Lead-in and tail of a turn's audio. */
const LEAD_MS = 300
const TAIL_MS = 100

const monotonic = () => performance.now()

/** The caller's audio on its way to the server, as the base64 it came in. The server's clock counts what was appended. */
export class CallerAudio {
  frames = 0
  readonly detector = new EnergyDetector()
  #expectedMs: number | null = null
  #frameLength = -1
  #frameMs = 0
  #appendedMs = 0
  #offsetMs = 0
  #loud = 0
  /** Of the last frames, where each ends on the server's clock, and whether it was loud. */
  readonly #ends = new Float32Array(REPORT_FRAMES)
  readonly #voices = new Uint8Array(REPORT_FRAMES)
  #paddedMs = 0
  readonly #tape = new AudioTape(MAX_TURN_MS)
  #early: { payload: string; atMs: number }[] = []

  constructor(private readonly connection: RealtimeConnection) {}

  /** All audio that was appended, on the server's clock. */
  get appendedMs(): number {
    return this.#appendedMs
  }

  /** A time of the server's clock on the media clock. */
  toMediaMs(serverMs: number): number {
    return Math.max(0, serverMs + this.#offsetMs)
  }

  voicedMs(frames?: number): number {
    return voicedMs(this.#loud, this.#frameMs, frames)
  }

  /** Voice since a time of the server's clock, in ms: a report that comes late is not about what is heard now. */
  voicedSince(serverMs: number): number {
    let loud = 0
    for (let frame = this.frames - 1; frame >= 0 && frame >= this.frames - REPORT_FRAMES; frame--) {
      const at = frame % REPORT_FRAMES
      if ((this.#ends[at] ?? 0) <= serverMs) break
      loud += this.#voices[at] ?? 0
    }
    return loud * this.#frameMs
  }

  /** Where the last voice before a time of the server's clock ended, on that clock; null when there was none. */
  voiceEndBefore(serverMs: number): number | null {
    for (let frame = this.frames - 1; frame >= 0 && frame >= this.frames - REPORT_FRAMES; frame--) {
      const end = this.#ends[frame % REPORT_FRAMES] ?? 0
      if (end <= serverMs && this.#voices[frame % REPORT_FRAMES]) return end
    }
    return null
  }

  send(payload: string, timestampMs: number, rms: number): void {
    const expected = this.#expectedMs
    if (expected !== null && timestampMs - expected > GAP_MS) this.#fillGap(timestampMs - expected)
    const ms = payload.length === this.#frameLength ? this.#frameMs : this.#measureFrame(payload)
    this.#appendedMs += ms
    this.#expectedMs = timestampMs + ms
    this.#offsetMs = this.#expectedMs - this.#appendedMs
    this.#loud = withFrame(this.#loud, rms)
    this.#ends[this.frames % REPORT_FRAMES] = this.#appendedMs
    this.#voices[this.frames % REPORT_FRAMES] = isVoice(rms) ? 1 : 0
    if (++this.frames % FRAMES_PER_LOOK === 0) this.detector.look(this.#loud, monotonic)
    this.connection.append(payload)
    this.#tape.append(payload, timestampMs)
  }

  /** What was heard between two moments of the media clock, with some lead-in. */
  cut(startMs: number, endMs: number): Uint8Array {
    return this.#tape.slice(startMs - LEAD_MS, endMs + TAIL_MS)
  }

  /** Drops what no turn needs. @param from the beginning of the present turn, or null */
  trim(from: number | null): void {
    if (this.frames % TRIM_EVERY_FRAMES !== 0) return
    const end = this.#tape.startMs + this.#tape.ms
    this.#tape.forget(from === null ? end - IDLE_MS : Math.max(from - LEAD_MS, end - MAX_TURN_MS + IDLE_MS))
  }

  /** Holds a frame until the session is configured. */
  buffer(payload: string, timestampMs: number): void {
    if (this.#early.length >= MAX_EARLY_FRAMES) this.#early.shift()
    this.#early.push({ payload, atMs: timestampMs })
  }

  /** Sends the buffered frames, in order. */
  flush(): void {
    for (const { payload, atMs } of this.#early.splice(0)) this.send(payload, atMs, rmsOfMulawBase64(payload))
  }

  clear(): void {
    this.#early = []
  }

  /** Appends silence once, so that the turn of a caller whose frames stopped can end. */
  pad(): void {
    if (this.#paddedMs > 0) return
    this.#append(PAD_MS)
    this.#paddedMs = PAD_MS
  }

  /** Frames of a call are of one length; it is measured once, since reading a slice costs more than passing it on. */
  #measureFrame(payload: string): number {
    this.#frameLength = payload.length
    this.#frameMs = msOfBase64(payload)
    return this.#frameMs
  }

  /** The media clock jumped: the server's audio follows it. */
  #fillGap(gapMs: number): void {
    const missing = Math.min(gapMs, MAX_GAP_MS) - this.#paddedMs
    this.#paddedMs = 0
    if (missing >= SILENCE_MS / 2) this.#append(missing)
  }

  #append(ms: number): void {
    const pieces = Math.max(1, Math.round(ms / SILENCE_MS))
    this.#appendedMs += pieces * SILENCE_MS
    this.connection.append(SILENCE.repeat(pieces))
  }
}
