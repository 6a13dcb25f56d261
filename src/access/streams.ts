import type { Actor } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'

const LIMITS = { actor: 20, address: 100, process: 1_000 } as const

export class StreamGate {
  readonly #counts = new Map<string, number>()

  constructor(private readonly limits: { actor: number; address: number; process: number } = LIMITS) {}

  get open(): number {
    return this.#counts.get('process') ?? 0
  }

  #countsOf(actor: Actor, address: string): [key: string, limit: number][] {
    return [
      ['process', this.limits.process],
      [`actor ${actor.kind} ${actor.id}`, this.limits.actor],
      [`address ${address}`, this.limits.address],
    ]
  }

  /** @throws AppError `too_many_streams` */
  requireRoom(actor: Actor, address: string): void {
    if (this.#countsOf(actor, address).some(([key, limit]) => (this.#counts.get(key) ?? 0) >= limit))
      throw new AppError(
        'rate_limited',
        'too_many_streams',
        'Too many streams are open. Close some, or use one stream for all events.',
      )
  }

  /** Counts a stream; the returned function ends it, and may be called again. @throws AppError `too_many_streams` */
  enter(actor: Actor, address: string): () => void {
    this.requireRoom(actor, address)
    const counts = this.#countsOf(actor, address)
    for (const [key] of counts) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    let entered = true
    return () => {
      if (!entered) return
      entered = false
      for (const [key] of counts) {
        const left = (this.#counts.get(key) ?? 0) - 1
        if (left > 0) this.#counts.set(key, left)
        else this.#counts.delete(key)
      }
    }
  }
}

const RECHECK_MS = 3_000
const UNKNOWN_MS = 60_000

/**
 * Checks every few seconds whether a stream may stay open, and ends it when not.
 * @param mayStay throws when access was revoked; an error of the kind `unavailable` means that it cannot be checked now
 */
export function superviseStream(
  mayStay: () => Promise<void>,
  options: { recheckMs?: number; unknownMs?: number } = {},
): { closing: AbortSignal; stop(): void } {
  const { recheckMs = RECHECK_MS, unknownMs = UNKNOWN_MS } = options
  const controller = new AbortController()
  let checkedAt = performance.now()
  let checking = false
  const timer = setInterval(() => {
    if (performance.now() - checkedAt > unknownMs + recheckMs) controller.abort()
    if (checking || controller.signal.aborted) return
    checking = true
    mayStay()
      .then(() => {
        checkedAt = performance.now()
      })
      .catch((error: unknown) => {
        const unknown = error instanceof AppError && error.kind === 'unavailable'
        if (!unknown || performance.now() - checkedAt > unknownMs) controller.abort()
      })
      .finally(() => {
        checking = false
      })
  }, recheckMs)
  return {
    closing: controller.signal,
    stop() {
      clearInterval(timer)
      controller.abort()
    },
  }
}

export async function* until<T>(source: AsyncIterable<T>, closing: AbortSignal, done: () => void): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  const { promise: closed, resolve: close } = Promise.withResolvers<{ done: true; value: undefined }>()
  const end = () => close({ done: true, value: undefined })
  if (closing.aborted) end()
  closing.addEventListener('abort', end, { once: true })
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), closed])
      if (next.done) return
      yield next.value
    }
  } finally {
    closing.removeEventListener('abort', end)
    done()
    // A stream that is waiting ends with its next item.
    void iterator.return?.().then(undefined, () => {})
  }
}
