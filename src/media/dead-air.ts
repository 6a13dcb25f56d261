import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'

/** Less audio than this is a blip: nobody was answered by it. */
const MIN_ANSWER_MS = 150
/** From the report of a turn's end the engine gets this long, unless that would break the rule of two seconds. */
const REPORT_GRACE_MS = 700
/** The two seconds, less what the audio takes to the caller. */
const LATEST_MS = 1_900
/** A mark may come back this much after the audio before it was played. */
const MARK_LATE_MS = 500
/** Utterances in a row that the engine did not notice: before the last one the caller is asked again. */
const MAX_UNNOTICED = 3

/** What the watch does to the rest of the call. */
export type DeadAirActions = {
  /** Whether a tool is at work, which ends within its own limit. */
  toolsRun(): boolean
  /** Whether the engine said that it listens. */
  engineReady(): boolean
  /** Whether another engine could take over. */
  canReplace(): boolean
  replaceEngine(message: string): void
}

/**
 * Sees to it that the line is never dead: whenever the caller is owed words and none can be heard, they hear something, then
 * the engine is asked again, then replaced, and without another one the call ends in voicemail. It goes by the call's clock
 * and by what was played, not by what the engine reports or leaves out.
 */
export class DeadAirWatch {
  #actions: DeadAirActions | null = null
  /** Since when the caller is owed words; null while it is their turn to speak. */
  #owedSince: number | null = null
  #notBefore = 0
  /** What was owed before this item began, in case it is no answer. */
  #answer: { itemId: string; owedSince: number } | null = null
  /** When a blip is played out that was no answer. */
  #blipEnds = Number.NEGATIVE_INFINITY
  #asked = false
  #unnoticed = 0
  readonly #timer

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
  ) {
    this.#timer = context.timer()
    voice.onSpeech({
      begins: (itemId) => this.#paid(itemId),
      ends: (itemId, sentMs) => this.#itemEnded(itemId, sentMs),
    })
  }

  actBy(actions: DeadAirActions): void {
    this.#actions = actions
  }

  get owed(): boolean {
    return this.#owedSince !== null
  }

  /** From `since` on the caller is owed words. @param graceMs what the engine gets for them at least */
  owe(since = this.context.clock.now(), graceMs = REPORT_GRACE_MS): void {
    // Who waits already waits since then: a tool that ended at once answered nobody.
    this.#owedSince = Math.min(since, this.#owedSince ?? since)
    this.#notBefore = this.context.clock.now() + graceMs
    this.#asked = false
    // A piece that just goes on would be no sign of an answer.
    this.voice.attend()
    this.#arm()
  }

  /** The caller speaks, or what they said wants no answer: nothing is owed. */
  forgive(): void {
    this.#owedSince = null
    this.#answer = null
    this.#asked = false
    this.#timer.stop()
  }

  /** The engine noticed that the caller speaks. */
  callerSpeaks(): void {
    this.#unnoticed = 0
    this.forgive()
  }

  /** The engine itself says that it should have reacted: the caller hears something at once. */
  engineIsLate(): void {
    if (this.#owedSince === null) this.owe()
    if (this.#asked || this.context.state !== 'live') return
    this.#asked = true
    this.voice.filler(true)
    this.#arm()
  }

  /** A voice was on the line that the engine did not report. @param at when it fell silent */
  unnoticed(at: number): void {
    const { context, voice } = this
    const actions = this.#actions
    if (context.state !== 'live' || this.owed || !actions) return
    // It keeps what it hears until it is ready, and answers then.
    if (!actions.engineReady()) {
      this.owe(at, 0)
      return
    }
    this.#unnoticed++
    if (this.#unnoticed < MAX_UNNOTICED) voice.phrase('reprompt')
    else if (actions.canReplace()) {
      this.#unnoticed = 0
      this.owe(at)
      actions.replaceEngine('The engine does not notice the caller.')
    }
  }

  /** Audio of the engine's begins. */
  #paid(itemId: string): void {
    this.#unnoticed = 0
    if (this.#owedSince !== null) this.#answer = { itemId, owedSince: this.#owedSince }
    this.#owedSince = null
    this.#asked = false
    // It may stop in the middle; this is its first piece.
    this.#timer.set(this.context.policy.deadAirMs, () => this.#arm())
  }

  #itemEnded(itemId: string, sentMs: number): void {
    const answer = this.#answer
    if (answer?.itemId !== itemId) return
    this.#answer = null
    if (sentMs < MIN_ANSWER_MS && this.#owedSince === null) {
      this.#owedSince = answer.owedSince
      this.#blipEnds = this.voice.quietSince()
      this.#arm()
    }
  }

  /** Since when nothing is heard although something should be; a time to come while audio plays; null when nothing is owed. */
  #deadSince(): number | null {
    const { voice } = this
    const quietSince = voice.quietSince()
    if (this.#owedSince !== null)
      return quietSince <= this.#blipEnds + MARK_LATE_MS ? this.#owedSince : Math.max(this.#owedSince, quietSince)
    // What was begun and not finished is owed too.
    return voice.unfinished ? quietSince : null
  }

  #arm(): void {
    const { clock, policy } = this.context
    const since = this.#deadSince()
    if (since === null) {
      this.#timer.stop()
      return
    }
    const due = this.#asked ? since + policy.patienceMs : this.#firstDue(since)
    // Audio that comes meanwhile puts it off: looked at again then.
    this.#timer.set(Math.max(0, due - clock.now()), () => (this.#deadSince() === since ? this.#act() : this.#arm()))
  }

  #firstDue(since: number): number {
    const { deadAirMs } = this.context.policy
    return Math.max(since + deadAirMs, Math.min(this.#notBefore, since + LATEST_MS))
  }

  #act(): void {
    const { context, voice } = this
    const actions = this.#actions
    if (!actions) return
    if (context.state === 'closing') {
      // Who was to say goodbye did not; the call ends by its own timer.
      this.forgive()
      voice.phrase('goodbye')
      return
    }
    const busy = context.transferring || actions.toolsRun()
    if (this.#asked && context.greetingDue) {
      void context.end('engine_failed', 'the greeting was not ready in time')
      return
    }
    if (this.#asked && !busy) {
      actions.replaceEngine('The caller waited for words that did not come.')
      return
    }
    this.#asked = true
    voice.filler(true, true)
    if (!busy && !context.greetingDue) {
      context.record.decide('ask_again')
      context.engine?.answer()
    }
    this.#arm()
  }
}
