import { expect, test } from 'bun:test'
import { decodeMulaw, encodeMulaw } from '../../src/audio/mulaw.ts'
import { LoudspeakerLine, MicrophoneLine } from '../../src/console/phone/line.ts'

const RATES = [44_100, 48_000, 16_000, 96_000]

const tone = (hz: number, rate: number, seconds: number) =>
  Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate))

/** How strong one tone is in samples: its share of the amplitude (Goertzel). */
function strength(samples: ArrayLike<number>, hz: number, rate: number): number {
  let [re, im] = [0, 0]
  for (let i = 0; i < samples.length; i++) {
    const angle = (2 * Math.PI * hz * i) / rate
    re += (samples[i] ?? 0) * Math.cos(angle)
    im += (samples[i] ?? 0) * Math.sin(angle)
  }
  return (2 * Math.hypot(re, im)) / samples.length
}

const blocks = (samples: Float32Array) =>
  Array.from({ length: Math.ceil(samples.length / 128) }, (_, i) => samples.subarray(i * 128, i * 128 + 128))

test.each(RATES)('a microphone at %p becomes fifty frames of 20 ms a second, with its tone', (rate) => {
  const frames: Uint8Array[] = []
  const line = new MicrophoneLine(rate, (frame) => frames.push(frame))
  for (const block of blocks(tone(440, rate, 2))) line.push(block)
  expect(Math.abs(frames.length - 100)).toBeLessThanOrEqual(1)
  expect(new Set(frames.map(({ length }) => length))).toEqual(new Set([160]))
  const heard = [...decodeMulaw(new Uint8Array(Buffer.concat(frames)))].map((sample) => sample / 32_768)
  expect(strength(heard, 440, 8000)).toBeCloseTo(0.5, 1)
  expect(strength(heard, 880, 8000)).toBeLessThan(0.02)
})

test('what is higher than a line carries does not come back as another tone', () => {
  const frames: Uint8Array[] = []
  const line = new MicrophoneLine(48_000, (frame) => frames.push(frame))
  for (const block of blocks(tone(7_000, 48_000, 1))) line.push(block)
  const heard = [...decodeMulaw(new Uint8Array(Buffer.concat(frames)))].map((sample) => sample / 32_768)
  expect(strength(heard, 1_000, 8000)).toBeLessThan(0.01)
})

test.each(RATES)('a loudspeaker at %p plays what came, at its speed, then silence', (rate) => {
  const marks: string[] = []
  const line = new LoudspeakerLine(rate, (name) => marks.push(name))
  const pcm = Int16Array.from(tone(440, 8000, 1), (sample) => sample * 32_767)
  for (let at = 0; at < pcm.length; at += 400) line.play(encodeMulaw(pcm.slice(at, at + 400)))
  line.mark('end')
  const out = new Float32Array(rate * 1.5)
  let doneAt = 0
  for (const block of blocks(out)) {
    line.fill(block)
    if (marks.length === 0) doneAt += block.length
  }
  expect(marks).toEqual(['end'])
  expect(Math.abs(doneAt / rate - 1)).toBeLessThan(0.02)
  expect(strength(out.subarray(0, rate), 440, rate)).toBeCloseTo(0.5, 1)
  expect(Math.max(...out.subarray(Math.round(rate * 1.1)))).toBeLessThan(0.001)
})

test('a clear drops what was not played and returns its marks, those of a later one stay in order', () => {
  const marks: string[] = []
  const line = new LoudspeakerLine(48_000, (name) => marks.push(name))
  line.play(new Uint8Array(8_000).fill(0x10))
  line.mark('a')
  line.mark('b')
  line.fill(new Float32Array(480))
  expect(marks).toEqual([])
  line.clear()
  expect(marks).toEqual(['a', 'b'])
  line.mark('c')
  line.fill(new Float32Array(480))
  expect(marks).toEqual(['a', 'b', 'c'])
  const quiet = new Float32Array(4_800)
  line.fill(quiet)
  expect(Math.abs(quiet.at(-1) ?? 1)).toBeLessThan(0.001)
})
