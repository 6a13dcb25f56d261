import { percentile } from './call-metrics.ts'

/** The length of a frame: a loop that is later than this delays audio. */
const EVERY_MS = 20
/** One minute of samples. */
const KEPT = 3_000
/** Two seconds of samples decide whether one more call fits. */
const RECENT = 100
const NOTE_ABOVE_MS = 20
/** Each note is a line in the trace of every live call. */
const NOTE_EVERY_MS = 5_000
/** A call that was answered may take so long to begin. */
const IDLE_MS = 10_000

export type LoopDelay = { p50: number; p99: number; max: number }

/** How late the event loop of this process is, in ms, sampled while calls are live. */
export class LoopWatch {
  readonly #samples = new Float32Array(KEPT)
  #count = 0
  #timer: ReturnType<typeof setInterval> | null = null
  #dueAt = 0
  #liveAt = 0
  #worst = 0
  #notedAt = Number.NEGATIVE_INFINITY

  /** @param options.onDelay gets the longest delay since it was last called, when that was above 20 ms; every 5 s at most */
  constructor(private readonly options: { live(): number; onDelay(ms: number): void; now?(): number }) {}

  /** Samples from now on, until no call is live any more. */
  begin(): void {
    this.#liveAt = this.#now()
    if (this.#timer) return
    this.#dueAt = this.#liveAt + EVERY_MS
    this.#timer = setInterval(() => this.#tick(), EVERY_MS)
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer)
    this.#timer = null
    this.#count = 0
  }

  /** The usual delay of the last two seconds; 0 without a whole second of samples. */
  get recentMs(): number {
    if (this.#count < RECENT / 2) return 0
    return percentile(this.#last(RECENT), 0.5, 2) ?? 0
  }

  /** Of the last minute; zeros without samples. */
  get lastMinute(): LoopDelay {
    const samples = this.#last(KEPT)
    const at = (share: number) => percentile(samples, share, 2) ?? 0
    return { p50: at(0.5), p99: at(0.99), max: at(1) }
  }

  /** Takes a sample. */
  add(delayMs: number): void {
    this.#samples[this.#count++ % KEPT] = delayMs
    this.#worst = Math.max(this.#worst, delayMs)
    const now = this.#now()
    if (this.#worst <= NOTE_ABOVE_MS || now - this.#notedAt < NOTE_EVERY_MS) return
    this.#notedAt = now
    this.options.onDelay(this.#worst)
    this.#worst = 0
  }

  #tick(): void {
    const now = this.#now()
    this.add(Math.max(0, now - this.#dueAt))
    this.#dueAt = now + EVERY_MS
    if (this.options.live() > 0) this.#liveAt = now
    else if (now - this.#liveAt > IDLE_MS) this.stop()
  }

  #last(count: number): number[] {
    const there = Math.min(count, this.#count, KEPT)
    return Array.from({ length: there }, (_, i) => this.#samples[(this.#count - there + i) % KEPT] ?? 0)
  }

  #now(): number {
    return this.options.now?.() ?? performance.now()
  }
}
