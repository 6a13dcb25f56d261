import type { AuthChanges } from '../port.ts'

type KeyChange = AuthChanges['keys'][number]

/** Per account, in characters of sealed text: some fifty sessions. */
const MAX_CHARS = 200_000
const ABSENT_CHARS = 64
/** Read once each, at a person's first message; there are hundreds. */
const READ_ONCE = new Set(['pre-key', 'app-state-sync-key', 'app-state-sync-version'])

/** An account's recent and unwritten keys. Only the lease holder writes them; sealed, so that each reader gets a copy. */
export class KeyCache {
  /** Least recently used first; null means absent in the store. */
  private readonly cached = new Map<string, string | null>()
  private chars = 0
  private unwritten = new Map<string, KeyChange>()
  /** Handed to the store, which has not answered yet. */
  private leaving = new Map<string, KeyChange>()
  private puts = 0

  /** undefined when the store has to be asked. */
  get(type: string, id: string): string | null | undefined {
    const name = nameOf(type, id)
    const pending = this.unwritten.get(name) ?? this.leaving.get(name)
    if (pending) return pending.value
    const value = this.cached.get(name)
    if (value === undefined) return undefined
    this.cached.delete(name)
    this.cached.set(name, value)
    return value
  }

  /** Counts writes: a read that began at another count may have read an older value. */
  get version(): number {
    return this.puts
  }

  learn(type: string, id: string, value: string | null): void {
    if (READ_ONCE.has(type)) return
    const name = nameOf(type, id)
    this.drop(name)
    this.cached.set(name, value)
    this.chars += sizeOf(value)
    for (const oldest of this.cached.keys()) {
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

  /** The last value of each unwritten key. The write ends with `written` or `clear`. */
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
    this.cached.clear()
    this.unwritten.clear()
    this.leaving.clear()
    this.chars = 0
  }

  private drop(name: string): void {
    const value = this.cached.get(name)
    if (value === undefined) return
    this.cached.delete(name)
    this.chars -= sizeOf(value)
  }
}

const nameOf = (type: string, id: string) => `${type}/${id}`
const sizeOf = (value: string | null) => value?.length ?? ABSENT_CHARS
