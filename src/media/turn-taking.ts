import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { CallEnding } from './call-ending.ts'
import type { DeadAirWatch } from './dead-air.ts'
import { isBackchannel } from './turn-options.ts'

/** How often a voice that began is looked at again. */
const WEIGH_MS = 40

/** Who has the word: when the caller interrupts, and when what they said only meant "go on". */
export class TurnTaking {
  readonly #weighing

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly callEnding: CallEnding,
    private readonly deadAir: DeadAirWatch,
  ) {
    this.#weighing = context.timer()
  }

  speechStarted(voicedMs: number | undefined): void {
    const { context, voice } = this
    context.callerSpeaking = true
    context.remainder = null
    this.callEnding.callerSpeaks()
    this.deadAir.callerSpeaks()
    // A caller who still speaks is listened to, except while the call is handed on.
    if (context.transferring) return
    const missingMs = voicedMs === undefined ? 0 : context.policy.minSpeechMs - voicedMs
    if (missingMs <= 0 || !voice.playing) this.#yieldToCaller()
    else this.#weighVoice(missingMs)
  }

  /** Too short to tell: the caller has the word once enough of a voice was heard. */
  #weighVoice(missingMs: number): void {
    this.#weighing.set(WEIGH_MS, () => {
      const heard = this.context.engine?.hearsVoice() ?? true
      this.context.trace.note({ kind: 'voice', heard })
      const left = missingMs - (heard ? WEIGH_MS : 0)
      if (left <= 0) this.#yieldToCaller()
      else this.#weighVoice(left)
    })
  }

  #yieldToCaller(): void {
    const { context, voice } = this
    this.#weighing.stop()
    if (!context.live || context.transferring) return
    if (voice.playing) voice.interrupt()
    this.callEnding.reopen()
  }

  /** @param noise the engine takes it for a noise that wants no answer */
  speechStopped(atMs: number, noise = false): void {
    const { context } = this
    context.callerSpeaking = false
    if (this.#weighing.armed) {
      // It ended before it was long enough: a noise, and the agent speaks on.
      this.#weighing.stop()
      context.metrics.ignoredNoises++
      context.trace.decide({ decision: 'ignore_turn' })
      context.engine?.ignoreTurn()
      return
    }
    if (noise && !context.remainder) {
      this.callEnding.watchSilence()
      return
    }
    this.assumeStopped(context.startedAt + atMs)
  }

  /**
   * The caller's turn is over, whoever says so.
   * @param at when they fell silent
   * @param graceMs what the engine gets for an answer at least
   */
  assumeStopped(at: number, graceMs?: number): void {
    const { context } = this
    this.#weighing.stop()
    context.callerSpeaking = false
    context.heardEndAt = at
    this.deadAir.owe(at, graceMs)
    this.callEnding.watchSilence()
  }

  /** The words of a turn are known: a murmur that cut the agent short lets it go on. */
  weighWords(text: string, ms: number): void {
    const { context, voice } = this
    const { remainder, reception } = context
    if (!remainder || !reception || context.callerSpeaking || voice.playing) return
    context.remainder = null
    if (!isBackchannel(context.policy, reception.script.language, text, ms)) return
    if (remainder.rest.length === 0) return
    context.metrics.resumed++
    context.trace.decide({ decision: 'resume', item: remainder.itemId })
    context.trace.decide({ decision: 'ignore_turn' })
    context.engine?.ignoreTurn()
    context.heardEndAt = null
    this.deadAir.forgive()
    voice.playBytes(`${remainder.itemId}+`, remainder.rest, null)
  }

  /** The engine that listened is gone: what it heard does not go on. */
  forget(): void {
    this.#weighing.stop()
    this.context.callerSpeaking = false
    this.context.heardEndAt = null
    this.deadAir.forgive()
  }
}
