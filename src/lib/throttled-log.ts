import type { Logger } from './log.ts'

const WINDOW_MS = 1_000
const MAX_KINDS = 200

/** Limits lines that anyone can cause: one a second of each kind, with the number of lines in between. */
export class ThrottledLog {
  readonly #kinds = new Map<string, { since: number; held: number }>()

  constructor(
    private readonly log: Logger,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  write(level: 'info' | 'warn' | 'error', kind: string, line: Record<string, unknown>, text: string): void {
    const key = this.#kinds.has(kind) || this.#kinds.size < MAX_KINDS ? kind : 'other'
    const now = this.clock()
    const state = this.#kinds.get(key)
    if (state && now - state.since < WINDOW_MS) {
      state.held++
      return
    }
    this.#kinds.set(key, { since: now, held: 0 })
    this.log[level](state && state.held > 0 ? { ...line, alsoRefused: state.held } : line, text)
  }
}
