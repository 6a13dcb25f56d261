import { AppError } from '../lib/errors.ts'

/** Counts the useless requests of each address, and refuses an address with too many of them for the rest of the minute. */
export type AddressLimit = {
  /** @throws AppError `rate_limited` */
  check(address: string): void
  note(address: string): void
}

const WINDOW_MS = 60_000
/** A sender with more addresses than this is not limited: the memory is bounded. */
const MAX_ADDRESSES = 10_000

export function createAddressLimit(perMinute: number, now: () => number = Date.now): AddressLimit {
  const windows = new Map<string, { since: number; count: number }>()
  const current = (address: string) => {
    const found = windows.get(address)
    return found && now() - found.since < WINDOW_MS ? found : null
  }
  return {
    check(address) {
      if ((current(address)?.count ?? 0) >= perMinute)
        throw new AppError(
          'rate_limited',
          'rate_limited',
          'Too many useless requests came from this address. Wait a minute, then try again.',
        )
    },
    note(address) {
      const found = current(address)
      if (found) {
        found.count += 1
        return
      }
      windows.delete(address)
      windows.set(address, { since: now(), count: 1 })
      const [oldest] = windows.keys()
      if (windows.size > MAX_ADDRESSES && oldest !== undefined) windows.delete(oldest)
    },
  }
}
