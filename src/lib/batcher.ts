export type Batcher = {
  /** Requests a run that begins after this call; settles as that run does. */
  ask(): Promise<void>
  settled(): Promise<void>
}

/** One run at a time, in a later turn, shared by all requests of a turn. `run` does all that was requested before it. */
export function createBatcher(run: () => Promise<void>): Batcher {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  const begin = async (before: Promise<void> | null) => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    // The error of an earlier run belongs to its own requests.
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

/** Combines single items into batches; each item has its own result. */
export type Gatherer<T> = {
  put(item: T): Promise<void>
}

const LANES = 2

/**
 * Items that arrive during a run form the next one. `run` takes all or none; after an error that `isPoisoned` blames on the
 * items, each is repeated alone, so that a bad one fails alone.
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
        // All items of one turn of the event loop form one batch.
        setImmediate(next)
      }
      return promise
    },
  }
}
