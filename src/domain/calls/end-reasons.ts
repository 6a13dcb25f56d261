import { z } from 'zod'

/** Every way the agent's part of a call can end; written before the socket closes. */
export const callEndReasons = [
  /** The agent said goodbye and was heard to the end. */
  'completed',
  'caller_hung_up',
  /** The caller pressed 0. */
  'voicemail_requested',
  'silence',
  'max_duration',
  'engine_failed',
  /** The carrier's socket vanished without a word. */
  'stream_lost',
  'protocol_error',
  /** This server is stopping and could not wait for the end. */
  'server_draining',
  /** No live agent was tried: blocked business, no capacity, or no engine. */
  'voicemail',
  /** The carrier could not open the stream: its handshake failed. */
  'stream_failed',
  /** The server that had the call died. */
  'server_lost',
  /** The call ended before its stream began. */
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
])
