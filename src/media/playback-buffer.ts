import { concatBytes } from '../audio/mulaw.ts'

declare global {
  interface Buffer<TArrayBuffer extends ArrayBufferLike = ArrayBufferLike> {
    /** What `write(text, offset, 'latin1')` comes to, three times as fast; in Bun and Node, though not in their types. */
    latin1Write(text: string, offset: number): number
  }
}

/** Room for a second between marks and half of one on the way. */
const FIRST_BYTES = 16 * 1024

/**
 * Audio that was sent and may still be needed, first in, first out, as base64 in one block of memory. The pieces themselves
 * would hold the messages that they were sliced from until the next full garbage collection.
 */
export class PlaybackBuffer {
  #bytes: Buffer | null = null
  #from = 0
  #to = 0
  /** Bytes released so far: positions stay the same when the bytes are moved. */
  #released = 0

  /** The position after the last byte, counted from the beginning of the call. */
  get end(): number {
    return this.#released + this.#to - this.#from
  }

  /** @param payload base64, with its padding */
  append(payload: string): void {
    const bytes = this.#bytes
    const { length } = payload
    const room = bytes && this.#to + length <= bytes.length ? bytes : this.#makeRoom(length)
    this.#to += room.latin1Write(payload, this.#to)
  }

  /** Frees the bytes before a position. */
  release(place: number): void {
    const count = Math.min(place, this.end) - this.#released
    if (count <= 0) return
    this.#released += count
    this.#from += count
    if (this.#from < this.#to) return
    this.#from = 0
    this.#to = 0
    // A long answer does not hold its memory for the rest of the call.
    if (this.#bytes && this.#bytes.length > FIRST_BYTES) this.#bytes = null
  }

  /** The audio between two positions, as far as it is still buffered. */
  decode(from: number, to: number): Uint8Array {
    const at = (place: number) => Math.min(Math.max(place - this.#released + this.#from, this.#from), this.#to)
    const text = this.#bytes?.toString('latin1', at(from), at(to)) ?? ''
    // Padding ends a piece, and a decoder stops there.
    return concatBytes((text.match(/[^=]+=*/g) ?? []).map((piece) => Buffer.from(piece, 'base64')))
  }

  #makeRoom(length: number): Buffer {
    const used = this.#to - this.#from
    let size = this.#bytes?.length ?? FIRST_BYTES
    while (size < (used + length) * 2) size *= 2
    const moved = this.#bytes && size === this.#bytes.length ? this.#bytes : Buffer.allocUnsafeSlow(size)
    this.#bytes?.copy(moved, 0, this.#from, this.#to)
    this.#from = 0
    this.#to = used
    this.#bytes = moved
    return moved
  }
}
