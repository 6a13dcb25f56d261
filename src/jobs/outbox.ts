/** A bounded line of things to deliver, kept in memory and tried until each is through. */
export type Outbox<T = unknown> = {
  /** Never throws, never waits. */
  put(item: T): void
  /** Items not delivered yet, those under way included. */
  readonly depth: number
  /** Items refused because the line was full. */
  readonly dropped: number
  /** Tries for `flushMs` more, then gives up. @returns how many were left */
  close(flushMs: number): Promise<number>
}

export type OutboxOptions<T> = {
  limit: number
  deliver(item: T): Promise<void>
  onChange(state: { depth: number; dropped: number }): void
  onRetry(error: unknown, depth: number): void
  onDrop(item: T): void
}

const BATCH = 50
const BACKOFF = { firstMs: 100, maxMs: 5_000 }

/** Items go out in order, `BATCH` at a time; while the other side is away the head is retried with backoff. */
export function createOutbox<T>(options: OutboxOptions<T>): Outbox<T> {
  let line: T[] = []
  let dropped = 0
  let pumping: Promise<void> | null = null
  let stopped = false
  let wake = () => {}

  /** One pump at a time; what is put between its last look and its end starts the next. */
  const start = () => {
    pumping ??= pump().finally(() => {
      pumping = null
      if (line.length > 0 && !stopped) start()
    })
  }

  const changed = () => options.onChange({ depth: line.length, dropped })

  const pump = async () => {
    let backoffMs = BACKOFF.firstMs
    while (line.length > 0 && !stopped) {
      const batch = line.slice(0, BATCH)
      const results = await Promise.allSettled(batch.map((item) => options.deliver(item)))
      const failed = batch.filter((_, index) => results[index]?.status === 'rejected')
      line = [...failed, ...line.slice(batch.length)]
      changed()
      const failure = results.find((result) => result.status === 'rejected')
      if (!failure) {
        backoffMs = BACKOFF.firstMs
        continue
      }
      options.onRetry(failure.reason, line.length)
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
      if (line.length >= options.limit || stopped) {
        dropped += 1
        options.onDrop(item)
        changed()
        return
      }
      line.push(item)
      changed()
      start()
    },
    get depth() {
      return line.length
    },
    get dropped() {
      return dropped
    },
    close: async (flushMs) => {
      wake()
      const { promise: late, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushMs)
      await Promise.race([pumping ?? Promise.resolve(), late])
      clearTimeout(timer)
      stopped = true
      wake()
      return line.length
    },
  }
}
