import { expect, test } from 'bun:test'
import { LoudnessGate, rmsOfMulaw } from '../../src/audio/energy.ts'
import { encodeMulaw, mulawSilence } from '../../src/audio/mulaw.ts'

const tone = (peak: number, samples = 160) =>
  encodeMulaw(Int16Array.from({ length: samples }, (_, i) => peak * Math.sin((2 * Math.PI * 50 * i) / 800)))

test('loudness of μ-law is the loudness of its samples', () => {
  expect(rmsOfMulaw(mulawSilence(20))).toBe(0)
  expect(rmsOfMulaw(new Uint8Array(0))).toBe(0)
  expect(rmsOfMulaw(tone(8000)) / (8000 / Math.SQRT2)).toBeCloseTo(1, 1)
})

test('the gate opens for sound, stays for the hangover, and shuts', () => {
  const gate = new LoudnessGate({ hangoverMs: 60 })
  expect(gate.push(mulawSilence(20))).toBe(false)
  expect(gate.push(tone(20))).toBe(false)
  expect(gate.push(tone(500))).toBe(true)
  expect([1, 2, 3].map(() => gate.push(mulawSilence(20)))).toEqual([true, true, false])
})

test('a 20 ms frame costs microseconds at most', () => {
  const gate = new LoudnessGate()
  const frame = tone(4000)
  for (let i = 0; i < 20_000; i++) gate.push(frame)
  const start = performance.now()
  for (let i = 0; i < 50_000; i++) gate.push(frame)
  // ~0.2 µs on an idle core; the bound only catches a change of kind on a busy one.
  expect(((performance.now() - start) * 1000) / 50_000).toBeLessThan(10)
})
