import { rmsOfMulawBase64 } from '../audio/energy.ts'
import { FRAMES_PER_LOOK, withFrame } from '../audio/energy-detector.ts'
import type { CallEndReason } from '../domain/calls/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { EngineEvent, EngineSession } from '../providers/speech/port.ts'
import type { Signer } from '../providers/telephony/port.ts'
import { AgentAudioOutput } from './agent-audio-output.ts'
import { type CallCommand, CallCommands, type CommandProblem } from './call-commands.ts'
import { CallContext } from './call-context.ts'
import { CallEnding } from './call-ending.ts'
import { DeadAirWatch } from './dead-air.ts'
import { EngineLink } from './engine-link.ts'
import { LineMonitor } from './line-monitor.ts'
import { type CallListener, ListenTap } from './listen-tap.ts'
import {
  phraseNames,
  type SessionDeps,
  type SessionEnd,
  type StreamTransport,
  type Tester,
} from './media-session-ports.ts'
import { ToolExecutor } from './tool-executor.ts'
import { DEFAULT_POLICY } from './turn-options.ts'
import { TurnTaking } from './turn-taking.ts'
import { type InboundFrame, MediaCut, parseFrame } from './twilio-frames.ts'

/** Used up at once, so that one serves all calls and stays in the processor's cache. */
const cut = new MediaCut()

/** The usual length of a frame. */
const FRAME_MS = 20

/** One relay of 64 is timed. */
const TIMED = 63

/**
 * One call: passes the carrier's frames and the engine's events to the part of the call that decides. Every ending goes
 * through `#end`, which writes the reason before the socket closes.
 */
export class MediaSession {
  // The fields that every frame reads come first, side by side in memory.
  /** The engine of the context. */
  #engine: EngineSession | null = null
  #framesIn = 0
  /** Which of the last frames were loud, one bit each. */
  #loud = 0
  #heard = 0
  #tap: ListenTap | null = null
  readonly #line: LineMonitor
  #mediaMs = 0
  readonly #context: CallContext
  readonly #voice: AgentAudioOutput
  #ending = false
  readonly #turns: TurnTaking
  readonly #tools: ToolExecutor
  readonly #callEnding: CallEnding
  readonly #link: EngineLink
  readonly #deadAir: DeadAirWatch
  readonly #commands: CallCommands
  readonly #transport: StreamTransport
  readonly #starting
  readonly #signer: Pick<Signer, 'only'> | null
  readonly #tester: Tester | null
  #malformed = 0

  /**
   * @param upgrade its signer: a `start` without a valid token counts only for the signer's businesses; its tester, on a socket
   *   for test calls
   */
  constructor(
    transport: StreamTransport,
    private readonly deps: SessionDeps,
    upgrade: { signer: Pick<Signer, 'only'> | null; tester?: Tester | null } = { signer: null },
  ) {
    this.#transport = transport
    this.#signer = upgrade.signer
    this.#tester = upgrade.tester ?? null
    const context = new CallContext(
      deps,
      (reason, detail, code) => this.#end(reason, detail, code),
      (engine) => {
        this.#engine = engine
      },
    )
    this.#context = context
    this.#voice = new AgentAudioOutput(context, transport)
    const deadAir = new DeadAirWatch(context, this.#voice)
    this.#deadAir = deadAir
    this.#callEnding = new CallEnding(context, this.#voice, deadAir)
    this.#turns = new TurnTaking(context, this.#voice, this.#callEnding, deadAir)
    this.#line = new LineMonitor(context, this.#voice, this.#turns, deadAir)
    const tools = new ToolExecutor(context, this.#voice, this.#callEnding, deadAir)
    this.#tools = tools
    this.#commands = new CallCommands(context, this.#voice, this.#callEnding, tools, deadAir)
    const link = new EngineLink(context, this.#voice, this.#turns, this.#callEnding, deadAir, (event) =>
      this.#takeEvent(event),
    )
    this.#link = link
    deadAir.setActions({
      toolsRun: () => tools.running,
      engineReady: () => link.isReady,
      canReplace: () => link.canReplace,
      replaceEngine: (message) => link.down('engine_stalled', message, true),
    })
    this.#starting = context.timer()
    this.#starting.set(deps.limits.startMs, () => this.#reject(1008, 'no start within 5 s'))
  }

  /** Whether a call is being served; counts against the capacity. */
  get live(): boolean {
    return this.#context.live
  }

  get callSid(): string | null {
    return this.#context.call?.callSid ?? null
  }

  /** The event loop was late. */
  noteDelay(ms: number): void {
    this.#context.trace.note({ kind: 'loop_delay', ms: Math.round(ms) })
  }

  /** Takes a text frame. A caller's audio, 50 frames a second, goes to the engine without any new object. */
  onText(text: string): void {
    if (!cut.read(text)) {
      this.onFrame(parseFrame(text))
      return
    }
    const timed = (this.#framesIn++ & TIMED) === 0
    this.#hear(cut.rms)
    const engine = this.#engine
    if (engine) {
      const from = timed ? performance.now() : 0
      this.#mediaMs = cut.timestampMs
      engine.sendAudio(cut.payload, cut.timestampMs, cut.rms)
      if (timed) this.#context.metrics.relayedIn(performance.now() - from)
    }
    if (this.#tap !== null) this.#tap.caller(cut.payload)
  }

  #hear(rms: number): void {
    this.#loud = withFrame(this.#loud, rms)
    if (++this.#heard % FRAMES_PER_LOOK === 0) this.#line.look(this.#loud)
  }

  /** Takes a parsed frame; `null` for a malformed one. */
  onFrame(frame: InboundFrame | null): void {
    const context = this.#context
    if (context.state === 'ended') return
    if (!frame) {
      this.#malformed++
      return
    }
    switch (frame.event) {
      case 'media':
        if (context.engine) {
          // A frame without a timestamp follows the one before.
          this.#mediaMs = frame.timestampMs ?? this.#mediaMs + FRAME_MS
          this.#hear(rmsOfMulawBase64(frame.payload))
          context.engine.sendAudio(frame.payload, this.#mediaMs)
        }
        this.#tap?.caller(frame.payload)
        return
      case 'start':
        this.#start(frame)
        return
      case 'mark':
        context.trace.note({ kind: 'mark', name: frame.name })
        this.#voice.markReturned(frame.name)
        return
      case 'dtmf':
        context.trace.note({ kind: 'dtmf', digit: frame.digit })
        if (frame.digit === '0' && this.live) void this.#end('voicemail_requested')
        return
      case 'stop':
        context.trace.note({ kind: 'stop' })
        if (this.live) void this.#end(context.handedOn ? 'transferred' : 'caller_hung_up')
        else this.#reject(1000, 'stopped before it started')
        return
    }
  }

  /** Repeats in a replay what the line monitor noticed. */
  onLine(heard: 'turn_ended' | 'unnoticed', agoMs: number): void {
    if (heard === 'turn_ended') this.#line.turnEnded(agoMs)
    else this.#line.unnoticed(agoMs)
  }

  /** A frame that the protocol does not allow: the socket closes and the call ends. */
  onViolation(reason: string, code = 1008): void {
    this.#context.trace.note({ kind: 'violation', reason, code })
    if (this.live) void this.#end('protocol_error', reason, code)
    else this.#reject(code, reason)
  }

  onClose(code: number, reason: string): void {
    const context = this.#context
    if (this.live) {
      context.trace.note({ kind: 'lost', code })
      void this.#end(context.handedOn ? 'transferred' : 'stream_lost', `socket closed with ${code} ${reason}`.trim())
    } else context.stopTimers()
    context.state = 'ended'
  }

  /** @returns null when it was done, else why not */
  command(command: CallCommand): Promise<CommandProblem | null> {
    return this.#commands.run(command)
  }

  /** Lets a listener hear both sides from now on. @returns what ends that; null when there is no call to hear */
  listen(listener: CallListener): (() => void) | null {
    if (!this.live) return null
    const tap = this.#tap ?? this.#openTap()
    return tap.add(listener)
  }

  #openTap(): ListenTap {
    const tap = new ListenTap(() => {
      this.#tap = null
      this.#voice.listen(null)
    })
    this.#tap = tap
    this.#voice.listen(tap)
    return tap
  }

  /** The server stops: the carrier asks another server, which sends the caller to voicemail. */
  drain(): Promise<void> {
    if (!this.live) return Promise.resolve()
    this.#context.trace.note({ kind: 'drain' })
    return this.#end('server_draining')
  }

  #start(frame: Extract<InboundFrame, { event: 'start' }>): void {
    const { deps } = this
    const context = this.#context
    const voice = this.#voice
    const receivedAt = deps.clock.now()
    if (context.state !== 'waiting') {
      this.onViolation('a second start')
      return
    }
    this.#starting.stop()
    const call = deps.verifyToken(frame.parameters.token ?? '', frame.callSid, this.#tester)
    if (!call) {
      const why = 'the token is missing, wrong, used or expired'
      this.#reject(1008, why, this.#signer ? deps.events.refuse?.(frame.callSid, why, this.#signer) : undefined)
      return
    }
    const reception = deps.reception(call)
    if (!reception) {
      this.#reject(1008, 'the business is unknown')
      return
    }

    context.call = call
    context.reception = reception
    context.policy = reception.policy ?? DEFAULT_POLICY
    context.state = 'live'
    context.startedAt = receivedAt
    context.log = deps.log.child({ callSid: call.callSid, streamSid: frame.streamSid })
    voice.begin(frame.streamSid)
    if (frame.encoding !== 'audio/x-mulaw' || frame.sampleRate !== 8000) {
      this.onViolation(`unexpected media format ${frame.encoding} ${frame.sampleRate}`)
      return
    }

    context.greetingDue = !reception.greeting
    if (reception.greeting) voice.greet(reception.greeting)
    context.trace.open(deps, call, reception, context.policy)
    if (!reception.greeting)
      reception.renderGreeting().then(
        (audio) => {
          voice.greet(audio)
          this.#deadAir.greeted()
        },
        (error: unknown) => this.#end('engine_failed', `the greeting could not be rendered: ${errorMessage(error)}`),
      )
    if (context.greetingDue) this.#deadAir.expectAnswer()
    this.#callEnding.begin()
    this.#preparePhrases()
    const early = this.#link.begin()
    context.log.info({ early }, 'call started')
    deps.events.claim(call, frame.streamSid).then(
      (mine) => {
        if (!mine) this.#abandon('the token was used by another stream')
      },
      (error: unknown) => context.log.warn({ error: errorMessage(error) }, 'stream not claimed, the call continues'),
    )
  }

  /** Renders the phrases during the greeting: they may be needed at once. */
  #preparePhrases(): void {
    const { reception, log } = this.#context
    for (const name of phraseNames)
      if (!reception?.phrase?.(name))
        reception?.renderPhrase?.(name).catch((error: unknown) => {
          log.error({ name, error: errorMessage(error) }, 'phrase not rendered')
        })
  }

  #takeEvent(event: EngineEvent): void {
    const context = this.#context
    if (!context.live) return
    if (this.#ending) {
      // The caller's last turn and lead are saved; other events come too late.
      if (event.type === 'user_turn') context.transcript.callerSaid(event)
      else if (event.type === 'tool_call' && event.name === 'save_lead' && context.call)
        this.deps.events.lead(context.call, event.args)
      return
    }
    if (event.type !== 'audio') {
      context.trace.note({ kind: 'engine', event: event.type === 'user_turn' ? { ...event, audio: undefined } : event })
      this.#onEngine(event)
      return
    }
    this.#voice.play(event.itemId, event.payload, event.ms, event.text)
  }

  #onEngine(event: Exclude<EngineEvent, { type: 'audio' }>): void {
    const context = this.#context
    switch (event.type) {
      case 'ready':
        this.#link.ready()
        return
      case 'speech_started':
        this.#line.reportedStart(context.startedAt + event.atMs)
        this.#turns.speechStarted(event.voicedMs)
        return
      case 'speech_stopped':
        this.#line.reported()
        this.#turns.speechStopped(event.atMs, event.noise)
        return
      case 'user_turn':
        context.transcript.callerSaid(event)
        this.#turns.checkBackchannel(event.transcript ?? '', event.endMs - event.startMs)
        return
      case 'audio_done':
        this.#voice.finish(event.itemId)
        return
      case 'agent_transcript':
        context.transcript.agentText(event.itemId, event.text)
        return
      case 'tool_call':
        this.#tools.take(event)
        return
      case 'usage':
        context.metrics.used(event.usage)
        return
      case 'quiet':
        this.#deadAir.engineIsLate()
        return
      case 'reminder':
        this.#deadAir.expectAnswer()
        this.#callEnding.reminded()
        return
      case 'error':
        context.log.warn({ code: event.code, fatal: event.fatal, error: event.message }, 'speech engine error')
        if (event.fatal) this.#link.down(event.code, event.message, event.retry ?? false)
        return
      case 'closed':
        this.#link.down('engine_lost', `the engine closed: ${event.reason}`, true)
        return
    }
  }

  async #end(reason: CallEndReason, detail: string | null = null, code = 1000): Promise<void> {
    const context = this.#context
    if (context.state === 'ended' || this.#ending) return
    // `close` reports the turns that the engine still has.
    this.#ending = true
    this.#tap?.end()
    context.engine?.close()
    context.state = 'ended'
    context.stopTimers()
    context.ended()
    this.#link.drop()
    if (context.call) {
      this.#voice.endAll()
      const end: SessionEnd = {
        reason,
        detail,
        durationMs: Math.round(context.clock.now() - context.startedAt),
        metrics: {
          ...context.metrics.toRecord(),
          framesIn: this.#framesIn,
          framesOut: this.#voice.pieces,
          turns: context.transcript.turns,
          malformedFrames: this.#malformed,
          mediaMs: this.#mediaMs,
        },
      }
      context.trace.decide({ decision: 'end', reason, detail, metrics: end.metrics })
      context.trace.close()
      await this.deps.events.end(context.call, end)
      context.log.info({ reason, detail, ...end.metrics, durationMs: end.durationMs }, 'call ended')
    }
    this.#closeSocket(code, reason)
  }

  /** Rejects a stream: the socket closes, the reason is in the log. @param written awaited before that */
  #reject(code: number, reason: string, written?: Promise<void>): void {
    const context = this.#context
    if (context.state === 'ended') return
    context.state = 'ended'
    context.stopTimers()
    context.ended()
    context.log.warn({ reason, malformedFrames: this.#malformed }, 'stream rejected')
    if (written) void written.then(() => this.#closeSocket(code, reason))
    else this.#closeSocket(code, reason)
  }

  #closeSocket(code: number, reason: string): void {
    // A close reason has at most 123 bytes.
    this.#transport.close(code, reason.slice(0, 120))
  }

  /** The call belongs to another stream: this one closes without changing the call. */
  #abandon(reason: string): void {
    const context = this.#context
    if (context.state === 'ended') return
    context.trace.discard()
    this.#tap?.end()
    const { engine } = context
    this.#link.drop()
    engine?.close()
    this.#reject(1008, reason)
  }
}
