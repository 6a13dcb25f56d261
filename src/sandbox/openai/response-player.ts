import { mulawSilence } from '../../audio/mulaw.ts'
import { makeTone } from '../carrier/audio.ts'
import type { RealtimeFault, RealtimeFaults } from './faults.ts'
import { type RealtimeScript, type ScriptStep, scriptStep, wordsMs } from './script.ts'
import { type ConversationItem, newSandboxId, type SendEvent } from './server-events.ts'
import type { SessionReport } from './session-report.ts'

export type ActiveResponse = {
  id: string
  step: ScriptStep
  audioItemId: string | null
  sentMs: number
  startedAt: number
  transcript: string
  timer: Timer | undefined
}

export type ResponseHost = {
  readonly script: RealtimeScript
  readonly faults: RealtimeFaults
  readonly report: SessionReport
  speak(text: string, language: string): Promise<Uint8Array>
  send: SendEvent
  /** For the script's own events, and for nulls that the vendor's types leave out. */
  sendRaw(type: string, fields: Record<string, unknown>): void
  error(type: string, code: string, message: string, param?: string): void
  strike(effect: RealtimeFault['effect']): void
  isSilent(): boolean
  receivedMs(): number
  onCompleted(response: ActiveResponse): void
}

export class ResponsePlayer {
  readonly #host: ResponseHost
  readonly #audioMs = new Map<string, number>()
  readonly #callIds = new Set<string>()
  #active: ActiveResponse | null = null
  #step = 0

  constructor(host: ResponseHost) {
    this.#host = host
  }

  get active(): boolean {
    return this.#active !== null
  }

  get hasSpoken(): boolean {
    return this.#audioMs.size > 0
  }

  /** Milliseconds of audio sent for an item; undefined when it has none. */
  audioMsOf(itemId: string): number | undefined {
    return this.#audioMs.get(itemId)
  }

  hasCalled(callId: string): boolean {
    return this.#callIds.has(callId)
  }

  stop(): void {
    clearTimeout(this.#active?.timer)
  }

  create(instructions?: string): void {
    if (this.#active) {
      this.#host.error(
        'invalid_request_error',
        'conversation_already_has_active_response',
        `Conversation already has an active response in progress: ${this.#active.id}.`,
      )
      return
    }
    const { steps } = this.#host.script
    const scripted = instructions === undefined ? steps[this.#step++] : undefined
    const fallback = steps.findLast((each) => each.say !== undefined && each.tools.length === 0)
    const step: ScriptStep = instructions
      ? scriptStep.parse({ say: quotedIn(instructions) })
      : (scripted ?? fallback ?? scriptStep.parse({ say: 'Yes?' }))
    if (step.absent) return
    if (step.raw) {
      for (const { type, ...fields } of step.raw) this.#host.sendRaw(type, fields)
      return
    }
    const response: ActiveResponse = {
      id: newSandboxId('resp'),
      step,
      audioItemId: null,
      sentMs: 0,
      startedAt: performance.now(),
      transcript: '',
      timer: undefined,
    }
    this.#active = response
    this.#host.report.responses.push({
      id: response.id,
      status: 'in_progress',
      sentMs: 0,
      steps: scripted ? this.#step - 1 : null,
    })
    this.#host.sendRaw('response.created', { response: this.#describeResponse(response, 'in_progress') })
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
      if (this.#active !== response || this.#host.isSilent()) return
      this.#beginAudio(response, step.say)
      const { chunkMs, speed } = this.#host.script
      const fault = this.#host.faults.strike('response')
      for (let at = 0; at < audio.length; at += chunkMs * 8) {
        this.#sendAudio(response, audio.subarray(at, at + chunkMs * 8), step.say, audio.length)
        if (fault && response.sentMs >= fault.afterMs) {
          this.#host.strike(fault.effect)
          if (fault.effect.kind !== 'rate_limit' && fault.effect.kind !== 'server_error') return
        }
        if (step.stopAfterMs !== undefined && response.sentMs >= step.stopAfterMs) return
        if (speed > 0) await Bun.sleep(chunkMs / speed)
        if (this.#active !== response || this.#host.isSilent()) return
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

  #write(response: ActiveResponse, text: string): void {
    const id = newSandboxId('item')
    const place = { response_id: response.id, item_id: id, output_index: 0, content_index: 0 }
    const content = [{ type: 'output_text' as const, text }]
    const item: ConversationItem = {
      id,
      object: 'realtime.item',
      type: 'message',
      role: 'assistant',
      status: 'completed',
      content,
    }
    this.#host.send('response.output_item.added', { response_id: response.id, output_index: 0, item })
    this.#host.send('response.output_text.delta', { ...place, delta: text })
    this.#host.send('response.output_text.done', { ...place, text })
    this.#host.send('response.output_item.done', { response_id: response.id, output_index: 0, item })
  }

  async #voiceOf(step: ScriptStep): Promise<Uint8Array> {
    const words = step.say ?? ''
    if (step.ms) return makeTone(300, step.ms, 6_000)
    if (this.#host.script.audio === 'tone') return makeTone(300, wordsMs(words), 6_000)
    const language = /[\u0590-\u05ff]/.test(words) ? 'he' : 'en'
    const spoken = await this.#host.speak(words, language)
    return spoken.length > 0 ? spoken : mulawSilence(100)
  }

  #beginAudio(response: ActiveResponse, words: string): void {
    const id = newSandboxId('item')
    response.audioItemId = id
    response.startedAt = performance.now()
    this.#audioMs.set(id, 0)
    this.#host.report.said.push(words)
    const item: ConversationItem = {
      id,
      object: 'realtime.item',
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    }
    const place = { response_id: response.id, output_index: 0 }
    this.#host.send('response.output_item.added', { ...place, item })
    this.#host.send('conversation.item.added', { item, previous_item_id: null })
    this.#host.send('response.content_part.added', {
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
    if (delta) this.#host.send('response.output_audio_transcript.delta', { ...place, delta })
    this.#host.send('response.output_audio.delta', { ...place, delta: Buffer.from(piece).toString('base64') })
    response.sentMs += piece.length / 8
    this.#audioMs.set(id, response.sentMs)
    const reported = this.#host.report.responses.at(-1)
    if (reported) reported.sentMs = response.sentMs
  }

  /** Also called for an interrupted answer, with its text so far. */
  #endAudio(response: ActiveResponse, words: string, status: 'completed' | 'incomplete' = 'completed'): void {
    const id = response.audioItemId ?? ''
    const place = { response_id: response.id, item_id: id, output_index: 0, content_index: 0 }
    const item: ConversationItem = {
      id,
      object: 'realtime.item',
      type: 'message',
      role: 'assistant',
      status,
      content: [{ type: 'output_audio', transcript: words }],
    }
    this.#host.send('response.output_audio.done', place)
    this.#host.send('response.output_audio_transcript.done', { ...place, transcript: words })
    this.#host.send('response.content_part.done', { ...place, part: { type: 'audio', transcript: words } })
    this.#host.send('response.output_item.done', { response_id: response.id, output_index: 0, item })
    this.#host.send('conversation.item.done', { item, previous_item_id: null })
  }

  #callTool(response: ActiveResponse, tool: ScriptStep['tools'][number], outputIndex: number): void {
    const id = newSandboxId('item')
    const callId = newSandboxId('call')
    this.#callIds.add(callId)
    const args = typeof tool.args === 'string' ? tool.args : JSON.stringify(tool.args)
    const item: ConversationItem = {
      id,
      object: 'realtime.item',
      type: 'function_call',
      name: tool.name,
      call_id: callId,
      arguments: '',
    }
    const place = { response_id: response.id, output_index: outputIndex }
    this.#host.send('response.output_item.added', { ...place, item: { ...item, status: 'in_progress' } })
    this.#host.send('response.function_call_arguments.delta', { ...place, item_id: id, call_id: callId, delta: args })
    this.#host.send('response.function_call_arguments.done', {
      ...place,
      item_id: id,
      call_id: callId,
      name: tool.name,
      arguments: args,
    })
    this.#host.send('response.output_item.done', { ...place, item: { ...item, arguments: args, status: 'completed' } })
  }

  cancel(reason: 'turn_detected' | 'client_cancelled'): void {
    const response = this.#active
    if (!response) return
    if (response.audioItemId !== null) this.#endAudio(response, response.transcript, 'incomplete')
    this.#finish(response, 'cancelled', { type: 'cancelled', reason })
  }

  #finish(response: ActiveResponse, status: string, details: unknown): void {
    if (this.#active !== response) return
    clearTimeout(response.timer)
    this.#active = null
    const reported = this.#host.report.responses.find((each) => each.id === response.id)
    if (reported) reported.status = status
    if (status === 'completed') this.#host.onCompleted(response)
    const inputAudio = Math.round(this.#host.receivedMs() / 100)
    const outputAudio = Math.round(response.sentMs / 50)
    const outputText = Math.ceil(response.transcript.length / 4)
    this.#host.sendRaw('response.done', {
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
    this.#host.send('rate_limits.updated', {
      rate_limits: [{ name: 'tokens', limit: 40_000, remaining: 39_000, reset_seconds: 1 }],
    })
  }

  #describeResponse(response: ActiveResponse, status: string): Record<string, unknown> {
    return {
      object: 'realtime.response',
      id: response.id,
      status,
      status_details: null,
      output: [],
      conversation_id: `conv_${this.#host.report.id}`,
      output_modalities: ['audio'],
      usage: null,
    }
  }
}

/** The text between the first and the last quotation mark, else all of it. */
function quotedIn(instructions: string): string {
  const from = instructions.indexOf('"')
  const to = instructions.lastIndexOf('"')
  return from >= 0 && to > from ? instructions.slice(from + 1, to) : instructions
}
