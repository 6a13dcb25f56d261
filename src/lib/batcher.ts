/** Gathers work that is asked for at once, or while earlier work is under way, into one run. */
export type Batcher = {
  /** Asks for a run that begins after this call. Resolves when that run has ended, rejects as it does. */
  ask(): Promise<void>
  /** Resolves when every run asked for so far has ended, well or badly. */
  settled(): Promise<void>
}

/**
 * One run at a time. A run begins in a later turn of the event loop than the first that asked for it, so that what one turn
 * brings is one run.
 * @param run does all that was gathered up to its first step
 */
export function createBatcher(run: () => Promise<void>): Batcher {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  const begin = async (before: Promise<void> | null) => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    // How an earlier run ended is told to those who asked for it.
    await before?.catch(() => undefined)
    const mine = next
    running = mine
    next = null
    try {
      await run()
    } finally {
      if (running === mine) running = null
    }
  }

  return {
    ask() {
      next ??= begin(running)
      return next
    },
    async settled() {
      await Promise.allSettled([running, next])
    },
  }
}
