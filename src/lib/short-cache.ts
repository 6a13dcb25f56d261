export type ShortCache = {
  /** The result of `make` for this key, made again when it is older than the cache keeps it. A failure is not kept. */
  get<T>(key: string, make: () => Promise<T>): Promise<T>
}

/** Keeps results for a short time, so that many readers of one page cost one query. The oldest entries leave a full cache. */
export function createShortCache(ttlMs: number, maxEntries = 500, now: () => number = Date.now): ShortCache {
  const entries = new Map<string, { at: number; result: Promise<unknown> }>()
  return {
    get<T>(key: string, make: () => Promise<T>): Promise<T> {
      const found = entries.get(key)
      if (found && now() - found.at < ttlMs) return found.result as Promise<T>
      entries.delete(key)
      const result = make()
      const entry = { at: now(), result }
      entries.set(key, entry)
      result.catch(() => {
        if (entries.get(key) === entry) entries.delete(key)
      })
      const [oldest] = entries.keys()
      if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest)
      return result
    },
  }
}
