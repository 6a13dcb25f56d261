import { z } from 'zod'

export const callEndReasons = [
  'completed',
  'caller_hung_up',
  /** The caller pressed 0. */
  'voicemail_requested',
  'silence',
  'max_duration',
  'engine_failed',
  /** The speech engine would not open a session, closed it, fell silent, was over its limit, or ended it for its age. */
  'engine_refused',
  'engine_lost',
  'engine_stalled',
  'engine_rate_limited',
  'engine_expired',
  'transferred',
  'ended_by_member',
  /** The carrier's socket closed without a stop message. */
  'stream_lost',
  'protocol_error',
  /** The carrier opened the call's stream with a token that opens none. */
  'bad_token',
  'server_draining',
  /** No live agent was tried: blocked business, no capacity, or no engine. */
  'voicemail',
  /** The carrier could not open the stream: its handshake failed. */
  'stream_failed',
  /** The server that had the call died. */
  'server_lost',
  'abandoned',
] as const
/** Reasons that were concluded from outside: the server that had the call corrects them when it can. */
export const CONCLUDED = ['stream_failed', 'server_lost', 'abandoned'] as const satisfies CallEndReason[]
export const callEndReason = z.enum(callEndReasons)
export type CallEndReason = z.infer<typeof callEndReason>

/** Ends after which there is nothing to make good: the call is hung up. */
export const AGENT_FINISHED: ReadonlySet<string> = new Set<CallEndReason>([
  'completed',
  'caller_hung_up',
  'silence',
  'max_duration',
  'transferred',
  'ended_by_member',
])
