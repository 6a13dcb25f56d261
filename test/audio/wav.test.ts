import { expect, test } from 'bun:test'
import { concatBytes, encodeMulaw } from '../../src/audio/mulaw.ts'
import { mixToMono, readWav, writeWavMulaw, writeWavPcm16 } from '../../src/audio/wav.ts'

const pcm = Int16Array.from({ length: 801 }, (_, i) => Math.round(9000 * Math.sin(i / 7)))
const ascii = (text: string) => new TextEncoder().encode(text)

test('PCM16 survives a round trip', () => {
  const wav = readWav(writeWavPcm16(pcm, 16_000))
  expect(wav).toEqual({ sampleRate: 16_000, channels: 1, encoding: 'pcm16', pcm })
})

test('μ-law survives a round trip, an odd length included', () => {
  const mulaw = encodeMulaw(pcm)
  const file = writeWavMulaw(mulaw)
  expect(file.length % 2).toBe(0)
  const wav = readWav(file)
  expect(wav.encoding).toBe('mulaw')
  expect(wav.sampleRate).toBe(8000)
  expect(encodeMulaw(wav.pcm)).toEqual(mulaw)
})

test('chunks it does not know are skipped, padded ones too', () => {
  const file = writeWavPcm16(pcm, 8000)
  const extra = concatBytes([ascii('LIST'), Uint8Array.of(5, 0, 0, 0), ascii('hello'), Uint8Array.of(0)])
  const withExtra = concatBytes([file.subarray(0, 36), extra, file.subarray(36)])
  expect(readWav(withExtra).pcm).toEqual(pcm)
})

test('a length that a stream could not know runs to the end', () => {
  for (const length of [0, 0xffffffff]) {
    const file = writeWavPcm16(pcm, 8000)
    new DataView(file.buffer).setUint32(40, length, true)
    expect(readWav(file).pcm).toEqual(pcm)
  }
})

test('a view into a larger buffer is read at its own offset', () => {
  const file = concatBytes([Uint8Array.of(1, 2, 3), writeWavPcm16(pcm, 8000)])
  expect(readWav(file.subarray(3)).pcm).toEqual(pcm)
})

test('two channels are mixed to one', () => {
  expect([
    ...mixToMono({ sampleRate: 8000, channels: 2, encoding: 'pcm16', pcm: Int16Array.of(10, 20, -4, -8) }),
  ]).toEqual([15, -6])
})

test('what is no WAV is refused with a reason', () => {
  const eightBit = writeWavPcm16(pcm, 8000)
  new DataView(eightBit.buffer).setUint16(34, 8, true)
  for (const bytes of [
    new Uint8Array(0),
    ascii('ID3 not a wav at all'),
    eightBit,
    writeWavPcm16(pcm, 8000).subarray(0, 30),
  ])
    expect(() => readWav(bytes)).toThrow('not a WAV file that can be read')
})
