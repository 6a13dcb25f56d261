/**
 * Errors of the Realtime API that say only that an event of ours and one of the server's crossed on the way. By the client event
 * that they answer: openai's types tell the events, and that `error.event_id` names the event; codes are plain strings there.
 */
export const RACE_ERRORS = {
  /** The response was over before it was cancelled. */
  'response.cancel': ['response_cancel_not_active'],
  /** The server began a response of its own in the same moment. */
  'response.create': ['conversation_already_has_active_response'],
  /** The item is gone, has no audio yet, or less than was sent to us: nothing is left to cut. */
  'conversation.item.truncate': ['invalid_value', 'item_truncate_invalid_item_id', 'unsupported_content_type'],
  /** The server committed the audio itself. */
  'input_audio_buffer.commit': ['input_audio_buffer_commit_empty'],
} as const satisfies Record<string, readonly string[]>

export type RacingEvent = keyof typeof RACE_ERRORS

/** The id of a client event, by which an error that answers it is recognised. */
export function racingEventId(type: RacingEvent, number: number): string {
  return `${type}.${number}`
}

/** The client event that an error answers as a mere race; null when the error means something else. */
export function raceOf(error: { code: string; eventId: string | null; param: string | null }): RacingEvent | null {
  const { code, eventId, param } = error
  for (const [type, codes] of Object.entries(RACE_ERRORS)) {
    if (!isRacing(type) || !codes.some((each) => each === code)) continue
    // Without the event's id, a code that other errors share counts by the field that it complains of.
    const isAnswer = eventId === null ? !SHARED.has(code) || param === 'audio_end_ms' : eventId.startsWith(`${type}.`)
    if (isAnswer) return type
  }
  return null
}

/** Codes that errors of other events have too. */
const SHARED: ReadonlySet<string> = new Set(['invalid_value', 'unsupported_content_type'])

function isRacing(type: string): type is RacingEvent {
  return Object.hasOwn(RACE_ERRORS, type)
}
