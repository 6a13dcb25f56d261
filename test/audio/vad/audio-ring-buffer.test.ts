import { expect, test } from 'bun:test'
import { AudioRingBuffer } from '../../../src/audio/vad/audio-ring-buffer.ts'

const frame = (value: number) => new Uint8Array(160).fill(value)

test('a cut is what was there, with holes as silence', () => {
  const tape = new AudioRingBuffer()
  tape.push(frame(1), 0)
  tape.push(frame(2), 20)
  tape.push(frame(3), 60)
  const cut = tape.slice(10, 70)
  expect(cut.length).toBe(480)
  expect([0, 79, 80, 239, 240, 399, 400, 479].map((i) => cut[i])).toEqual([1, 1, 2, 2, 0xff, 0xff, 3, 3])
  expect(tape.slice(-500, 500).length).toBe(640)
  expect(tape.slice(100, 50).length).toBe(0)
  expect(new AudioRingBuffer().slice(0, 100).length).toBe(0)
})

test('it forgets what is too old', () => {
  const tape = new AudioRingBuffer(1000)
  for (let ms = 0; ms < 20_000; ms += 20) tape.push(frame(1), ms)
  expect(tape.slice(0, 20_000).length / 8).toBeLessThanOrEqual(3040)
  tape.forget(19_900)
  expect(tape.slice(0, 20_000).length / 8).toBe(100)
})
