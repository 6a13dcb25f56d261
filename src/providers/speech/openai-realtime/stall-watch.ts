import type { CallerAudio } from './caller-audio.ts'
import type { RealtimeConnection } from './connection.ts'
import type { SessionContext } from './session-context.ts'
import { PROBE } from './settings.ts'

/** A speaking caller whose frames stop for this long gets a second of silence, so that the turn can end. */
const LOST_MS = 750
/** A voice that the engine did not report for this long after it fell silent makes the watch probe the engine. */
const PROBE_AFTER_MS = 700
/** The same for a voice whose beginning it did report, behind the silence that ends a turn. */
const PROBE_TURN_AFTER_MS = 350
/** Without an answer to the probe the caller should hear something, and then the engine counts as dead. */
const PROBE_QUIET_MS = 500
const PROBE_DEAD_MS = 2_500
/** Unsent bytes at which the engine does not read. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024

type Activity = { speaking: boolean; responding: boolean }

/** Notices what does not happen: an engine that does not answer, does not listen or does not read. */
export class StallWatch {
  messages = 0
  readonly #startedAt = performance.now()
  #expectingSince: number | null = null
  #quietReported = false
  #framesSeen = 0
  #messagesSeen = 0
  #lastFrameAt = 0
  #lastMessageAt = performance.now()
  #messagesAtProbe = 0
  #probedAt: number | null = null

  constructor(
    private readonly context: SessionContext,
    private readonly connection: RealtimeConnection,
    private readonly audio: CallerAudio,
  ) {}

  expect(): void {
    this.#expectingSince = performance.now()
    this.#quietReported = false
  }

  answered(): void {
    this.#expectingSince = null
  }

  /** The engine hears the caller: no answer and no reaction to a probe is expected. */
  speechStarted(): void {
    this.#probedAt = null
    this.#expectingSince = null
  }

  /** To be called a few times a second. @param now monotonic ms */
  check(now: number, { speaking, responding }: Activity): void {
    const { state, limits } = this.context
    if (state === 'connecting') {
      if (now - this.#startedAt > limits.connectMs)
        this.context.fail('engine_refused', 'The session was not ready in time.', true)
      return
    }
    this.#look(now)
    if (speaking && now - this.#lastFrameAt > LOST_MS) this.audio.pad()
    if (this.connection.unsentBytes > MAX_UNSENT_BYTES) this.#stalled('The engine does not read.')
    else if (responding && now - this.#lastMessageAt > limits.stallMs)
      this.#stalled('A response stopped in the middle.')
    else if (!this.#probe(now, speaking) && this.#expectingSince !== null && !speaking)
      this.#awaitAnswer(now - this.#expectingSince)
  }

  #awaitAnswer(waited: number): void {
    const { quietMs, stallMs } = this.context.limits
    if (waited > stallMs) this.#stalled('The engine does not answer.')
    else if (waited > quietMs) this.#reportQuiet(waited)
  }

  /** When frames and messages came last; the hot paths only count them. */
  #look(now: number): void {
    if (this.audio.frames !== this.#framesSeen) this.#lastFrameAt = now
    if (this.messages !== this.#messagesSeen) this.#lastMessageAt = now
    this.#framesSeen = this.audio.frames
    this.#messagesSeen = this.messages
  }

  /** Sends an event that must be answered, after a voice that was not reported. @returns whether the answer is awaited */
  #probe(now: number, speaking: boolean): boolean {
    if (this.#probedAt !== null) return this.#awaitProbe(now, this.#probedAt)
    const { detector } = this.audio
    const silentMs = (speaking ? detector.silentFor(now) : detector.unansweredFor(now)) ?? 0
    const after = speaking ? this.context.settings.silenceMs + PROBE_TURN_AFTER_MS : PROBE_AFTER_MS
    if (silentMs < after || now - this.#lastMessageAt < PROBE_TURN_AFTER_MS) return false
    detector.reported()
    this.#probedAt = now
    this.#messagesAtProbe = this.messages
    this.#quietReported = false
    this.connection.send(PROBE)
    return true
  }

  #awaitProbe(now: number, probedAt: number): boolean {
    if (this.messages > this.#messagesAtProbe) {
      this.#probedAt = null
      return false
    }
    const waited = now - probedAt
    if (waited > PROBE_DEAD_MS) this.#stalled('The engine does not answer.')
    else if (waited > PROBE_QUIET_MS) this.#reportQuiet(waited)
    return true
  }

  #reportQuiet(waited: number): void {
    if (this.#quietReported) return
    this.#quietReported = true
    this.context.emit({ type: 'quiet', forMs: Math.round(waited) })
  }

  #stalled(message: string): void {
    this.context.fail('engine_stalled', message, true)
  }
}
