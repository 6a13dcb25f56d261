import { errorMessage } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'

export type Polling = {
  /** Reads for the first time (a failure is logged, not thrown) and starts the timer. */
  start(): Promise<void>
  /** Reads now: what was written before the call is seen after it. */
  refresh(): Promise<void>
  stop(): void
}

/**
 * Rereads rows every `refreshMs`, one reading at a time; a failed one keeps the old rows. Failure and recovery are logged.
 */
export function createPolling(what: string, read: () => Promise<void>, log: Logger, refreshMs = 3_000): Polling {
  let timer: Timer | undefined
  let stale = false
  let reading: Promise<void> | null = null
  /** A change that was written during a reading needs one more. */
  let next: Promise<void> | null = null

  async function readOnce(): Promise<void> {
    try {
      await read()
      if (stale) log.info({ what }, 'cache refreshed again')
      stale = false
    } catch (error) {
      if (!stale) log.warn({ what, error: errorMessage(error) }, 'cache refresh failed')
      stale = true
    } finally {
      reading = null
    }
  }

  function begin(): Promise<void> {
    const now = readOnce()
    reading = now
    return now
  }

  function refresh(): Promise<void> {
    if (!reading) return begin()
    next ??= reading.then(() => {
      next = null
      return begin()
    })
    return next
  }

  return {
    async start() {
      await refresh()
      timer = setInterval(() => reading ?? refresh(), refreshMs)
      timer.unref()
    },
    refresh,
    stop: () => clearInterval(timer),
  }
}
