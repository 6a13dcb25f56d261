import type { CallEndReason } from '../domain/calls/index.ts'
import type { AgentAudioOutput, VoiceWatcher } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { DeadAirWatch } from './dead-air.ts'

/** Nothing plays: so long is waited for what the engine may still send. */
const LAST_WORDS_MS = 600

/** How a call comes to its end by itself: by a goodbye that is heard, by silence, by its length. */
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
    voice.watchedBy(this)
  }

  /** Why the call is closing. */
  get reason(): CallEndReason {
    return this.#reason
  }

  /** The call has begun: it has a longest duration. */
  begin(): void {
    this.#duration.set(this.context.deps.limits.maxDurationMs, () => this.#endOvertime())
  }

  audioBegins(): void {
    if (this.#silence.armed) this.#silence.stop()
    // Audio of the goodbye moves the end it is waited for.
    if (this.#afterLastMark) this.#armFinal()
  }

  /** Its marks may never come back: a silent caller is noticed all the same. */
  stillPlaying(): void {
    this.watchSilence()
  }

  /** Everything that was sent may be heard now: what waited for that goes on. */
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

  /** The caller speaks: they are there. */
  callerSpeaks(): void {
    this.#reminders = 0
    this.#silence.stop()
  }

  /** The engine asked again, since nobody answered. */
  reminded(): void {
    if (++this.#reminders > (this.context.policy.maxReminders ?? Number.POSITIVE_INFINITY)) this.sayGoodbye('silence')
  }

  watchSilence(): void {
    this.#silence.stop()
    const { state, callerSpeaking, transferring, deps, clock } = this.context
    if (state !== 'live' || callerSpeaking || transferring) return
    const now = clock.now()
    const playingMs = this.voice.playing ? this.voice.endsAt(now) - now + deps.limits.finalMarkMs : 0
    this.voice.attend()
    this.#silence.set(playingMs + deps.limits.silenceMs, () => this.sayGoodbye('silence'))
  }

  /** Says goodbye for a reason of ours, and ends when it was heard. */
  sayGoodbye(reason: CallEndReason): void {
    const { context, voice } = this
    const { reception } = context
    if (context.state !== 'live' || !reception) return
    if (voice.playing) voice.interrupt()
    context.trace.decide({ decision: 'say', text: reception.script.goodbye })
    context.engine?.say(reception.script.goodbye)
    this.#close(reason)
    this.deadAir.owe()
    this.#afterLastMark = (detail) => void context.end(reason, detail)
    this.#armFinal()
  }

  /** The engine has said its goodbye: the call ends when that was heard. */
  closeAfterLastMark(reason: CallEndReason): void {
    // A goodbye without words would be a line that just goes dead.
    if (this.context.heardEndAt !== null) this.voice.phrase('goodbye')
    this.deadAir.forgive()
    this.#close(reason)
    this.whenHeard((detail) => void this.context.end(reason, detail))
  }

  /** The caller speaks into the goodbye: the engine says it again. */
  reopen(): void {
    if (this.context.state !== 'closing') return
    this.context.state = 'live'
    this.#afterLastMark = null
    this.#final.stop()
  }

  /** Does something when all that was sent is heard, or its last mark is too late. */
  whenHeard(act: (detail: string | null) => void): void {
    this.#afterLastMark = act
    this.voice.attend()
    if (this.voice.playing) this.#armFinal()
    else this.#final.set(Math.min(LAST_WORDS_MS, this.context.deps.limits.finalMarkMs), () => this.#finalTime())
  }

  #close(reason: CallEndReason): void {
    this.context.state = 'closing'
    this.#reason = reason
    this.#silence.stop()
  }

  #endOvertime(): void {
    const { context } = this
    this.sayGoodbye('max_duration')
    this.#duration.set(context.deps.limits.goodbyeMs, () => void context.end('max_duration', 'the caller talked on'))
  }

  #armFinal(): void {
    const { clock, deps } = this.context
    this.voice.attend()
    const now = clock.now()
    this.#final.set(this.voice.endsAt(now) - now + deps.limits.finalMarkMs, () => this.#finalTime())
  }

  #finalTime(): void {
    const next = this.#afterLastMark
    this.#afterLastMark = null
    // Where nothing was left to be played there was no mark to wait for, only words that might have followed.
    if (next && this.context.live) next(this.voice.playing ? 'the last mark did not come back' : null)
  }
}
