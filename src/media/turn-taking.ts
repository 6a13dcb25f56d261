import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { CallEnding } from './call-ending.ts'
import type { DeadAirWatch } from './dead-air.ts'
import { isBackchannel } from './turn-options.ts'

/** How often a voice that began is checked again. */
const CHECK_MS = 40

/** Interruptions: when the caller takes the turn, and when they only meant "go on". */
export class TurnTaking {
  readonly #checking

  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly callEnding: CallEnding,
    private readonly deadAir: DeadAirWatch,
  ) {
    this.#checking = context.timer()
  }

  speechStarted(voicedMs: number | undefined): void {
    const { context, voice } = this
    context.callerSpeaking = true
    context.remainder = null
    this.callEnding.callerSpeaks()
    this.deadAir.callerSpeaks()
    // During a transfer, and once a member has taken over, the caller does not interrupt.
    if (context.transferring || context.takenOver) return
    const missingMs = voicedMs === undefined ? 0 : context.policy.minSpeechMs - voicedMs
    if (missingMs <= 0 || !voice.playing) this.#yieldToCaller()
    else this.#checkVoice(missingMs)
  }

  /** The voice is too short so far: the caller takes the turn once there is enough of it. */
  #checkVoice(missingMs: number): void {
    this.#checking.set(CHECK_MS, () => {
      const heard = this.context.engine?.hearsVoice() ?? true
      this.context.trace.note({ kind: 'voice', heard })
      const left = missingMs - (heard ? CHECK_MS : 0)
      if (left <= 0) this.#yieldToCaller()
      else this.#checkVoice(left)
    })
  }

  #yieldToCaller(): void {
    const { context, voice } = this
    this.#checking.stop()
    if (!context.live || context.transferring || context.takenOver) return
    if (voice.playing) voice.interrupt()
    this.callEnding.reopen()
  }

  /** @param noise the engine takes the speech for a noise and will not answer */
  speechStopped(atMs: number, noise = false): void {
    const { context } = this
    context.callerSpeaking = false
    if (context.takenOver) return
    if (this.#checking.armed) {
      // Too short: a noise; the agent continues.
      this.#checking.stop()
      context.metrics.ignoredNoises++
      context.trace.decide({ decision: 'ignore_turn' })
      context.engine?.ignoreTurn()
      return
    }
    if (this.callEnding.isOutOfTime) {
      // An answer would follow the goodbye.
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

  /** The caller's turn is over. @param at when they fell silent @param graceMs the least time for an answer from now */
  assumeStopped(at: number, graceMs?: number): void {
    const { context } = this
    this.#checking.stop()
    context.callerSpeaking = false
    context.heardEndAt = at
    this.deadAir.expectAnswer(at, graceMs)
    this.callEnding.watchSilence()
  }

  /** The text of a turn is there: after a backchannel the interrupted audio continues. */
  checkBackchannel(text: string, ms: number): void {
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
    this.deadAir.expectNothing()
    voice.playBytes(`${remainder.itemId}+`, remainder.rest, null)
  }

  /** The engine was replaced: its turn ends. */
  reset(): void {
    this.#checking.stop()
    this.context.callerSpeaking = false
    this.context.heardEndAt = null
    this.deadAir.expectNothing()
  }
}
