import { AppError } from '../lib/errors.ts'
import { decodeMulaw } from './mulaw.ts'

/** A WAV file's sound: 16-bit samples, interleaved when there is more than one channel. */
export type WavAudio = { sampleRate: number; channels: number; encoding: 'pcm16' | 'mulaw'; pcm: Int16Array }

const FORMAT_PCM = 1
const FORMAT_MULAW = 7
const FORMAT_EXTENSIBLE = 0xfffe

/**
 * Reads PCM16 and μ-law (format 7) WAV files. Unknown chunks are skipped, odd chunks are padded, and a `data` chunk
 * whose length is wrong (0, 0xFFFFFFFF from a stream, or past the end) runs to the end of the file.
 * @throws AppError `invalid` `bad_wav` for anything else
 */
export function readWav(bytes: Uint8Array): WavAudio {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 12 || tagAt(view, 0) !== 'RIFF' || tagAt(view, 8) !== 'WAVE')
    throw badWav('it has no RIFF/WAVE head')
  let format: { tag: number; channels: number; sampleRate: number; bits: number } | undefined
  for (let offset = 12; offset + 8 <= bytes.length; ) {
    const tag = tagAt(view, offset)
    const length = view.getUint32(offset + 4, true)
    const body = offset + 8
    if (tag === 'fmt ') {
      if (length < 16 || body + 16 > bytes.length) throw badWav('its format chunk is cut off')
      const plain = view.getUint16(body, true)
      // WAVE_FORMAT_EXTENSIBLE keeps the real format in the first two bytes of its sub-format GUID.
      const tagOf = plain === FORMAT_EXTENSIBLE && length >= 26 ? view.getUint16(body + 24, true) : plain
      format = {
        tag: tagOf,
        channels: view.getUint16(body + 2, true),
        sampleRate: view.getUint32(body + 4, true),
        bits: view.getUint16(body + 14, true),
      }
    } else if (tag === 'data') {
      if (!format) throw badWav('its data comes before its format')
      const rest = bytes.length - body
      const size = length === 0 || length > rest ? rest : length
      return decodeData(format, bytes.subarray(body, body + size))
    }
    offset = body + length + (length & 1)
  }
  throw badWav('it has no data chunk')
}

/** Every channel of a WAV mixed down to one, 16-bit. */
export function mixToMono(audio: WavAudio): Int16Array {
  if (audio.channels === 1) return audio.pcm
  const mono = new Int16Array(Math.floor(audio.pcm.length / audio.channels))
  for (let i = 0; i < mono.length; i++) {
    let sum = 0
    for (let c = 0; c < audio.channels; c++) sum += audio.pcm[i * audio.channels + c] as number
    mono[i] = Math.round(sum / audio.channels)
  }
  return mono
}

/** A mono PCM16 WAV file. */
export function writeWavPcm16(pcm: Int16Array, sampleRate: number): Uint8Array {
  const file = new Uint8Array(44 + pcm.length * 2)
  const view = new DataView(file.buffer)
  writeHead(view, { formatBytes: 16, dataBytes: pcm.length * 2, tag: FORMAT_PCM, sampleRate, bits: 16, channels: 1 })
  for (let i = 0; i < pcm.length; i++) view.setInt16(44 + i * 2, pcm[i] as number, true)
  return file
}

/**
 * A μ-law WAV file (format 7, with the `fact` chunk that non-PCM files carry); 8 KB a second and channel at 8 kHz.
 * @param mulaw interleaved when there are two channels
 */
export function writeWavMulaw(mulaw: Uint8Array, sampleRate = 8000, channels: 1 | 2 = 1): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(58 + mulaw.length + (mulaw.length & 1))
  const view = new DataView(file.buffer)
  writeHead(view, { formatBytes: 18, dataBytes: mulaw.length, tag: FORMAT_MULAW, sampleRate, bits: 8, channels })
  file.set(mulaw, 58)
  return file
}

type Head = { formatBytes: 16 | 18; dataBytes: number; tag: number; sampleRate: number; bits: 8 | 16; channels: 1 | 2 }

function writeHead(view: DataView, head: Head): void {
  const align = (head.bits / 8) * head.channels
  writeTag(view, 0, 'RIFF')
  view.setUint32(4, view.byteLength - 8, true)
  writeTag(view, 8, 'WAVE')
  writeTag(view, 12, 'fmt ')
  view.setUint32(16, head.formatBytes, true)
  view.setUint16(20, head.tag, true)
  view.setUint16(22, head.channels, true)
  view.setUint32(24, head.sampleRate, true)
  view.setUint32(28, head.sampleRate * align, true)
  view.setUint16(32, align, true)
  view.setUint16(34, head.bits, true)
  let offset = 20 + head.formatBytes
  if (head.formatBytes === 18) {
    writeTag(view, offset, 'fact')
    view.setUint32(offset + 4, 4, true)
    view.setUint32(offset + 8, head.dataBytes / head.channels, true)
    offset += 12
  }
  writeTag(view, offset, 'data')
  view.setUint32(offset + 4, head.dataBytes, true)
}

function decodeData(
  format: { tag: number; channels: number; sampleRate: number; bits: number },
  data: Uint8Array,
): WavAudio {
  const { channels, sampleRate } = format
  if (channels < 1 || sampleRate < 1) throw badWav('it names no channel or no sampling rate')
  if (format.tag === FORMAT_MULAW && format.bits === 8)
    return { sampleRate, channels, encoding: 'mulaw', pcm: decodeMulaw(data) }
  if (format.tag !== FORMAT_PCM || format.bits !== 16)
    throw badWav(`format ${format.tag} with ${format.bits} bits is not read here; save it as PCM 16-bit or μ-law`)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const pcm = new Int16Array(data.length >> 1)
  for (let i = 0; i < pcm.length; i++) pcm[i] = view.getInt16(i * 2, true)
  return { sampleRate, channels, encoding: 'pcm16', pcm }
}

function tagAt(view: DataView, offset: number): string {
  return String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(offset + i)))
}

function writeTag(view: DataView, offset: number, tag: string): void {
  for (let i = 0; i < 4; i++) view.setUint8(offset + i, tag.charCodeAt(i))
}

function badWav(why: string): AppError {
  return new AppError('invalid', 'bad_wav', `This is not a WAV file that can be read: ${why}.`)
}

/** How long a WAV file plays, in ms; null when it is no WAV file that can be read. */
export function durationOfWav(bytes: Uint8Array): number | null {
  try {
    const { pcm, channels, sampleRate } = readWav(bytes)
    return Math.round((pcm.length / channels / sampleRate) * 1000)
  } catch {
    return null
  }
}
