export type WindowState = { count: number; endsInMs: number }

/** Counts uses by key in fixed windows from the first use; above `maxKeys` the oldest window is forgotten. */
export class WindowCounter {
  readonly #windows = new Map<string, { since: number; count: number }>()

  constructor(
    readonly windowMs: number,
    readonly maxKeys = 10_000,
    readonly now: () => number = Date.now,
  ) {}

  read(key: string): WindowState {
    const found = this.#current(key)
    return { count: found?.count ?? 0, endsInMs: found ? found.since + this.windowMs - this.now() : this.windowMs }
  }

  add(key: string, amount = 1): void {
    const found = this.#current(key)
    if (found) {
      found.count += amount
      return
    }
    this.#windows.delete(key)
    this.#windows.set(key, { since: this.now(), count: amount })
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > this.maxKeys && oldest !== undefined) this.#windows.delete(oldest)
  }

  #current(key: string) {
    const found = this.#windows.get(key)
    return found && this.now() - found.since < this.windowMs ? found : null
  }
}
