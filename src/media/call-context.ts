import type { CallEndReason, LiveState } from '../domain/calls/index.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineSession } from '../providers/speech/port.ts'
import { CallMetrics } from './call-metrics.ts'
import { CallTrace } from './call-trace.ts'
import type { Clock } from './clock.ts'
import type { Reception, ServedCall, SessionDeps } from './media-session-ports.ts'
import type { Cut } from './playback.ts'
import { Transcript } from './transcript.ts'
import { DEFAULT_POLICY, type TurnOptions } from './turn-options.ts'

export type EndCall = (reason: CallEndReason, detail?: string | null, code?: number) => Promise<void>

/** The state that the parts of a call share. */
export class CallContext {
  /** `waiting` (for `start`) → `live` → `closing` (goodbye sent, its last mark awaited) → `ended`. */
  state: 'waiting' | 'live' | 'closing' | 'ended' = 'waiting'
  /** When the caller's last turn ended, until it is answered. */
  heardEndAt: number | null = null
  /** The audio that the last interruption cut off, as long as it may have been a backchannel. */
  remainder: Cut | null = null
  startedAt = 0
  /** The greeting is still being rendered. */
  greetingDue = false
  callerSpeaking = false
  transferring = false
  /** The carrier was asked to transfer: it ends the stream from now on. */
  handedOn = false
  /** A member transfers or ends the call: the engine is not heard any more, and the caller cannot interrupt. */
  takenOver = false
  /** What members sent to the agent: an engine that takes over gets it too. */
  readonly whispers: string[] = []
  /** What is known of the caller: an engine that takes over gets it too. */
  known: string | null = null
  engineName: string | null = null
  engineReady = false
  call: ServedCall | null = null
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
  readonly #onEnded: (() => void)[] = []
  #timerCount = 0
  #engine: EngineSession | null = null

  /** @param end writes the reason, then closes the socket @param onEngaged gets the engine that listens from now on */
  constructor(
    readonly deps: SessionDeps,
    readonly end: EndCall,
    private readonly onEngaged: (engine: EngineSession | null) => void,
  ) {
    this.clock = deps.clock
    this.log = deps.log
    this.trace = new CallTrace((at = this.clock.now()) => at - this.startedAt)
  }

  get live(): boolean {
    return this.state === 'live' || this.state === 'closing'
  }

  get engine(): EngineSession | null {
    return this.#engine
  }

  engage(engine: EngineSession | null): void {
    this.#engine = engine
    this.onEngaged(engine)
  }

  /** Reports how the call stands to those who watch it; costs the call nothing. */
  reportState(): void {
    const { call, deps, engineName } = this
    if (!call || !this.live || !deps.events.state) return
    deps.events.state(call, {
      engine: engineName,
      phase: this.#phase(),
      followsInstructions: this.#engine?.instruct !== undefined,
    })
  }

  #phase(): LiveState['phase'] {
    if (this.state === 'closing') return 'ending'
    if (this.transferring) return 'transferring'
    return this.#engine !== null && this.engineReady ? 'talking' : 'connecting'
  }

  whenEnded(act: () => void): void {
    this.#onEnded.push(act)
  }

  ended(): void {
    for (const act of this.#onEnded.splice(0)) act()
  }

  /** A timer that ends with the call. */
  timer(): CallTimer {
    const timer = new CallTimer(this, this.#timerCount++)
    this.#timers.add(timer)
    return timer
  }

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

/** A timer that is canceled this shortly before it is due is in the trace: in a replay it must not fire first. */
export const TIMER_TOLERANCE_MS = 60

/**
 * A timer of the call; none is set once the call has ended. A busy machine fires late, after events that a replay would put
 * after the timer: so the trace contains when it fired and when it was due.
 */
export class CallTimer {
  #cancel: (() => void) | null = null
  #due = 0

  /** @param number of the timer: a replay makes them in the same order */
  constructor(
    private readonly context: CallContext,
    private readonly number: number,
  ) {}

  get armed(): boolean {
    return this.#cancel !== null
  }

  /** Replaces what was set before. */
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
