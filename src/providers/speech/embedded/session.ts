import { msOfBytes } from '../../../audio/mulaw.ts'
import { AudioRingBuffer } from '../../../audio/vad/audio-ring-buffer.ts'
import { EnergyGate } from '../../../audio/vad/energy-gate.ts'
import { PRE_ROLL_MS } from '../../../audio/vad/speech-detector.ts'
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
  /** Told once, when nothing of the session is left. */
  onRelease: () => void
}

/** How long a greeting is taken to be when it is not one of our own rendered ones. */
const GREETING_GUESS_MS = 8000
/** Tail kept after the last voice of an utterance. */
const POST_ROLL_MS = 100
/** What the tape keeps while nobody speaks: more than any detector is behind. */
const TAPE_IDLE_MS = 5000
/** The dialogue looks at the clock this often, in media time. */
const CLOCK_STEP_MS = 100
/** Without frames for this long the line is taken to be silent, and time goes on by the wall. */
const LINE_LOST_MS = 1000

/** A text that is not rendered this long after it was to be heard is left out for the next, where that is ready. */
const LEAVE_OUT_MS = 400
/** So long after it was to be heard a text is reported as late. */
const RENDER_LATE_MS = 700

/** A text to say; `asked` by the dialogue, which waits for it, or by the call. */
type Said = { text: string; asked: boolean }

/** One call's conversation: glues the line, the detector's marks, the dialogue and the prompts together. */
export class EmbeddedSession implements EngineSession {
  readonly #options: EngineSessionOptions
  readonly #parts: SessionParts
  readonly #line: VadLine
  readonly #gated: EnergyGate
  readonly #tape = new AudioRingBuffer()
  readonly #watchdog: Timer
  #dialogue: DialogueState
  #nowMs = 0
  #clockedMs = 0
  #lastFrameAt = performance.now()
  #lastFrameMs = 0
  #speechStartMs: number | undefined
  #queue: Said[] = []
  /** What is waited for: nothing behind it is said before it. */
  #rendering: Said | null = null
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
    this.#tape.push(mulaw, timestampMs)
    this.#gated.push(mulaw, timestampMs)
    if (Math.abs(this.#nowMs - this.#clockedMs) < CLOCK_STEP_MS) return
    this.#clockedMs = this.#nowMs
    if (this.#speechStartMs === undefined) this.#tape.forget(this.#nowMs - TAPE_IDLE_MS)
    this.#step({ type: 'clock', atMs: this.#nowMs })
  }

  say(text: string): void {
    this.#enqueue({ text, asked: false })
  }

  cancel(): void {
    this.#queue = []
    this.#stopWaiting()
    this.#step({ type: 'cut', atMs: this.#nowMs })
  }

  /** Prompts are whole when they are sent, so there is nothing to cut but the idea of what still plays. */
  truncate(itemId: string, _heardMs: number): void {
    if (itemId === this.#lastItemId) this.#step({ type: 'cut', atMs: this.#nowMs })
  }

  /** The script goes on without waiting for its tools. */
  toolResult(_toolCallId: string, _result: unknown): void {}

  /** What is reported as speech was long enough already. */
  hearsVoice(): boolean {
    return true
  }

  /** Asks again what it waits for, or says goodbye again, unless something is about to be said. */
  answer(): void {
    if (this.#closed || this.#queue.length > 0) return
    const { phase, index, script } = this.#dialogue
    const text = (phase === 'asking' && script.questions[index]?.prompt) || script.goodbye
    this.#dialogue = { ...this.#dialogue, pending: this.#dialogue.pending + 1 }
    this.#enqueue({ text, asked: true })
  }

  /** The dialogue judges noises itself. */
  ignoreTurn(): void {}

  close(): void {
    this.#keepUnfinished()
    this.#release('closed')
  }

  /** Ends the session for a reason of the engine's own. */
  endBecause(reason: string): void {
    this.#release(reason)
  }

  /** A session that takes over asks what the other may not have learned: from the first question on. */
  #begin(): void {
    this.#emit({ type: 'ready' })
    const first = this.#options.script.questions[0]
    if (!this.#options.resume || !first) return
    this.#dialogue = { ...this.#dialogue, pending: this.#dialogue.pending + 1 }
    this.#enqueue({ text: first.prompt, asked: true })
  }

  /** Every sentence of the script is made ready while the greeting plays; one that cannot be is tried again when it is due. */
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

  /** A caller who hangs up in mid-sentence, or before the last question, has said something all the same. */
  #keepUnfinished(): void {
    if (this.#closed) return
    if (this.#speechStartMs !== undefined) {
      const startMs = this.#speechStartMs
      const spokenMs = this.#nowMs - startMs
      const { state, actions } = stepDialogue(this.#dialogue, {
        type: 'speech_stopped',
        startMs,
        endMs: this.#nowMs,
        voicedMs: spokenMs,
      })
      this.#dialogue = state
      for (const action of actions) if (action.type === 'user_turn' || action.type === 'save_lead') this.#act(action)
    }
    const { phase, answers } = this.#dialogue
    if (phase === 'asking' && Object.keys(answers).length > 0) this.#act({ type: 'save_lead', answers })
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
    this.#emit({ type: 'speech_stopped', atMs: mark.atMs, ...(noise ? { noise } : {}) })
    this.#step({ type: 'speech_stopped', startMs, endMs: mark.atMs, voicedMs: mark.voicedMs })
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
        const audio = this.#tape.slice(action.startMs - PRE_ROLL_MS, action.endMs + POST_ROLL_MS)
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

  #enqueue(said: Said): void {
    if (this.#closed) return
    this.#queue.push(said)
    this.#pump()
  }

  /** Sends what waits to be said, in order: at once from memory, else when it is rendered. */
  #pump(): void {
    while (!this.#closed && this.#rendering === null) {
      const said = this.#queue[0]
      if (!said) return
      const audio = this.#parts.prompts.peek(said.text, this.#options.language)
      if (audio) {
        this.#queue.shift()
        this.#play(said, audio)
      } else this.#render(said)
    }
  }

  #render(said: Said): void {
    this.#rendering = said
    const playsMs = Math.max(0, this.#dialogue.playingToMs - this.#nowMs)
    this.#late = setTimeout(() => {
      if (this.#leaveOut(said)) return
      const left = RENDER_LATE_MS - LEAVE_OUT_MS
      this.#late = setTimeout(() => this.#emit({ type: 'quiet', forMs: RENDER_LATE_MS }), left)
    }, playsMs + LEAVE_OUT_MS)
    this.#parts.prompts.render(said.text, this.#options.language).then(
      (audio) => {
        // It may have been cancelled or left out meanwhile.
        if (this.#rendering !== said) return
        this.#stopWaiting()
        this.#queue.shift()
        this.#play(said, audio)
        this.#pump()
      },
      (error) => {
        if (this.#rendering === said && !this.#leaveOut(said)) this.#fail('render_failed', errorMessage(error))
      },
    )
  }

  #stopWaiting(): void {
    clearTimeout(this.#late)
    this.#rendering = null
  }

  /** Goes on without a text that cannot be had in time. @returns false where nothing else can be said in its place */
  #leaveOut(said: Said): boolean {
    const { script, language } = this.#options
    const isReady = (text: string) => this.#parts.prompts.peek(text, language) !== undefined
    const next = this.#queue[1]
    const instead = said.text === script.goodbye && isReady(script.thanks) ? script.thanks : null
    if (instead === null && !(next && isReady(next.text))) return false
    this.#stopWaiting()
    if (instead === null) {
      this.#queue.shift()
      this.#step({ type: 'playing', fromMs: this.#nowMs, toMs: this.#nowMs, asked: said.asked })
    } else this.#queue[0] = { ...said, text: instead }
    this.#pump()
    return true
  }

  #play({ text, asked }: Said, audio: Uint8Array): void {
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

  /** A line that lost its frames must not hold a turn, or the end of the call, open for ever. */
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
    this.#tape.forget(Number.POSITIVE_INFINITY)
    this.#parts.onRelease()
    this.#options.onEvent({ type: 'closed', reason })
  }
}
