/** What a caller got in the end, as the API names it. */
export const CALL_OUTCOMES = ['answered', 'voicemail', 'transferred', 'abandoned', 'failed', 'live'] as const
