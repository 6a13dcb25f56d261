import { FRAMES_PER_LOOK, voicedMs } from '../audio/energy-detector.ts'
import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { DeadAirWatch } from './dead-air.ts'
import type { TurnTaking } from './turn-taking.ts'

const FRAME_MS = 20
/** Loud frames among those looked at that make a voice, in ms. */
const VOICE_MS = 80
/** Looks with a voice that make an utterance: half a second of it. */
const MIN_LOOKS = 3
/** Looks further apart are of two utterances. */
const GAP_MS = 1_000
/** Loud frames so soon after the agent's audio may be its echo. */
const ECHO_MS = 400
/** The silence that ends a turn where the engine does not name one. */
const USUAL_PAUSE_MS = 1_000
const PAUSE_MARGIN_MS = 500

/** A cheap voice-activity detector beside the engine's: notices speech and ends of turns that the engine does not report. */
export class LineMonitor {
  #voiceAt = Number.NEGATIVE_INFINITY
  #unreportedAt = Number.NEGATIVE_INFINITY
  #looks = 0
  readonly #timer

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly turns: TurnTaking,
    private readonly deadAir: DeadAirWatch,
  ) {
    this.#timer = context.timer()
  }

  /** To be called every `FRAMES_PER_LOOK` frames. @param bits which of the last frames were loud */
  look(bits: number): void {
    if (voicedMs(bits, FRAME_MS, FRAMES_PER_LOOK) < VOICE_MS) return
    const { context } = this
    const now = context.clock.now()
    this.#voiceAt = now
    if (!context.callerSpeaking && now > this.voice.quietSince() + ECHO_MS) {
      this.#looks = now - this.#unreportedAt > GAP_MS ? 1 : this.#looks + 1
      this.#unreportedAt = now
    }
    if (!this.#timer.armed) this.#timer.set(context.policy.deadAirMs, () => this.#check())
  }

  reported(): void {
    this.#looks = 0
  }

  /** The engine reported that the caller began to speak. @param at when they did */
  reportedStart(at: number): void {
    this.reported()
    // A report may come after the voice fell silent again: nothing else would look at the line then.
    if (this.#timer.armed || this.#voiceAt < at) return
    const silentMs = this.context.clock.now() - this.#voiceAt
    this.#timer.set(Math.max(0, this.context.policy.deadAirMs - silentMs), () => this.#check())
  }

  #check(): void {
    const { context } = this
    if (context.state !== 'live') return
    const { deadAirMs } = context.policy
    const now = context.clock.now()
    const pause = (context.engine?.longestPauseMs ?? USUAL_PAUSE_MS) + PAUSE_MARGIN_MS
    const after = context.callerSpeaking ? Math.max(deadAirMs, pause) : deadAirMs
    const silentMs = now - this.#voiceAt
    if (silentMs < after) {
      this.#timer.set(after - silentMs, () => this.#check())
      return
    }
    if (context.callerSpeaking) this.turnEnded(silentMs)
    else if (this.#looks >= MIN_LOOKS) this.unnoticed(now - this.#unreportedAt)
    this.#looks = 0
  }

  /** The caller fell silent `agoMs` ago and the engine did not report it. */
  turnEnded(agoMs: number): void {
    this.context.trace.note({ kind: 'line', heard: 'turn_ended', agoMs })
    // The engine had its time: no further grace.
    this.turns.assumeStopped(this.context.clock.now() - agoMs, 0)
  }

  /** The caller spoke until `agoMs` ago and the engine did not report it. */
  unnoticed(agoMs: number): void {
    this.context.trace.note({ kind: 'line', heard: 'unnoticed', agoMs })
    this.deadAir.unnoticed(this.context.clock.now() - agoMs)
  }
}
