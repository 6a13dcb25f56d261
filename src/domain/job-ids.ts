/** Job ids: a waiting or running job is not queued again; `round` allows a sweep to. The job's name prevents collisions. */
type Kind =
  | 'agent'
  | 'alert'
  | 'audio'
  | 'calendar'
  | 'calendar-push'
  | 'delete'
  | 'erase'
  | 'hook'
  | 'import'
  | 'mail'
  | 'media'
  | 'process'
  | 'receipt'
  | 'scenario'
  | 'settle'
  | 'source'
  | 'summarize'
  | 'transcribe'

export function jobId(kind: Kind, key: string, ...round: (string | number)[]): string {
  return [kind, key, ...round].join('-')
}

/** A send is named by the message alone: `round` is a requeue or the provider of a fallback. */
export function sendJobId(messageId: string, ...round: (string | number)[]): string {
  return [messageId, ...round].join('-')
}

/** A sweep's round by the age of the work: each is twice as long as the last, so that hopeless work is tried less often. */
export function retryRound(since: Date | null, now = Date.now()): string {
  const minutes = Math.max(0, now - (since?.getTime() ?? 0)) / 60_000
  return `r${Math.floor(Math.log2(minutes + 1) * 2)}`
}
