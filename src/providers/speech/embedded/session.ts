import { msOfBytes } from '../../../audio/mulaw.ts'
import { AudioRingBuffer } from '../../../audio/vad/audio-ring-buffer.ts'
import { EnergyGate } from '../../../audio/vad/energy-gate.ts'
import type { SpeechMark } from '../../../audio/vad/turn-detector.ts'
import { type AppError, errorMessage } from '../../../lib/errors.ts'
import { newId } from '../../../lib/ids.ts'
import type { EngineEvent, EngineSession, EngineSessionOptions } from '../port.ts'
import type { PromptCache } from '../prompts.ts'
import {
  type DialogueAction,
  type DialogueInput,
  type DialogueState,
  MIN_ANSWER_MS,
  startDialogue,
  stepDialogue,
} from './dialogue.ts'
import type { VadLine, VadListener } from './vad-pool.ts'

export type SessionParts = {
  prompts: PromptCache
  openLine: (endOfTurnMs: number, listener: VadListener) => VadLine
  /** Called once, when the session has released everything. */
  onRelease: () => void
}

/** The assumed length of a greeting that was not rendered here. */
const GREETING_GUESS_MS = 8000
/** Lead-in that an utterance's audio has before its detected onset, and tail after its last voice. */
const PRE_ROLL_MS = 300
const POST_ROLL_MS = 100
/** Audio buffered while no one speaks: more than any detector is behind. */
const IDLE_AUDIO_MS = 5000
/** The dialogue gets the time this often, in media time. */
const CLOCK_STEP_MS = 100
/** Without frames for this long the line counts as silent, and wall time replaces media time. */
const LINE_LOST_MS = 1000

/** A text that is not rendered this long after it was due is skipped for the next, where that is ready. */
const SKIP_MS = 400
/** A text that is not rendered this long after it was due is reported as late. */
const RENDER_LATE_MS = 700

/** A text to say; `asked` by the dialogue, which waits for it, or by the call. */
type QueuedText = { text: string; asked: boolean }

/** One call's conversation: connects the line, the detector's marks, the dialogue and the prompts. */
export class EmbeddedSession implements EngineSession {
  readonly #options: EngineSessionOptions
  readonly #parts: SessionParts
  readonly #line: VadLine
  readonly #gated: EnergyGate
  readonly #recent = new AudioRingBuffer()
  readonly #watchdog: Timer
  #dialogue: DialogueState
  #nowMs = 0
  #clockedMs = 0
  #lastFrameAt = performance.now()
  #lastFrameMs = 0
  #speechStartMs: number | undefined
  /** The turn that ends is saved, and brings no text. */
  #ignoring = false
  #queue: QueuedText[] = []
  /** The text that is being rendered: later ones wait for it. */
  #rendering: QueuedText | null = null
  #late: Timer | undefined
  #warmFailed = false
  #items = 0
  #lastItemId = ''
  #closed = false

  constructor(options: EngineSessionOptions, parts: SessionParts) {
    this.#options = options
    this.#parts = parts
    const { script } = options
    const greeting = parts.prompts.peek(script.greeting, options.language)
    this.#dialogue = startDialogue(
      script,
      options.resume ? 0 : greeting ? msOfBytes(greeting.length) : GREETING_GUESS_MS,
    )
    this.#line = parts.openLine(script.questions[0]?.endOfTurnMs ?? 700, {
      onOpen: () => this.#begin(),
      onMark: (mark) => this.#onMark(mark),
      onFailure: (error) => this.#fail(error.code, error.message),
    })
    this.#gated = new EnergyGate((mulaw, atMs) => this.#line.push(mulaw, atMs))
    this.#watchdog = setInterval(() => this.#watch(), 500)
    this.#warm()
  }

  sendAudio(payload: string, timestampMs: number): void {
    if (this.#closed) return
    const mulaw = Buffer.from(payload, 'base64')
    if (mulaw.length === 0) return
    this.#nowMs = timestampMs + msOfBytes(mulaw.length)
    this.#lastFrameMs = this.#nowMs
    this.#lastFrameAt = performance.now()
    this.#recent.push(mulaw, timestampMs)
    this.#gated.push(mulaw, timestampMs)
    if (Math.abs(this.#nowMs - this.#clockedMs) < CLOCK_STEP_MS) return
    this.#clockedMs = this.#nowMs
    if (this.#speechStartMs === undefined) this.#recent.forget(this.#nowMs - IDLE_AUDIO_MS)
    this.#step({ type: 'clock', atMs: this.#nowMs })
  }

  /** In place of what waits to be said. */
  say(text: string): void {
    this.#queue = []
    this.#stopWaiting()
    this.#dialogue = { ...this.#dialogue, pending: 0 }
    this.#enqueue({ text, asked: false })
  }

  cancel(): void {
    this.#queue = []
    this.#stopWaiting()
    this.#step({ type: 'cut', atMs: this.#nowMs })
  }

  /** Prompts are complete when they are sent: only the dialogue's idea of what plays changes. */
  truncate(itemId: string, _heardMs: number): void {
    if (itemId === this.#lastItemId) this.#step({ type: 'cut', atMs: this.#nowMs })
  }

  /** The script does not wait for its tools. */
  toolResult(_toolCallId: string, _result: unknown): void {}

  /** Reported speech was long enough already. */
  hearsVoice(): boolean {
    return true
  }

  /** Asks the present question or says goodbye again, unless a text is queued. */
  answer(): void {
    if (this.#closed || this.#queue.length > 0) return
    const { phase, index, script } = this.#dialogue
    const text = (phase === 'asking' && script.questions[index]?.prompt) || script.goodbye
    this.#dialogue = { ...this.#dialogue, pending: this.#dialogue.pending + 1 }
    this.#enqueue({ text, asked: true })
  }

  /** A turn whose end is being reported brings no text. The dialogue judges noises itself. */
  ignoreTurn(): void {
    this.#ignoring = true
  }

  close(): void {
    this.#saveUnfinished()
    this.#release('closed')
  }

  endBecause(reason: string): void {
    this.#release(reason)
  }

  /** A session that takes over begins with the first question: the answers so far are unknown. */
  #begin(): void {
    this.#emit({ type: 'ready' })
    const first = this.#options.script.questions[0]
    if (!this.#options.resume || !first) return
    this.#dialogue = { ...this.#dialogue, pending: this.#dialogue.pending + 1 }
    this.#enqueue({ text: first.prompt, asked: true })
  }

  /** Renders every sentence of the script during the greeting; one that fails is tried again when it is due. */
  #warm(): void {
    const { script, language } = this.#options
    const texts = [...script.questions.slice(1).map((question) => question.prompt), script.thanks, script.goodbye]
    texts.push(script.reprompt, script.oneMoment, script.questions[0]?.prompt ?? '')
    for (const text of texts)
      if (text !== '') this.#parts.prompts.render(text, language).catch((error) => this.#warnOnce(errorMessage(error)))
  }

  #warnOnce(message: string): void {
    if (this.#warmFailed) return
    this.#warmFailed = true
    this.#emit({ type: 'error', code: 'render_failed', message, fatal: false })
  }

  /** Saves the turn and the answers of a caller who hangs up in mid-sentence or before the last question. */
  #saveUnfinished(): void {
    if (this.#closed) return
    if (this.#speechStartMs !== undefined) {
      const startMs = this.#speechStartMs
      this.#saveTurn({ type: 'speech_stopped', startMs, endMs: this.#nowMs, voicedMs: this.#nowMs - startMs })
    }
    const { phase, answers } = this.#dialogue
    if (phase === 'asking' && Object.keys(answers).length > 0) this.#act({ type: 'save_lead', answers })
  }

  /** Takes a turn without a text for it. */
  #saveTurn(turn: Extract<DialogueInput, { type: 'speech_stopped' }>): void {
    const { pending } = this.#dialogue
    const { state, actions } = stepDialogue(this.#dialogue, turn)
    this.#dialogue = { ...state, pending }
    for (const action of actions) if (action.type === 'user_turn' || action.type === 'save_lead') this.#act(action)
  }

  #onMark(mark: SpeechMark): void {
    if (mark.type === 'speech_started') {
      this.#speechStartMs = mark.atMs
      this.#step({ type: 'speech_started', atMs: mark.atMs })
      this.#emit({ type: 'speech_started', atMs: mark.atMs })
      return
    }
    const startMs = this.#speechStartMs ?? mark.atMs
    const noise = mark.voicedMs < MIN_ANSWER_MS
    this.#ignoring = false
    this.#emit({ type: 'speech_stopped', atMs: mark.atMs, ...(noise ? { noise } : {}) })
    const turn = { type: 'speech_stopped' as const, startMs, endMs: mark.atMs, voicedMs: mark.voicedMs }
    if (this.#ignoring && !this.#closed) this.#saveTurn(turn)
    else this.#step(turn)
    this.#speechStartMs = undefined
  }

  #step(input: DialogueInput): void {
    if (this.#closed) return
    const { state, actions } = stepDialogue(this.#dialogue, input)
    this.#dialogue = state
    for (const action of actions) this.#act(action)
  }

  #act(action: DialogueAction): void {
    switch (action.type) {
      case 'say':
        this.#enqueue({ text: action.text, asked: true })
        break
      case 'listen':
        this.#line.listen(action.endOfTurnMs)
        break
      case 'user_turn': {
        const audio = this.#recent.slice(action.startMs - PRE_ROLL_MS, action.endMs + POST_ROLL_MS)
        this.#emit({ ...action, audio })
        break
      }
      case 'save_lead': {
        const args = Object.fromEntries(
          Object.entries(action.answers).map(([key, answer]) => [key, { ...answer, transcript: null }]),
        )
        this.#emit({ type: 'tool_call', toolCallId: newId(), name: 'save_lead', args })
        break
      }
      case 'end_call':
        this.#emit({ type: 'tool_call', toolCallId: newId(), name: 'end_call', args: { reason: 'completed' } })
    }
  }

  #enqueue(queued: QueuedText): void {
    if (this.#closed) return
    this.#queue.push(queued)
    this.#pump()
  }

  /** Plays the queued texts in order: at once from memory, else when they are rendered. */
  #pump(): void {
    while (!this.#closed && this.#rendering === null) {
      const queued = this.#queue[0]
      if (!queued) return
      const audio = this.#parts.prompts.peek(queued.text, this.#options.language)
      if (audio) {
        this.#queue.shift()
        this.#play(queued, audio)
      } else this.#render(queued)
    }
  }

  #render(queued: QueuedText): void {
    this.#rendering = queued
    const playsMs = Math.max(0, this.#dialogue.playingToMs - this.#nowMs)
    this.#late = setTimeout(() => {
      if (this.#skip(queued)) return
      const left = RENDER_LATE_MS - SKIP_MS
      this.#late = setTimeout(() => this.#emit({ type: 'quiet', forMs: RENDER_LATE_MS }), left)
    }, playsMs + SKIP_MS)
    this.#parts.prompts.render(queued.text, this.#options.language).then(
      (audio) => {
        // It may have been canceled or skipped during the rendering.
        if (this.#rendering !== queued) return
        this.#stopWaiting()
        this.#queue.shift()
        this.#play(queued, audio)
        this.#pump()
      },
      (error) => {
        if (this.#rendering === queued && !this.#skip(queued)) this.#fail('render_failed', errorMessage(error))
      },
    )
  }

  #stopWaiting(): void {
    clearTimeout(this.#late)
    this.#rendering = null
  }

  /** Continues without a text that is not rendered in time. @returns false where no other text can take its place */
  #skip(queued: QueuedText): boolean {
    const { script, language } = this.#options
    const isReady = (text: string) => this.#parts.prompts.peek(text, language) !== undefined
    const next = this.#queue[1]
    const instead = queued.text === script.goodbye && isReady(script.thanks) ? script.thanks : null
    if (instead === null && !(next && isReady(next.text))) return false
    this.#stopWaiting()
    if (instead === null) {
      this.#queue.shift()
      this.#step({ type: 'playing', fromMs: this.#nowMs, toMs: this.#nowMs, asked: queued.asked })
    } else this.#queue[0] = { ...queued, text: instead }
    this.#pump()
    return true
  }

  #play({ text, asked }: QueuedText, audio: Uint8Array): void {
    if (this.#closed) return
    const itemId = `item_${++this.#items}`
    this.#lastItemId = itemId
    const ms = msOfBytes(audio.length)
    const toMs = Math.max(this.#nowMs, this.#dialogue.playingToMs) + ms
    this.#step({ type: 'playing', fromMs: this.#nowMs, toMs, asked })
    this.#emit({ type: 'audio', itemId, payload: Buffer.from(audio).toString('base64'), ms, text })
    this.#emit({ type: 'audio_done', itemId })
    this.#emit({ type: 'agent_transcript', itemId, text })
  }

  /** A line without frames must not hold a turn, or the call, open for ever. */
  #watch(): void {
    const lostMs = performance.now() - this.#lastFrameAt
    if (lostMs < LINE_LOST_MS) return
    const atMs = this.#lastFrameMs + lostMs
    this.#nowMs = atMs
    if (this.#speechStartMs !== undefined) this.#line.push(new Uint8Array(0), atMs)
    this.#step({ type: 'clock', atMs })
  }

  #emit(event: EngineEvent): void {
    if (!this.#closed) this.#options.onEvent(event)
  }

  #fail(code: AppError['code'], message: string): void {
    this.#emit({ type: 'error', code, message, fatal: true })
    this.#release('failed')
  }

  #release(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#watchdog)
    clearTimeout(this.#late)
    this.#line.close()
    this.#queue = []
    this.#recent.forget(Number.POSITIVE_INFINITY)
    this.#parts.onRelease()
    this.#options.onEvent({ type: 'closed', reason })
  }
}
