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

/** Gathers single items into runs over many, and tells each how its own went. */
export type Gatherer<T> = {
  /** Resolves when the item is done, rejects as it failed. */
  put(item: T): Promise<void>
}

const LANES = 2

/**
 * What is put while runs are under way is one run more. A run that fails over its data is made again item by item, so that one bad
 * item costs no other.
 * @param run does all of its items or none
 * @param isPoisoned whether a failure speaks of the items rather than of the other side
 */
export function createGatherer<T>(
  run: (items: T[]) => Promise<void>,
  options: { max: number; isPoisoned: (error: unknown) => boolean },
): Gatherer<T> {
  type Waiting = { item: T; resolve: () => void; reject: (reason: unknown) => void }
  let waiting: Waiting[] = []
  let lanes = 0
  let scheduled = false

  const runBatch = async (batch: Waiting[]): Promise<void> => {
    try {
      await run(batch.map(({ item }) => item))
      for (const { resolve } of batch) resolve()
    } catch (error) {
      if (batch.length > 1 && options.isPoisoned(error)) for (const each of batch) await runBatch([each])
      else for (const { reject } of batch) reject(error)
    }
  }

  const next = () => {
    scheduled = false
    while (lanes < LANES && waiting.length > 0) {
      const batch = waiting.slice(0, options.max)
      waiting = waiting.slice(options.max)
      lanes++
      void runBatch(batch).finally(() => {
        lanes--
        next()
      })
    }
  }

  return {
    put(item) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ item, resolve, reject })
      if (!scheduled && lanes < LANES) {
        scheduled = true
        // Everything that one turn of the event loop brings is one run.
        setImmediate(next)
      }
      return promise
    },
  }
}
