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

/** A Twilio error or warning of a call. `notice` = Twilio logs it though nothing is wrong (31921). */
export type CallCode = { atMs: number; code: number; level: 'error' | 'warning' | 'notice'; message: string }

/** A requested TwiML document. `url` is null for TwiML that came through REST. */
export type FollowedDocument = {
  atMs: number
  source:
    | 'webhook'
    | 'fallback'
    | 'connect_action'
    | 'record_action'
    | 'dial_action'
    | 'gather_action'
    | 'redirect'
    | 'rest'
    | 'whisper'
  url: string | null
  params: Readonly<Record<string, string>>
  status: number | null
  contentType: string | null
  body: string
  verbs: readonly string[]
  latencyMs: number
  followed: boolean
}

export type StreamReport = {
  streamSid: string
  name: string
  url: string
  customParameters: Readonly<Record<string, string>>
  /** When the socket opened; null when the handshake failed. */
  connectedAtMs: number | null
  startAtMs: number | null
  firstMediaAtMs: number | null
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

export type CallerTurn = {
  label: string
  when: string
  startMs: number
  endMs: number
  /** When the voice in it ended: trailing silence of the recording is not speech. */
  voiceEndMs: number
  /** From the end of the voice to the next audio that arrived; null when none came before the next turn. */
  responseLatencyMs: number | null
  /** The same until the audio could be heard, which is later while older audio is playing. */
  audibleLatencyMs: number | null
  /** For an utterance over the agent's voice: from its start to the server's `clear`. */
  clearLatencyMs: number | null
}

export type SentMark = { atMs: number; name: string }
export type MarkBack = { atMs: number; name: string; cleared: boolean }
export type ClearReport = { atMs: number; clearedMs: number; pendingMarks: number }

export type RecordedMessage = {
  sid: string
  durationSeconds: number
  endedBy: 'silence' | 'key' | 'max_length' | 'hangup' | 'rest' | 'empty'
}

export type CallEnd = {
  by: 'caller' | 'agent' | 'rest' | 'document_end' | 'application_error' | 'rejected' | 'time_limit'
  detail: string
}

export type CallReport = {
  callSid: string
  accountSid: string
  from: string
  to: string
  startedAt: string
  durationMs: number
  status: CallStatus
  ended: CallEnd
  answerLatencyMs: number | null
  greetingLatencyMs: number | null
  turns: CallerTurn[]
  stepsLeft: number
  streams: StreamReport[]
  documents: FollowedDocument[]
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
    /** Audio played to the caller without its gaps; μ-law 8,000 Hz. */
    heard: Uint8Array
    unheard: Uint8Array
  }
}

export type CallReportJson = Omit<CallReport, 'audio'>

export function reportToJson(report: CallReport): CallReportJson {
  const { audio: _audio, ...rest } = report
  return rest
}
