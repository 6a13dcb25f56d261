import type { AuthChanges } from '../port.ts'

type KeyChange = AuthChanges['keys'][number]

/** Kept in memory per account, in characters of sealed text: some fifty sessions. */
const MAX_CHARS = 200_000
const ABSENT_CHARS = 64
/** Read once each, when somebody writes for the first time: there are hundreds. */
const READ_ONCE = new Set(['pre-key', 'app-state-sync-key', 'app-state-sync-version'])

/**
 * The keys of one account that were lately read or written, and those that are still to be written. Serves as long as
 * nobody else writes them, which the lease on the account sees to; still sealed, so that each reader has its own copy.
 */
export class KeyCache {
  /** Oldest use first; null is surely absent. */
  private readonly kept = new Map<string, string | null>()
  private chars = 0
  private unwritten = new Map<string, KeyChange>()
  /** Given to the store, which has not answered yet. */
  private leaving = new Map<string, KeyChange>()
  private puts = 0

  /** What is known of a key; undefined when the store has to be asked. */
  get(type: string, id: string): string | null | undefined {
    const name = nameOf(type, id)
    const pending = this.unwritten.get(name) ?? this.leaving.get(name)
    if (pending) return pending.value
    const value = this.kept.get(name)
    if (value === undefined) return undefined
    this.kept.delete(name)
    this.kept.set(name, value)
    return value
  }

  /** Counts what was put in: a read that began at another count may be of an older value. */
  get version(): number {
    return this.puts
  }

  /** Keeps what the store answered. */
  learn(type: string, id: string, value: string | null): void {
    if (READ_ONCE.has(type)) return
    const name = nameOf(type, id)
    this.drop(name)
    this.kept.set(name, value)
    this.chars += sizeOf(value)
    for (const oldest of this.kept.keys()) {
      if (this.chars <= MAX_CHARS) return
      this.drop(oldest)
    }
  }

  put(changes: KeyChange[]): void {
    this.puts += 1
    for (const change of changes) {
      this.unwritten.set(nameOf(change.type, change.id), change)
      this.learn(change.type, change.id, change.value)
    }
  }

  /** What is to be written; the last value of each key. The write is over when `written` or `clear` is called. */
  takeUnwritten(): KeyChange[] {
    this.leaving = this.unwritten
    this.unwritten = new Map()
    return [...this.leaving.values()]
  }

  written(): void {
    this.leaving.clear()
  }

  clear(): void {
    this.puts += 1
    this.kept.clear()
    this.unwritten.clear()
    this.leaving.clear()
    this.chars = 0
  }

  private drop(name: string): void {
    const value = this.kept.get(name)
    if (value === undefined) return
    this.kept.delete(name)
    this.chars -= sizeOf(value)
  }
}

const nameOf = (type: string, id: string) => `${type}/${id}`
const sizeOf = (value: string | null) => value?.length ?? ABSENT_CHARS
