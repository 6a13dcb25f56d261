import { failureKind } from '../lib/errors.ts'

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
  /** Refused since the line is full, or, with an error, given up since that says it can never be delivered. */
  onDrop(item: T, error?: unknown): void
}

const BATCH = 50
const BACKOFF = { firstMs: 100, maxMs: 5_000 }
/** An item whose failure is its own, and not the other side's, is tried so often. */
const TRIES = 5

/**
 * Items go out in order, `BATCH` at a time; while the other side is away the head is retried with backoff. An item that cannot be
 * delivered for its own sake goes to the end of the line, so that it holds up nothing, and is dropped after some tries.
 */
export function createOutbox<T>(options: OutboxOptions<T>): Outbox<T> {
  type Entry = { item: T; refusals: number }
  let line: Entry[] = []
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
      const results = await Promise.allSettled(batch.map(({ item }) => options.deliver(item)))
      const away: Entry[] = []
      const refused: Entry[] = []
      for (const [index, result] of results.entries()) {
        const entry = batch[index]
        if (!entry || result.status === 'fulfilled') continue
        if (failureKind(result.reason) === 'transient') away.push(entry)
        else if (entry.refusals + 1 < TRIES) refused.push({ ...entry, refusals: entry.refusals + 1 })
        else {
          dropped += 1
          options.onDrop(entry.item, result.reason)
        }
      }
      line = [...away, ...line.slice(batch.length), ...refused]
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
      line.push({ item, refusals: 0 })
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
