/** Bytes of μ-law telephone audio in one millisecond (8,000 Hz, mono, one byte a sample). */
export const BYTES_PER_MS = 8
/** Bytes of one 20 ms frame, the size Twilio sends. */
export const FRAME_BYTES = 160
/** The μ-law byte of silence. */
export const SILENCE = 0xff

const DECODED = new Int16Array(256)
for (let byte = 0; byte < 256; byte += 1) {
  const code = ~byte & 0xff
  const magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
  DECODED[byte] = code & 0x80 ? -magnitude : magnitude
}

/** μ-law bytes as 16-bit samples (ITU-T G.711). */
export function decodeUlaw(bytes: Uint8Array): Int16Array {
  const samples = new Int16Array(bytes.length)
  for (let i = 0; i < bytes.length; i += 1) samples[i] = DECODED[bytes[i] ?? SILENCE] ?? 0
  return samples
}

/** 16-bit samples as μ-law bytes (ITU-T G.711). */
export function encodeUlaw(samples: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(samples.length)
  for (let i = 0; i < samples.length; i += 1) {
    const sample = samples[i] ?? 0
    const sign = sample < 0 ? 0x80 : 0
    const magnitude = Math.min(Math.abs(sample), 32635) + 0x84
    const exponent = 31 - Math.clz32(magnitude) - 7
    bytes[i] = ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff
  }
  return bytes
}

/** Mean absolute amplitude (0 to 32,635) of a piece of μ-law audio. */
export function loudness(bytes: Uint8Array): number {
  if (bytes.length === 0) return 0
  let sum = 0
  for (const byte of bytes) sum += Math.abs(DECODED[byte] ?? 0)
  return sum / bytes.length
}

/** Above this mean amplitude a frame counts as voice (about -40 dBFS; idle lines stay far below). */
export const VOICE_LOUDNESS = 300

/** Where the voice of an utterance begins and ends, in bytes, to the 20 ms frame; null when it is all silence. */
export function findVoice(bytes: Uint8Array): { start: number; end: number } | null {
  let start = -1
  let end = -1
  for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
    const frame = bytes.subarray(at, at + FRAME_BYTES)
    if (loudness(frame) < VOICE_LOUDNESS) continue
    if (start < 0) start = at
    end = at + frame.length
  }
  return start < 0 ? null : { start, end }
}

/** A sine tone as μ-law, for beeps and for speech that this carrier does not synthesize. */
export function makeTone(hertz: number, ms: number, amplitude = 8000): Uint8Array {
  const samples = new Int16Array(Math.round(ms * BYTES_PER_MS))
  for (let i = 0; i < samples.length; i += 1) samples[i] = Math.sin((2 * Math.PI * hertz * i) / 8000) * amplitude
  return encodeUlaw(samples)
}

/** μ-law silence. */
export function makeSilence(ms: number): Uint8Array {
  return new Uint8Array(Math.round(ms * BYTES_PER_MS)).fill(SILENCE)
}

/** Joins pieces of audio. */
export function joinAudio(pieces: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    joined.set(piece, at)
    at += piece.length
  }
  return joined
}

/** A 16-bit PCM WAV file (8,000 Hz, mono, 128 kbit/s, what Twilio serves for recordings) of μ-law audio. */
export function writeWav(ulaw: Uint8Array): Uint8Array {
  const samples = decodeUlaw(ulaw)
  const file = new Uint8Array(44 + samples.length * 2)
  const view = new DataView(file.buffer)
  const ascii = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i += 1) view.setUint8(at + i, text.charCodeAt(i))
  }
  ascii(0, 'RIFF')
  view.setUint32(4, 36 + samples.length * 2, true)
  ascii(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, 8000, true)
  view.setUint32(28, 16000, true)
  view.setUint16(32, 2, true)
  view.setUint16(34, 16, true)
  ascii(36, 'data')
  view.setUint32(40, samples.length * 2, true)
  for (let i = 0; i < samples.length; i += 1) view.setInt16(44 + i * 2, samples[i] ?? 0, true)
  return file
}

/**
 * A WAV file (16-bit PCM or μ-law, any rate, first channel) as μ-law at 8,000 Hz, resampled linearly: enough for a
 * telephone line. Null when the bytes are no such file.
 */
export function readWav(file: Uint8Array): Uint8Array | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const tag = (at: number): string => String.fromCharCode(...file.subarray(at, at + 4))
  if (file.length < 44 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') return null
  let format: { code: number; channels: number; rate: number; bits: number } | null = null
  for (let at = 12; at + 8 <= file.length; ) {
    const size = view.getUint32(at + 4, true)
    const body = at + 8
    if (tag(at) === 'fmt ' && body + 16 <= file.length) {
      const code = view.getUint16(body, true)
      const channels = view.getUint16(body + 2, true)
      format = { code, channels, rate: view.getUint32(body + 4, true), bits: view.getUint16(body + 14, true) }
    }
    if (tag(at) === 'data' && format !== null) {
      return toTelephone(file.subarray(body, Math.min(body + size, file.length)), format)
    }
    at = body + size + (size % 2)
  }
  return null
}

function toTelephone(
  data: Uint8Array,
  format: { code: number; channels: number; rate: number; bits: number },
): Uint8Array | null {
  const isUlaw = format.code === 7 && format.bits === 8
  if ((!isUlaw && !(format.code === 1 && format.bits === 16)) || format.channels < 1 || format.rate < 1) return null
  if (isUlaw && format.channels === 1 && format.rate === 8000) return data.slice()
  const step = (isUlaw ? 1 : 2) * format.channels
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const count = Math.floor(data.length / step)
  const sampleAt = (i: number): number => {
    const at = Math.min(i, count - 1) * step
    return isUlaw ? (DECODED[view.getUint8(at)] ?? 0) : view.getInt16(at, true)
  }
  const samples = new Int16Array(Math.floor((count * 8000) / format.rate))
  for (let i = 0; i < samples.length; i += 1) {
    const position = (i * format.rate) / 8000
    const left = Math.floor(position)
    const part = position - left
    samples[i] = sampleAt(left) * (1 - part) + sampleAt(left + 1) * part
  }
  return encodeUlaw(samples)
}
