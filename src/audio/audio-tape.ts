import { writeBase64 } from './base64.ts'
import { bytesOfMs, MULAW_SILENCE } from './mulaw.ts'

/** One second. Blocks of this size are neither copied when the tape grows nor kept when it is shortened. */
const BLOCK_BYTES = 8_000
/** The longest gap that is filled with silence; after a longer one the tape begins anew. */
const MAX_GAP_MS = 10_000
/** Frames that come this late or early still join. */
const JITTER_MS = 40

/** Blocks that are kept to be filled again: a call takes one a second, and a collector finds them late. */
const MAX_EMPTY = 512
const empty: Buffer[] = []

type Block = { bytes: Buffer; from: number; used: number }

/** Consecutive μ-law audio of one side of a call. It takes base64 without making an object for each piece. */
export class AudioTape {
  #blocks: Block[] = []
  #length = 0
  #startMs = 0

  /** @param maxMs audio behind this length is left out */
  constructor(private readonly maxMs: number) {}

  /** When what is on the tape begins. */
  get startMs(): number {
    return this.#startMs
  }

  get ms(): number {
    return this.#length / 8
  }

  /** Adds a piece. @param payload base64 @param atMs when it begins; right behind the last one when left out */
  append(payload: string, atMs?: number): void {
    if (this.#length === 0) this.#startMs = atMs ?? 0
    else if (atMs !== undefined) this.#fillTo(atMs)
    if (this.ms >= this.maxMs) return
    const block = this.#room((payload.length * 3) >> 2)
    const written = writeBase64(block.bytes, payload, block.used)
    block.used += written
    this.#length += written
  }

  /** A copy of what lies between two moments; empty when nothing does. */
  slice(fromMs: number, toMs: number): Uint8Array {
    const at = (ms: number) => Math.min(Math.max(bytesOfMs(ms - this.#startMs), 0), this.#length)
    const [from, to] = [at(fromMs), at(toMs)]
    const copy = new Uint8Array(Math.max(to - from, 0))
    let begin = 0
    for (const block of this.#blocks) {
      const size = block.used - block.from
      const [first, last] = [Math.max(from - begin, 0), Math.min(to - begin, size)]
      if (first < last) copy.set(block.bytes.subarray(block.from + first, block.from + last), begin + first - from)
      begin += size
    }
    return copy
  }

  /** Drops what lies before a moment. */
  forget(beforeMs: number): void {
    const count = Math.min(Math.max(bytesOfMs(beforeMs - this.#startMs), 0), this.#length)
    let left = count
    while (left > 0) {
      const block = this.#blocks[0]
      if (!block) break
      const size = block.used - block.from
      if (size > left) {
        block.from += left
        break
      }
      left -= size
      this.#blocks.shift()
      reuse(block)
    }
    this.#length -= count
    this.#startMs += count / 8
  }

  #fillTo(atMs: number): void {
    const missing = atMs - this.#startMs - this.ms
    if (Math.abs(missing) <= JITTER_MS) return
    if (missing < 0 || missing > MAX_GAP_MS) {
      this.#blocks.splice(0).forEach(reuse)
      this.#length = 0
      this.#startMs = atMs
      return
    }
    const count = bytesOfMs(missing)
    const block = this.#room(count)
    block.bytes.fill(MULAW_SILENCE, block.used, block.used + count)
    block.used += count
    this.#length += count
  }

  #room(more: number): Block {
    const last = this.#blocks.at(-1)
    if (last && last.bytes.length >= last.used + more) return last
    const bytes = more <= BLOCK_BYTES ? empty.pop() : undefined
    const block = { bytes: bytes ?? Buffer.allocUnsafeSlow(Math.max(more, BLOCK_BYTES)), from: 0, used: 0 }
    this.#blocks.push(block)
    return block
  }
}

function reuse({ bytes }: Block): void {
  if (bytes.length === BLOCK_BYTES && empty.length < MAX_EMPTY) empty.push(bytes)
}
