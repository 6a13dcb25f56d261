import type { CallEndReason, StreamToken } from '../domain/calls/index.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineSession } from '../providers/speech/port.ts'
import { CallMetrics } from './call-metrics.ts'
import { CallTrace } from './call-trace.ts'
import type { Clock } from './clock.ts'
import type { Reception, SessionDeps } from './media-session-ports.ts'
import type { Cut } from './playback.ts'
import { Transcript } from './transcript.ts'
import { DEFAULT_POLICY, type TurnOptions } from './turn-options.ts'

export type EndCall = (reason: CallEndReason, detail?: string | null, code?: number) => Promise<void>

/** What the parts of a call share: where it stands, who is in it, and what is known of it. */
export class CallContext {
  /** `waiting` (for `start`) → `live` → `closing` (goodbye said, its last mark awaited) → `ended`. */
  state: 'waiting' | 'live' | 'closing' | 'ended' = 'waiting'
  /** When the caller's last turn ended, until it is answered. */
  heardEndAt: number | null = null
  /** What the last interruption cut off, as long as the caller may prove to have meant "go on". */
  remainder: Cut | null = null
  startedAt = 0
  /** The greeting is still being rendered. */
  greetingDue = false
  callerSpeaking = false
  /** The call is being handed to a person. */
  transferring = false
  /** The carrier was asked to take the call on: from now on it is that which ends the stream. */
  handedOn = false
  call: StreamToken | null = null
  reception: Reception | null = null
  policy: TurnOptions = DEFAULT_POLICY
  log: Logger
  readonly clock: Clock
  readonly metrics = new CallMetrics()
  readonly trace: CallTrace
  readonly transcript = new Transcript((turn, audio) => {
    if (this.call) this.deps.events.turn(this.call, turn, audio)
  })
  readonly #timers = new Set<CallTimer>()
  #timerCount = 0
  #engine: EngineSession | null = null

  /**
   * @param end ends the call's agent: the reason is written, then the socket closes
   * @param onEngaged told who listens from now on
   */
  constructor(
    readonly deps: SessionDeps,
    readonly end: EndCall,
    private readonly onEngaged: (engine: EngineSession | null) => void,
  ) {
    this.clock = deps.clock
    this.log = deps.log
    this.trace = new CallTrace((at = this.clock.now()) => at - this.startedAt)
  }

  /** Whether a call is being served. */
  get live(): boolean {
    return this.state === 'live' || this.state === 'closing'
  }

  /** Who listens and speaks. */
  get engine(): EngineSession | null {
    return this.#engine
  }

  engage(engine: EngineSession | null): void {
    this.#engine = engine
    this.onEngaged(engine)
  }

  /** A timer that ends with the call. */
  timer(): CallTimer {
    const timer = new CallTimer(this, this.#timerCount++)
    this.#timers.add(timer)
    return timer
  }

  /** These are not needed any more. */
  drop(...timers: CallTimer[]): void {
    for (const timer of timers) {
      timer.stop()
      this.#timers.delete(timer)
    }
  }

  stopTimers(): void {
    for (const timer of this.#timers) timer.stop()
  }
}

/** A timer that is taken back so shortly before it is due is noted: in a replay it must not fire first. */
export const TIMER_TOLERANCE_MS = 60

/**
 * One thing that is to happen later, or not at all; none is set once the call has ended. A busy machine fires late, behind
 * events that a replay would put behind the timer: so when it fired, and how late that was, is part of the trace.
 */
export class CallTimer {
  #cancel: (() => void) | null = null
  #due = 0

  /** @param number which of the call's timers it is: they are made in the same order in a replay */
  constructor(
    private readonly context: CallContext,
    private readonly number: number,
  ) {}

  get armed(): boolean {
    return this.#cancel !== null
  }

  /** Instead of what was set before. */
  set(ms: number, act: () => void): void {
    this.stop()
    const { context, number } = this
    if (context.state === 'ended') return
    this.#due = context.clock.now() + ms
    this.#cancel = context.clock.after(
      ms,
      () => {
        this.#cancel = null
        context.trace.timerFired(number, this.#due)
        act()
      },
      number,
    )
  }

  stop(): void {
    if (this.#cancel === null) return
    this.#cancel()
    this.#cancel = null
    const { clock, trace } = this.context
    if (clock.now() > this.#due - TIMER_TOLERANCE_MS) trace.timerCanceled(this.number, this.#due)
  }
}
