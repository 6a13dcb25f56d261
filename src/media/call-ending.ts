import type { CallEndReason } from '../domain/calls/index.ts'
import type { AgentAudioOutput, VoiceWatcher } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { DeadAirWatch } from './dead-air.ts'

/** When nothing plays: how long the engine may still send audio. */
const LAST_WORDS_MS = 600

/** Ends a call: after a goodbye that was heard, by silence, or at its longest duration. */
export class CallEnding implements VoiceWatcher {
  #afterLastMark: ((detail: string | null) => void) | null = null
  readonly #silence
  readonly #final
  readonly #duration
  #reason: CallEndReason = 'completed'
  #reminders = 0

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly deadAir: DeadAirWatch,
  ) {
    this.#silence = context.timer()
    this.#final = context.timer()
    this.#duration = context.timer()
    voice.setWatcher(this)
  }

  get reason(): CallEndReason {
    return this.#reason
  }

  get isOutOfTime(): boolean {
    return this.context.state === 'closing' && this.#reason === 'max_duration'
  }

  begin(): void {
    this.#duration.set(this.context.deps.limits.maxDurationMs, () => this.#endOvertime())
  }

  audioBegins(): void {
    if (this.#silence.armed) this.#silence.stop()
    // Audio of the goodbye moves the end.
    if (this.#afterLastMark) this.#armFinal()
  }

  /** Marks may never return: a silent caller is noticed by the clock. */
  stillPlaying(): void {
    this.watchSilence()
  }

  settled(): void {
    if (this.voice.playing || !this.context.live) return
    const next = this.#afterLastMark
    if (!next) {
      this.watchSilence()
      return
    }
    this.#afterLastMark = null
    this.#final.stop()
    next(null)
  }

  /** The caller speaks: no silence, no reminders. */
  callerSpeaks(): void {
    this.#reminders = 0
    this.#silence.stop()
  }

  reminded(): void {
    if (++this.#reminders > (this.context.policy.maxReminders ?? Number.POSITIVE_INFINITY)) this.sayGoodbye('silence')
  }

  watchSilence(): void {
    this.#silence.stop()
    const { state, callerSpeaking, transferring, deps, clock } = this.context
    if (state !== 'live' || callerSpeaking || transferring) return
    const now = clock.now()
    const playingMs = this.voice.playing ? this.voice.endsAt(now) - now + deps.limits.finalMarkMs : 0
    this.voice.expectPiece()
    this.#silence.set(playingMs + deps.limits.silenceMs, () => this.sayGoodbye('silence'))
  }

  /** Has the engine say goodbye, and ends the call when that was heard. */
  sayGoodbye(reason: CallEndReason): void {
    const { context, voice } = this
    const { reception } = context
    if (context.state !== 'live' || !reception) return
    if (voice.playing) voice.interrupt()
    // What was cut off does not continue.
    context.remainder = null
    context.trace.decide({ decision: 'say', text: reception.script.goodbye })
    context.engine?.say(reception.script.goodbye)
    this.#close(reason)
    // The caller waits for the goodbye from now on, whatever they waited for before.
    this.deadAir.expectNothing()
    this.deadAir.expectAnswer()
    this.#afterLastMark = (detail) => void context.end(reason, detail)
    this.#armFinal()
  }

  /** The engine has said goodbye: the call ends when that was heard. */
  closeAfterLastMark(reason: CallEndReason): void {
    // The engine said no goodbye: the caller must not hear a dead line.
    if (this.context.heardEndAt !== null) this.voice.phrase('goodbye')
    this.deadAir.expectNothing()
    this.#close(reason)
    this.whenHeard((detail) => void this.context.end(reason, detail))
  }

  /** A member ends the call: the caller hears a goodbye of the product's own and cannot hold the call. */
  endByMember(): void {
    this.voice.phrase('goodbye')
    this.deadAir.expectNothing()
    this.#close('ended_by_member')
    this.whenHeard((detail) => void this.context.end('ended_by_member', detail))
  }

  /** The caller interrupts the goodbye, or a member takes the call over: it continues. */
  reopen(): void {
    if (this.context.state !== 'closing') return
    this.context.state = 'live'
    this.#afterLastMark = null
    this.#final.stop()
    this.context.reportState()
  }

  /** Calls `act` when everything was heard, or the last mark is too late. */
  whenHeard(act: (detail: string | null) => void): void {
    this.#afterLastMark = act
    this.voice.expectPiece()
    if (this.voice.playing) this.#armFinal()
    else this.#final.set(Math.min(LAST_WORDS_MS, this.context.deps.limits.finalMarkMs), () => this.#finalTime())
  }

  #close(reason: CallEndReason): void {
    this.context.state = 'closing'
    this.#reason = reason
    this.#silence.stop()
    this.context.reportState()
  }

  #endOvertime(): void {
    const { context } = this
    this.sayGoodbye('max_duration')
    this.#duration.set(context.deps.limits.goodbyeMs, () => void context.end('max_duration', 'the caller talked on'))
  }

  #armFinal(): void {
    const { clock, deps } = this.context
    this.voice.expectPiece()
    const now = clock.now()
    this.#final.set(this.voice.endsAt(now) - now + deps.limits.finalMarkMs, () => this.#finalTime())
  }

  #finalTime(): void {
    const next = this.#afterLastMark
    this.#afterLastMark = null
    // Without audio there was no mark to wait for.
    if (next && this.context.live) next(this.voice.playing ? 'the last mark did not return' : null)
  }
}
