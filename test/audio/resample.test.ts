import { expect, test } from 'bun:test'
import { resample } from '../../src/audio/resample.ts'
import { rmsOf } from '../support/speech.ts'

const tone = (hz: number, rate: number, seconds: number) =>
  Int16Array.from({ length: rate * seconds }, (_, i) => 10_000 * Math.sin((2 * Math.PI * hz * i) / rate))

/** How much of a signal is a tone: 1 when it is nothing else. */
function shareOfTone(pcm: Int16Array, hz: number, rate: number): number {
  let re = 0
  let im = 0
  pcm.forEach((value, i) => {
    re += value * Math.cos((2 * Math.PI * hz * i) / rate)
    im += value * Math.sin((2 * Math.PI * hz * i) / rate)
  })
  return (2 * Math.hypot(re, im)) / pcm.length / 10_000
}

test('a tone within the band keeps its pitch and loudness, down and up', () => {
  for (const [from, to] of [
    [22_050, 8000],
    [16_000, 8000],
    [8000, 16_000],
    [44_100, 8000],
  ] as const) {
    const out = resample(tone(1000, from, 1), from, to)
    expect(out.length).toBe(to)
    expect(shareOfTone(out.subarray(200, -200), 1000, to)).toBeCloseTo(1, 1)
  }
})

test('a tone above the new band is gone, not folded back', () => {
  const out = resample(tone(6000, 22_050, 1), 22_050, 8000)
  expect(rmsOf(out.subarray(200, -200))).toBeLessThan(20)
})

test('the same rate is the same audio', () => {
  const pcm = tone(300, 8000, 0.1)
  expect(resample(pcm, 8000, 8000)).toBe(pcm)
  expect(resample(new Int16Array(0), 22_050, 8000).length).toBe(0)
})
