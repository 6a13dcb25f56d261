import { expect, test } from 'bun:test'
import {
  bytesOfMs,
  concatBytes,
  decodeMulaw,
  decodeMulawByte,
  encodeMulaw,
  MULAW_SILENCE,
  msOfBytes,
  mulawSilence,
} from '../../src/audio/mulaw.ts'

test('every byte survives decode and encode', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  const again = encodeMulaw(decodeMulaw(all))
  // 0x7f is negative zero: it comes back as the positive one.
  for (let byte = 0; byte < 256; byte++) expect(again[byte]).toBe(byte === 0x7f ? 0xff : byte)
})

test('known values of G.711', () => {
  expect(decodeMulawByte(0xff)).toBe(0)
  expect(decodeMulawByte(0x80)).toBe(32124)
  expect(decodeMulawByte(0x00)).toBe(-32124)
  expect([...encodeMulaw(Int16Array.of(0, 32767, -32768, 8, -8))]).toEqual([0xff, 0x80, 0x00, 0xfe, 0x7e])
})

test('a sample comes back within the step of its segment', () => {
  const pcm = Int16Array.from({ length: 65536 }, (_, i) => i - 32768)
  const back = decodeMulaw(encodeMulaw(pcm))
  for (let i = 0; i < pcm.length; i++) {
    const value = pcm[i] ?? 0
    const clipped = Math.max(-32124, Math.min(32124, value))
    // A segment's step is at most 1/16 of its magnitude plus the bias; half a step is the rounding.
    expect(Math.abs((back[i] ?? 0) - clipped)).toBeLessThanOrEqual((Math.abs(clipped) + 132) / 32 + 4)
  }
})

test('silence and lengths', () => {
  expect(decodeMulawByte(MULAW_SILENCE)).toBe(0)
  expect(msOfBytes(160)).toBe(20)
  expect(bytesOfMs(20)).toBe(160)
  expect([...mulawSilence(1)]).toEqual(new Array(8).fill(0xff))
  expect([...concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])]).toEqual([1, 2, 3])
})
