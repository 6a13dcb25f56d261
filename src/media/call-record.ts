import type { StreamToken } from '../domain/calls/index.ts'
import type { CallRecorder } from './recorder.ts'
import type { PhraseName, Reception, SessionDeps } from './session-ports.ts'
import type { TurnPolicy } from './turn-policy.ts'

/** A pause between pieces up to which they are one run of audio. */
const RUN_GAP_MS = 20

/** What happens in a call and what it decides, written down as it goes; pieces of audio as runs. */
export class CallRecord {
  #recorder: CallRecorder | null = null
  #item = ''
  #ms = 0
  #at = 0

  /** @param now ms since the call began */
  constructor(private readonly now: () => number) {}

  open(deps: SessionDeps, call: StreamToken, reception: Reception, policy: TurnPolicy): void {
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
      phraseMs: { oneMoment: ms('oneMoment'), connecting: ms('connecting') },
      canTransfer: deps.tools?.canTransfer(call) ?? false,
    })
  }

  /** Something that happened to the call. */
  note(kind: string, data: Record<string, unknown> = {}): void {
    if (!this.#recorder) return
    this.flushAudio()
    this.#recorder.line({ t: Number(this.now().toFixed(1)), k: kind, ...data })
  }

  /** Something that the call decided. */
  decide(decision: string, data: Record<string, unknown> = {}): void {
    this.note('out', { o: decision, ...data })
  }

  /** Audio that was sent. @param at ms since the call began */
  audio(item: string, ms: number, at: number): void {
    if (this.#ms > 0 && this.#item === item && at <= this.#at + this.#ms + RUN_GAP_MS) {
      this.#ms += ms
      return
    }
    if (!this.#recorder) return
    this.flushAudio()
    this.#item = item
    this.#ms = ms
    this.#at = at
  }

  /** The run of audio ends here. */
  flushAudio(): void {
    const ms = this.#ms
    if (ms === 0) return
    this.#ms = 0
    this.#recorder?.line({ t: Number(this.#at.toFixed(1)), k: 'audio', item: this.#item, ms })
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
