import type { StreamToken } from '../domain/calls/index.ts'
import type { CallTraceWriter } from './call-trace-writer.ts'
import { type PhraseName, phraseNames, type Reception, type SessionDeps } from './media-session-ports.ts'
import type { TurnOptions } from './turn-options.ts'

/** Audio that was sent without a pause. `at`: when that began, in ms since the call did. */
export type AudioRun = { itemId: string; ms: number; at: number }

/** Knows what audio was sent since it was last asked. */
export type AudioRuns = { takeRun(): AudioRun | null }

/** What happens in a call and what it decides, written down as it goes; pieces of audio as runs. */
export class CallTrace {
  #recorder: CallTraceWriter | null = null
  #runs: AudioRuns | null = null

  /** @param sinceStart ms from the call's beginning to a time of its clock, or to now */
  constructor(private readonly sinceStart: (at?: number) => number) {}

  /** Where the audio is counted: asked before any other line, so that the lines keep their order. */
  follow(runs: AudioRuns): void {
    this.#runs = runs
  }

  open(deps: SessionDeps, call: StreamToken, reception: Reception, policy: TurnOptions): void {
    this.#recorder = deps.record?.(call.callSid) ?? null
    if (!this.#recorder) return
    const { engine, standby } = reception.engines ?? deps
    const ms = (name: PhraseName) => (reception.phrase?.(name)?.byteLength ?? 0) / 8
    this.#recorder.line({
      t: 0,
      k: 'start',
      version: 1,
      callSid: call.callSid,
      businessId: call.businessId,
      engine: engine.name,
      standby: standby?.name ?? null,
      script: reception.script,
      policy,
      limits: deps.limits,
      greetingMs: reception.greeting ? reception.greeting.byteLength / 8 : null,
      phraseMs: Object.fromEntries(phraseNames.map((name) => [name, ms(name)])),
      canTransfer: deps.tools?.canTransfer(call) ?? false,
    })
  }

  /** Something that happened to the call. */
  note(kind: string, data: Record<string, unknown> = {}): void {
    if (!this.#recorder) return
    this.flushAudio()
    this.#recorder.line({ t: tenths(this.sinceStart()), k: kind, ...data })
  }

  /** Something that the call decided. */
  decide(decision: string, data: Record<string, unknown> = {}): void {
    this.note('out', { o: decision, ...data })
  }

  /** A timer fires. @param due when it should have, by the call's clock */
  timerFired(timer: number, due: number): void {
    this.note('timer', { timer, due: tenths(this.sinceStart(due)) })
  }

  /** A timer is taken back when it was all but due. Audio may be about to be sent: its run goes on. */
  timerTakenBack(timer: number, due: number): void {
    this.#recorder?.line({ t: tenths(this.sinceStart()), k: 'timer_off', timer, due: tenths(this.sinceStart(due)) })
  }

  /** The run of audio ends here. */
  flushAudio(): void {
    const run = this.#runs?.takeRun()
    if (run) this.#recorder?.line({ t: tenths(run.at), k: 'audio', item: run.itemId, ms: run.ms })
  }

  close(): void {
    this.#recorder?.close()
  }

  /** It is not this stream's call after all. */
  discard(): void {
    this.#recorder?.discard?.()
    this.#recorder = null
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
