import { AppError } from '../lib/errors.ts'
import { WindowCounter } from '../lib/window-counter.ts'

/** Rejects an address for the rest of the minute when too many of its requests were useless. */
export type AddressLimit = {
  /** @throws AppError `rate_limited` */
  check(address: string): void
  note(address: string): void
}

export function createAddressLimit(perMinute: number, now: () => number = Date.now): AddressLimit {
  const counter = new WindowCounter(60_000, 10_000, now)
  return {
    check(address) {
      if (counter.read(address).count >= perMinute)
        throw new AppError(
          'rate_limited',
          'rate_limited',
          'Too many useless requests came from this address. Wait a minute, then try again.',
        )
    },
    note: (address) => counter.add(address),
  }
}
