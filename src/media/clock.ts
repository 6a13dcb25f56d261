/** The time of a call, so that a recorded call can be replayed. */
export type Clock = {
  /** Monotonic ms. */
  now(): number
  /** @param timer the number of the call's timer @returns cancels it; no effect once it has fired */
  after(ms: number, act: () => void, timer?: number): () => void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  after(ms, act) {
    const timer = setTimeout(act, ms)
    return () => clearTimeout(timer)
  },
}

type Due = { at: number; serial: number; act: () => void; timer: number | null }

/** A clock that a replay moves. */
export class VirtualClock implements Clock {
  #now = 0
  #serial = 0
  #due: Due[] = []

  now(): number {
    return this.#now
  }

  after(ms: number, act: () => void, timer?: number): () => void {
    const entry = { at: this.#now + ms, serial: this.#serial++, act, timer: timer ?? null }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((each) => each !== entry)
    }
  }

  /** Moves to `at`, firing what is due in order, `settle` after each. @param held whether a timer is left to `fire` */
  async goTo(
    at: number,
    settle: () => Promise<void>,
    held: (timer: number, due: number) => boolean = () => false,
  ): Promise<void> {
    for (;;) {
      const next = this.#due
        .filter((each) => each.at <= at && !(each.timer !== null && held(each.timer, each.at)))
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

  /** Fires a timer now, if it is set to a time that is `expected`. */
  fire(timer: number, expected: (due: number) => boolean): void {
    const entry = this.#due.find((each) => each.timer === timer && expected(each.at))
    if (!entry) return
    this.#due = this.#due.filter((each) => each !== entry)
    entry.act()
  }

  get waiting(): number {
    return this.#due.length
  }
}
