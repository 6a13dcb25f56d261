import { rmsOfMulawBase64 } from '../../../audio/energy.ts'
import type { EngineEvent, EnginePlayer, EngineSession, EngineSessionOptions } from '../port.ts'
import { AgentAudio } from './agent-audio.ts'
import { DeltaCut, msOfBase64 } from './audio-delta.ts'
import { CallerAudio } from './caller-audio.ts'
import { CallerTurns } from './caller-turns.ts'
import { RealtimeConnection } from './connection.ts'
import { isRateLimit, readServerEvent, type ServerEvent, type ServerEventOf, UNKNOWN_EVENT } from './events.ts'
import { usageOf } from './prices.ts'
import { raceOf } from './race-errors.ts'
import { type FinishedResponse, Responses } from './responses.ts'
import type { SessionContext } from './session-context.ts'
import {
  historyItems,
  knownUpdate,
  longestPauseOf,
  type RealtimeLimits,
  type RealtimeSettings,
  sessionUpdate,
} from './settings.ts'
import { StallWatch } from './stall-watch.ts'
import { ToolCalls, toolCallOf } from './tool-calls.ts'

export type RealtimeSessionOptions = {
  url: string
  apiKey: string
  settings: RealtimeSettings
  limits: RealtimeLimits
  onRelease: () => void
  /** A connection that is open already, and silent. */
  socket?: WebSocket
}

/** The last frames, of 20 ms each, among which a present voice is loud for 40 ms. */
const PRESENT_FRAMES = 4
const PRESENT_MS = 40

/** Used up at once, so that one serves all calls and stays in the processor's cache. */
const delta = new DeltaCut()

/** One call on OpenAI Realtime: hands the server's events and the call's commands to the part that decides. */
export class RealtimeEngineSession implements EngineSession, SessionContext {
  #state: SessionContext['state'] = 'connecting'
  readonly #audio: CallerAudio
  readonly #agent: AgentAudio
  readonly #responses: Responses
  readonly #watch: StallWatch
  readonly #connection: RealtimeConnection
  readonly #turns: CallerTurns
  readonly #tools: ToolCalls
  /** The server is about to ask a silent caller again. */
  #reminding = false
  #configured = false
  #known: string | null = null

  constructor(
    readonly call: EngineSessionOptions,
    private readonly options: RealtimeSessionOptions,
  ) {
    const configure = () => {
      this.#configured = true
      this.#connection.send(sessionUpdate(options.settings, call, this.#known))
    }
    this.#connection = new RealtimeConnection(
      options,
      {
        onOpen: configure,
        onMessage: (text) => this.#receive(text),
        onLost: ({ code, message, retry }) => this.fail(code, message, retry),
      },
      options.socket,
    )
    this.#audio = new CallerAudio(this.#connection)
    this.#agent = new AgentAudio(this)
    this.#turns = new CallerTurns(this, this.#audio)
    this.#watch = new StallWatch(this, this.#connection, this.#audio)
    this.#responses = new Responses(this, this.#connection, this.#watch)
    this.#tools = new ToolCalls(this, (toolCallId, result) => this.toolResult(toolCallId, result))
    if (options.socket) configure()
  }

  get state(): SessionContext['state'] {
    return this.#state
  }

  get settings(): RealtimeSettings {
    return this.options.settings
  }

  get limits(): RealtimeLimits {
    return this.options.limits
  }

  get longestPauseMs(): number {
    return longestPauseOf(this.settings)
  }

  sendAudio(payload: string, timestampMs: number, rms = rmsOfMulawBase64(payload)): void {
    if (this.#state === 'ready') {
      this.#audio.send(payload, timestampMs, rms)
      this.#audio.trim(this.#turns.openSince)
    } else if (this.#state === 'connecting') this.#audio.buffer(payload, timestampMs)
  }

  playTo(player: EnginePlayer): void {
    this.#agent.player = player
  }

  say(text: string): void {
    const instructions = `Say exactly this to the caller, word for word, and nothing else: "${text}"`
    this.#responses.ask({ instructions })
    this.#responses.cancel()
  }

  cancel(): void {
    this.#responses.cancel()
  }

  answer(): void {
    // A response that hangs is replaced with its engine.
    if (this.#responses.isBusy || this.#state !== 'ready') return
    // A turn that the server never ended is ended here.
    if (this.#turns.speaking) this.#connection.sendRacing({ type: 'input_audio_buffer.commit' })
    this.#responses.create({ optional: true })
  }

  wordsOf(itemId: string): string | null {
    return this.#agent.wordsOf(itemId)
  }

  truncate(itemId: string, heardMs: number): void {
    const sentMs = this.#agent.sentMsOf(itemId)
    // The server refuses to cut behind the end.
    if (sentMs === undefined || heardMs >= sentMs) return
    this.#connection.sendRacing({
      type: 'conversation.item.truncate',
      item_id: itemId,
      content_index: 0,
      audio_end_ms: Math.floor(Math.max(0, heardMs)),
    })
  }

  toolResult(toolCallId: string, result: unknown, options: { silent?: boolean } = {}): void {
    if (!this.#tools.finish(toolCallId)) return
    this.#connection.send({
      type: 'conversation.item.create',
      item: { type: 'function_call_output', call_id: toolCallId, output: JSON.stringify(result ?? null) },
    })
    if (options.silent) this.#responses.askNoAnswer()
    else if (!this.#tools.isPending) this.#responses.ask({})
  }

  instruct(text: string): void {
    this.#connection.send({
      type: 'conversation.item.create',
      item: { type: 'message', role: 'system', content: [{ type: 'input_text', text }] },
    })
    // Who speaks is answered anyway, with the instruction in mind.
    if (!this.#turns.speaking) this.#responses.ask({})
  }

  remember(known: string): void {
    if (known === this.#known || this.#state === 'closed') return
    this.#known = known
    if (this.#configured) this.#connection.send(knownUpdate(this.call, known))
  }

  hearsVoice(): boolean {
    return this.#audio.voicedMs(PRESENT_FRAMES) >= PRESENT_MS
  }

  ignoreTurn(): void {
    const turn = this.#turns.ignoreLast()
    if (turn) this.#responses.ignore(turn.responseId)
  }

  close(): void {
    this.#turns.close()
    this.#release('closed')
  }

  endBecause(reason: string): void {
    this.#release(reason)
  }

  /** Looks for what did not happen; to be called a few times a second. @param now monotonic ms */
  watch(now: number): void {
    this.#watch.check(now, { speaking: this.#turns.speaking, responding: this.#responses.active !== null })
  }

  emit(event: EngineEvent): void {
    if (this.#state !== 'closed') this.call.onEvent(event)
  }

  fail(code: string, message: string, retry: boolean): void {
    if (this.#state === 'closed') return
    this.emit({ type: 'error', code, message, fatal: true, retry })
    this.#release(code)
  }

  #receive(text: string): void {
    if (this.#state === 'closed') return
    this.#watch.messages++
    if (delta.read(text, this.#agent.item, this.#agent.responseId)) {
      this.#play(delta.responseId, delta.itemId, delta.payload, delta.ms)
      return
    }
    const event = readServerEvent(text)
    if (event === UNKNOWN_EVENT) return
    if ('problem' in event) this.emit({ type: 'error', code: 'engine_garbled', message: event.problem, fatal: false })
    else this.#handle(event)
  }

  #play(responseId: string, itemId: string, payload: string, ms: number): void {
    this.#watch.answered()
    if (!this.#responses.isDropped(responseId)) this.#agent.play(responseId, itemId, payload, ms)
  }

  #handle(event: ServerEvent): void {
    switch (event.type) {
      case 'session.updated':
        if (this.#state === 'connecting') this.#begin()
        break
      case 'input_audio_buffer.speech_started':
        this.#speechStarted(event)
        break
      case 'input_audio_buffer.speech_stopped':
        this.#speechStopped(event.item_id, event.audio_end_ms)
        break
      case 'input_audio_buffer.committed':
        // A committed turn is over, whether its end was reported or not.
        if (this.#turns.isOpen(event.item_id)) this.#speechStopped(event.item_id, this.#audio.appendedMs)
        break
      case 'input_audio_buffer.timeout_triggered':
        this.#reminding = true
        break
      case 'conversation.item.input_audio_transcription.completed':
        this.#turns.transcribe(event.item_id, event.transcript)
        break
      case 'conversation.item.input_audio_transcription.failed':
        this.#turns.transcribe(event.item_id, '')
        break
      case 'error':
        this.#error(event.error)
        break
      default:
        this.#handleResponse(event)
    }
  }

  #handleResponse(event: ServerEvent): void {
    switch (event.type) {
      case 'response.created':
        this.#responseCreated(event.response.id)
        break
      case 'response.output_audio.delta':
        this.#play(event.response_id, event.item_id, event.delta, msOfBase64(event.delta))
        break
      case 'response.output_audio.done':
        if (!this.#responses.isDropped(event.response_id)) this.#agent.end(event.item_id)
        break
      case 'response.output_audio_transcript.delta':
        this.#agent.addWords(event.item_id, event.delta)
        break
      case 'response.output_audio_transcript.done':
        if (!this.#responses.isDropped(event.response_id))
          this.emit({ type: 'agent_transcript', itemId: event.item_id, text: event.transcript })
        break
      case 'response.output_item.added':
        this.#tools.noteName(event.item)
        break
      case 'response.output_item.done':
        this.#toolCalled(toolCallOf(event.response_id, event.item))
        break
      case 'response.function_call_arguments.done':
        this.#toolCalled({
          responseId: event.response_id,
          toolCallId: event.call_id,
          name: event.name ?? null,
          arguments: event.arguments,
        })
        break
      case 'response.done':
        this.#responseDone(event.response)
        break
    }
  }

  /** The session is configured: history first, then the buffered audio. */
  #begin(): void {
    this.#state = 'ready'
    for (const item of historyItems(this.call)) this.#connection.send(item)
    this.#audio.flush()
    this.emit({ type: 'ready' })
    if (this.call.resume) this.#responses.ask({})
    else this.#responses.createWanted()
  }

  #speechStarted({ item_id, audio_start_ms }: ServerEventOf<'input_audio_buffer.speech_started'>): void {
    this.#responses.speechStarted()
    this.#watch.speechStarted()
    this.#turns.start(item_id, audio_start_ms)
  }

  #speechStopped(itemId: string, audioEndMs: number): void {
    this.#watch.expect()
    if (this.#turns.stop(itemId, audioEndMs)) this.#responses.askAfterActive()
  }

  #responseCreated(responseId: string): void {
    this.#turns.answeredBy(responseId)
    this.#responses.begin(responseId)
    // Reported when the response is there, so that the call can have something else said in its place.
    if (this.#reminding) this.emit({ type: 'reminder' })
    this.#reminding = false
  }

  #toolCalled(call: ReturnType<typeof toolCallOf>): void {
    if (!call || this.#responses.isDropped(call.responseId) || !this.#tools.isNew(call.toolCallId)) return
    // First: the call may answer the tool at once, and then expects the next response.
    this.#watch.answered()
    this.#tools.add(call)
  }

  #responseDone(response: FinishedResponse): void {
    for (const item of response.output) this.#toolCalled(toolCallOf(response.id, item))
    const dropped = this.#responses.end(response.id)
    const spoke = this.#agent.spokeIn(response.id)
    // The end of its audio may not have been reported.
    if (spoke && !dropped) this.#agent.end(this.#agent.item)
    if (response.usage) this.emit({ type: 'usage', usage: usageOf(this.settings.model, response.usage) })
    const called = this.#tools.calledIn(response.id)
    if (!dropped && !this.#turns.isIgnored(response.id))
      this.#responses.judge(response, { spoke, called, speaking: this.#turns.speaking })
    this.#responses.createWanted()
  }

  #error({ type, code, message, event_id, param }: ServerEventOf<'error'>['error']): void {
    const answer = { code: code ?? '', eventId: event_id ?? null, param: param ?? null }
    const race = this.#state === 'ready' ? raceOf(answer) : null
    if (race) {
      this.#responses.crossed(race)
      return
    }
    if (code === 'session_expired') this.fail('engine_expired', message, true)
    else if (isRateLimit(type, code ?? '')) this.fail('engine_rate_limited', message, false)
    else if (type === 'server_error') this.fail('engine_error', message, true)
    else if (this.#state === 'connecting') this.fail('engine_refused', `${code ?? ''} ${message}`.trim(), false)
    else {
      this.#responses.refused()
      this.emit({ type: 'error', code: code || 'engine_error', message, fatal: false })
    }
  }

  #release(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#audio.clear()
    this.#connection.close()
    this.options.onRelease()
    this.call.onEvent({ type: 'closed', reason })
  }
}
