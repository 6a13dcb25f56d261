import type { CallEndReason } from '../domain/calls/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EngineEvent, EngineSession, SpeechEngine } from '../providers/speech/port.ts'
import type { AgentAudioOutput } from './agent-audio-output.ts'
import type { CallContext } from './call-context.ts'
import type { CallEnding } from './call-ending.ts'
import type { DeadAirWatch } from './dead-air.ts'
import type { Engines } from './media-session-ports.ts'
import type { TurnTaking } from './turn-taking.ts'

/** The engine of a call: opened, and replaced when it fails. Events of a replaced session are ignored. */
export class EngineLink {
  #generation = 0
  #kind: SpeechEngine | null = null
  #retried = false
  readonly #reconnect

  /** @param onEvent takes the events of the present engine */
  constructor(
    private readonly context: CallContext,
    private readonly voice: AgentAudioOutput,
    private readonly turns: TurnTaking,
    private readonly callEnding: CallEnding,
    private readonly deadAir: DeadAirWatch,
    private readonly onEvent: (event: EngineEvent) => void,
  ) {
    this.#reconnect = context.timer()
  }

  /** Opens the first engine. @returns whether it was prewarmed */
  begin(): boolean {
    const { context } = this
    const { deps } = context
    const { engine } = this.#engines
    this.#recall()
    const opened = context.live && context.call ? (deps.adopt?.(context.call.callSid) ?? null) : null
    if (!opened) {
      this.#connect(engine, false)
      return false
    }
    const listener = this.#listener()
    this.#uses(engine)
    this.#engage(opened.session)
    context.trace.decide({ decision: 'connect', engine: engine.name, resume: false })
    opened.attach(listener)
    return true
  }

  /** The business's own, else the installation's. */
  get #engines(): Engines {
    return this.context.reception?.engines ?? this.context.deps
  }

  get isReady(): boolean {
    return this.context.engineReady
  }

  get canReplace(): boolean {
    return this.#nextAfter(true) !== null
  }

  ready(): void {
    this.context.engineReady = true
    this.#reconnect.stop()
    this.context.reportState()
  }

  /** Ignores the present engine from now on. */
  drop(): void {
    this.#generation++
    this.context.engage(null)
  }

  #uses(engine: SpeechEngine): void {
    this.#kind = engine
    this.context.engineName = engine.name
  }

  #engage(session: EngineSession): void {
    this.context.engage(session)
    session.playTo?.(this.voice)
    this.context.reportState()
  }

  #listener(): (event: EngineEvent) => void {
    const generation = ++this.#generation
    this.context.engineReady = false
    return (event) => {
      if (generation === this.#generation) this.onEvent(event)
    }
  }

  /** Opens an engine session; one that cannot be opened has failed. */
  #connect(engine: SpeechEngine, resume: boolean): void {
    const { context } = this
    const { deps, call, reception } = context
    // Playing the phrase before may have ended the call.
    if (!call || !reception || !context.live) return
    const onEvent = this.#listener()
    this.#uses(engine)
    context.trace.decide({ decision: 'connect', engine: engine.name, resume })
    try {
      const session = engine.connect({
        callId: call.callSid,
        language: reception.script.language,
        script: reception.script,
        ...instructionsOf(reception.instructions, context.whispers),
        ...(deps.tools ? { tools: deps.tools.list(call) } : {}),
        ...(reception.voice ? { voice: reception.voice } : {}),
        ...(resume ? { resume: context.transcript.history() } : {}),
        onEvent,
      })
      if (context.known !== null) session.remember?.(context.known)
      this.#engage(session)
    } catch (error) {
      context.engage(null)
      this.down('engine_refused', errorMessage(error), false)
    }
  }

  /** Gives the model what is known of the caller, once it is read. */
  #recall(): void {
    const { context } = this
    if (!context.call) return
    void context.deps.known?.(context.call).then((known) => {
      if (known === null || !context.live) return
      context.known = known
      context.engine?.remember?.(known)
    })
  }

  /** The engine failed: the caller hears a phrase, then the same engine is tried, the standby, and last voicemail. */
  down(code: string, message: string, retry: boolean): void {
    const { context, voice } = this
    if (!context.live) return
    const failed = context.engine
    voice.learnAllWords()
    this.#generation++
    failed?.close()
    context.engage(null)
    context.metrics.engineFailures++
    this.#reconnect.stop()
    const resume = context.transcript.callerTurns > 0 || this.deadAir.isExpecting || context.callerSpeaking
    this.turns.reset()
    voice.finishAll()
    // The goodbye is played to its end.
    if (context.state === 'closing') {
      if (!voice.playing) void context.end(this.callEnding.reason)
      return
    }
    // A call that is being transferred needs no engine.
    if (context.transferring) return
    const next = this.#nextAfter(retry)
    if (!next) {
      void context.end(reasonOf(code), `${code}: ${message}`.slice(0, 300))
      return
    }
    const again = next === this.#kind
    context.log.warn({ code, next: next.name, again }, 'speech engine replaced')
    if (again) this.#retried = true
    // A caller who was asked to wait gets an answer, even if no one noticed that they spoke.
    const waits = resume || !voice.playing
    if (waits) voice.phrase('oneMoment')
    this.#connect(next, resume)
    if (waits && context.engine) this.deadAir.expectAnswer()
    // `#connect` may have failed and replaced the engine already.
    if (next.remote && this.#kind === next && context.engine)
      this.#reconnect.set(context.policy.reconnectMs, () =>
        this.down('engine_refused', 'The engine was not ready in time.', false),
      )
  }

  /** The same engine once more, else the standby, else null. */
  #nextAfter(retry: boolean): SpeechEngine | null {
    const { engine, standby } = this.#engines
    if (retry && !this.#retried && this.#kind === engine && engine.remote) return engine
    return standby && this.#kind !== standby ? standby : null
  }
}

/** The instructions of the model; one that takes over gets what members sent to the one before. */
function instructionsOf(given: string | undefined, whispers: readonly string[]): { instructions?: string } {
  if (whispers.length === 0) return given === undefined ? {} : { instructions: given }
  return { instructions: [given ?? '', ...whispers].join('\n\n').trim() }
}

const REASONS: Record<string, CallEndReason> = {
  engine_refused: 'engine_refused',
  engine_lost: 'engine_lost',
  engine_stalled: 'engine_stalled',
  engine_rate_limited: 'engine_rate_limited',
  engine_expired: 'engine_expired',
}

/** The end reason of an engine failure when no other engine could take over. */
function reasonOf(code: string): CallEndReason {
  return REASONS[code] ?? 'engine_failed'
}
