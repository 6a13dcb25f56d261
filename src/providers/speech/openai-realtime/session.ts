import { rmsOfMulawBase64 } from '../../../audio/energy.ts'
import { EnergyDetector, LOOKED_AT, voicedMs, withFrame } from '../../../audio/energy-detector.ts'
import { mulawSilence } from '../../../audio/mulaw.ts'
import type { EngineEvent, EnginePlayer, EngineSession, EngineSessionOptions } from '../port.ts'
import { DeltaCut, KINDS, kindOf, msOfBase64, type ServerEvent, serverEvent } from './events.ts'
import { priceOf } from './prices.ts'
import { type RacingEvent, raceOf, racingEventId } from './race-errors.ts'
import { judgeResponse } from './response-end.ts'
import { historyItems, type RealtimeSettings, sessionUpdate } from './settings.ts'

export type RealtimeLimits = {
  /** From the connect to the configured session. */
  connectMs: number
  /** Without an answer for this long the caller should hear something. */
  quietMs: number
  /** Without an answer for this long the engine counts as dead. */
  stallMs: number
}

export type RealtimeParts = {
  url: string
  apiKey: string
  settings: RealtimeSettings
  limits: RealtimeLimits
  onRelease: () => void
  /** A connection that is open already, and silent. */
  socket?: WebSocket
}

/** Caller audio kept while the session is not configured: half a minute of frames. */
const MAX_EARLY_FRAMES = 1_500
/** A jump of the media clock by more than this is a gap; it is filled with silence, up to ten seconds. */
const GAP_MS = 60
const MAX_GAP_MS = 10_000
/** A speaking caller whose frames stop for this long gets a second of silence, so that the turn can end. */
const LOST_MS = 750
/** 120 ms of silence are 960 bytes: base64 without padding, so that pieces can be joined. */
const SILENCE_MS = 120
const SILENCE = Buffer.from(mulawSilence(SILENCE_MS)).toString('base64')
const APPEND = '{"type":"input_audio_buffer.append","audio":"'
/** A voice that the engine did not report for this long after it fell silent: is anybody there? */
const PROBE_AFTER_MS = 700
/** The same for a voice whose beginning it did report, behind the silence that ends a turn. */
const PROBE_TURN_AFTER_MS = 350
/** Without an answer to that the caller should hear something, and then the engine is gone. */
const PROBE_QUIET_MS = 500
const PROBE_DEAD_MS = 2_500
/** Unsent bytes at which the engine does not read. */
const MAX_UNSENT_BYTES = 4 * 1024 * 1024

const monotonic = () => performance.now()

/** Read and used up at once, so that one serves all calls and stays near. */
const delta = new DeltaCut()

/** A response to ask for. `optional`: only if the server makes none by itself. */
type Wanted = { instructions?: string; optional?: true }

type DoneResponse = Extract<ServerEvent, { type: 'response.done' }>['response']
type OutputItem = DoneResponse['output'][number]

/** A turn of the caller; `responseId` is what the server answered it with. */
type Turn = { startMs: number; endMs: number | null; ignored: boolean; responseId: string | null }

/** One call on OpenAI Realtime. Audio goes through as the base64 it came in, both ways. */
export class RealtimeEngineSession implements EngineSession {
  // What every frame and piece looks at comes first, so that it lies together.
  #state: 'connecting' | 'ready' | 'closed' = 'connecting'
  readonly #socket: WebSocket
  #expectedMs: number | null = null
  #frameLength = -1
  #frameMs = 0
  #appendedMs = 0
  #offsetMs = 0
  /** Counted as they come; when the counts last grew is seen by the watch. */
  #frames = 0
  /** Which of the last frames were loud. */
  #loud = 0
  #messages = 0
  #player: EnginePlayer | null = null
  /** The item that audio comes of, and of which response it is. */
  #item = ''
  /** The item whose end was told last. */
  #ended = ''
  #itemResponse = ''
  /** Audio sent to us by item, in ms; that of the present item is counted beside. */
  #itemSentMs = 0
  #expectingSince: number | null = null
  /** Responses whose audio is no longer wanted; null when there are none. */
  #dropped: Set<string> | null = null
  readonly #ear = new EnergyDetector()
  readonly #onEvent: (event: EngineEvent) => void
  readonly #itemMs = new Map<string, number>()
  readonly #call: EngineSessionOptions
  readonly #parts: RealtimeParts
  readonly #startedAt = performance.now()
  readonly #turns = new Map<string, Turn>()
  readonly #tools = new Set<string>()
  #early: { payload: string; atMs: number }[] = []
  #opened = false
  /** What the upgrade was answered with, when it was refused. */
  #refusedWith: number | null = null
  #active: string | null = null
  /** A response to ask for as soon as the present one is over. */
  #wanted: Wanted | null = null
  #ignoreNext = false
  /** The server is about to ask a silent caller again. */
  #reminding = false
  /** What was last asked for. */
  #asked: Wanted = {}
  /** A response was asked for and has not begun. */
  #creating = false
  /** Responses in a row that brought the caller nothing. */
  #fruitless = 0
  /** The response under way finishes one that broke off. */
  #finishing = false
  /** The response that called a tool last. */
  #calledIn = ''
  /** Calls of tools that were handed on, so that none is twice. */
  readonly #called = new Set<string>()
  #lastTurn: Turn | null = null
  #speaking = false
  #paddedMs = 0
  #framesSeen = 0
  #messagesSeen = 0
  #lastFrameAt = 0
  #lastMessageAt = performance.now()
  #messagesAtProbe = 0
  #probedAt: number | null = null
  #toldQuiet = false
  #sentEvents = 0

  constructor(call: EngineSessionOptions, parts: RealtimeParts) {
    this.#call = call
    this.#onEvent = call.onEvent
    this.#parts = parts
    this.#socket = parts.socket ?? openSocket(parts)
    const configure = () => {
      this.#opened = true
      this.#send(sessionUpdate(parts.settings, call))
    }
    if (parts.socket) configure()
    else this.#socket.onopen = configure
    this.#socket.onmessage = (event) => this.#receive(String(event.data))
    this.#socket.onerror = (event) => {
      this.#refusedWith = statusOf(event)
    }
    this.#socket.onclose = (event) => this.#lost(`${event.code} ${event.reason}`.trim())
  }

  sendAudio(payload: string, timestampMs: number, rms = rmsOfMulawBase64(payload)): void {
    if (this.#state !== 'ready') {
      if (this.#state === 'closed') return
      if (this.#early.length >= MAX_EARLY_FRAMES) this.#early.shift()
      this.#early.push({ payload, atMs: timestampMs })
      return
    }
    const expected = this.#expectedMs
    if (expected !== null && timestampMs - expected > GAP_MS) this.#fillGap(timestampMs - expected)
    const ms = payload.length === this.#frameLength ? this.#frameMs : this.#measureFrame(payload)
    this.#appendedMs += ms
    this.#expectedMs = timestampMs + ms
    this.#offsetMs = this.#expectedMs - this.#appendedMs
    this.#loud = withFrame(this.#loud, rms)
    if (++this.#frames % LOOKED_AT === 0) this.#ear.look(this.#loud, monotonic)
    this.#socket.send(`${APPEND}${payload}"}`)
  }

  /** Frames of a call are of one length; it is measured once, since looking into a slice costs more than passing it on. */
  #measureFrame(payload: string): number {
    this.#frameLength = payload.length
    this.#frameMs = msOfBase64(payload)
    return this.#frameMs
  }

  playTo(player: EnginePlayer): void {
    this.#player = player
  }

  say(text: string): void {
    this.#ask({ instructions: `Say exactly this to the caller, word for word, and nothing else: "${text}"` })
    if (this.#active) this.cancel()
  }

  cancel(): void {
    const active = this.#active
    if (!active || this.#dropped?.has(active)) return
    this.#dropped ??= new Set()
    this.#dropped.add(active)
    this.#sendRacing({ type: 'response.cancel', response_id: active })
  }

  answer(): void {
    // One is being made or asked for; a response that hangs is replaced with its engine.
    if (this.#active || this.#creating || this.#state !== 'ready') return
    // A turn that the server never ended is ended here.
    if (this.#speaking) this.#sendRacing({ type: 'input_audio_buffer.commit' })
    this.#create({ optional: true })
  }

  get longestPauseMs(): number {
    return longestPauseOf(this.#parts.settings)
  }

  wordsOf(itemId: string): string | null {
    return (this.#words.itemId === itemId && this.#words.text.trim()) || null
  }

  truncate(itemId: string, heardMs: number): void {
    const sentMs = itemId === this.#item ? this.#itemSentMs : this.#itemMs.get(itemId)
    // More than there is would be an error and truncate nothing.
    if (sentMs === undefined || heardMs >= sentMs) return
    this.#sendRacing({
      type: 'conversation.item.truncate',
      item_id: itemId,
      content_index: 0,
      audio_end_ms: Math.floor(Math.max(0, heardMs)),
    })
  }

  toolResult(toolCallId: string, result: unknown, options: { silent?: boolean } = {}): void {
    if (!this.#tools.delete(toolCallId)) return
    this.#send(
      JSON.stringify({
        type: 'conversation.item.create',
        item: { type: 'function_call_output', call_id: toolCallId, output: JSON.stringify(result ?? null) },
      }),
    )
    if (!options.silent && this.#tools.size === 0) this.#ask({})
  }

  hearsVoice(): boolean {
    return voicedMs(this.#loud, this.#frameMs, 4) >= 40
  }

  ignoreTurn(): void {
    const turn = this.#lastTurn
    if (!turn || turn.ignored) return
    turn.ignored = true
    this.#expectingSince = null
    if (turn.responseId !== null && turn.responseId === this.#active) this.cancel()
    // The server is about to answer; while another response is under way it will not.
    else if (turn.responseId === null && !this.#active) this.#ignoreNext = true
  }

  close(): void {
    // Turns whose words are still awaited are told without them rather than lost.
    for (const itemId of [...this.#turns.keys()]) this.#transcribed(itemId, '')
    this.#release('closed')
  }

  /** Ends the session for a reason of the engine's own. */
  endBecause(reason: string): void {
    this.#release(reason)
  }

  #receive(text: string): void {
    if (this.#state === 'closed') return
    this.#messages++
    if (delta.read(text, this.#item, this.#itemResponse)) {
      this.#audio(delta.responseId, delta.itemId, delta.payload, delta.ms)
      return
    }
    const kind = kindOf(text)
    if (kind !== null && !KINDS.has(kind)) return
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      this.#emit({ type: 'error', code: 'engine_garbled', message: 'An event is not valid JSON.', fatal: false })
      return
    }
    const parsed = serverEvent.safeParse(json)
    if (parsed.success) this.#handle(parsed.data)
    else if (kind !== null)
      this.#emit({
        type: 'error',
        code: 'engine_garbled',
        message: `An event of kind ${kind} has an unknown form.`,
        fatal: false,
      })
  }

  #audio(responseId: string, itemId: string, payload: string, ms: number): void {
    this.#expectingSince = null
    if (this.#dropped?.has(responseId)) return
    if (itemId !== this.#item) {
      this.#itemMs.set(this.#item, this.#itemSentMs)
      this.#item = itemId
      this.#itemResponse = responseId
      this.#itemSentMs = this.#itemMs.get(itemId) ?? 0
    }
    this.#itemSentMs += ms
    if (this.#player) this.#player.play(itemId, payload, ms)
    else this.#onEvent({ type: 'audio', itemId, payload, ms })
  }

  #handle(event: ServerEvent): void {
    switch (event.type) {
      case 'session.created':
        return
      case 'input_audio_buffer.committed':
        // A turn that is committed is over, whether that was said or not.
        if (this.#turns.get(event.item_id)?.endMs === null) this.#speechStopped(event.item_id, this.#appendedMs)
        return
      case 'conversation.item.input_audio_transcription.failed':
        this.#transcribed(event.item_id, '')
        return
      case 'input_audio_buffer.timeout_triggered':
        this.#reminding = true
        return
      case 'session.updated':
        if (this.#state === 'connecting') this.#begin()
        return
      case 'input_audio_buffer.speech_started':
        this.#speechStarted(event.item_id, event.audio_start_ms)
        return
      case 'input_audio_buffer.speech_stopped':
        this.#speechStopped(event.item_id, event.audio_end_ms)
        return
      case 'conversation.item.input_audio_transcription.completed':
        this.#transcribed(event.item_id, event.transcript)
        return
      case 'response.created':
        this.#active = event.response.id
        this.#creating = false
        if (this.#lastTurn?.endMs != null) this.#lastTurn.responseId ??= event.response.id
        this.#expect()
        if (this.#ignoreNext) {
          this.#ignoreNext = false
          this.cancel()
        }
        // Told with the response at hand, so that the call can have something else said in its place.
        if (this.#reminding) this.#emit({ type: 'reminder' })
        this.#reminding = false
        return
      case 'response.output_audio.delta':
        this.#audio(event.response_id, event.item_id, event.delta, msOfBase64(event.delta))
        return
      case 'response.output_audio.done':
        if (!this.#dropped?.has(event.response_id)) this.#audioEnds(event.item_id)
        return
      case 'response.output_audio_transcript.delta':
        this.#words =
          this.#words.itemId === event.item_id
            ? { itemId: event.item_id, text: this.#words.text + event.delta }
            : { itemId: event.item_id, text: event.delta }
        return
      case 'response.output_audio_transcript.done':
        if (!this.#dropped?.has(event.response_id))
          this.#emit({ type: 'agent_transcript', itemId: event.item_id, text: event.transcript })
        return
      case 'response.output_item.added':
        if (event.item.call_id && event.item.name) this.#toolNames.set(event.item.call_id, event.item.name)
        return
      case 'response.output_item.done':
        this.#outputItem(event.response_id, event.item)
        return
      case 'response.function_call_arguments.done':
        this.#toolCall(event)
        return
      case 'response.done':
        this.#responseDone(event.response)
        return
      case 'error':
        this.#error(event.error)
    }
  }

  #error({ type, code, message, event_id, param }: Extract<ServerEvent, { type: 'error' }>['error']): void {
    const crossed =
      this.#state === 'ready' ? raceOf({ code: code ?? '', eventId: event_id ?? null, param: param ?? null }) : null
    if (crossed) this.#crossed(crossed)
    else this.#failure(type, code ?? '', message)
  }

  readonly #toolNames = new Map<string, string>()
  /** What the item that is being made has said so far. */
  #words = { itemId: '', text: '' }

  /** Configured: history first, then the audio that waited, in order. */
  #begin(): void {
    this.#state = 'ready'
    for (const item of historyItems(this.#call)) this.#send(item)
    const early = this.#early
    this.#early = []
    for (const { payload, atMs } of early) this.sendAudio(payload, atMs)
    this.#emit({ type: 'ready' })
    if (this.#call.resume) this.#ask({})
  }

  #speechStarted(itemId: string, audioStartMs: number): void {
    const { settings } = this.#parts
    const prefix = settings.turnDetection === 'server' ? settings.prefixMs : 0
    const startMs = Math.max(0, audioStartMs + prefix + this.#offsetMs)
    const turn: Turn = { startMs, endMs: null, ignored: false, responseId: null }
    this.#turns.set(itemId, turn)
    this.#lastTurn = turn
    this.#speaking = true
    this.#ignoreNext = false
    this.#ear.reported()
    this.#probedAt = null
    this.#expectingSince = null
    this.#emit({ type: 'speech_started', atMs: startMs, voicedMs: voicedMs(this.#loud, this.#frameMs) })
  }

  #speechStopped(itemId: string, audioEndMs: number): void {
    const { settings } = this.#parts
    const turn = this.#turns.get(itemId)
    // The end that is reported includes the silence that proved it; how long a semantic detector waited only our own ear knows.
    const silence =
      settings.turnDetection === 'server' ? settings.silenceMs : (this.#ear.silentFor(performance.now()) ?? 0)
    const endMs = Math.max(0, turn?.startMs ?? 0, audioEndMs - silence + this.#offsetMs)
    if (turn) turn.endMs = endMs
    this.#speaking = false
    this.#ear.reported()
    this.#expect()
    this.#emit({ type: 'speech_stopped', atMs: endMs })
    // The server answers by itself, unless a response was under way: then it is asked for when that one is over.
    if (this.#active && turn && !turn.ignored) this.#wanted ??= {}
  }

  #transcribed(itemId: string, transcript: string): void {
    const turn = this.#turns.get(itemId)
    if (!turn) return
    this.#turns.delete(itemId)
    this.#emit({
      type: 'user_turn',
      startMs: turn.startMs,
      endMs: turn.endMs ?? turn.startMs,
      ...(transcript.trim() ? { transcript: transcript.trim() } : {}),
    })
  }

  #toolCall(event: Extract<ServerEvent, { type: 'response.function_call_arguments.done' }>): void {
    if (this.#dropped?.has(event.response_id) || this.#called.has(event.call_id)) return
    this.#expectingSince = null
    this.#calledIn = event.response_id
    this.#called.add(event.call_id)
    this.#tools.add(event.call_id)
    let args: unknown
    try {
      args = JSON.parse(event.arguments || '{}')
    } catch {
      this.toolResult(event.call_id, { error: 'The arguments are not valid JSON.' })
      return
    }
    const name = event.name ?? this.#toolNames.get(event.call_id) ?? ''
    this.#emit({ type: 'tool_call', toolCallId: event.call_id, name, args })
  }

  /** A call of a tool that was not told by its arguments. */
  #outputItem(responseId: string, item: OutputItem): void {
    if (item.type !== 'function_call' || !item.call_id) return
    const { call_id, name } = item
    this.#toolCall({
      type: 'response.function_call_arguments.done',
      ...{ response_id: responseId, call_id, arguments: item.arguments ?? '{}' },
      ...(name ? { name } : {}),
    })
  }

  #responseDone(response: Extract<ServerEvent, { type: 'response.done' }>['response']): void {
    const dropped = this.#dropped?.has(response.id) ?? false
    for (const item of response.output) this.#outputItem(response.id, item)
    if (this.#active === response.id) this.#active = null
    this.#creating = false
    this.#dropped?.delete(response.id)
    if (this.#dropped?.size === 0) this.#dropped = null
    this.#expectingSince = null
    const spoke = this.#itemResponse === response.id && this.#itemSentMs > 0
    // Its end may not have been told.
    if (spoke && !dropped) this.#audioEnds(this.#item)
    if (response.usage) {
      const { input_token_details: input, output_token_details: output } = response.usage
      const tokens = {
        inputTextTokens: input.text_tokens,
        inputAudioTokens: input.audio_tokens,
        cachedTokens: input.cached_tokens,
        outputTextTokens: output.text_tokens,
        outputAudioTokens: output.audio_tokens,
      }
      const usage = { ...tokens, costMicroUsd: priceOf(this.#parts.settings.model, tokens) }
      this.#emit({ type: 'usage', usage })
    }
    const called = this.#calledIn === response.id
    if (!dropped && !this.#isIgnored(response.id)) this.#judge(response, spoke, called)
    this.#askWanted()
  }

  #askWanted(): void {
    const wanted = this.#wanted
    this.#wanted = null
    if (wanted && this.#state === 'ready') this.#create(wanted)
  }

  #isIgnored(responseId: string): boolean {
    return this.#lastTurn?.responseId === responseId && this.#lastTurn.ignored
  }

  /** A response that brought the caller nothing is asked for once more; of two in a row the engine is no good. */
  #judge(response: DoneResponse, spoke: boolean, called: boolean): void {
    const { error, reason } = response.status_details ?? {}
    const verdict = judgeResponse({ status: response.status, reason: reason ?? null, spoke, called })
    if (verdict.kind === 'failed' && isRateLimit(error?.type ?? '', error?.code ?? '')) {
      this.#failure(error?.type ?? '', error?.code ?? '', error?.message ?? '')
      return
    }
    if (verdict.kind === 'answered') {
      this.#fruitless = 0
      this.#finishing = false
      return
    }
    // The caller has the word: what they say next is answered.
    if (this.#speaking) return
    // Words that broke off are finished, once.
    if (spoke && this.#finishing) {
      this.#finishing = false
      return
    }
    this.#finishing = spoke
    this.#fruitless = spoke ? 0 : this.#fruitless + 1
    if (this.#fruitless > 1) {
      const what = error?.code ?? `a response was ${response.status}${reason ? ` (${reason})` : ''} without words`
      this.#fail('engine_response_failed', what, true)
      return
    }
    this.#wanted ??= verdict.kind === 'again' && verdict.instructions ? { instructions: verdict.instructions } : {}
  }

  /** No more audio of an item; told once. */
  #audioEnds(itemId: string): void {
    if (this.#ended === itemId) return
    this.#ended = itemId
    this.#emit({ type: 'audio_done', itemId })
  }

  /** Asks for a response, at once or when the present one is over: two at a time are refused. */
  #ask(wanted: Wanted): void {
    if (this.#active || this.#state !== 'ready') this.#wanted = wanted
    else this.#create(wanted)
  }

  #create(wanted: Wanted): void {
    this.#ignoreNext = false
    this.#creating = true
    this.#asked = wanted
    this.#expect()
    this.#sendRacing({
      type: 'response.create',
      ...(wanted.instructions ? { response: { instructions: wanted.instructions, tool_choice: 'none' } } : {}),
    })
  }

  /** Our event and one of the server's crossed: what was wanted is so already, or is asked for again. */
  #crossed(event: RacingEvent): void {
    if (event === 'response.create') {
      this.#creating = false
      this.#askAgain()
    }
    // Of a response that the server does not have, no end will come.
    else if (event === 'response.cancel' && this.#active && this.#dropped?.has(this.#active)) this.#cancelled()
  }

  #cancelled(): void {
    this.#active = null
    this.#expectingSince = null
    this.#askWanted()
  }

  #failure(type: string, code: string, message: string): void {
    this.#creating = false
    if (code === 'session_expired') this.#fail('engine_expired', message, true)
    else if (isRateLimit(type, code)) this.#fail('engine_rate_limited', message, false)
    else if (type === 'server_error') this.#fail('engine_error', message, true)
    else if (this.#state === 'connecting') this.#fail('engine_refused', `${code} ${message}`.trim(), false)
    else this.#emit({ type: 'error', code: code || 'engine_error', message, fatal: false })
  }

  /** The server began a response of its own in the same moment: what was asked for follows it, or takes its place. */
  #askAgain(): void {
    // The server answers by itself: what was only asked for in case it does not is not needed.
    if (this.#asked.optional) {
      this.#asked = {}
      return
    }
    this.#wanted ??= this.#asked
    if (this.#active && this.#wanted.instructions) this.cancel()
  }

  #lost(detail: string): void {
    const status = this.#refusedWith
    if (this.#opened) this.#fail('engine_lost', `The connection closed: ${detail}`, true)
    else if (status === 429) this.#fail('engine_rate_limited', 'The connection was refused with status 429.', false)
    else
      this.#fail(
        'engine_refused',
        `The connection was refused${status === null ? `: ${detail}` : ` with status ${status}.`}`,
        // A key that is wrong now is wrong in a moment.
        status !== 401 && status !== 403,
      )
  }

  #expect(): void {
    this.#expectingSince = performance.now()
    this.#toldQuiet = false
  }

  /** Looks for what did not happen; to be called a few times a second. @param now monotonic ms */
  watch(now: number): void {
    const { connectMs, quietMs, stallMs } = this.#parts.limits
    if (this.#state === 'connecting') {
      if (now - this.#startedAt > connectMs) this.#fail('engine_refused', 'The session was not ready in time.', true)
      return
    }
    if (this.#frames !== this.#framesSeen) this.#lastFrameAt = now
    if (this.#messages !== this.#messagesSeen) this.#lastMessageAt = now
    this.#framesSeen = this.#frames
    this.#messagesSeen = this.#messages
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) {
      this.#fail('engine_stalled', 'The engine does not read.', true)
      return
    }
    if (this.#speaking && this.#paddedMs === 0 && now - this.#lastFrameAt > LOST_MS) {
      this.#append(1_000)
      this.#paddedMs = 1_000
    }
    if (this.#active && now - this.#lastMessageAt > stallMs) {
      this.#fail('engine_stalled', 'A response stopped in the middle.', true)
      return
    }
    if (this.#probe(now) || this.#expectingSince === null || this.#speaking) return
    const waited = now - this.#expectingSince
    if (waited > stallMs) this.#fail('engine_stalled', 'The engine does not answer.', true)
    else if (waited > quietMs) this.#tellQuiet(waited)
  }

  /**
   * Our own ear heard somebody, the engine did not say so: it is asked something that it must answer.
   * @returns whether an answer to that is awaited
   */
  #probe(now: number): boolean {
    if (this.#probedAt !== null) {
      if (this.#messages > this.#messagesAtProbe) {
        this.#probedAt = null
        return false
      }
      const waited = now - this.#probedAt
      if (waited > PROBE_DEAD_MS) this.#fail('engine_stalled', 'The engine does not answer.', true)
      else if (waited > PROBE_QUIET_MS) this.#tellQuiet(waited)
      return true
    }
    const silentMs = (this.#speaking ? this.#ear.silentFor(now) : this.#ear.unansweredFor(now)) ?? 0
    const after = this.#speaking ? this.#parts.settings.silenceMs + PROBE_TURN_AFTER_MS : PROBE_AFTER_MS
    if (silentMs < after || now - this.#lastMessageAt < PROBE_TURN_AFTER_MS) return false
    this.#ear.reported()
    this.#probedAt = now
    this.#messagesAtProbe = this.#messages
    this.#toldQuiet = false
    this.#send('{"type":"session.update","session":{"type":"realtime"}}')
    return true
  }

  #tellQuiet(waited: number): void {
    if (this.#toldQuiet) return
    this.#toldQuiet = true
    this.#emit({ type: 'quiet', forMs: Math.round(waited) })
  }

  /** The media clock jumped: what the server hears keeps the same clock. */
  #fillGap(gapMs: number): void {
    const missing = Math.min(gapMs, MAX_GAP_MS) - this.#paddedMs
    this.#paddedMs = 0
    if (missing >= SILENCE_MS / 2) this.#append(missing)
  }

  #append(ms: number): void {
    const pieces = Math.max(1, Math.round(ms / SILENCE_MS))
    this.#appendedMs += pieces * SILENCE_MS
    this.#socket.send(`${APPEND}${SILENCE.repeat(pieces)}"}`)
  }

  /** Its id comes back in an error that answers it. */
  #sendRacing(event: { type: RacingEvent } & Record<string, unknown>): void {
    this.#send(JSON.stringify({ ...event, event_id: racingEventId(event.type, ++this.#sentEvents) }))
  }

  #send(message: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message)
  }

  #emit(event: EngineEvent): void {
    if (this.#state !== 'closed') this.#onEvent(event)
  }

  #fail(code: string, message: string, retry: boolean): void {
    if (this.#state === 'closed') return
    this.#emit({ type: 'error', code, message, fatal: true, retry })
    this.#release(code)
  }

  #release(reason: string): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#early = []
    this.#socket.onmessage = null
    this.#socket.close(1000)
    this.#parts.onRelease()
    this.#onEvent({ type: 'closed', reason })
  }
}

/** The longest silence within a turn (realtime `semantic_vad`, `eagerness`: it waits 8, 4 or 2 seconds at most). */
function longestPauseOf({ turnDetection, silenceMs }: RealtimeSettings): number {
  return { server: silenceMs, 'semantic-low': 8_000, 'semantic-medium': 4_000, 'semantic-high': 2_000 }[turnDetection]
}

function isRateLimit(type: string, code: string): boolean {
  return type === 'rate_limit_error' || code === 'rate_limit_exceeded' || code === 'insufficient_quota'
}

/** Begins a connection. */
export function openSocket(to: Pick<RealtimeParts, 'url' | 'apiKey' | 'settings'>): WebSocket {
  const url = new URL(to.url)
  url.searchParams.set('model', to.settings.model)
  // Bun's client takes headers; the DOM's type of the same constructor does not know them.
  const options = { headers: { Authorization: `Bearer ${to.apiKey}` }, perMessageDeflate: false }
  return Reflect.construct(WebSocket, [url.href, options])
}

/** The HTTP status that a WebSocket was refused with; Bun tells it in words alone. */
function statusOf(event: Event): number | null {
  const message = 'message' in event && typeof event.message === 'string' ? event.message : ''
  const status = /status code: (\d{3})\b/.exec(message)?.[1]
  return status === undefined ? null : Number(status)
}
