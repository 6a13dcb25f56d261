import type { CallEndReason, LiveState, StreamToken } from '../domain/calls/index.ts'
import type { ReceptionistContent } from '../domain/receptionist/index.ts'
import type { CallTurn } from '../jobs/registry.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, EngineTool, IntakeScript, SpeechEngine } from '../providers/speech/port.ts'
import type { Signer } from '../providers/telephony/port.ts'
import type { AudioSpool } from './audio-spool.ts'
import type { CallTraceWriter } from './call-trace-writer.ts'
import type { Clock } from './clock.ts'
import type { HeardAudio } from './item-audio.ts'
import type { TurnOptions } from './turn-options.ts'

export type StreamTransport = {
  /** @returns 0 when the frame was dropped, as Bun's sockets do */
  send(frame: string): number
  close(code: number, reason: string): void
}

/** A call that is served; a test call with what it tries out, in place of what is in force. */
export type ServedCall = StreamToken & { tried?: ReceptionistContent }

/** Whose connection a socket for test calls is, and what can be tried out. */
export type Tester = { businessId: string; member: string; draft: ReceptionistContent; live: ReceptionistContent }

export type SessionEnd = {
  reason: CallEndReason
  detail: string | null
  durationMs: number
  metrics: Record<string, number | null>
}

/** Saves a call's events; the audio path waits for none of it. */
export type CallEvents = {
  /** Binds the call to this stream; false when another stream has it. */
  claim(call: ServedCall, streamSid: string): Promise<boolean>
  turn(call: ServedCall, turn: Omit<CallTurn, 'callSid' | 'businessId' | 'audioKey'>, audio?: HeardAudio): void
  lead(call: ServedCall, answers: unknown): void
  /** How a live call stands, for those who watch it. */
  state?(call: ServedCall, state: LiveState): void
  /** Writes that a signed stream was refused, for the signer's businesses only. Resolves within a bound; never rejects. */
  refuse?(callSid: string, detail: string, signer: Pick<Signer, 'only'>): Promise<void>
  /** Resolves once the reason is written, or within a bound when it cannot be. */
  end(call: ServedCall, end: SessionEnd): Promise<void>
}

/** Sentences that a session plays itself, rendered beforehand. */
export const phraseNames = ['oneMoment', 'connecting', 'reprompt', 'goodbye'] as const
export type PhraseName = (typeof phraseNames)[number]

/** The engine of a call, and the one that takes over when it fails. */
export type Engines = { engine: SpeechEngine; standby?: SpeechEngine | null }

export type Reception = {
  script: IntakeScript
  /** The greeting as μ-law when it is rendered already. */
  greeting: Uint8Array | undefined
  renderGreeting(): Promise<Uint8Array>
  /** From memory only: for the audio path. */
  phrase?(name: PhraseName): Uint8Array | undefined
  /** From memory, else rendered. */
  renderPhrase?(name: PhraseName): Promise<Uint8Array>
  instructions?: string
  voice?: string | null
  policy?: TurnOptions
  /** The business's own engines, if it has any. */
  engines?: Engines
}

/** Said to the model when a call cannot be transferred. */
export const NO_TRANSFER = 'No person can be reached. Offer to take a message.'

/** The tools of a call's model; the session runs `end_call`, `save_lead` and `transfer_to_human` itself. */
export type CallTools = {
  list(call: ServedCall): readonly EngineTool[]
  /** @returns the result for the model; rejects when the tool failed */
  run(call: ServedCall, name: string, args: unknown): Promise<unknown>
  /** Transfers to a person. @param number E.164, instead of the business's @returns the problem for the model, or null */
  transfer(call: ServedCall, number?: string | null): Promise<string | null>
  /** Whether there is a person to transfer to: the business's own number, or this one. */
  canTransfer(call: ServedCall, number?: string | null): boolean
}

/** An engine's session that was opened before the stream came. */
export type OpenedEngine = {
  session: EngineSession
  /** Passes on the events so far, and every later one. */
  attach(listener: (event: EngineEvent) => void): void
}

export type SessionDeps = Engines & {
  /** The session that was opened for this call while its webhook was answered. */
  adopt?(callSid: string): OpenedEngine | null
  /** What is known of the caller, for the model; null where nothing is. Never rejects; no caller waits for it. */
  known?(call: ServedCall): Promise<string | null>
  tools?: CallTools
  events: CallEvents
  openTrace?(callSid: string): CallTraceWriter
  /** Where the audio of long items waits; in the memory when left out. */
  audioSpool?: AudioSpool
  log: Logger
  /**
   * The token's claims, or null when it is forged, expired, used, or of another call.
   * @param tester null on the carrier's sockets, which open no test call
   */
  verifyToken(token: string, callSid: string, tester: Tester | null): ServedCall | null
  reception(call: ServedCall): Reception | null
  limits: SessionLimits
  clock: Clock
}

export type SessionLimits = {
  /** From the upgrade to `start`. */
  startMs: number
  /** Silence on both sides, the engine's own reminders included, after which the call ends with a goodbye. */
  silenceMs: number
  maxDurationMs: number
  /** How long the goodbye after that may take, also for a caller who talks on. */
  goodbyeMs: number
  /** How long the last mark may be late. */
  finalMarkMs: number
}

export const DEFAULT_LIMITS: SessionLimits = {
  startMs: 5_000,
  silenceMs: 12_000,
  maxDurationMs: 15 * 60_000,
  goodbyeMs: 15_000,
  finalMarkMs: 3_000,
}
