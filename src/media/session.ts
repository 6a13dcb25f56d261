import type { CallEndReason, StreamToken } from '../domain/calls/index.ts'
import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, SpeechEngine } from '../providers/speech/port.ts'
import { base64Of } from './audio/base64.ts'
import { CallMetrics } from './call-metrics.ts'
import type { Clock } from './clock.ts'
import { type Cut, type Heard, PlaybackLedger } from './playback.ts'
import type { CallRecorder } from './recorder.ts'
import type { PhraseName, Reception, SessionDeps, SessionEnd, StreamTransport } from './session-ports.ts'
import { Transcript } from './transcript.ts'
import { DEFAULT_POLICY, isBackchannel, type TurnPolicy } from './turn-policy.ts'
import { type InboundFrame, MEDIA_TAIL, MediaCut, parseFrame, StreamWriter } from './wire.ts'

/** A mark stands behind so much audio at most; a smaller item has one at its end. */
const MARK_EVERY_MS = 500

/** Read and used up at once, so that one serves all calls and stays near. */
const cut = new MediaCut()

/** One relay of 64 is timed. */
const TIMED = 63

/** How often a voice that began is looked at again. */
const WEIGH_MS = 40

type Cancel = () => void
const nothing: Cancel = () => {}

/**
 * One call. States: `waiting` (for `start`) → `live` → `closing` (goodbye said, its last mark awaited) → `ended`.
 * Every way out passes `#end`, which writes the reason before the socket closes.
 */
export class CallSession {
  // What every frame looks at comes first, so that it lies together.
  #state: 'waiting' | 'live' | 'closing' | 'ended' = 'waiting'
  #engine: EngineSession | null = null
  #framesIn = 0
  #mediaMs = 0
  /** Events of an engine session that was replaced do not count. */
  #generation = 0
  #ending = false
  #framesOut = 0
  #heardEndAt: number | null = null
  /** What the last interruption cut off, as long as the caller may prove to have meant "go on". */
  #remainder: Cut | null = null
  #mediaHead: string | null = null
  readonly #clock: Clock
  readonly #transport: StreamTransport
  #stopSilence: Cancel = nothing
  /** The item that is being sent, whose turn is known. */
  #playingItem = ''
  #notedItem = ''
  #notedMs = 0
  #notedAt = 0
  #startedAt = 0
  #recorder: CallRecorder | null = null
  readonly #ledger = new PlaybackLedger()
  #afterLastMark: ((detail: string | null) => void) | null = null
  #writer: StreamWriter | null = null
  #call: StreamToken | null = null
  #reception: Reception | null = null
  #policy: TurnPolicy = DEFAULT_POLICY
  #engineKind: SpeechEngine | null = null
  #retried = false
  readonly #metrics = new CallMetrics()
  readonly #transcript = new Transcript((turn, audio) => {
    if (this.#call) this.deps.sink.turn(this.#call, turn, audio)
  })
  #phrases = 0
  #malformed = 0
  #callerSpeaking = false
  /** How often the engine has asked again since the caller last spoke. */
  #reminders = 0
  #closeReason: CallEndReason = 'completed'
  #transferring = false
  /** The carrier was asked to take the call on: from now on it is that which ends the stream. */
  #handedOn = false
  #lastFillerAt = Number.NEGATIVE_INFINITY
  #stopStartTimer: Cancel = nothing
  #stopDuration: Cancel = nothing
  #stopFinal: Cancel = nothing
  #stopInterrupt: Cancel = nothing
  #stopReconnect: Cancel = nothing
  readonly #toolTimers = new Set<Cancel>()
  #log: Logger

  constructor(
    transport: StreamTransport,
    private readonly deps: SessionDeps,
  ) {
    this.#transport = transport
    this.#clock = deps.clock
    this.#log = deps.log
    this.#stopStartTimer = deps.clock.after(deps.limits.startMs, () => this.#refuse(1008, 'no start within 5 s'))
  }

  /** Whether a call is being served: counts against the capacity. */
  get live(): boolean {
    return this.#state === 'live' || this.#state === 'closing'
  }

  get callSid(): string | null {
    return this.#call?.callSid ?? null
  }

  /** Takes a text frame as it came. A caller's audio, 50 frames a second, goes to the engine without any object made. */
  onText(text: string): void {
    if (!cut.read(text)) {
      this.onFrame(parseFrame(text))
      return
    }
    const engine = this.#engine
    if ((this.#framesIn++ & TIMED) === 0) {
      const from = performance.now()
      this.#mediaMs = cut.timestampMs
      engine?.sendAudio(cut.payload, cut.timestampMs)
      this.#metrics.relayedIn(performance.now() - from)
    } else if (engine) {
      this.#mediaMs = cut.timestampMs
      engine.sendAudio(cut.payload, cut.timestampMs)
    }
  }

  /** Takes a frame that was read; `null` is one that could not be. */
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
        this.#note('mark', { name: frame.name })
        this.#markReturned(frame.name)
        return
      case 'dtmf':
        this.#note('dtmf', { digit: frame.digit })
        if (frame.digit === '0' && this.live) void this.#end('voicemail_requested')
        return
      case 'stop':
        this.#note('stop')
        if (this.live) void this.#end(this.#handedOn ? 'transferred' : 'caller_hung_up')
        else this.#refuse(1000, 'stopped before it started')
        return
    }
  }

  /** A frame that no stream may send: the socket ends, and so does the call's agent. */
  onViolation(reason: string, code = 1008): void {
    this.#note('violation', { reason, code })
    if (this.live) void this.#end('protocol_error', reason, code)
    else this.#refuse(code, reason)
  }

  /** The socket is gone. */
  onClose(code: number, reason: string): void {
    if (this.live) {
      this.#note('lost', { code })
      void this.#end(this.#handedOn ? 'transferred' : 'stream_lost', `socket closed with ${code} ${reason}`.trim())
    } else this.#stopTimers()
    this.#state = 'ended'
  }

  /** This server must stop: the caller goes to voicemail through whichever server is asked next. */
  drain(): Promise<void> {
    if (!this.live) return Promise.resolve()
    this.#note('drain')
    return this.#end('server_draining')
  }

  #start(frame: Extract<InboundFrame, { event: 'start' }>): void {
    const { deps } = this
    const receivedAt = deps.clock.now()
    if (this.#state !== 'waiting') {
      this.onViolation('a second start')
      return
    }
    this.#stopStartTimer()
    const call = deps.verifyToken(frame.parameters.token ?? '', frame.callSid)
    if (!call) {
      const why = 'the token is missing, wrong, used or expired'
      this.#refuse(1008, why, this.#transport.signed ? deps.sink.refuse?.(frame.callSid, why) : undefined)
      return
    }
    const reception = deps.reception(call)
    if (!reception) {
      this.#refuse(1008, 'the business is unknown')
      return
    }

    this.#call = call
    this.#reception = reception
    this.#policy = reception.policy ?? DEFAULT_POLICY
    this.#state = 'live'
    this.#startedAt = receivedAt
    this.#writer = new StreamWriter(frame.streamSid)
    this.#mediaHead = this.#writer.mediaHead
    this.#log = deps.log.child({ callSid: call.callSid, streamSid: frame.streamSid })
    if (frame.encoding !== 'audio/x-mulaw' || frame.sampleRate !== 8000) {
      this.onViolation(`unexpected media format ${frame.encoding} ${frame.sampleRate}`)
      return
    }

    if (reception.greeting) this.#greet(reception.greeting)
    this.#openRecord(call, reception)
    if (!reception.greeting)
      reception.renderGreeting().then(
        (audio) => this.#greet(audio),
        (error: unknown) => this.#end('engine_failed', `the greeting could not be rendered: ${errorMessage(error)}`),
      )
    this.#stopDuration = this.#after(deps.limits.maxDurationMs, () => this.#endOvertime())
    const opened = this.live ? (deps.adopt?.(call.callSid) ?? null) : null
    if (opened) {
      const generation = ++this.#generation
      this.#engine = opened.session
      this.#engineKind = deps.engine
      this.#out('connect', { engine: deps.engine.name, resume: false })
      opened.attach((event) => this.#fromEngine(generation, event))
    } else this.#connect(deps.engine, false)
    this.#log.info({ early: opened !== null }, 'the call is live')
    deps.sink.claim(call, frame.streamSid).then(
      (mine) => {
        if (!mine) this.#abandon('the token was used by another stream')
      },
      (error: unknown) => this.#log.warn({ error: String(error) }, 'the stream could not be claimed; the call goes on'),
    )
  }

  #openRecord(call: StreamToken, reception: Reception): void {
    this.#recorder = this.deps.record?.(call.callSid) ?? null
    if (!this.#recorder) return
    const ms = (name: PhraseName) => (reception.phrase?.(name)?.byteLength ?? 0) / 8
    this.#recorder.line({
      t: 0,
      k: 'start',
      version: 1,
      callSid: call.callSid,
      businessId: call.businessId,
      engine: this.deps.engine.name,
      standby: this.deps.standby?.name ?? null,
      script: reception.script,
      policy: this.#policy,
      limits: this.deps.limits,
      greetingMs: reception.greeting ? reception.greeting.byteLength / 8 : null,
      phraseMs: { oneMoment: ms('oneMoment'), connecting: ms('connecting') },
      canTransfer: this.deps.tools?.canTransfer(call) ?? false,
    })
  }

  /** Opens an engine session; one that cannot be opened has failed. */
  #connect(engine: SpeechEngine, resume: boolean): void {
    const { deps } = this
    const call = this.#call
    const reception = this.#reception
    // A word to the caller may have found the carrier gone.
    if (!call || !reception || !this.live) return
    const generation = ++this.#generation
    this.#engineKind = engine
    this.#out('connect', { engine: engine.name, resume })
    try {
      this.#engine = engine.connect({
        callId: call.callSid,
        language: reception.script.language,
        script: reception.script,
        ...(reception.instructions === undefined ? {} : { instructions: reception.instructions }),
        ...(deps.tools ? { tools: deps.tools.list(call) } : {}),
        ...(reception.voice ? { voice: reception.voice } : {}),
        ...(resume ? { resume: this.#transcript.history() } : {}),
        onEvent: (event) => this.#fromEngine(generation, event),
      })
    } catch (error) {
      this.#engine = null
      this.#engineDown('engine_refused', errorMessage(error), false)
    }
  }

  #greet(audio: Uint8Array): void {
    if (this.#state !== 'live') return
    this.#playBytes('greeting', audio, this.#reception?.script.greeting ?? null)
    this.#metrics.greetingMs = Number((this.#clock.now() - this.#startedAt).toFixed(2))
  }

  #fromEngine(generation: number, event: EngineEvent): void {
    if (generation !== this.#generation || !this.live) return
    if (this.#ending) {
      // What the caller said, and what is known of it, is kept; everything else comes too late.
      if (event.type === 'user_turn') this.#transcript.callerSaid(event)
      else if (event.type === 'tool_call' && event.name === 'save_lead' && this.#call)
        this.deps.sink.lead(this.#call, event.args)
      return
    }
    if (event.type === 'audio') {
      const timed = (this.#framesOut++ & TIMED) === 0
      const from = timed ? performance.now() : 0
      this.#hear(event.itemId, event.payload, event.ms, event.text ?? null)
      if (timed) this.#metrics.relayedOut(performance.now() - from)
      return
    }
    this.#note('engine', { event: event.type === 'user_turn' ? { ...event, audio: undefined } : event })
    this.#onEngine(event)
  }

  #onEngine(event: Exclude<EngineEvent, { type: 'audio' }>): void {
    switch (event.type) {
      case 'ready':
        this.#stopReconnect()
        return
      case 'speech_started':
        this.#speechStarted(event.voicedMs)
        return
      case 'speech_stopped':
        this.#speechStopped(event.atMs)
        return
      case 'user_turn':
        this.#transcript.callerSaid(event)
        this.#weighWords(event.transcript ?? '', event.endMs - event.startMs)
        return
      case 'audio_done':
        this.#finish(event.itemId)
        return
      case 'agent_transcript':
        this.#transcript.agentText(event.itemId, event.text)
        return
      case 'tool_call':
        this.#onTool(event)
        return
      case 'usage':
        this.#metrics.used(event.usage)
        return
      case 'quiet':
        this.#filler(true)
        return
      case 'reminder':
        if (++this.#reminders > (this.#policy.maxReminders ?? Number.POSITIVE_INFINITY)) this.#sayGoodbye('silence')
        return
      case 'error':
        this.#log.warn(
          { code: event.code, fatal: event.fatal, error: event.message },
          'the speech engine reports an error',
        )
        if (event.fatal) this.#engineDown(event.code, event.message, event.retry ?? false)
        return
      case 'closed':
        this.#engineDown('engine_lost', `the engine closed: ${event.reason}`, true)
        return
    }
  }

  /** Audio of the engine. */
  #hear(itemId: string, payload: string, ms: number, text: string | null): void {
    if (this.#heardEndAt !== null) {
      this.#metrics.responses.push(Math.max(0, this.#clock.now() - this.#heardEndAt))
      this.#heardEndAt = null
    }
    this.#remainder = null
    this.#play(itemId, payload, ms, text)
  }

  #speechStarted(voicedMs: number | undefined): void {
    this.#callerSpeaking = true
    this.#reminders = 0
    this.#remainder = null
    this.#stopSilence()
    // A caller who still speaks is listened to, except while the call is handed on.
    if (this.#transferring) return
    const missingMs = voicedMs === undefined ? 0 : this.#policy.minSpeechMs - voicedMs
    if (missingMs <= 0 || !this.#ledger.playing) this.#yieldToCaller()
    else this.#weighVoice(missingMs)
  }

  /** Too short to tell: the caller has the word once enough of a voice was heard. */
  #weighVoice(missingMs: number): void {
    this.#stopInterrupt()
    this.#stopInterrupt = this.#after(WEIGH_MS, () => {
      const heard = this.#engine?.hearsVoice() ?? true
      this.#note('voice', { heard })
      const left = missingMs - (heard ? WEIGH_MS : 0)
      if (left <= 0) this.#yieldToCaller()
      else this.#weighVoice(left)
    })
  }

  #yieldToCaller(): void {
    this.#stopInterrupt()
    this.#stopInterrupt = nothing
    if (!this.live || this.#transferring) return
    if (this.#ledger.playing) this.#interrupt()
    if (this.#state !== 'closing') return
    // The engine says goodbye again.
    this.#state = 'live'
    this.#afterLastMark = null
    this.#stopFinal()
  }

  #speechStopped(atMs: number): void {
    this.#callerSpeaking = false
    if (this.#stopInterrupt !== nothing) {
      // It ended before it was long enough: a noise, and the agent speaks on.
      this.#stopInterrupt()
      this.#stopInterrupt = nothing
      this.#metrics.ignoredNoises++
      this.#out('ignore_turn')
      this.#engine?.ignoreTurn()
      return
    }
    this.#heardEndAt = this.#startedAt + atMs
    this.#watchSilence()
  }

  /** The words of a turn are known: a murmur that cut the agent short lets it go on. */
  #weighWords(text: string, ms: number): void {
    const rest = this.#remainder
    const reception = this.#reception
    if (!rest || !reception || this.#callerSpeaking || this.#ledger.playing) return
    this.#remainder = null
    if (!isBackchannel(this.#policy, reception.script.language, text, ms)) return
    if (rest.rest.length === 0) return
    this.#metrics.resumed++
    this.#out('resume', { item: rest.itemId })
    this.#out('ignore_turn')
    this.#engine?.ignoreTurn()
    this.#heardEndAt = null
    this.#playBytes(`${rest.itemId}+`, rest.rest, null)
  }

  #onTool(tool: Extract<EngineEvent, { type: 'tool_call' }>): void {
    const call = this.#call
    if (!call) return
    this.#metrics.tools++
    const { tools } = this.deps
    if (tool.name === 'save_lead') {
      this.deps.sink.lead(call, tool.args)
      this.#toolResult(tool.toolCallId, { ok: true })
    } else if (tool.name === 'end_call') {
      this.#toolResult(tool.toolCallId, { ok: true }, true)
      this.#closeAfterLastMark('completed')
    } else if (tool.name === 'transfer_to_human' && tools) this.#transfer(call, tool.toolCallId)
    else if (tools?.list(call).some((each) => each.name === tool.name)) this.#runTool(call, tool)
    else {
      this.#metrics.toolFailures++
      this.#toolResult(tool.toolCallId, { error: `There is no tool named ${tool.name}.` })
    }
  }

  #runTool(call: StreamToken, tool: Extract<EngineEvent, { type: 'tool_call' }>): void {
    const { tools } = this.deps
    if (!tools) return
    let open = true
    const timers: Cancel[] = []
    const settle = (result: unknown, failed: boolean) => {
      if (!open) return
      open = false
      for (const stop of timers) {
        stop()
        this.#toolTimers.delete(stop)
      }
      if (!this.live) return
      if (failed) this.#metrics.toolFailures++
      this.#note('tool_done', { id: tool.toolCallId, result, failed })
      this.#toolResult(tool.toolCallId, result)
    }
    timers.push(
      this.#after(this.#policy.fillerAfterMs, () => this.#filler()),
      this.#after(this.#policy.toolTimeoutMs, () =>
        settle(
          { error: 'It took too long. Tell the caller that it could not be done, and offer to take a message.' },
          true,
        ),
      ),
    )
    for (const stop of timers) this.#toolTimers.add(stop)
    tools.run(call, tool.name, tool.args).then(
      (result) => settle(result, false),
      (error: unknown) => {
        this.#log.warn({ tool: tool.name, error: errorMessage(error) }, 'a tool failed')
        settle({ error: errorMessage(error) }, true)
      },
    )
  }

  #toolResult(toolCallId: string, result: unknown, silent = false): void {
    this.#out('tool_result', { id: toolCallId, silent })
    this.#engine?.toolResult(toolCallId, result, { silent })
  }

  /** Says so, waits until that was heard, then hands the call on; a refusal is told to the model. */
  #transfer(call: StreamToken, toolCallId: string): void {
    const { tools } = this.deps
    if (!tools?.canTransfer(call)) {
      this.#metrics.toolFailures++
      this.#toolResult(toolCallId, { error: 'Nobody can be reached. Offer to take a message.' })
      return
    }
    if (this.#transferring) return
    this.#transferring = true
    this.#out('transfer')
    this.#phrase('connecting')
    this.#whenHeard(() => {
      this.#handedOn = true
      tools.transfer(call).then(
        (problem) => {
          if (!this.live) return
          this.#note('transfer_done', { problem })
          if (problem === null) {
            void this.#end('transferred')
            return
          }
          this.#transferFailed(toolCallId, problem)
        },
        (error: unknown) => {
          if (!this.live) return
          this.#note('transfer_done', { problem: 'failed' })
          this.#log.warn({ error: errorMessage(error) }, 'a call could not be transferred')
          this.#transferFailed(toolCallId, 'The transfer failed. Offer to take a message.')
        },
      )
    })
  }

  #transferFailed(toolCallId: string, problem: string): void {
    this.#transferring = false
    this.#handedOn = false
    this.#metrics.toolFailures++
    if (this.#engine) this.#toolResult(toolCallId, { error: problem })
    else void this.#end('engine_lost', 'the engine died while the call was handed on, and nobody took it')
  }

  /** The engine is gone: a word to the caller, then once more, then the other engine, then voicemail. */
  #engineDown(code: string, message: string, retry: boolean): void {
    if (!this.live) return
    this.#generation++
    this.#engine?.close()
    this.#engine = null
    this.#metrics.engineFailures++
    this.#stopReconnect()
    this.#stopInterrupt()
    this.#stopInterrupt = nothing
    this.#callerSpeaking = false
    this.#heardEndAt = null
    for (const itemId of this.#ledger.open()) this.#finish(itemId)
    // A goodbye that is under way is heard to its end.
    if (this.#state === 'closing') {
      if (!this.#ledger.playing) void this.#end(this.#closeReason)
      return
    }
    // A call that is being handed on needs no engine.
    if (this.#transferring) return
    const { engine, standby } = this.deps
    const resume = this.#transcript.callerTurns > 0
    const again = retry && !this.#retried && this.#engineKind === engine && engine.remote
    const next = again ? engine : standby && this.#engineKind !== standby ? standby : null
    if (!next) {
      void this.#end(reasonOf(code), `${code}: ${message}`.slice(0, 300))
      return
    }
    this.#log.warn({ code, next: next.name, again }, 'the speech engine is replaced in mid-call')
    if (again) this.#retried = true
    if (resume || !this.#ledger.playing) this.#phrase('oneMoment')
    this.#connect(next, resume)
    // One that could not even be connected has been replaced by now.
    if (next.remote && this.#engineKind === next && this.#engine)
      this.#stopReconnect = this.#after(this.#policy.reconnectMs, () =>
        this.#engineDown('engine_refused', 'The engine was not ready in time.', false),
      )
  }

  /**
   * Something to hear while the caller waits, not too often.
   * @param waiting the caller is known to wait, though the engine may not have said that they fell silent
   */
  #filler(waiting = false): void {
    const now = this.#clock.now()
    if (!this.live || this.#ledger.playing || this.#state === 'closing') return
    if (this.#callerSpeaking && !waiting) return
    if (now - this.#lastFillerAt < this.#policy.fillerEveryMs) return
    this.#lastFillerAt = now
    this.#metrics.fillers++
    this.#phrase('oneMoment')
  }

  #phrase(name: PhraseName): void {
    const audio = this.#reception?.phrase?.(name)
    this.#out('phrase', { name })
    if (!audio) return
    const text = name === 'oneMoment' ? (this.#reception?.script.oneMoment ?? null) : null
    this.#playBytes(`phrase_${++this.#phrases}`, audio, text)
  }

  /** Audio of our own, whole. */
  #playBytes(itemId: string, audio: Uint8Array, text: string | null): void {
    const now = this.#clock.now()
    if (this.#beforeAudio(itemId, text, now)) {
      const sent = this.#transport.send(this.#mediaHead + base64Of(audio) + MEDIA_TAIL)
      this.#ledger.sentBytes(itemId, audio, now)
      this.#afterAudio(itemId, audio.byteLength / 8, now, sent)
    }
    this.#finish(itemId)
  }

  /** A piece of the engine's. */
  #play(itemId: string, payload: string, ms: number, text: string | null): void {
    const now = this.#clock.now()
    if (!this.#beforeAudio(itemId, text, now)) return
    const sent = this.#transport.send(this.#mediaHead + payload + MEDIA_TAIL)
    const unmarkedMs = this.#ledger.sent(itemId, payload, ms, now)
    this.#afterAudio(itemId, ms, now, sent)
    if (sent && unmarkedMs >= MARK_EVERY_MS) this.#sendMark()
  }

  #beforeAudio(itemId: string, text: string | null, now: number): boolean {
    if (this.#mediaHead === null) return false
    if (this.#stopSilence !== nothing) {
      this.#stopSilence()
      this.#stopSilence = nothing
    }
    if (itemId === this.#playingItem) return true
    this.#playingItem = itemId
    if (!this.#transcript.knows(itemId))
      this.#transcript.agentSays(itemId, text, this.#ledger.endsAt(now) - this.#startedAt)
    return true
  }

  #afterAudio(itemId: string, ms: number, now: number, sent: boolean): void {
    if (this.#recorder) this.#noteAudio(itemId, ms, now - this.#startedAt)
    if (!sent) void this.#end('stream_lost', 'the carrier does not take the audio')
    // Audio of the goodbye moves the end it is waited for.
    else if (this.#afterLastMark) this.#armFinal()
  }

  #sendMark(): void {
    const name = this.#ledger.mark()
    if (name === null || !this.#writer) return
    this.#flushAudio()
    if (!this.#transport.send(this.#writer.mark(name)))
      void this.#end('stream_lost', 'the carrier does not take a mark')
  }

  /** No more audio of an item: its last mark, and its turn when it was heard already. */
  #finish(itemId: string): void {
    this.#sendMark()
    const heard = this.#ledger.finish(itemId)
    if (heard) this.#wasHeard(heard, false)
    // Its marks may never come back: a silent caller is noticed all the same.
    if (this.#ledger.playing) this.#watchSilence()
    else this.#settled()
  }

  #interrupt(): void {
    const writer = this.#writer
    if (!writer) return
    const from = this.#clock.now()
    // Stop producing first: audio that comes after the clear would be heard.
    this.#out('cancel')
    this.#engine?.cancel()
    const cut = this.#ledger.clear(this.#clock.now())
    this.#transport.send(writer.clear())
    this.#metrics.clears.push(this.#clock.now() - from)
    this.#metrics.bargeIns++
    this.#out('clear')
    for (const item of cut) {
      this.#out('truncate', { item: item.itemId, ms: Math.round(item.heardMs) })
      this.#engine?.truncate(item.itemId, item.heardMs)
      this.#wasHeard(item, true)
    }
    this.#remainder = cut[0] ?? null
  }

  #wasHeard(item: Heard, interrupted: boolean): void {
    if (item.itemId === this.#playingItem) this.#playingItem = ''
    this.#learnWords(item.itemId)
    this.#transcript.agentHeard(item.itemId, item.heardMs, item.sentMs, interrupted)
  }

  /** An answer that is cut off while it is still being made has told its words in part only. */
  #learnWords(itemId: string): void {
    if (!this.#transcript.knows(itemId) || this.#transcript.textOf(itemId) !== null) return
    const text = this.#engine?.wordsOf?.(itemId)
    if (!text) return
    this.#transcript.agentText(itemId, text)
    this.#note('engine', { event: { type: 'agent_transcript', itemId, text } })
  }

  #markReturned(name: string): void {
    for (const item of this.#ledger.markReturned(name, this.#clock.now())) this.#wasHeard(item, false)
    this.#settled()
  }

  /** Everything that was sent may be heard now: what waited for that goes on. */
  #settled(): void {
    if (this.#ledger.playing || !this.live) return
    const next = this.#afterLastMark
    if (!next) {
      this.#watchSilence()
      return
    }
    this.#afterLastMark = null
    this.#stopFinal()
    next(null)
  }

  #watchSilence(): void {
    this.#stopSilence()
    if (this.#state !== 'live' || this.#callerSpeaking || this.#transferring) return
    const now = this.deps.clock.now()
    const playingMs = this.#ledger.playing ? this.#ledger.endsAt(now) - now + this.deps.limits.finalMarkMs : 0
    this.#stopSilence = this.#after(playingMs + this.deps.limits.silenceMs, () => this.#sayGoodbye('silence'))
  }

  /** Says goodbye for a reason of ours, and ends when it was heard. */
  #sayGoodbye(reason: CallEndReason): void {
    const reception = this.#reception
    if (this.#state !== 'live' || !reception) return
    if (this.#ledger.playing) this.#interrupt()
    this.#out('say', { text: reception.script.goodbye })
    this.#engine?.say(reception.script.goodbye)
    this.#state = 'closing'
    this.#closeReason = reason
    this.#stopSilence()
    this.#afterLastMark = (detail) => void this.#end(reason, detail)
    this.#armFinal()
  }

  #endOvertime(): void {
    this.#sayGoodbye('max_duration')
    this.#stopDuration = this.#after(
      this.deps.limits.goodbyeMs,
      () => void this.#end('max_duration', 'the caller talked on'),
    )
  }

  /** The engine has said its goodbye: the call ends when that was heard. */
  #closeAfterLastMark(reason: CallEndReason): void {
    this.#state = 'closing'
    this.#closeReason = reason
    this.#stopSilence()
    this.#whenHeard((detail) => void this.#end(reason, detail))
  }

  /** Does something when all that was sent is heard, or its last mark is too late. */
  #whenHeard(act: (detail: string | null) => void): void {
    this.#afterLastMark = act
    this.#armFinal()
    if (!this.#ledger.playing) this.#stopFinalSoon()
  }

  /** Nothing plays: more may be on its way from the engine, so a moment is waited. */
  #stopFinalSoon(): void {
    this.#stopFinal()
    this.#stopFinal = this.#after(Math.min(600, this.deps.limits.finalMarkMs), () => this.#finalTime())
  }

  #armFinal(): void {
    this.#stopFinal()
    const now = this.#clock.now()
    this.#stopFinal = this.#after(this.#ledger.endsAt(now) - now + this.deps.limits.finalMarkMs, () =>
      this.#finalTime(),
    )
  }

  #finalTime(): void {
    const next = this.#afterLastMark
    this.#afterLastMark = null
    if (next && this.live) next('the last mark did not come back')
  }

  /** Ends the call's agent: the reason is written, then the socket closes. */
  async #end(reason: CallEndReason, detail: string | null = null, code = 1000): Promise<void> {
    if (this.#state === 'ended' || this.#ending) return
    // The engine hands over what it still has before it closes.
    this.#ending = true
    this.#engine?.close()
    this.#state = 'ended'
    this.#stopTimers()
    this.#generation++
    this.#engine = null
    const call = this.#call
    if (call) {
      for (const item of this.#ledger.clear(this.#clock.now())) this.#wasHeard(item, item.heardMs < item.sentMs)
      const end: SessionEnd = {
        reason,
        detail,
        durationMs: Math.round(this.#clock.now() - this.#startedAt),
        metrics: {
          ...this.#metrics.toRecord(),
          framesIn: this.#framesIn,
          framesOut: this.#framesOut,
          turns: this.#transcript.turns,
          malformedFrames: this.#malformed,
          mediaMs: this.#mediaMs,
        },
      }
      this.#out('end', { reason, detail, metrics: end.metrics })
      this.#recorder?.close()
      await this.deps.sink.end(call, end)
      this.#log.info({ reason, detail, ...end.metrics, durationMs: end.durationMs }, 'the call has ended')
    }
    this.#transport.close(code, reason)
  }

  /**
   * A socket that never became a call: closed with a reason in the log.
   * @param written what is awaited before that
   */
  #refuse(code: number, reason: string, written?: Promise<void>): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#stopTimers()
    this.#log.warn({ reason, malformedFrames: this.#malformed }, 'a media socket was refused')
    if (written) void written.then(() => this.#transport.close(code, reason))
    else this.#transport.close(code, reason)
  }

  /** The call belongs to another stream: this one goes without touching the call's record. */
  #abandon(reason: string): void {
    if (this.#state === 'ended') return
    this.#recorder?.discard?.()
    this.#recorder = null
    this.#generation++
    this.#engine?.close()
    this.#engine = null
    this.#refuse(1008, reason)
  }

  /** A timer of the call; none is set once it has ended. */
  #after(ms: number, act: () => void): Cancel {
    return this.#state === 'ended' ? nothing : this.deps.clock.after(ms, act)
  }

  #stopTimers(): void {
    for (const stop of [
      this.#stopStartTimer,
      this.#stopSilence,
      this.#stopDuration,
      this.#stopFinal,
      this.#stopInterrupt,
      this.#stopReconnect,
      ...this.#toolTimers,
    ])
      stop()
    this.#toolTimers.clear()
  }

  /** Something that happened to the call. */
  #note(kind: string, data: Record<string, unknown> = {}): void {
    if (!this.#recorder) return
    this.#flushAudio()
    this.#recorder.line({ t: this.#t(), k: kind, ...data })
  }

  /** Something that the call decided. */
  #out(decision: string, data: Record<string, unknown> = {}): void {
    this.#note('out', { o: decision, ...data })
  }

  #noteAudio(item: string, ms: number, t: number): void {
    if (this.#notedMs > 0 && this.#notedItem === item && t <= this.#notedAt + this.#notedMs + 20) {
      this.#notedMs += ms
      return
    }
    this.#flushAudio()
    this.#notedItem = item
    this.#notedMs = ms
    this.#notedAt = t
  }

  #flushAudio(): void {
    const ms = this.#notedMs
    if (ms === 0) return
    this.#notedMs = 0
    this.#recorder?.line({ t: Number(this.#notedAt.toFixed(1)), k: 'audio', item: this.#notedItem, ms })
  }

  #t(): number {
    return Number((this.#clock.now() - this.#startedAt).toFixed(1))
  }
}

const REASONS: Record<string, CallEndReason> = {
  engine_refused: 'engine_refused',
  engine_lost: 'engine_lost',
  engine_stalled: 'engine_stalled',
  engine_rate_limited: 'engine_rate_limited',
  engine_expired: 'engine_expired',
}

/** What an engine's failure is called when nothing could take its place. */
function reasonOf(code: string): CallEndReason {
  return REASONS[code] ?? 'engine_failed'
}
