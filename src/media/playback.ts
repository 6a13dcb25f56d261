/** Audio of one item that was sent and has not been reported played. */
type Chunk = { mark: string; itemId: string; startsAt: number; ms: number; itemOffsetMs: number }

/** How much of an item the caller heard. */
export type Heard = { itemId: string; heardMs: number; sentMs: number }

/**
 * The mark ledger: what was sent to the carrier's playback buffer, what of it was heard. Pure; times in ms on one
 * monotonic clock.
 *
 * After `clear` Twilio returns every pending mark (Media Streams, `clear`), so a returned mark proves nothing by itself:
 * each carries a generation, and marks of an older one do not count.
 */
export class PlaybackLedger {
  #generation = 0
  #serial = 0
  #pending: Chunk[] = []
  readonly #sentMs = new Map<string, number>()

  /**
   * Notes audio that was just sent.
   * @returns the name of the mark to send behind it
   */
  sent(itemId: string, ms: number, now: number): string {
    const last = this.#pending.at(-1)
    const startsAt = last ? Math.max(now, last.startsAt + last.ms) : now
    const itemOffsetMs = this.#sentMs.get(itemId) ?? 0
    this.#sentMs.set(itemId, itemOffsetMs + ms)
    const mark = `${itemId}:${Math.round(itemOffsetMs + ms)}:g${this.#generation}:m${++this.#serial}`
    this.#pending.push({ mark, itemId, startsAt, ms, itemOffsetMs })
    return mark
  }

  /**
   * Takes a mark that came back.
   * @returns the items whose every sent piece is now played; empty for a mark that does not count
   */
  markReturned(mark: string, now: number): Heard[] {
    const at = this.#pending.findIndex((chunk) => chunk.mark === mark)
    if (at < 0) return []
    const played = this.#pending.splice(0, at + 1)
    // What follows starts now, whatever was estimated: the carrier's buffer is the clock.
    let startsAt = now
    for (const chunk of this.#pending) {
      chunk.startsAt = startsAt
      startsAt += chunk.ms
    }
    const items = new Set(played.map((chunk) => chunk.itemId))
    return [...items]
      .filter((itemId) => !this.#pending.some((chunk) => chunk.itemId === itemId))
      .map((itemId) => this.#forget(itemId, this.#sentMs.get(itemId) ?? 0))
  }

  /**
   * Drops everything pending, as the carrier does on `clear`.
   * @returns how much of each cut item was heard
   */
  clear(now: number): Heard[] {
    this.#generation++
    const cut = new Map<string, number>()
    for (const chunk of this.#pending) {
      const heard = Math.min(Math.max(now - chunk.startsAt, 0), chunk.ms)
      const before = cut.get(chunk.itemId) ?? chunk.itemOffsetMs
      cut.set(chunk.itemId, before + heard)
    }
    this.#pending = []
    return [...cut].map(([itemId, heardMs]) => this.#forget(itemId, heardMs))
  }

  /** Whether something is still to be played. */
  get playing(): boolean {
    return this.#pending.length > 0
  }

  /** When everything sent will have been played, by estimate; `now` when nothing is pending. */
  endsAt(now: number): number {
    const last = this.#pending.at(-1)
    return last ? Math.max(now, last.startsAt + last.ms) : now
  }

  #forget(itemId: string, heardMs: number): Heard {
    const sentMs = this.#sentMs.get(itemId) ?? 0
    this.#sentMs.delete(itemId)
    return { itemId, heardMs, sentMs }
  }
}
