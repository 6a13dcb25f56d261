import {
  type ClientEvent,
  clientEvent,
  type NewItem,
  type SessionSettings,
  type TurnDetection,
} from './client-events.ts'
import type { FaultPlace, RealtimeFault, RealtimeFaults } from './faults.ts'
import { type ActiveResponse, ResponsePlayer } from './response-player.ts'
import type { RealtimeScript } from './script.ts'
import { newSandboxId, type SendEvent } from './server-events.ts'
import type { SessionReport } from './session-report.ts'
import { LoudnessVad } from './vad.ts'

export type SessionSocket = {
  send(text: string): void
  close(code: number, reason: string): void
  terminate(): void
}

export type SessionParts = {
  model: string
  script: RealtimeScript
  faults: RealtimeFaults
  speak(text: string, language: string): Promise<Uint8Array>
}

/** One session of the Realtime API; a script plays its model. */
export class RealtimeSession {
  readonly report: SessionReport
  readonly #socket: SessionSocket
  readonly #parts: SessionParts
  readonly #vad = new LoudnessVad()
  readonly #player: ResponsePlayer
  readonly #timers = new Set<Timer>()
  #turnDetection: TurnDetection = {
    type: 'server_vad',
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 500,
    create_response: true,
    interrupt_response: true,
  }
  #heard = 0
  #userItem = ''
  #eventId: string | null = null
  #voice = 'alloy'
  #stalled = false
  #idle: Timer | undefined

  constructor(socket: SessionSocket, parts: SessionParts) {
    this.#socket = socket
    this.#parts = parts
    this.report = {
      id: newSandboxId('sess'),
      model: parts.model,
      settings: null,
      received: {},
      audioBeforeConfiguredMs: 0,
      audioMs: 0,
      turns: 0,
      responses: [],
      truncations: [],
      toolOutputs: [],
      items: [],
      said: [],
      errors: [],
      idleTimeouts: 0,
      closed: false,
    }
    this.#player = new ResponsePlayer({
      ...parts,
      report: this.report,
      send: this.#send,
      sendRaw: (type, fields) => this.#sendRaw(type, fields),
      error: (...error) => this.#error(...error),
      strike: (effect) => this.strike(effect),
      isSilent: () => this.#stalled || this.report.closed,
      receivedMs: () => this.#vad.totalMs,
      onCompleted: (response) => this.#awaitSpeech(response),
    })
    this.#sendRaw('session.created', { session: this.#describe() })
  }

  receive(text: string): void {
    if (this.#stalled || this.report.closed) return
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      this.#error('invalid_request_error', 'invalid_json', 'The message is not valid JSON.')
      return
    }
    const parsed = clientEvent.safeParse(json)
    if (!parsed.success) {
      const issue = parsed.error.issues[0]
      this.#error('invalid_request_error', 'invalid_value', issue?.message ?? 'Invalid event.', issue?.path.join('.'))
      return
    }
    const event = parsed.data
    this.#eventId = event.event_id ?? null
    this.report.received[event.type] = (this.report.received[event.type] ?? 0) + 1
    this.#handle(event)
    this.#eventId = null
  }

  end(): void {
    this.report.closed = true
    this.#player.stop()
    clearTimeout(this.#idle)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  strike(effect: RealtimeFault['effect']): void {
    switch (effect.kind) {
      case 'refuse':
        return
      case 'close':
        this.#socket.close(effect.code, effect.reason)
        return
      case 'vanish':
        this.#socket.terminate()
        return
      case 'stall':
        this.#stalled = true
        this.#player.stop()
        return
      case 'rate_limit':
        this.#error('rate_limit_error', 'rate_limit_exceeded', 'Rate limit reached. Please try again in 20s.')
        return
      case 'session_expired':
        this.#error('invalid_request_error', 'session_expired', 'Your session hit the maximum duration of 60 minutes.')
        this.#socket.close(1001, 'session expired')
        return
      case 'server_error':
        this.#error('server_error', 'server_error', 'The server had an error while processing your request.')
    }
  }

  #handle(event: ClientEvent): void {
    switch (event.type) {
      case 'session.update':
        this.#configure(event.session)
        return
      case 'input_audio_buffer.append':
        this.#append(Buffer.from(event.audio, 'base64'))
        return
      case 'input_audio_buffer.commit':
        this.#commit()
        return
      case 'input_audio_buffer.clear':
        this.#send('input_audio_buffer.cleared', {})
        return
      case 'conversation.item.create':
        this.#addItem(event.item)
        return
      case 'conversation.item.delete':
        this.#send('conversation.item.deleted', { item_id: event.item_id })
        return
      case 'conversation.item.truncate':
        this.#truncate(event.item_id, event.audio_end_ms)
        return
      case 'response.create':
        this.#player.create(event.response?.instructions)
        return
      case 'response.cancel':
        if (this.#player.active) this.#player.cancel('client_cancelled')
        else
          this.#error(
            'invalid_request_error',
            'response_cancel_not_active',
            'Cancellation failed: no active response found',
          )
    }
  }

  #configure(settings: SessionSettings): void {
    if (this.#strikes('configure')) return
    const voice = settings.audio?.output?.voice
    if (voice && voice !== this.#voice && this.#player.hasSpoken) {
      this.#error('invalid_request_error', 'cannot_update_voice', 'The voice is fixed after the first audio.')
      return
    }
    if (voice) this.#voice = voice
    const detection = settings.audio?.input?.turn_detection
    if (detection !== undefined) this.#turnDetection = detection
    this.report.settings = { ...this.report.settings, ...settings }
    this.#sendRaw('session.updated', { session: this.#describe() })
  }

  #describe(): Record<string, unknown> {
    return {
      object: 'realtime.session',
      id: this.report.id,
      type: 'realtime',
      model: this.report.model,
      output_modalities: ['audio'],
      audio: {
        input: { format: { type: 'audio/pcm', rate: 24_000 }, turn_detection: this.#turnDetection },
        output: { format: { type: 'audio/pcm', rate: 24_000 }, voice: this.#voice },
      },
      ...this.report.settings,
      expires_at: Math.floor(Date.now() / 1000) + 3_600,
    }
  }

  #append(audio: Uint8Array): void {
    if (this.report.settings?.audio?.input?.format?.type !== 'audio/pcmu')
      this.report.audioBeforeConfiguredMs += audio.length / 8
    const marks = this.#vad.push(audio, this.#turnDetection)
    this.report.audioMs = this.#vad.totalMs
    for (const mark of marks) {
      if (mark.type === 'started') {
        if (this.#strikes('speech')) return
        clearTimeout(this.#idle)
        this.#userItem = newSandboxId('item')
        this.#send('input_audio_buffer.speech_started', { audio_start_ms: mark.atMs, item_id: this.#userItem })
        if (this.#turnDetection?.interrupt_response && this.#player.active) this.#player.cancel('turn_detected')
      } else {
        if (this.#strikes('turn')) return
        this.#send('input_audio_buffer.speech_stopped', { audio_end_ms: mark.atMs, item_id: this.#userItem })
        this.#commit()
        // During a response the turn waits for the client to request one.
        if (this.#turnDetection?.create_response && !this.#player.active) this.#player.create()
      }
    }
  }

  #commit(): void {
    const itemId = this.#userItem || newSandboxId('item')
    this.#userItem = ''
    this.report.turns++
    this.#send('input_audio_buffer.committed', { item_id: itemId, previous_item_id: null })
    const item = {
      id: itemId,
      object: 'realtime.item',
      type: 'message',
      role: 'user',
      status: 'completed',
      content: [{ type: 'input_audio', transcript: null }],
    }
    this.#sendRaw('conversation.item.added', { item, previous_item_id: null })
    this.#sendRaw('conversation.item.done', { item, previous_item_id: null })
    if (!this.report.settings?.audio?.input?.transcription) return
    const words = this.#parts.script.heard[this.#heard++] ?? '…'
    this.#later(this.#parts.script.transcriptDelayMs, () => {
      const place = { item_id: itemId, content_index: 0 }
      this.#send('conversation.item.input_audio_transcription.delta', { ...place, delta: words })
      this.#send('conversation.item.input_audio_transcription.completed', {
        ...place,
        transcript: words,
        usage: { type: 'duration', seconds: 1 },
      })
    })
  }

  #addItem(item: NewItem): void {
    const id = item.id ?? newSandboxId('item')
    if (item.type === 'function_call_output') {
      if (!this.#player.hasCalled(item.call_id)) {
        this.#error('invalid_request_error', 'invalid_tool_call_id', `No function call has the id ${item.call_id}.`)
        return
      }
      this.report.toolOutputs.push({ callId: item.call_id, output: item.output })
    }
    this.report.items.push(item)
    const added = { ...item, id, object: 'realtime.item', status: 'completed' }
    this.#sendRaw('conversation.item.added', { item: added, previous_item_id: null })
    this.#sendRaw('conversation.item.done', { item: added, previous_item_id: null })
  }

  #truncate(itemId: string, audioEndMs: number): void {
    const length = this.#player.audioMsOf(itemId)
    if (length === undefined) {
      this.#error('invalid_request_error', 'item_truncate_invalid_item_id', `Item ${itemId} has no audio.`)
      return
    }
    if (audioEndMs > length) {
      this.#error(
        'invalid_request_error',
        'invalid_value',
        `Audio content of ${length}ms is already shorter than ${audioEndMs}ms`,
        'audio_end_ms',
      )
      return
    }
    this.report.truncations.push({ itemId, audioEndMs })
    this.#send('conversation.item.truncated', { item_id: itemId, content_index: 0, audio_end_ms: audioEndMs })
  }

  /** After `idle_timeout_ms` without speech behind a played answer the model speaks by itself (realtime server_vad). */
  #awaitSpeech(response: ActiveResponse): void {
    clearTimeout(this.#idle)
    const detection = this.#turnDetection
    if (detection?.type !== 'server_vad' || !detection.idle_timeout_ms) return
    const playedAt = response.startedAt + response.sentMs
    this.#idle = setTimeout(
      () => {
        if (this.#stalled || this.report.closed || this.#player.active || this.#userItem) return
        const now = this.#vad.totalMs
        const itemId = newSandboxId('item')
        this.report.idleTimeouts++
        this.#send('input_audio_buffer.timeout_triggered', {
          audio_start_ms: Math.max(0, now - (detection.idle_timeout_ms ?? 0)),
          audio_end_ms: now,
          item_id: itemId,
        })
        this.#send('input_audio_buffer.committed', { item_id: itemId, previous_item_id: null })
        this.#player.create()
      },
      Math.max(0, playedAt - performance.now()) + detection.idle_timeout_ms,
    )
  }

  #strikes(at: FaultPlace): boolean {
    const fault = this.#parts.faults.strike(at)
    if (!fault) return false
    this.strike(fault.effect)
    return true
  }

  #later(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, ms)
    this.#timers.add(timer)
  }

  #error(type: string, code: string, message: string, param?: string): void {
    this.report.errors.push(code)
    this.#send('error', { error: { type, code, message, param: param ?? null, event_id: this.#eventId } })
  }

  readonly #send: SendEvent = (type, fields) => this.#sendRaw(type, fields)

  /** For fields that the vendor's types leave out: nulls, and the client's own values. */
  #sendRaw(type: string, fields: object): void {
    if (this.#stalled || this.report.closed || this.#parts.script.omit.includes(type)) return
    this.#socket.send(JSON.stringify({ type, event_id: newSandboxId('event'), ...fields }))
  }
}
