/** The languages a receptionist speaks. */
export type Language = 'he' | 'en'

/** Text to 8 kHz mono μ-law, no header. */
export interface SpeechSynthesizer {
  /** Names the engine, its version and its voices: audio made under another name may sound different. */
  readonly version: string
  /**
   * Speaks one text. Runs off the caller's thread.
   * @returns raw μ-law, 8 bytes a millisecond, almost without leading silence
   * @throws AppError `unavailable` when the engine died or did not answer; the next request gets a fresh one
   */
  synthesize(request: { text: string; language: Language }): Promise<Uint8Array>
  /** Ends the engine; requests still waiting are rejected. Can be called twice. */
  close(): Promise<void>
}

/** Speaks an answer that is sent, and not heard on a line. */
export interface VoiceNoteSpeaker {
  /**
   * Speaks one text, off the caller's thread. @returns Opus in Ogg, one channel
   * @throws AppError `voice_unavailable`, `text_too_long`, `nothing_to_say`
   */
  speakVoiceNote(request: { text: string; language: Language }): Promise<Uint8Array<ArrayBuffer>>
  /** As that of a `SpeechSynthesizer`. */
  close(): Promise<void>
}

/** One question of the receptionist. `endOfTurnMs`: the silence after which the answer counts as complete. */
export type IntakeQuestion = { key: 'name' | 'inquiry' | 'callback_time'; prompt: string; endOfTurnMs: number }

/** The sentences of an intake call, in order. The greeting contains the first question already. */
export type IntakeScript = {
  language: Language
  greeting: string
  questions: IntakeQuestion[]
  reprompt: string
  thanks: string
  goodbye: string
  oneMoment: string
}

/** A turn of the conversation so far. */
export type SpokenTurn = { role: 'agent' | 'caller'; text: string }

/** A tool that an engine's model may call; `parameters` is a JSON schema. */
export type EngineTool = { name: string; description: string; parameters: Record<string, unknown> }

export type EngineSessionOptions = {
  callId: string
  language: Language
  script: IntakeScript
  /** The instructions of the model; engines that only follow the script ignore them. */
  instructions?: string
  tools?: readonly EngineTool[]
  voice?: string | null
  /** The conversation so far, when this session takes over from a failed one. It speaks first then. */
  resume?: readonly SpokenTurn[]
  /** Called in order, never from within `connect`, and never after `closed`. Must not throw. */
  onEvent: (event: EngineEvent) => void
}

/** The events of an engine. Times are milliseconds on the media clock of the caller's stream. */
export type EngineEvent =
  | { type: 'ready' }
  /** The caller began to speak at `atMs`; reported some 100 to 200 ms later. Playback should stop. */
  | {
      type: 'speech_started'
      atMs: number /** Voice heard so far, where known: a click has little. */
      voicedMs?: number
    }
  /** The caller fell silent at `atMs`; reported one end-of-turn silence later. */
  | {
      type: 'speech_stopped'
      atMs: number /** The engine takes it for a noise and will not answer. */
      noise?: boolean
    }
  /** Base64 μ-law to play; `ms` is how long it plays. */
  | { type: 'audio'; itemId: string; payload: string; ms: number; text?: string }
  | { type: 'audio_done'; itemId: string }
  /** The caller finished saying something. `audio` is raw μ-law with some lead-in before `startMs`. */
  | {
      type: 'user_turn'
      question?: string
      startMs: number
      endMs: number
      audio?: Uint8Array
      transcript?: string
    }
  | { type: 'agent_transcript'; itemId: string; text: string }
  | { type: 'tool_call'; toolCallId: string; name: string; args: unknown }
  /** The engine is late: the caller should hear something. */
  | { type: 'quiet'; forMs: number }
  /** The caller is silent: the engine is about to ask again by itself. */
  | { type: 'reminder' }
  /** The cost of a response. */
  | { type: 'usage'; usage: EngineUsage }
  /** `retry`: whether the same engine may be tried again at once. */
  | { type: 'error'; code: string; message: string; fatal: boolean; retry?: boolean }
  | { type: 'closed'; reason: string }

/** Tokens of one response, and their price where the model's is known. */
export type EngineUsage = {
  inputTextTokens: number
  inputAudioTokens: number
  cachedTokens: number
  outputTextTokens: number
  outputAudioTokens: number
  costMicroUsd: number | null
}

/** Takes the pieces of audio directly, without an `audio` event for each. */
export interface EnginePlayer {
  play(itemId: string, payload: string, ms: number, text?: string): void
}

/** One call's conversation. Every method may be called at any time, after `close` too, and none throws. */
export interface EngineSession {
  /** Base64 μ-law as Twilio sent it, with its `media.timestamp`. @param rms how loud it is, on the 16-bit scale, if known */
  sendAudio(payload: string, timestampMs: number, rms?: number): void
  /** From now on audio goes to a player instead of `audio` events; for engines with many small pieces. */
  playTo?(player: EnginePlayer): void
  /** Speaks a text now, as an item, in place of what is being made or waits. */
  say(text: string): void
  cancel(): void
  /** Requests an answer for a caller who waits too long, unless one is being made. */
  answer(): void
  /** The longest silence within a turn. */
  readonly longestPauseMs?: number
  /** The words so far of an item that is not complete, if they are known before `agent_transcript`. */
  wordsOf?(itemId: string): string | null
  /** Reports how much of an item the caller heard. */
  truncate(itemId: string, heardMs: number): void
  /** @param options.silent no answer follows: the call ends or is transferred */
  toolResult(toolCallId: string, result: unknown, options?: { silent?: boolean }): void
  /** Gives the model an instruction that the caller does not hear; absent where the engine only follows its script. */
  instruct?(text: string): void
  /** Adds what is known of the caller to the model's instructions, whenever it comes; absent as `instruct` is. */
  remember?(known: string): void
  /** Whether the caller speaks right now; true where the engine does not know. */
  hearsVoice(): boolean
  /** The last speech was a noise or a backchannel, or the time is up: no answer. */
  ignoreTurn(): void
  close(): void
}

/** Opens sessions. The engine never speaks first: the call plays the greeting. */
export interface SpeechEngine {
  readonly name: string
  /** Whether connecting takes time, so that sessions are prewarmed. */
  readonly remote: boolean
  connect(options: EngineSessionOptions): EngineSession
  close(): Promise<void>
}

/** Batch transcription of an utterance; absent where none is configured. */
export interface Transcriber {
  /** @param request.contentType of the audio when it is no WAV */
  transcribe(request: {
    wav: Uint8Array
    contentType?: string
    language: Language
  }): Promise<{ text: string; confidence: 'high' | 'low' }>
}
