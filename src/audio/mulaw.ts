/**
 * G.711 μ-law, the only encoding of a Twilio media stream: 8,000 bytes a second, one byte a sample, no header.
 * Table driven: 256 entries to decode, 65,536 to encode.
 */

/** μ-law of a zero sample: silence. */
export const MULAW_SILENCE = 0xff

/** Samples, and so bytes, per second of a telephone stream. */
export const MULAW_RATE = 8000

const BIAS = 132
const CLIP = 32635

const DECODE = makeDecodeTable()
const ENCODE = makeEncodeTable()

/** Linear 16-bit samples to μ-law bytes, one for one. */
export function encodeMulaw(pcm: Int16Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(pcm.length)
  for (let i = 0; i < pcm.length; i++) bytes[i] = ENCODE[(pcm[i] as number) & 0xffff] as number
  return bytes
}

/** μ-law bytes to linear 16-bit samples, one for one. */
export function decodeMulaw(bytes: Uint8Array): Int16Array {
  const pcm = new Int16Array(bytes.length)
  for (let i = 0; i < bytes.length; i++) pcm[i] = DECODE[bytes[i] as number] as number
  return pcm
}

/** The linear value of one μ-law byte, −32,124 to 32,124. */
export function decodeMulawByte(byte: number): number {
  return DECODE[byte & 0xff] as number
}

/** How long μ-law audio of this many bytes plays, in milliseconds. */
export function msOfBytes(bytes: number): number {
  return bytes / (MULAW_RATE / 1000)
}

/** How many bytes of μ-law play for this many milliseconds. */
export function bytesOfMs(ms: number): number {
  return Math.round(ms * (MULAW_RATE / 1000))
}

/** μ-law silence of a length in milliseconds. */
export function mulawSilence(ms: number): Uint8Array {
  return new Uint8Array(bytesOfMs(ms)).fill(MULAW_SILENCE)
}

/** Pieces of audio joined into one buffer. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

function makeDecodeTable(): Int16Array {
  const table = new Int16Array(256)
  for (let byte = 0; byte < 256; byte++) {
    const code = ~byte & 0xff
    const magnitude = (((code & 0x0f) << 3) + BIAS) << ((code & 0x70) >> 4)
    table[byte] = code & 0x80 ? BIAS - magnitude : magnitude - BIAS
  }
  return table
}

function makeEncodeTable(): Uint8Array {
  const table = new Uint8Array(65536)
  for (let value = -32768; value < 32768; value++) {
    const sign = value < 0 ? 0x80 : 0
    const magnitude = Math.min(Math.abs(value), CLIP) + BIAS
    let exponent = 7
    for (let bit = 0x4000; exponent > 0 && (magnitude & bit) === 0; bit >>= 1) exponent--
    table[value & 0xffff] = ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff
  }
  return table
}
