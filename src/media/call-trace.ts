import type { CallTraceWriter } from './call-trace-writer.ts'
import {
  type PhraseName,
  phraseNames,
  type Reception,
  type ServedCall,
  type SessionDeps,
} from './media-session-ports.ts'
import { type DecisionNote, TRACE_VERSION, type TraceNote } from './trace-entries.ts'
import type { TurnOptions } from './turn-options.ts'

/** Audio that was sent without a pause. `at`: when that began, in ms since the call did. */
export type AudioRun = { itemId: string; ms: number; at: number }

/** Counts the audio that was sent since the last call of `takeRun`. */
export type AudioRuns = { takeRun(): AudioRun | null }

/** Writes what happens in a call and what the call decides; audio as runs, not as pieces. */
export class CallTrace {
  #writer: CallTraceWriter | null = null
  #runs: AudioRuns | null = null

  /** @param sinceStart ms from the call's beginning to a time of its clock, or to now */
  constructor(private readonly sinceStart: (at?: number) => number) {}

  /** Sets the counter of audio. Its run is written before every other entry, so that entries stay in order. */
  follow(runs: AudioRuns): void {
    this.#runs = runs
  }

  open(deps: SessionDeps, call: ServedCall, reception: Reception, policy: TurnOptions): void {
    this.#writer = deps.openTrace?.(call.callSid) ?? null
    if (!this.#writer) return
    const { engine, standby } = reception.engines ?? deps
    const ms = (name: PhraseName) => (reception.phrase?.(name)?.byteLength ?? 0) / 8
    this.#writer.write({
      t: 0,
      kind: 'start',
      version: TRACE_VERSION,
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

  note(entry: TraceNote): void {
    if (!this.#writer) return
    this.flushAudio()
    this.#writer.write({ t: tenths(this.sinceStart()), ...entry })
  }

  decide(entry: DecisionNote): void {
    if (!this.#writer) return
    this.flushAudio()
    this.#writer.write({ t: tenths(this.sinceStart()), kind: 'decision', ...entry })
  }

  /** A timer fires. @param due when it should have, by the call's clock */
  timerFired(timer: number, due: number): void {
    this.note({ kind: 'timer', timer, due: tenths(this.sinceStart(due)) })
  }

  /** A timer is canceled shortly before it was due. Audio may be about to be sent: its run goes on. */
  timerCanceled(timer: number, due: number): void {
    this.#writer?.write({ t: tenths(this.sinceStart()), kind: 'timer_off', timer, due: tenths(this.sinceStart(due)) })
  }

  flushAudio(): void {
    const run = this.#runs?.takeRun()
    if (run) this.#writer?.write({ t: tenths(run.at), kind: 'audio', item: run.itemId, ms: run.ms })
  }

  close(): void {
    this.#writer?.close()
  }

  /** Deletes the trace: the call belongs to another stream. */
  discard(): void {
    this.#writer?.discard?.()
    this.#writer = null
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10
}
