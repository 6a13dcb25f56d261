import type { CallEndReason, StreamToken } from '../domain/calls/index.ts'
import type { CallTurn } from '../jobs/registry.ts'
import type { Logger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, EngineTool, IntakeScript, SpeechEngine } from '../providers/speech/port.ts'
import type { Signer } from '../providers/telephony/port.ts'
import type { CallTraceWriter } from './call-trace-writer.ts'
import type { Clock } from './clock.ts'
import type { TurnOptions } from './turn-options.ts'

/** The carrier's socket, as the session sees it. */
export type StreamTransport = {
  /** @returns 0 when the frame was dropped, as Bun's sockets do */
  send(frame: string): number
  close(code: number, reason: string): void
}

export type SessionEnd = {
  reason: CallEndReason
  detail: string | null
  durationMs: number
  metrics: Record<string, number | null>
}

/** Where a call's events are kept; nothing here is waited for on the audio path. */
export type CallEvents = {
  /** Binds the call to this stream; false when another stream has it. */
  claim(call: StreamToken, streamSid: string): Promise<boolean>
  turn(call: StreamToken, turn: Omit<CallTurn, 'callSid' | 'businessId' | 'audioKey'>, audio?: Uint8Array): void
  lead(call: StreamToken, answers: unknown): void
  /**
   * A signed stream of a call was refused; it changes the calls of the signer's businesses alone. Resolves once that is
   * written, within a bound; never rejects.
   */
  refuse?(callSid: string, detail: string, signer: Pick<Signer, 'only'>): Promise<void>
  /** Resolves once the reason is written, or within a bound when it cannot be. */
  end(call: StreamToken, end: SessionEnd): Promise<void>
}

/** Sentences that a session says itself, rendered beforehand. */
export const phraseNames = ['oneMoment', 'connecting', 'reprompt', 'goodbye'] as const
export type PhraseName = (typeof phraseNames)[number]

/** What talks to a caller, and what takes over when it fails. */
export type Engines = { engine: SpeechEngine; standby?: SpeechEngine | null }

/** What a business says in a call. */
export type Reception = {
  script: IntakeScript
  /** The greeting as μ-law when it is at hand, so that it can leave at once. */
  greeting: Uint8Array | undefined
  renderGreeting(): Promise<Uint8Array>
  /** From memory or not at all: for the audio path. */
  phrase?(name: PhraseName): Uint8Array | undefined
  /** The same, rendered when it is not at hand. */
  renderPhrase?(name: PhraseName): Promise<Uint8Array>
  /** What a model is told to be, and what it may do. */
  instructions?: string
  voice?: string | null
  policy?: TurnOptions
  /** Where the business has not the session's own ones. */
  engines?: Engines
}

/** What a model may do in a call; `end_call`, `save_lead` and `transfer_to_human` are the session's own. */
export type CallTools = {
  list(call: StreamToken): readonly EngineTool[]
  /** @returns what the model is told; rejects when the tool failed */
  run(call: StreamToken, name: string, args: unknown): Promise<unknown>
  /**
   * Hands the call to a person.
   * @returns null when it is under way, else why it cannot be
   */
  transfer(call: StreamToken): Promise<string | null>
  /** Whether there is somebody to hand the call to. */
  canTransfer(call: StreamToken): boolean
}

/** An engine's session that was opened before the stream came. */
export type OpenedEngine = {
  session: EngineSession
  /** What it reported so far, and everything from now on. */
  attach(listener: (event: EngineEvent) => void): void
}

export type SessionDeps = Engines & {
  /** The session that was opened for this call while its webhook was answered. */
  adopt?(callSid: string): OpenedEngine | null
  tools?: CallTools
  events: CallEvents
  openTrace?(callSid: string): CallTraceWriter
  log: Logger
  /** The token's claims, or null when it is forged, expired, used, or of another call. */
  verifyToken(token: string, callSid: string): StreamToken | null
  reception(call: StreamToken): Reception | null
  limits: SessionLimits
  clock: Clock
}

export type SessionLimits = {
  /** From the upgrade to `start`. */
  startMs: number
  /** Nobody has said anything for this long, the engine's own reminders included: the call ends with a goodbye. */
  silenceMs: number
  maxDurationMs: number
  /** After it a goodbye may take this long; then the call ends, also for a caller who talks on. */
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
