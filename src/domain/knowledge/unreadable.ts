/** Why a file or a site could not be read, as it is stored and shown. */
export const UNREADABLE_REASONS = [
  'empty',
  'unknown_format',
  'old_office',
  'encrypted',
  'broken',
  'too_large',
  'too_slow',
  'no_text',
  'unknown_encoding',
  'file_lost',
  'unreachable',
  'not_allowed',
  'http_error',
  'robots',
  'robots_unavailable',
  'left_host',
  'no_pages',
  'stopped',
  'gave_up',
] as const
export type UnreadableReason = (typeof UNREADABLE_REASONS)[number]

/** What was to be read cannot be, and trying again changes nothing. The message is for the log. */
export class Unreadable extends Error {
  constructor(
    readonly reason: UnreadableReason,
    message: string = reason,
  ) {
    super(message)
    this.name = 'Unreadable'
  }
}
