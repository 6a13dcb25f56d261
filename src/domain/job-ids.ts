/**
 * Ids of jobs: a job that waits or runs is not queued again under its id. `round` lets a sweep queue lost work once more.
 * The first part is the job's, so that two jobs of one row do not keep each other out.
 */
type Kind =
  | 'audio'
  | 'delete'
  | 'erase'
  | 'hook'
  | 'import'
  | 'mail'
  | 'media'
  | 'process'
  | 'push'
  | 'receipt'
  | 'settle'
  | 'summarize'
  | 'transcribe'

export function jobId(kind: Kind, key: string, ...round: (string | number)[]): string {
  return [kind, key, ...round].join('-')
}

/** A send is named by the message alone: `round` is a requeue or the provider of a fallback. */
export function sendJobId(messageId: string, ...round: (string | number)[]): string {
  return [messageId, ...round].join('-')
}

/**
 * The round of a sweep by the age of the work: each is twice as long as the one before, so that what cannot be done is tried ever
 * more seldom, and once in a round.
 */
export function retryRound(since: Date | null, now = Date.now()): string {
  const minutes = Math.max(0, now - (since?.getTime() ?? 0)) / 60_000
  return `r${Math.floor(Math.log2(minutes + 1) * 2)}`
}
