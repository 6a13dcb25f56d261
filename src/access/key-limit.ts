import type { Actor } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'
import { WindowCounter } from '../lib/window-counter.ts'

const WINDOW_SECONDS = 60

/** Limits the requests of each API key per minute, counted in this process. Members and callers on this machine have no limit. */
export type KeyLimit = {
  /** Counts calls and sets the headers of draft-ietf-httpapi-ratelimit-headers-10. @throws AppError `rate_limited` */
  take(actor: Actor, calls: number, setHeader: (name: string, value: string) => void): void
}

/** @param perMinute 0 is no limit */
export function createKeyLimit(perMinute: number, now: () => number = Date.now): KeyLimit {
  const counter = new WindowCounter(WINDOW_SECONDS * 1_000, 100_000, now)
  return {
    take(actor, calls, setHeader) {
      if (perMinute === 0 || actor.kind !== 'api_key') return
      const { count, endsInMs } = counter.read(actor.id)
      const seconds = Math.max(1, Math.ceil(endsInMs / 1_000))
      const left = perMinute - count - calls
      setHeader('RateLimit-Policy', `"api-key";q=${perMinute};w=${WINDOW_SECONDS}`)
      setHeader('RateLimit', `"api-key";r=${Math.max(0, left < 0 ? perMinute - count : left)};t=${seconds}`)
      if (left >= 0) return counter.add(actor.id, calls)
      setHeader('Retry-After', String(seconds))
      throw rateLimited(seconds)
    },
  }
}

export function rateLimited(seconds: number): AppError {
  const message = `The API key made too many requests. Retry in ${seconds} seconds.`
  return new AppError('rate_limited', 'rate_limited', message)
}
