import type { CallEndReason, StreamToken } from '../domain/calls/index.ts'
import type { CallTurn } from '../jobs/registry.ts'
import { stripPoints } from '../lib/hebrew.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, IntakeScript, SpeechEngine } from '../providers/speech/port.ts'
import { PlaybackLedger } from './playback.ts'
import { type InboundFrame, StreamWriter } from './wire.ts'

/** The carrier's socket, as the session sees it. */
export type StreamTransport = {
  /** @returns false when the frame was dropped */
  send(frame: string): boolean
  close(code: number, reason: string): void
}

export type SessionEnd = {
  reason: CallEndReason
  detail: string | null
  durationMs: number
  metrics: Record<string, number | null>
}

/** Where a call's events are kept; nothing here is waited for on the audio path. */
export type CallSink = {
  /** Binds the call to this stream; false when another stream has it. */
  claim(call: StreamToken, streamSid: string): Promise<boolean>
  turn(call: StreamToken, turn: Omit<CallTurn, 'callSid' | 'businessId' | 'audioKey'>, audio?: Uint8Array): void
  lead(call: StreamToken, answers: unknown): void
  /** Resolves once the reason is written, or within a bound when it cannot be. */
  end(call: StreamToken, end: SessionEnd): Promise<void>
}

/** What a business says in a call. */
export type Reception = {
  script: IntakeScript
  /** The greeting as μ-law when it is at hand, so that it can leave at once. */
  greeting: Uint8Array | undefined
  renderGreeting(): Promise<Uint8Array>
}

export type SessionDeps = {
  engine: SpeechEngine
  sink: CallSink
  log: Logger
  /** The token's claims, or null when it is forged, expired, used, or of another call. */
  verifyToken(token: string, callSid: string): StreamToken | null
  reception(call: StreamToken): Reception | null
  limits: SessionLimits
  /** Monotonic ms. */
  now(): number
}

export type SessionLimits = {
  /** From the upgrade to `start`. */
  startMs: number
  /** Nobody has said anything for this long, the engine's own reminders included: the call ends with a goodbye. */
  silenceMs: number
  maxDurationMs: number
  /** After it a goodbye may take this long; then the call ends, also for a caller who talks on. */
  goodbyeMs: number
  /** How long the last mark may be late. */
  finalMarkMs: number
}

export const DEFAULT_LIMITS: SessionLimits = {
  startMs: 5_000,
  silenceMs: 12_000,
  maxDurationMs: 15 * 60_000,
  goodbyeMs: 15_000,
  finalMarkMs: 3_000,
}

type AgentTurn = { index: number; text: string | null; startMs: number; ms: number }

/**
 * One call. States: `waiting` (for `start`) → `live` → `closing` (goodbye said, its last mark awaited) → `ended`.
 * Every way out passes `#end`, which writes the reason before the socket closes.
 */
export class CallSession {
  #state: 'waiting' | 'live' | 'closing' | 'ended' = 'waiting'
  #call: StreamToken | null = null
  #script: IntakeScript | null = null
  #writer: StreamWriter | null = null
  #engine: EngineSession | null = null
  readonly #ledger = new PlaybackLedger()
  readonly #agentTurns = new Map<string, AgentTurn>()
  #turns = 0
  #malformed = 0
  #startedAt = 0
  #mediaMs = 0
  #callerSpeaking = false
  #ending = false
  #closeReason: CallEndReason = 'completed'
  #heardEndAt: number | null = null
  readonly #responses: number[] = []
  readonly #metrics: Record<string, number | null> = { greetingMs: null, bargeIns: 0 }
  #startTimer: Timer | undefined
  #silenceTimer: Timer | undefined
  #durationTimer: Timer | undefined
  #finalTimer: Timer | undefined
  #log: Logger

  constructor(
    private readonly transport: StreamTransport,
    private readonly deps: SessionDeps,
  ) {
    this.#log = deps.log
    this.#startTimer = setTimeout(() => this.#refuse(1008, 'no start within 5 s'), deps.limits.startMs)
  }

  /** Whether a call is being served: counts against the capacity. */
  get live(): boolean {
    return this.#state === 'live' || this.#state === 'closing'
  }

  get callSid(): string | null {
    return this.#call?.callSid ?? null
  }

  /** Takes a text frame; `null` is one that could not be read. */
  onFrame(frame: InboundFrame | null): void {
    if (this.#state === 'ended') return
    if (!frame) {
      this.#malformed++
      return
    }
    switch (frame.event) {
      case 'media':
        if (this.#engine) {
          this.#mediaMs = frame.timestampMs
          this.#engine.sendAudio(frame.payload, frame.timestampMs)
        }
        return
      case 'start':
        this.#start(frame)
        return
      case 'mark':
        this.#markReturned(frame.name)
        return
      case 'dtmf':
        if (frame.digit === '0' && this.live) void this.#end('voicemail_requested')
        return
      case 'stop':
        if (this.live) void this.#end('caller_hung_up')
        else this.#refuse(1000, 'stopped before it started')
        return
    }
  }

  /** A frame that no stream may send: the socket ends, and so does the call's agent. */
  onViolation(reason: string, code = 1008): void {
    if (this.live) void this.#end('protocol_error', reason, code)
    else this.#refuse(code, reason)
  }

  /** The socket is gone. */
  onClose(code: number, reason: string): void {
    if (this.live) void this.#end('stream_lost', `socket closed with ${code} ${reason}`.trim())
    else this.#stopTimers()
    this.#state = 'ended'
  }

  /** This server must stop: the caller goes to voicemail through whichever server is asked next. */
  drain(): Promise<void> {
    return this.live ? this.#end('server_draining') : Promise.resolve()
  }

  #start(frame: Extract<InboundFrame, { event: 'start' }>): void {
    const receivedAt = this.deps.now()
    if (this.#state !== 'waiting') {
      this.onViolation('a second start')
      return
    }
    clearTimeout(this.#startTimer)
    const call = this.deps.verifyToken(frame.parameters.token ?? '', frame.callSid)
    if (!call) {
      this.#refuse(1008, 'the token is missing, wrong, used or expired')
      return
    }
    const reception = this.deps.reception(call)
    if (!reception) {
      this.#refuse(1008, 'the business is unknown')
      return
    }

    this.#call = call
    this.#script = reception.script
    this.#state = 'live'
    this.#startedAt = receivedAt
    this.#writer = new StreamWriter(frame.streamSid)
    this.#log = this.deps.log.child({ callSid: call.callSid, streamSid: frame.streamSid })
    if (frame.encoding !== 'audio/x-mulaw' || frame.sampleRate !== 8000) {
      this.onViolation(`unexpected media format ${frame.encoding} ${frame.sampleRate}`)
      return
    }

    if (reception.greeting) this.#greet(reception.greeting)
    else
      reception.renderGreeting().then(
        (audio) => this.#greet(audio),
        (error: unknown) => this.#end('engine_failed', `the greeting could not be rendered: ${String(error)}`),
      )
    this.#durationTimer = setTimeout(() => this.#endOvertime(), this.deps.limits.maxDurationMs)
    this.#engine = this.deps.engine.connect({
      callId: call.callSid,
      language: reception.script.language,
      script: reception.script,
      onEvent: (event) => this.#onEngine(event),
    })
    this.#log.info('the call is live')
    this.deps.sink.claim(call, frame.streamSid).then(
      (mine) => {
        if (!mine) this.#abandon('the token was used by another stream')
      },
      (error: unknown) => this.#log.warn({ error: String(error) }, 'the stream could not be claimed; the call goes on'),
    )
  }

  #greet(audio: Uint8Array): void {
    if (this.#state !== 'live') return
    this.#play('greeting', Buffer.from(audio).toString('base64'), audio.byteLength / 8, this.#script?.greeting ?? null)
    this.#metrics.greetingMs = round(this.deps.now() - this.#startedAt)
  }

  #onEngine(event: EngineEvent): void {
    if (!this.live) return
    switch (event.type) {
      case 'speech_started':
        this.#callerSpeaking = true
        clearTimeout(this.#silenceTimer)
        if (this.#ledger.playing) this.#interrupt()
        // A caller who still speaks is listened to: the engine says goodbye again.
        if (this.#state === 'closing') {
          this.#state = 'live'
          clearTimeout(this.#finalTimer)
        }
        return
      case 'speech_stopped':
        this.#callerSpeaking = false
        this.#heardEndAt = this.#startedAt + event.atMs
        this.#watchSilence()
        return
      case 'user_turn':
        this.#saveCallerTurn(event)
        return
      case 'audio':
        if (this.#heardEndAt !== null) {
          this.#responses.push(Math.max(0, this.deps.now() - this.#heardEndAt))
          this.#heardEndAt = null
        }
        this.#play(event.itemId, event.payload, event.ms, event.text ?? null)
        return
      case 'agent_transcript': {
        const turn = this.#agentTurns.get(event.itemId)
        if (turn) turn.text = event.text
        return
      }
      case 'tool_call':
        this.#onTool(event)
        return
      case 'error':
        if (this.#ending) return
        this.#log.warn(
          { code: event.code, fatal: event.fatal, error: event.message },
          'the speech engine reports an error',
        )
        if (event.fatal) void this.#end('engine_failed', event.code)
        return
      case 'closed':
        if (this.#ending) return
        void this.#end('engine_failed', `the engine closed: ${event.reason}`)
        return
    }
  }

  #onTool(tool: Extract<EngineEvent, { type: 'tool_call' }>): void {
    const call = this.#call
    if (!call) return
    if (tool.name === 'save_lead') {
      this.deps.sink.lead(call, tool.args)
      this.#engine?.toolResult(tool.toolCallId, { ok: true })
    } else if (tool.name === 'end_call') {
      this.#engine?.toolResult(tool.toolCallId, { ok: true })
      this.#awaitLastMark('completed')
    } else {
      this.#engine?.toolResult(tool.toolCallId, { error: `There is no tool named ${tool.name}.` })
    }
  }

  #play(itemId: string, payload: string, ms: number, text: string | null): void {
    if (!this.#writer) return
    clearTimeout(this.#silenceTimer)
    const now = this.deps.now()
    if (!this.#agentTurns.has(itemId))
      this.#agentTurns.set(itemId, {
        index: this.#turns++,
        text,
        startMs: round(this.#ledger.endsAt(now) - this.#startedAt),
        ms: 0,
      })
    const turn = this.#agentTurns.get(itemId)
    if (turn) turn.ms += ms
    const sent = this.transport.send(this.#writer.media(payload))
    const mark = this.#ledger.sent(itemId, ms, now)
    // Audio of the goodbye moves the end it is waited for.
    if (this.#state === 'closing') this.#awaitLastMark(this.#closeReason)
    if (!sent || !this.transport.send(this.#writer.mark(mark)))
      void this.#end('stream_lost', 'the carrier does not take the audio')
  }

  #interrupt(): void {
    if (!this.#writer) return
    // Stop producing first: audio that comes after the clear would be heard.
    this.#engine?.cancel()
    const cut = this.#ledger.clear(this.deps.now())
    this.transport.send(this.#writer.clear())
    this.#metrics.bargeIns = (this.#metrics.bargeIns ?? 0) + 1
    for (const item of cut) {
      this.#engine?.truncate(item.itemId, item.heardMs)
      this.#saveAgentTurn(item.itemId, item.heardMs, true)
    }
  }

  #markReturned(name: string): void {
    for (const item of this.#ledger.markReturned(name, this.deps.now()))
      this.#saveAgentTurn(item.itemId, item.heardMs, false)
    if (this.#ledger.playing) return
    if (this.#state === 'closing') void this.#end(this.#closeReason)
    else this.#watchSilence()
  }

  #watchSilence(): void {
    clearTimeout(this.#silenceTimer)
    if (this.#state !== 'live' || this.#callerSpeaking || this.#ledger.playing) return
    this.#silenceTimer = setTimeout(() => this.#sayGoodbye('silence'), this.deps.limits.silenceMs)
  }

  /** Says goodbye for a reason of ours, and ends when it was heard. */
  #sayGoodbye(reason: CallEndReason): void {
    if (this.#state !== 'live' || !this.#script) return
    if (this.#ledger.playing) this.#interrupt()
    this.#engine?.say(this.#script.goodbye)
    this.#awaitLastMark(reason)
  }

  #endOvertime(): void {
    this.#sayGoodbye('max_duration')
    this.#durationTimer = setTimeout(
      () => void this.#end('max_duration', 'the caller talked on'),
      this.deps.limits.goodbyeMs,
    )
  }

  #awaitLastMark(reason: CallEndReason): void {
    this.#state = 'closing'
    this.#closeReason = reason
    clearTimeout(this.#silenceTimer)
    clearTimeout(this.#finalTimer)
    const now = this.deps.now()
    this.#finalTimer = setTimeout(
      () => void this.#end(this.#closeReason, 'the last mark did not come back'),
      this.#ledger.endsAt(now) - now + this.deps.limits.finalMarkMs,
    )
  }

  #saveAgentTurn(itemId: string, heardMs: number, interrupted: boolean): void {
    const turn = this.#agentTurns.get(itemId)
    if (!turn || !this.#call) return
    this.#agentTurns.delete(itemId)
    this.deps.sink.turn(this.#call, {
      index: turn.index,
      role: 'agent',
      text: turn.text === null ? null : stripPoints(turn.text),
      startMs: turn.startMs,
      endMs: turn.startMs + round(interrupted ? heardMs : turn.ms),
      heardMs: round(heardMs),
      interrupted,
    })
  }

  #saveCallerTurn(event: Extract<EngineEvent, { type: 'user_turn' }>): void {
    if (!this.#call) return
    this.deps.sink.turn(
      this.#call,
      {
        index: this.#turns++,
        role: 'caller',
        text: event.transcript ?? null,
        question: event.question ?? null,
        startMs: round(event.startMs),
        endMs: round(event.endMs),
        heardMs: null,
        interrupted: false,
      },
      event.audio,
    )
  }

  /** Ends the call's agent: the reason is written, then the socket closes. */
  async #end(reason: CallEndReason, detail: string | null = null, code = 1000): Promise<void> {
    if (this.#state === 'ended' || this.#ending) return
    // The engine hands over what it still has before it closes.
    this.#ending = true
    this.#engine?.close()
    this.#state = 'ended'
    this.#stopTimers()
    const call = this.#call
    if (call) {
      for (const item of this.#ledger.clear(this.deps.now())) this.#saveAgentTurn(item.itemId, item.heardMs, true)
      const end: SessionEnd = {
        reason,
        detail,
        durationMs: round(this.deps.now() - this.#startedAt),
        metrics: {
          ...this.#metrics,
          turns: this.#turns,
          malformedFrames: this.#malformed,
          mediaMs: this.#mediaMs,
          responseMedianMs: median(this.#responses),
          responseMaxMs: this.#responses.length > 0 ? round(Math.max(...this.#responses)) : null,
        },
      }
      await this.deps.sink.end(call, end)
      this.#log.info({ reason, detail, ...end.metrics, durationMs: end.durationMs }, 'the call has ended')
    }
    this.transport.close(code, reason)
  }

  /** A socket that never became a call: closed with a reason in the log, nothing written. */
  #refuse(code: number, reason: string): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#stopTimers()
    this.#log.warn({ reason, malformedFrames: this.#malformed }, 'a media socket was refused')
    this.transport.close(code, reason)
  }

  /** The call belongs to another stream: this one goes without touching the call's record. */
  #abandon(reason: string): void {
    if (this.#state === 'ended') return
    this.#refuse(1008, reason)
    // Last: an engine says that it closed, which in a live call is a failure of the call.
    this.#engine?.close()
  }

  #stopTimers(): void {
    for (const timer of [this.#startTimer, this.#silenceTimer, this.#durationTimer, this.#finalTimer])
      clearTimeout(timer)
  }
}

function round(ms: number): number {
  return Math.max(0, Math.round(ms))
}

function median(values: number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted[sorted.length >> 1]
  return middle === undefined ? null : round(middle)
}
