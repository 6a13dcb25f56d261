/**
 * Which round of being queued again something is in, by its age: the rounds grow twice as long each, so that what cannot be done is
 * asked for ever more seldom. Part of a job's id, so that a round queues it once.
 */
export function retryRound(since: Date | null, now = Date.now()): string {
  const minutes = Math.max(0, now - (since?.getTime() ?? 0)) / 60_000
  return `r${Math.floor(Math.log2(minutes + 1) * 2)}`
}
