import { AppError } from '../lib/errors.ts'

/** Counts what an address sent in vain, and refuses it for the rest of the minute when that is too much. */
export type AddressLimit = {
  /** @throws AppError `rate_limited` */
  check(address: string): void
  /** What the address sent was of no use. */
  note(address: string): void
}

const WINDOW_MS = 60_000
/** Addresses that are remembered: more than this come from somebody with a network of them, whom no such limit holds. */
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
          'Too many requests of this address were of no use. Wait a minute.',
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
