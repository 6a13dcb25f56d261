import type { HeardSpan } from './playback-buffer.ts'

export type CallStatus =
  | 'queued'
  | 'ringing'
  | 'in-progress'
  | 'completed'
  | 'busy'
  | 'failed'
  | 'no-answer'
  | 'canceled'

/** A Twilio error or warning raised in a call. `notice` = Twilio logs it though nothing is wrong (31921). */
export type CallCode = { atMs: number; code: number; level: 'error' | 'warning' | 'notice'; message: string }

/** A TwiML document the call followed (or tried to). `url` is null for TwiML that came through REST. */
export type FollowedDocument = {
  atMs: number
  source: 'webhook' | 'fallback' | 'connect_action' | 'record_action' | 'dial_action' | 'redirect' | 'rest' | 'whisper'
  url: string | null
  params: Readonly<Record<string, string>>
  status: number | null
  contentType: string | null
  body: string
  verbs: readonly string[]
  latencyMs: number
  /** False when the call had ended, so that the answer was thrown away. */
  followed: boolean
}

/** One `<Connect><Stream>`. Times are ms since the call began. */
export type StreamReport = {
  streamSid: string
  name: string
  url: string
  customParameters: Readonly<Record<string, string>>
  /** When the socket was open; null when the handshake failed. */
  connectedAtMs: number | null
  startAtMs: number | null
  firstMediaAtMs: number | null
  /** From `start` to the first audio of the server, ms. */
  greetingLatencyMs: number | null
  framesSent: number
  mediaReceived: number
  bytesReceived: number
  endedAtMs: number | null
  endedBy: 'server' | 'caller' | 'rest' | 'handshake' | 'time_limit' | null
  closeCode: number | null
  closeReason: string | null
  error: string | null
}

/** One utterance of the caller. Times are ms since the call began. */
export type CallerTurn = {
  label: string
  when: string
  startMs: number
  endMs: number
  /** When the voice in it ended: trailing silence of the recording does not count as speech. */
  voiceEndMs: number
  /** From the end of the voice to the next audio that arrived; null when none came before the next turn. */
  responseLatencyMs: number | null
  /** The same to when that audio could be heard, later when older audio was still being played. */
  audibleLatencyMs: number | null
  /** For an utterance over the agent's voice: from its start to the server's `clear`. */
  clearLatencyMs: number | null
}

export type SentMark = { atMs: number; name: string }
export type MarkBack = { atMs: number; name: string; cleared: boolean }
export type ClearReport = { atMs: number; clearedMs: number; pendingMarks: number }

/** What a `<Record>` made. */
export type RecordedMessage = {
  sid: string
  durationSeconds: number
  endedBy: 'silence' | 'key' | 'max_length' | 'hangup' | 'rest' | 'empty'
}

/** How the call came to its end, and by whom. */
export type CallEnd = {
  by: 'caller' | 'agent' | 'rest' | 'document_end' | 'application_error' | 'rejected' | 'time_limit'
  detail: string
}

/** All that happened in a call. Times are ms since the call began; everything but `audio` is plain JSON. */
export type CallReport = {
  callSid: string
  accountSid: string
  from: string
  to: string
  startedAt: string
  durationMs: number
  status: CallStatus
  ended: CallEnd
  /** From the first request to its answer, ms. */
  answerLatencyMs: number | null
  /** Of the first stream: from `start` to the first audio, ms. */
  greetingLatencyMs: number | null
  turns: CallerTurn[]
  /** Scripted steps that never ran because the call ended first. */
  stepsLeft: number
  streams: StreamReport[]
  documents: FollowedDocument[]
  /** Texts of `<Say>`, in order. */
  said: { atMs: number; text: string; language: string | null }[]
  marks: { sent: SentMark[]; returned: MarkBack[] }
  clears: ClearReport[]
  codes: CallCode[]
  recordings: RecordedMessage[]
  keys: { atMs: number; digit: string }[]
  heardMs: number
  unheardMs: number
  heardSpans: HeardSpan[]
  timeline: { atMs: number; event: string; detail?: string }[]
  audio: {
    /** What was played to the caller, gaps left out; μ-law 8,000 Hz. */
    heard: Uint8Array
    /** What was queued and never heard. */
    unheard: Uint8Array
  }
}

/** A report without its audio, ready for JSON. */
export type CallReportJson = Omit<CallReport, 'audio'>

/** Strips the audio off a report. */
export function reportToJson(report: CallReport): CallReportJson {
  const { audio: _audio, ...rest } = report
  return rest
}
