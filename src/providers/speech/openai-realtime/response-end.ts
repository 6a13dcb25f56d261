/**
 * How a response of the Realtime API ended, and what that means for a caller who waits for words. Statuses and reasons are
 * those of openai 7.57's `RealtimeResponse` and `RealtimeResponseStatus`; one that is new counts by what it brought.
 */
export const RESPONSE_STATUSES = {
  completed: 'by_output',
  incomplete: 'by_output',
  cancelled: 'by_output',
  /** A response that is done is not in progress: it counts by what it brought. */
  in_progress: 'by_output',
  failed: 'failed',
} as const satisfies Record<string, 'by_output' | 'failed'>

/** Said to the model when its answer was stopped: the text of a response's own instructions, in place of the session's. */
export const STOPPED_REASONS = {
  /** Cancelled by us, or since the caller speaks: who cancelled it knows what comes next. */
  client_cancelled: null,
  turn_detected: null,
  max_output_tokens:
    'Your last answer was too long. In the language of this call, say its point in one short sentence.',
  content_filter:
    'In the language of this call, say briefly that you cannot help with that, and ask what else you can do for the caller.',
} as const satisfies Record<string, string | null>

/** `answered`: the caller hears words or will hear of a tool. `again`: they are to be asked for once more. `failed`: by the error. */
export type ResponseVerdict = { kind: 'answered' } | { kind: 'again'; instructions?: string } | { kind: 'failed' }

/** @param spoke whether audio of it came @param called whether it called a tool */
export function judgeResponse(end: {
  status: string
  reason: string | null
  spoke: boolean
  called: boolean
}): ResponseVerdict {
  const { status, reason, spoke, called } = end
  if (isStatus(status) && RESPONSE_STATUSES[status] === 'failed') return { kind: 'failed' }
  const instructions = reason !== null && isReason(reason) ? STOPPED_REASONS[reason] : null
  // Words that break off in the middle are finished; a tool's result brings the next ones.
  if (spoke && (status !== 'incomplete' || called)) return { kind: 'answered' }
  if (called) return { kind: 'answered' }
  return instructions === null ? { kind: 'again' } : { kind: 'again', instructions }
}

function isStatus(status: string): status is keyof typeof RESPONSE_STATUSES {
  return Object.hasOwn(RESPONSE_STATUSES, status)
}

function isReason(reason: string): reason is keyof typeof STOPPED_REASONS {
  return Object.hasOwn(STOPPED_REASONS, reason)
}
