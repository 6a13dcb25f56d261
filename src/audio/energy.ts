import { decodeMulawByte } from './mulaw.ts'

/** Squared linear value of every μ-law byte, so that loudness needs no decoding. */
const SQUARES = Float64Array.from({ length: 256 }, (_, byte) => decodeMulawByte(byte) ** 2)

/** Root mean square of μ-law audio on the 16-bit scale (0 to 32,124); 0 for none. Well under 1 µs for 20 ms. */
export function rmsOfMulaw(bytes: Uint8Array): number {
  if (bytes.length === 0) return 0
  let sum = 0
  for (let i = 0; i < bytes.length; i++) sum += SQUARES[bytes[i] as number] as number
  return Math.sqrt(sum / bytes.length)
}

/** By code of a base64 character: the squared linear value of a byte whose upper six bits that character holds. */
const SQUARES_BY_CODE = squaresByCode()

/**
 * `rmsOfMulaw` within 3 % for base64, without decoding it: the first of every four characters holds the upper six bits of
 * one byte; the other two bytes are skipped.
 * @param text contains the base64 from `from` to `to`: a slice would cost more than the rest of this function
 */
export function rmsOfMulawBase64(text: string, from = 0, to = text.length): number {
  const end = to - 3
  if (end <= from) return 0
  let sum = 0
  let count = 0
  for (let i = from; i < end; i += 4) {
    sum += SQUARES_BY_CODE[text.charCodeAt(i) & 127] as number
    count++
  }
  return Math.sqrt(sum / count)
}

function squaresByCode(): Float64Array {
  const squares = new Float64Array(128)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  for (let bits = 0; bits < 64; bits++) {
    const four = [0, 1, 2, 3].map((low) => SQUARES[(bits << 2) | low] as number)
    squares[alphabet.charCodeAt(bits)] = four.reduce((sum, each) => sum + each, 0) / 4
  }
  return squares
}

export type LoudnessGateOptions = {
  /** Loudness (16-bit RMS) that opens the gate. 48 is −57 dBFS: above comfort noise, below a faint voice. */
  openRms?: number
  /** How long it stays open after the last loud frame, so that the soft ends of words pass. */
  hangoverMs?: number
}

/** Whether a frame is loud enough for a real speech detector. */
export class LoudnessGate {
  readonly #openRms: number
  readonly #hangoverMs: number
  #leftMs = 0

  constructor(options: LoudnessGateOptions = {}) {
    this.#openRms = options.openRms ?? 48
    this.#hangoverMs = options.hangoverMs ?? 240
  }

  /** @returns true while open: this frame is loud, or a loud one is less than the hangover ago */
  push(mulaw: Uint8Array): boolean {
    if (rmsOfMulaw(mulaw) >= this.#openRms) {
      this.#leftMs = this.#hangoverMs
      return true
    }
    this.#leftMs = Math.max(0, this.#leftMs - mulaw.length / 8)
    return this.#leftMs > 0
  }
}
