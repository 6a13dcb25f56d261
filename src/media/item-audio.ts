import { writeBase64 } from '../audio/base64.ts'
import { bytesOfMs, msOfBytes } from '../audio/mulaw.ts'
import { type AudioSpool, SPOOL_BLOCK_BYTES, type SpooledBlock } from './audio-spool.ts'

export type HeardAudio = () => Promise<Uint8Array>

/** What of an item lies where: audio of the product's own as it is, blocks of the engine's in the spool. */
type Piece = Uint8Array | SpooledBlock

/** The μ-law audio of one item, until it was heard. It takes base64 without making an object for each piece. */
export class ItemAudio {
  #pieces: Piece[] = []
  #block: Buffer | null = null
  #used = 0
  #length = 0

  /** @param maxMs audio behind this length is left out */
  constructor(
    private readonly spool: AudioSpool,
    private readonly maxMs: number,
  ) {}

  /** Adds a piece of the engine's. @param payload base64 */
  append(payload: string): void {
    if (msOfBytes(this.#length) >= this.maxMs) return
    const most = (payload.length * 3) >> 2
    if (most > SPOOL_BLOCK_BYTES) {
      this.appendBytes(Buffer.from(payload, 'base64'))
      return
    }
    const block = this.#block !== null && this.#used + most <= SPOOL_BLOCK_BYTES ? this.#block : this.#nextBlock()
    const written = writeBase64(block, payload, this.#used)
    this.#used += written
    this.#length += written
  }

  /** Adds audio given as bytes, which must not change. */
  appendBytes(audio: Uint8Array): void {
    if (msOfBytes(this.#length) >= this.maxMs) return
    this.#park()
    this.#pieces.push(audio)
    this.#length += audio.byteLength
  }

  /** Takes out what was heard; the item is empty then. @returns reads it, once; rejects when the disk does not return it */
  take(heardMs: number): HeardAudio {
    this.#park()
    const pieces = this.#pieces
    const length = Math.min(Math.max(bytesOfMs(heardMs), 0), this.#length)
    this.#pieces = []
    this.#length = 0
    return () => joined(pieces, length)
  }

  drop(): void {
    free(this.#pieces)
    this.#pieces = []
    this.#block = null
    this.#length = 0
  }

  #nextBlock(): Buffer {
    this.#park()
    this.#block = this.spool.block()
    this.#used = 0
    return this.#block
  }

  #park(): void {
    if (this.#block) this.#pieces.push(this.spool.put(this.#block, this.#used))
    this.#block = null
  }
}

async function joined(pieces: readonly Piece[], length: number): Promise<Uint8Array> {
  const heard = new Uint8Array(length)
  try {
    let at = 0
    for (const piece of pieces) {
      if (at >= length) break
      const bytes = piece instanceof Uint8Array ? piece : await piece.read()
      heard.set(bytes.subarray(0, length - at), at)
      at += bytes.byteLength
    }
    return heard
  } finally {
    free(pieces)
  }
}

function free(pieces: readonly Piece[]): void {
  for (const piece of pieces) if (!(piece instanceof Uint8Array)) piece.free()
}
