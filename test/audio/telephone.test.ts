import { expect, test } from 'bun:test'
import { rmsOfMulaw } from '../../src/audio/energy.ts'
import { encodeMulaw } from '../../src/audio/mulaw.ts'
import { wavToTelephone } from '../../src/audio/telephone.ts'
import { writeWavMulaw, writeWavPcm16 } from '../../src/audio/wav.ts'

const tone = (rate: number) =>
  Int16Array.from({ length: rate }, (_, i) => 10_000 * Math.sin((2 * Math.PI * 440 * i) / rate))

test('a recording of any rate becomes a second of telephone audio, as loud as it was', () => {
  for (const rate of [8000, 16_000, 44_100, 48_000]) {
    const mulaw = wavToTelephone(writeWavPcm16(tone(rate), rate))
    expect(mulaw.length).toBe(8000)
    expect(rmsOfMulaw(mulaw) / (10_000 / Math.SQRT2)).toBeCloseTo(1, 1)
  }
})

test('what is telephone audio already stays bit for bit', () => {
  const mulaw = encodeMulaw(tone(8000))
  expect(wavToTelephone(writeWavMulaw(mulaw))).toEqual(mulaw)
})

test('what is no WAV is refused', () => {
  expect(() => wavToTelephone(new Uint8Array(100))).toThrow('not a WAV file')
})
