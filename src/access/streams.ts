import type { Actor } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'

/** How many streams may be open at once. */
const LIMITS = { actor: 20, address: 100, process: 1_000 } as const

/** Counts the open streams of this process by who opened them and from where. */
export class StreamGate {
  readonly #counts = new Map<string, number>()

  constructor(private readonly limits: { actor: number; address: number; process: number } = LIMITS) {}

  get open(): number {
    return this.#counts.get('process') ?? 0
  }

  #placesOf(actor: Actor, address: string): [key: string, limit: number][] {
    return [
      ['process', this.limits.process],
      [`actor ${actor.kind} ${actor.id}`, this.limits.actor],
      [`address ${address}`, this.limits.address],
    ]
  }

  /** @throws AppError `too_many_streams` */
  requireRoom(actor: Actor, address: string): void {
    if (this.#placesOf(actor, address).some(([key, limit]) => (this.#counts.get(key) ?? 0) >= limit))
      throw new AppError(
        'rate_limited',
        'too_many_streams',
        'Too many streams are open. Close some, or use one for all.',
      )
  }

  /**
   * Takes a place for one more stream.
   * @returns what gives the place back; called again it does nothing
   * @throws AppError `too_many_streams`
   */
  enter(actor: Actor, address: string): () => void {
    this.requireRoom(actor, address)
    const places = this.#placesOf(actor, address)
    for (const [key] of places) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    let entered = true
    return () => {
      if (!entered) return
      entered = false
      for (const [key] of places) {
        const left = (this.#counts.get(key) ?? 0) - 1
        if (left > 0) this.#counts.set(key, left)
        else this.#counts.delete(key)
      }
    }
  }
}

/** How often the right to a stream is looked at again, and how long it may stay open while that cannot be found out. */
const RECHECK_MS = 3_000
const UNKNOWN_MS = 60_000

/**
 * Looks every few seconds whether a stream may still be open, and ends it when not.
 * @param mayStay throws when the right is gone; an error of the kind `unavailable` says that nobody knows at the moment
 */
export function superviseStream(
  mayStay: () => Promise<void>,
  options: { recheckMs?: number; unknownMs?: number } = {},
): { closing: AbortSignal; stop(): void } {
  const { recheckMs = RECHECK_MS, unknownMs = UNKNOWN_MS } = options
  const controller = new AbortController()
  let knownAt = performance.now()
  let asking = false
  const timer = setInterval(() => {
    if (performance.now() - knownAt > unknownMs + recheckMs) controller.abort()
    if (asking || controller.signal.aborted) return
    asking = true
    mayStay()
      .then(() => {
        knownAt = performance.now()
      })
      .catch((error: unknown) => {
        const unknown = error instanceof AppError && error.kind === 'unavailable'
        if (!unknown || performance.now() - knownAt > unknownMs) controller.abort()
      })
      .finally(() => {
        asking = false
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

/** The items of a stream until `closing`, whatever the stream itself is waiting for. */
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
    // It may still wait for something; it ends when that comes.
    void iterator.return?.().then(undefined, () => {})
  }
}
