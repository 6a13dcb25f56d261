import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'

/** Less audio than this is a blip, not an answer. */
const MIN_ANSWER_MS = 150
/** From the report of a turn's end the engine gets this long, unless that would break the rule of two seconds. */
const REPORT_GRACE_MS = 700
/** The two seconds, minus the way of the audio to the caller. */
const LATEST_MS = 1_900
/** A mark may return this long after its audio was played. */
const MARK_LATE_MS = 500
/** Utterances in a row that the engine did not notice until it is replaced; before that the caller is asked again. */
const MAX_UNNOTICED = 3

export type DeadAirActions = {
  /** Whether a tool runs, which has its own timeout. */
  toolsRun(): boolean
  engineReady(): boolean
  canReplace(): boolean
  replaceEngine(message: string): void
}

/**
 * Prevents dead air: a caller who waits for an answer hears a filler while the engine is asked again; then the engine is
 * replaced, or without another one the call ends in voicemail. It goes by the clock and by what was played, not by what the
 * engine reports.
 */
export class DeadAirWatch {
  #actions: DeadAirActions | null = null
  /** Since when the caller waits for an answer; null while it is their turn to speak. */
  #waitingSince: number | null = null
  #notBefore = 0
  /** The item that may be the answer, and since when the caller had waited for it. */
  #answer: { itemId: string; waitingSince: number } | null = null
  /** When the last blip ends, which was no answer. */
  #blipEnds = Number.NEGATIVE_INFINITY
  #asked = false
  #unnoticed = 0
  readonly #timer

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
  ) {
    this.#timer = context.timer()
    voice.setListener({
      begins: (itemId) => this.#answerBegins(itemId),
      ends: (itemId, sentMs) => this.#itemEnded(itemId, sentMs),
    })
  }

  setActions(actions: DeadAirActions): void {
    this.#actions = actions
  }

  get isExpecting(): boolean {
    return this.#waitingSince !== null
  }

  /** From `since` on the caller waits for an answer. @param graceMs the least time for it from now */
  expectAnswer(since = this.context.clock.now(), graceMs = REPORT_GRACE_MS): void {
    // A caller who waits already has waited since then: a tool that ended at once was no answer.
    this.#waitingSince = Math.min(since, this.#waitingSince ?? since)
    this.#notBefore = this.context.clock.now() + graceMs
    this.#asked = false
    // A piece that continues a run would not be noticed as the answer.
    this.voice.expectPiece()
    this.#arm()
  }

  /** The caller speaks, or their turn needs no answer. */
  expectNothing(): void {
    this.#waitingSince = null
    this.#answer = null
    this.#asked = false
    this.#timer.stop()
  }

  /** A greeting that was late begins: it is the answer, unless the caller has spoken meanwhile. */
  greeted(): void {
    if (!this.context.callerSpeaking && this.context.transcript.callerTurns === 0) this.expectNothing()
  }

  callerSpeaks(): void {
    this.#unnoticed = 0
    this.expectNothing()
  }

  /** The engine itself reports that it is late: the caller hears a filler at once. */
  engineIsLate(): void {
    if (this.#waitingSince === null) this.expectAnswer()
    if (this.#asked || this.context.state !== 'live') return
    this.#asked = true
    this.voice.filler(true)
    this.#arm()
  }

  /** The caller spoke and the engine did not report it. @param at when they fell silent */
  unnoticed(at: number): void {
    const { context, voice } = this
    const actions = this.#actions
    if (context.state !== 'live' || this.isExpecting || !actions) return
    // The engine buffers audio until it is ready, and answers then.
    if (!actions.engineReady()) {
      this.expectAnswer(at, 0)
      return
    }
    this.#unnoticed++
    if (this.#unnoticed < MAX_UNNOTICED) voice.phrase('reprompt')
    else if (actions.canReplace()) {
      this.#unnoticed = 0
      this.expectAnswer(at)
      actions.replaceEngine('The engine does not notice the caller.')
    }
  }

  #answerBegins(itemId: string): void {
    this.#unnoticed = 0
    if (this.#waitingSince !== null) this.#answer = { itemId, waitingSince: this.#waitingSince }
    this.#waitingSince = null
    this.#asked = false
    // The audio may stop in the middle of an item.
    this.#timer.set(this.context.policy.deadAirMs, () => this.#arm())
  }

  #itemEnded(itemId: string, sentMs: number): void {
    const answer = this.#answer
    if (answer?.itemId !== itemId) return
    this.#answer = null
    if (sentMs < MIN_ANSWER_MS && this.#waitingSince === null) {
      this.#waitingSince = answer.waitingSince
      this.#blipEnds = this.voice.quietSince()
      this.#arm()
    }
  }

  /** Since when there is dead air; in the future while audio plays; null when the caller waits for nothing. */
  #deadSince(): number | null {
    const { voice } = this
    const quietSince = voice.quietSince()
    if (this.#waitingSince !== null)
      return quietSince <= this.#blipEnds + MARK_LATE_MS ? this.#waitingSince : Math.max(this.#waitingSince, quietSince)
    // The rest of an unfinished item is expected too.
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
    // Audio in the meantime moves it: checked again then.
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
      // The engine did not say goodbye; the call ends by its own timer.
      this.expectNothing()
      voice.phrase('goodbye')
      return
    }
    const busy = context.transferring || actions.toolsRun()
    if (this.#asked && context.greetingDue) {
      void context.end('engine_failed', 'the greeting was not ready in time')
      return
    }
    if (this.#asked && !busy) {
      actions.replaceEngine('The caller waited for an answer that did not come.')
      return
    }
    this.#asked = true
    voice.filler(true, true)
    if (!busy && !context.greetingDue) {
      context.trace.decide({ decision: 'ask_again' })
      context.engine?.answer()
    }
    this.#arm()
  }
}
