import { failureKind } from '../lib/errors.ts'

export type Outbox<T = unknown> = {
  /** Never throws and never waits. */
  put(item: T): void
  readonly depth: number
  readonly dropped: number
  close(flushMs: number): Promise<number>
}

export type OutboxOptions<T> = {
  limit: number
  deliver(item: T): Promise<void>
  onChange(state: { depth: number; dropped: number }): void
  onRetry(error: unknown, depth: number): void
  /** The queue is full, or, with an error, the item can never be delivered. */
  onDrop(item: T, error?: unknown): void
}

const BATCH = 50
const BACKOFF = { firstMs: 100, maxMs: 5_000 }
/** Attempts for an item that is refused while the other side works. */
const ATTEMPTS = 5

/** Delivers in order, in batches, with backoff while the other side is down. A refused item goes last, finally dropped. */
export function createOutbox<T>(options: OutboxOptions<T>): Outbox<T> {
  type Entry = { item: T; refusals: number }
  let queue: Entry[] = []
  let dropped = 0
  let running: Promise<void> | null = null
  let stopped = false
  let wake = () => {}

  /** One loop at a time; an item that arrives at its very end starts the next. */
  const start = () => {
    running ??= deliverAll().finally(() => {
      running = null
      if (queue.length > 0 && !stopped) start()
    })
  }

  const changed = () => options.onChange({ depth: queue.length, dropped })

  const deliverAll = async () => {
    let backoffMs = BACKOFF.firstMs
    while (queue.length > 0 && !stopped) {
      const batch = queue.slice(0, BATCH)
      const results = await Promise.allSettled(batch.map(({ item }) => options.deliver(item)))
      const unsent: Entry[] = []
      const refused: Entry[] = []
      for (const [index, result] of results.entries()) {
        const entry = batch[index]
        if (!entry || result.status === 'fulfilled') continue
        if (failureKind(result.reason) === 'transient') unsent.push(entry)
        else if (entry.refusals + 1 < ATTEMPTS) refused.push({ ...entry, refusals: entry.refusals + 1 })
        else {
          dropped += 1
          options.onDrop(entry.item, result.reason)
        }
      }
      queue = [...unsent, ...queue.slice(batch.length), ...refused]
      changed()
      const failure = results.find((result) => result.status === 'rejected')
      if (!failure) {
        backoffMs = BACKOFF.firstMs
        continue
      }
      options.onRetry(failure.reason, queue.length)
      const { promise, resolve } = Promise.withResolvers<void>()
      wake = resolve
      const timer = setTimeout(resolve, backoffMs)
      await promise
      clearTimeout(timer)
      backoffMs = Math.min(backoffMs * 2, BACKOFF.maxMs)
    }
  }

  return {
    put: (item) => {
      if (queue.length >= options.limit || stopped) {
        dropped += 1
        options.onDrop(item)
        changed()
        return
      }
      queue.push({ item, refusals: 0 })
      changed()
      start()
    },
    get depth() {
      return queue.length
    },
    get dropped() {
      return dropped
    },
    close: async (flushMs) => {
      wake()
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushMs)
      await Promise.race([running ?? Promise.resolve(), late])
      clearTimeout(timer)
      stopped = true
      wake()
      return queue.length
    },
  }
}
