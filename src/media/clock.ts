/** Time as a call sees it, so that a recorded call can be lived through again. */
export type Clock = {
  /** Monotonic ms. */
  now(): number
  /** @returns takes it back; harmless when it has happened */
  after(ms: number, act: () => void): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}

/** A clock that goes only when it is told to. */
export class VirtualClock implements Clock {
  #now = 0
  #serial = 0
  #due: { at: number; serial: number; act: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, act: () => void): () => void {
    const entry = { at: this.#now + ms, serial: this.#serial++, act }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((each) => each !== entry)
    }
  }

  /** Goes on to `at`; what is due on the way happens in its order. `settle` runs after each. */
  async goTo(at: number, settle: () => Promise<void>): Promise<void> {
    for (;;) {
      const next = this.#due
        .filter((each) => each.at <= at)
        .sort((a, b) => a.at - b.at || a.serial - b.serial)
        .at(0)
      if (!next) break
      this.#due = this.#due.filter((each) => each !== next)
      this.#now = Math.max(this.#now, next.at)
      next.act()
      await settle()
    }
    this.#now = Math.max(this.#now, at)
  }

  /** What is still to happen. */
  get waiting(): number {
    return this.#due.length
  }
}
