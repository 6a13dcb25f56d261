import { concatBytes } from '../audio/mulaw.ts'
import { PlaybackBuffer } from './playback-buffer.ts'

/** Audio of one item that was sent and has not been reported played; `mark` is null while more may join it. */
type Chunk = {
  mark: string | null
  itemId: string
  item: Item
  startsAt: number
  /** Up to the last `#settle`, while more may join it. */
  ms: number
  itemOffsetMs: number
  /** Its audio: as bytes, or between two positions of the buffer. */
  audio: Uint8Array | null
  bufferedFrom: number
  bufferedTo: number
}

/** How much of an item the caller heard. */
export type Heard = { itemId: string; heardMs: number; sentMs: number }

/** An item that was cut off: `rest` is the μ-law that was not heard. */
export type Cut = Heard & { rest: Uint8Array }

type Item = { sentMs: number; pendingMs: number; finished: boolean }

/** Pieces that come this long after the last one was played leave a pause. */
const UNDERRUN_MS = 20

/**
 * Counts what was sent to the carrier's playback buffer and what of it was heard, by the marks that return. Pure; times in
 * ms on one monotonic clock.
 *
 * After `clear` Twilio returns every pending mark (Media Streams, `clear`), so a returned mark proves nothing by itself:
 * each carries a generation, and marks of an older one do not count. Pieces share a mark, so that small ones cost none.
 */
export class PlaybackLedger {
  // The fields that every piece reads come first, side by side in memory.
  /** The item whose pieces may join the open chunk, the chunk's length, and until when they may. */
  #joining = ''
  #openMs = 0
  #joinUntil = Number.NEGATIVE_INFINITY
  readonly #buffer = new PlaybackBuffer()
  /** The last pending chunk while more may join it. */
  #open: Chunk | null = null
  #pending: Chunk[] = []
  #generation = 0
  #serial = 0
  readonly #items = new Map<string, Item>()
  /** When the last of it was played out or dropped. */
  #emptySince = Number.NEGATIVE_INFINITY

  /** Notes audio just sent. @param payload base64, buffered until played @returns ms of audio at the end without a mark */
  sent(itemId: string, payload: string, ms: number, now: number): number {
    if (itemId === this.#joining && now <= this.#joinUntil) {
      this.#openMs += ms
      this.#joinUntil += ms
      this.#buffer.append(payload)
      return this.#openMs
    }
    this.#begin(itemId, null, ms, now)
    this.#buffer.append(payload)
    return ms
  }

  /** Notes audio given as bytes, which must not change; nothing joins it. */
  sentBytes(itemId: string, audio: Uint8Array, now: number): void {
    this.#begin(itemId, audio, audio.byteLength / 8, now)
  }

  #begin(itemId: string, audio: Uint8Array | null, ms: number, now: number): void {
    this.#settle()
    const last = this.#pending.at(-1)
    let item = this.#items.get(itemId)
    if (!item) {
      item = { sentMs: 0, pendingMs: 0, finished: false }
      this.#items.set(itemId, item)
    }
    const startsAt = last ? Math.max(now, last.startsAt + last.ms) : now
    this.#open = {
      mark: null,
      itemId,
      item,
      startsAt,
      ms: 0,
      itemOffsetMs: item.sentMs,
      audio,
      bufferedFrom: this.#buffer.end,
      bufferedTo: this.#buffer.end,
    }
    this.#pending.push(this.#open)
    this.#openMs = ms
    this.#joining = audio ? '' : itemId
    this.#joinUntil = startsAt + ms + UNDERRUN_MS
  }

  /** Adds what joined to the open chunk and its item: only when needed, since pieces come fifty times a second. */
  #settle(): void {
    const open = this.#open
    if (!open) return
    const ms = this.#openMs - open.ms
    open.ms = this.#openMs
    if (open.audio === null) open.bufferedTo = this.#buffer.end
    open.item.sentMs += ms
    open.item.pendingMs += ms
  }

  /** Closes the last chunk: nothing joins it any more. */
  #shut(): void {
    this.#open = null
    this.#openMs = 0
    this.#joining = ''
  }

  /** Audio at the end that has no mark yet, in ms. */
  get unmarkedMs(): number {
    return this.#openMs
  }

  /** The name of the mark to send behind what was sent; null when all of it has one. */
  mark(): string | null {
    const last = this.#open
    if (!last) return null
    this.#settle()
    this.#shut()
    last.mark = `${last.itemId}:${Math.round(last.itemOffsetMs + last.ms)}:g${this.#generation}:m${++this.#serial}`
    return last.mark
  }

  /** No more audio of this item will come. @returns the item when all of it is played already */
  finish(itemId: string): Heard | null {
    this.#settle()
    const item = this.#items.get(itemId)
    if (!item) return null
    item.finished = true
    return item.pendingMs > 0 ? null : this.#forget(itemId, item.sentMs)
  }

  /** Items of which more audio may come. */
  open(): string[] {
    return [...this.#items].filter(([, item]) => !item.finished).map(([itemId]) => itemId)
  }

  /** Takes a mark that came back. @returns the finished items now fully played; none for a mark that does not count */
  markReturned(mark: string, now: number): Heard[] {
    const at = this.#pending.findIndex((chunk) => chunk.mark === mark)
    if (at < 0) return []
    this.#settle()
    const played = this.#pending.splice(0, at + 1)
    this.#buffer.release(this.#pending[0]?.bufferedFrom ?? this.#buffer.end)
    // What follows starts now: the carrier's buffer is right, not the estimate.
    let startsAt = now
    for (const chunk of this.#pending) {
      chunk.startsAt = startsAt
      startsAt += chunk.ms
    }
    this.#joinUntil = startsAt + UNDERRUN_MS
    if (this.#pending.length === 0) this.#emptySince = now
    const heard: Heard[] = []
    for (const chunk of played) {
      const { item } = chunk
      if (this.#items.get(chunk.itemId) !== item) continue
      item.pendingMs -= chunk.ms
      if (item.finished && item.pendingMs <= 0.001) heard.push(this.#forget(chunk.itemId, item.sentMs))
    }
    return heard
  }

  /**
   * Drops everything pending, as the carrier does on `clear`.
   * @returns how much of each cut item was heard, and what was not
   */
  clear(now: number): Cut[] {
    this.#generation++
    this.#settle()
    const cut = new Map<string, { heardMs: number; rest: Uint8Array[] }>()
    for (const chunk of this.#pending) {
      const heard = Math.min(Math.max(now - chunk.startsAt, 0), chunk.ms)
      const known = cut.get(chunk.itemId)
      const rest = this.#unheard(chunk, heard)
      if (known) {
        known.heardMs += heard
        known.rest.push(rest)
      } else cut.set(chunk.itemId, { heardMs: chunk.itemOffsetMs + heard, rest: [rest] })
    }
    if (this.#pending.length > 0) this.#emptySince = now
    this.#pending = []
    this.#shut()
    this.#buffer.release(this.#buffer.end)
    // An unfinished item that was played out is cut too, at its end.
    for (const itemId of this.open())
      if (!cut.has(itemId)) cut.set(itemId, { heardMs: this.#items.get(itemId)?.sentMs ?? 0, rest: [] })
    return [...cut].map(([itemId, { heardMs, rest }]) => ({
      ...this.#forget(itemId, heardMs),
      rest: concatBytes(rest),
    }))
  }

  /** Copies of the audio that is still to be played, in order. */
  unheard(now: number): Uint8Array[] {
    this.#settle()
    return this.#pending.map((chunk) =>
      this.#unheard(chunk, Math.min(Math.max(now - chunk.startsAt, 0), chunk.ms)).slice(),
    )
  }

  #unheard(chunk: Chunk, heardMs: number): Uint8Array {
    const heard = Math.floor(heardMs) * 8
    return (chunk.audio ?? this.#buffer.decode(chunk.bufferedFrom, chunk.bufferedTo)).subarray(heard)
  }

  get playing(): boolean {
    return this.#pending.length > 0
  }

  /** Since when nothing is heard, or from when on, by estimate; before anything was sent it is minus infinity. */
  quietSince(): number {
    this.#settle()
    const last = this.#pending.at(-1)
    return last ? last.startsAt + last.ms : this.#emptySince
  }

  /** How much of an item was sent, in ms; 0 for an unknown one. */
  sentOf(itemId: string): number {
    this.#settle()
    return this.#items.get(itemId)?.sentMs ?? 0
  }

  /** When everything sent will have been played, by estimate; `now` when nothing is pending. */
  endsAt(now: number): number {
    this.#settle()
    const last = this.#pending.at(-1)
    return last ? Math.max(now, last.startsAt + last.ms) : now
  }

  #forget(itemId: string, heardMs: number): Heard {
    const sentMs = this.#items.get(itemId)?.sentMs ?? 0
    this.#items.delete(itemId)
    if (this.#open?.itemId === itemId) this.#shut()
    return { itemId, heardMs, sentMs }
  }
}
