import type { CallerAudio } from './caller-audio.ts'
import type { SessionContext } from './session-context.ts'

/** A turn of the caller; `responseId` is the response that the server answered it with. */
type Turn = {
  startMs: number
  endMs: number | null
  audio: Uint8Array | null
  ignored: boolean
  responseId: string | null
}

/** The caller's turns, from the start of speech to their words. Times are on the media clock. */
export class CallerTurns {
  /** The caller speaks, as the server reports it. */
  speaking = false
  readonly #turns = new Map<string, Turn>()
  #last: Turn | null = null

  constructor(
    private readonly context: SessionContext,
    private readonly audio: CallerAudio,
  ) {}

  start(itemId: string, audioStartMs: number): void {
    const { settings } = this.context
    const prefix = settings.turnDetection === 'server' ? settings.prefixMs : 0
    const startMs = this.audio.toMediaMs(audioStartMs + prefix)
    this.#last = { startMs, endMs: null, audio: null, ignored: false, responseId: null }
    this.#turns.set(itemId, this.#last)
    this.speaking = true
    this.audio.detector.reported()
    this.context.emit({ type: 'speech_started', atMs: startMs, voicedMs: this.audio.voicedSince(audioStartMs) })
  }

  /** @returns whether the turn wants an answer */
  stop(itemId: string, audioEndMs: number): boolean {
    const { settings } = this.context
    const turn = this.#turns.get(itemId)
    // The reported end includes the silence that proved it; how long a semantic detector waited, only the audio shows.
    const voiceEndMs =
      settings.turnDetection === 'server'
        ? audioEndMs - settings.silenceMs
        : (this.audio.voiceEndBefore(audioEndMs) ?? audioEndMs)
    const endMs = Math.max(turn?.startMs ?? 0, this.audio.toMediaMs(voiceEndMs))
    if (turn) {
      turn.endMs = endMs
      turn.audio = this.audio.cut(turn.startMs, endMs)
    }
    this.speaking = false
    this.audio.detector.reported()
    this.context.emit({ type: 'speech_stopped', atMs: endMs })
    return turn !== undefined && !turn.ignored
  }

  /** When the turn that the caller is speaking began; null while they are silent. */
  get openSince(): number | null {
    return this.speaking ? (this.#last?.startMs ?? null) : null
  }

  isOpen(itemId: string): boolean {
    return this.#turns.get(itemId)?.endMs === null
  }

  transcribe(itemId: string, transcript: string): void {
    const turn = this.#turns.get(itemId)
    if (!turn) return
    this.#turns.delete(itemId)
    // Audio without words would be transcribed once more; the server's own transcript of a noise is empty.
    this.context.emit({
      type: 'user_turn',
      startMs: turn.startMs,
      endMs: turn.endMs ?? turn.startMs,
      ...(transcript.trim() ? { transcript: transcript.trim(), ...(turn.audio ? { audio: turn.audio } : {}) } : {}),
    })
  }

  /** Reports the turns whose words have not come without them. */
  close(): void {
    for (const itemId of [...this.#turns.keys()]) this.transcribe(itemId, '')
  }

  answeredBy(responseId: string): void {
    if (this.#last?.endMs != null) this.#last.responseId ??= responseId
  }

  /** @returns the last turn, which wants no answer from now on; null when there is none, or it was ignored before */
  ignoreLast(): Pick<Turn, 'responseId'> | null {
    if (!this.#last || this.#last.ignored) return null
    this.#last.ignored = true
    return this.#last
  }

  isIgnored(responseId: string): boolean {
    return this.#last?.responseId === responseId && this.#last.ignored
  }
}
