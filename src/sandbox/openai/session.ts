import { mulawSilence } from '../../audio/mulaw.ts'
import { makeTone } from '../carrier/audio.ts'
import {
  type ClientEvent,
  clientEvent,
  type NewItem,
  type SessionSettings,
  type TurnDetection,
} from './client-events.ts'
import type { FaultPlace, RealtimeFault, RealtimeFaults } from './faults.ts'
import { type RealtimeScript, type ScriptStep, scriptStep, wordsMs } from './script.ts'
import { LoudnessVad } from './vad.ts'

export type SessionSocket = {
  send(text: string): void
  close(code: number, reason: string): void
  /** Cuts the connection without a close frame. */
  terminate(): void
}

export type SessionParts = {
  model: string
  script: RealtimeScript
  faults: RealtimeFaults
  speak(text: string, language: string): Promise<Uint8Array>
}

/** What a session did, for tests and the control API. */
export type SessionReport = {
  id: string
  model: string
  settings: SessionSettings | null
  /** Kinds of client events, counted. */
  received: Record<string, number>
  /** Audio that came before the session was configured as μ-law. */
  audioBeforeConfiguredMs: number
  audioMs: number
  turns: number
  responses: { id: string; status: string; sentMs: number; steps: number | null }[]
  truncations: { itemId: string; audioEndMs: number }[]
  toolOutputs: { callId: string; output: string }[]
  /** Messages that the client put into the conversation. */
  items: NewItem[]
  said: string[]
  errors: string[]
  /** How often the caller's silence was answered. */
  idleTimeouts: number
  closed: boolean
}

type ActiveResponse = {
  id: string
  step: ScriptStep
  audioItemId: string | null
  sentMs: number
  /** When its first audio left. */
  startedAt: number
  transcript: string
  timer: Timer | undefined
}

let serial = 0
const newName = (prefix: string) => `${prefix}_sandbox${(++serial).toString(36).padStart(6, '0')}`

/** One session of the Realtime API, its model played by a script. */
export class RealtimeSession {
  readonly report: SessionReport
  readonly #socket: SessionSocket
  readonly #parts: SessionParts
  readonly #vad = new LoudnessVad()
  readonly #audioMs = new Map<string, number>()
  readonly #callIds = new Set<string>()
  readonly #timers = new Set<Timer>()
  #turnDetection: TurnDetection = {
    type: 'server_vad',
    threshold: 0.5,
    prefix_padding_ms: 300,
    silence_duration_ms: 500,
    create_response: true,
    interrupt_response: true,
  }
  #active: ActiveResponse | null = null
  #step = 0
  #heard = 0
  #userItem = ''
  /** Of the client event that is being handled. */
  #eventId: string | null = null
  #voice = 'alloy'
  #spoke = false
  #stalled = false
  #idle: Timer | undefined

  constructor(socket: SessionSocket, parts: SessionParts) {
    this.#socket = socket
    this.#parts = parts
    this.report = {
      id: newName('sess'),
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
    this.#send('session.created', { session: this.#describe() })
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

  /** The connection is gone. */
  end(): void {
    this.report.closed = true
    clearTimeout(this.#active?.timer)
    clearTimeout(this.#idle)
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }

  /** Does what a fault says, now. */
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
        clearTimeout(this.#active?.timer)
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
        this.#create(event.response?.instructions)
        return
      case 'response.cancel':
        if (this.#active) this.#cancel('client_cancelled')
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
    if (voice && voice !== this.#voice && this.#spoke) {
      this.#error('invalid_request_error', 'cannot_update_voice', 'The voice is fixed after the first audio.')
      return
    }
    if (voice) this.#voice = voice
    const detection = settings.audio?.input?.turn_detection
    if (detection !== undefined) this.#turnDetection = detection
    this.report.settings = { ...this.report.settings, ...settings }
    this.#send('session.updated', { session: this.#describe() })
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
        this.#userItem = newName('item')
        this.#send('input_audio_buffer.speech_started', { audio_start_ms: mark.atMs, item_id: this.#userItem })
        if (this.#turnDetection?.interrupt_response && this.#active) this.#cancel('turn_detected')
      } else {
        if (this.#strikes('turn')) return
        this.#send('input_audio_buffer.speech_stopped', { audio_end_ms: mark.atMs, item_id: this.#userItem })
        this.#commit()
        // While a response is under way the turn waits for the client to ask for an answer.
        if (this.#turnDetection?.create_response && !this.#active) this.#create()
      }
    }
  }

  #commit(): void {
    const itemId = this.#userItem || newName('item')
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
    this.#send('conversation.item.added', { item, previous_item_id: null })
    this.#send('conversation.item.done', { item, previous_item_id: null })
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
    const id = item.id ?? newName('item')
    if (item.type === 'function_call_output') {
      if (!this.#callIds.has(item.call_id)) {
        this.#error('invalid_request_error', 'invalid_tool_call_id', `No function call has the id ${item.call_id}.`)
        return
      }
      this.report.toolOutputs.push({ callId: item.call_id, output: item.output })
    }
    this.report.items.push(item)
    const added = { ...item, id, object: 'realtime.item', status: 'completed' }
    this.#send('conversation.item.added', { item: added, previous_item_id: null })
    this.#send('conversation.item.done', { item: added, previous_item_id: null })
  }

  #truncate(itemId: string, audioEndMs: number): void {
    const length = this.#audioMs.get(itemId)
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

  #create(instructions?: string): void {
    if (this.#active) {
      this.#error(
        'invalid_request_error',
        'conversation_already_has_active_response',
        `Conversation already has an active response in progress: ${this.#active.id}.`,
      )
      return
    }
    const { steps } = this.#parts.script
    const scripted = instructions === undefined ? steps[this.#step++] : undefined
    const spare = steps.findLast((each) => each.say !== undefined && each.tools.length === 0)
    const step: ScriptStep = instructions
      ? scriptStep.parse({ say: quotedIn(instructions) })
      : (scripted ?? spare ?? scriptStep.parse({ say: 'Yes?' }))
    if (step.absent) return
    if (step.raw) {
      for (const { type, ...fields } of step.raw) this.#send(type, fields)
      return
    }
    const response: ActiveResponse = {
      id: newName('resp'),
      step,
      audioItemId: null,
      sentMs: 0,
      startedAt: performance.now(),
      transcript: '',
      timer: undefined,
    }
    this.#active = response
    this.report.responses.push({
      id: response.id,
      status: 'in_progress',
      sentMs: 0,
      steps: scripted ? this.#step - 1 : null,
    })
    this.#send('response.created', { response: this.#describeResponse(response, 'in_progress') })
    if (step.hang) return
    response.timer = setTimeout(() => void this.#perform(response), step.delayMs)
  }

  async #perform(response: ActiveResponse): Promise<void> {
    const { step } = response
    if (step.fail) {
      this.#finish(response, 'failed', { type: 'failed', error: step.fail })
      return
    }
    if (step.text) this.#write(response, step.text)
    if (step.say) {
      const audio = await this.#voiceOf(step)
      if (this.#active !== response || this.#stalled) return
      this.#beginAudio(response, step.say)
      const { chunkMs, speed } = this.#parts.script
      const fault = this.#parts.faults.strike('response')
      for (let at = 0; at < audio.length; at += chunkMs * 8) {
        this.#sendAudio(response, audio.subarray(at, at + chunkMs * 8), step.say, audio.length)
        if (fault && response.sentMs >= fault.afterMs) {
          this.strike(fault.effect)
          if (fault.effect.kind !== 'rate_limit' && fault.effect.kind !== 'server_error') return
        }
        if (step.stopAfterMs !== undefined && response.sentMs >= step.stopAfterMs) return
        if (speed > 0) await Bun.sleep(chunkMs / speed)
        if (this.#active !== response || this.#stalled || this.report.closed) return
      }
      this.#endAudio(response, step.say)
    }
    step.tools.forEach((tool, index) => {
      this.#callTool(response, tool, index + (step.say ? 1 : 0))
    })
    const { end } = step
    if (end) this.#finish(response, end.status, { type: end.status, reason: end.reason, error: end.error })
    else this.#finish(response, 'completed', null)
  }

  /** An answer in writing, which nobody hears. */
  #write(response: ActiveResponse, text: string): void {
    const id = newName('item')
    const place = { response_id: response.id, item_id: id, output_index: 0, content_index: 0 }
    const content = [{ type: 'output_text', text }]
    const item = { id, object: 'realtime.item', type: 'message', role: 'assistant', status: 'completed', content }
    this.#send('response.output_item.added', { response_id: response.id, output_index: 0, item })
    this.#send('response.output_text.delta', { ...place, delta: text })
    this.#send('response.output_text.done', { ...place, text })
    this.#send('response.output_item.done', { response_id: response.id, output_index: 0, item })
  }

  async #voiceOf(step: ScriptStep): Promise<Uint8Array> {
    const words = step.say ?? ''
    if (step.ms) return makeTone(300, step.ms, 6_000)
    if (this.#parts.script.audio === 'tone') return makeTone(300, wordsMs(words), 6_000)
    const language = /[\u0590-\u05ff]/.test(words) ? 'he' : 'en'
    const spoken = await this.#parts.speak(words, language)
    return spoken.length > 0 ? spoken : mulawSilence(100)
  }

  #beginAudio(response: ActiveResponse, words: string): void {
    const id = newName('item')
    response.audioItemId = id
    response.startedAt = performance.now()
    this.#spoke = true
    this.#audioMs.set(id, 0)
    this.report.said.push(words)
    const item = { id, object: 'realtime.item', type: 'message', role: 'assistant', status: 'in_progress', content: [] }
    const place = { response_id: response.id, output_index: 0 }
    this.#send('response.output_item.added', { ...place, item })
    this.#send('conversation.item.added', { item, previous_item_id: null })
    this.#send('response.content_part.added', {
      ...place,
      item_id: id,
      content_index: 0,
      part: { type: 'audio', transcript: '' },
    })
  }

  #sendAudio(response: ActiveResponse, piece: Uint8Array, words: string, total: number): void {
    const id = response.audioItemId ?? ''
    const place = { response_id: response.id, item_id: id, output_index: 0, content_index: 0 }
    const until = Math.ceil((words.length * (response.sentMs * 8 + piece.length)) / total)
    const delta = words.slice(response.transcript.length, until)
    response.transcript += delta
    if (delta) this.#send('response.output_audio_transcript.delta', { ...place, delta })
    this.#send('response.output_audio.delta', { ...place, delta: Buffer.from(piece).toString('base64') })
    response.sentMs += piece.length / 8
    this.#audioMs.set(id, response.sentMs)
    const kept = this.report.responses.at(-1)
    if (kept) kept.sentMs = response.sentMs
  }

  /** Also told of an answer that is cut off, with the words so far. */
  #endAudio(response: ActiveResponse, words: string, status: 'completed' | 'incomplete' = 'completed'): void {
    const id = response.audioItemId ?? ''
    const place = { response_id: response.id, item_id: id, output_index: 0, content_index: 0 }
    const item = {
      id,
      object: 'realtime.item',
      type: 'message',
      role: 'assistant',
      status,
      content: [{ type: 'output_audio', transcript: words }],
    }
    this.#send('response.output_audio.done', place)
    this.#send('response.output_audio_transcript.done', { ...place, transcript: words })
    this.#send('response.content_part.done', { ...place, part: { type: 'audio', transcript: words } })
    this.#send('response.output_item.done', { response_id: response.id, output_index: 0, item })
    this.#send('conversation.item.done', { item, previous_item_id: null })
  }

  #callTool(response: ActiveResponse, tool: ScriptStep['tools'][number], outputIndex: number): void {
    const id = newName('item')
    const callId = newName('call')
    this.#callIds.add(callId)
    const args = typeof tool.args === 'string' ? tool.args : JSON.stringify(tool.args)
    const item = { id, object: 'realtime.item', type: 'function_call', name: tool.name, call_id: callId, arguments: '' }
    const place = { response_id: response.id, output_index: outputIndex }
    this.#send('response.output_item.added', { ...place, item: { ...item, status: 'in_progress' } })
    this.#send('response.function_call_arguments.delta', { ...place, item_id: id, call_id: callId, delta: args })
    this.#send('response.function_call_arguments.done', {
      ...place,
      item_id: id,
      call_id: callId,
      name: tool.name,
      arguments: args,
    })
    this.#send('response.output_item.done', { ...place, item: { ...item, arguments: args, status: 'completed' } })
  }

  #cancel(reason: 'turn_detected' | 'client_cancelled'): void {
    const response = this.#active
    if (!response) return
    if (response.audioItemId !== null) this.#endAudio(response, response.transcript, 'incomplete')
    this.#finish(response, 'cancelled', { type: 'cancelled', reason })
  }

  #finish(response: ActiveResponse, status: string, details: unknown): void {
    if (this.#active !== response) return
    clearTimeout(response.timer)
    this.#active = null
    const kept = this.report.responses.find((each) => each.id === response.id)
    if (kept) kept.status = status
    if (status === 'completed') this.#awaitSpeech(response)
    const inputAudio = Math.round(this.#vad.totalMs / 100)
    const outputAudio = Math.round(response.sentMs / 50)
    const outputText = Math.ceil(response.transcript.length / 4)
    this.#send('response.done', {
      response: {
        ...this.#describeResponse(response, status),
        status_details: details,
        usage: {
          total_tokens: inputAudio + outputAudio + outputText + 100,
          input_tokens: inputAudio + 100,
          output_tokens: outputAudio + outputText,
          input_token_details: {
            text_tokens: 100,
            audio_tokens: inputAudio,
            image_tokens: 0,
            cached_tokens: 0,
            cached_tokens_details: { text_tokens: 0, audio_tokens: 0, image_tokens: 0 },
          },
          output_token_details: { text_tokens: outputText, audio_tokens: outputAudio },
        },
      },
    })
    this.#send('rate_limits.updated', {
      rate_limits: [{ name: 'tokens', limit: 40_000, remaining: 39_000, reset_seconds: 1 }],
    })
  }

  /**
   * Without speech for `idle_timeout_ms` after an answer was played out, by its length, the model answers by itself
   * (realtime server_vad, `idle_timeout_ms`).
   */
  #awaitSpeech(response: ActiveResponse): void {
    clearTimeout(this.#idle)
    const detection = this.#turnDetection
    if (detection?.type !== 'server_vad' || !detection.idle_timeout_ms) return
    const playedAt = response.startedAt + response.sentMs
    this.#idle = setTimeout(
      () => {
        if (this.#stalled || this.report.closed || this.#active || this.#userItem) return
        const now = this.#vad.totalMs
        const itemId = newName('item')
        this.report.idleTimeouts++
        this.#send('input_audio_buffer.timeout_triggered', {
          audio_start_ms: Math.max(0, now - (detection.idle_timeout_ms ?? 0)),
          audio_end_ms: now,
          item_id: itemId,
        })
        this.#send('input_audio_buffer.committed', { item_id: itemId, previous_item_id: null })
        this.#create()
      },
      Math.max(0, playedAt - performance.now()) + detection.idle_timeout_ms,
    )
  }

  #describeResponse(response: ActiveResponse, status: string): Record<string, unknown> {
    return {
      object: 'realtime.response',
      id: response.id,
      status,
      status_details: null,
      output: [],
      conversation_id: `conv_${this.report.id}`,
      output_modalities: ['audio'],
      usage: null,
    }
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

  #send(type: string, fields: Record<string, unknown>): void {
    if (this.#stalled || this.report.closed || this.#parts.script.omit.includes(type)) return
    this.#socket.send(JSON.stringify({ type, event_id: newName('event'), ...fields }))
  }
}

/** The words between the first and the last quotation mark, else all of it. */
function quotedIn(instructions: string): string {
  const from = instructions.indexOf('"')
  const to = instructions.lastIndexOf('"')
  return from >= 0 && to > from ? instructions.slice(from + 1, to) : instructions
}
