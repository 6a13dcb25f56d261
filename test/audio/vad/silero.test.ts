import { expect, test } from 'bun:test'
import { loadSilero, SILERO_FRAME } from '../../../src/audio/vad/silero.ts'

/** A buzz that rises and falls (8 frames), then noise (4 frames): the same numbers everywhere. */
function makeSignal(): Int16Array[] {
  let seed = 1
  const random = () => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    return seed / 0x7fffffff - 0.5
  }
  return Array.from({ length: 12 }, (_, frame) =>
    Int16Array.from({ length: SILERO_FRAME }, (_, i) => {
      const t = (frame * SILERO_FRAME + i) / 8000
      let buzz = 0
      for (let h = 1; h <= 12; h++) buzz += (Math.sin(2 * Math.PI * 120 * h * t) / h) * (h > 3 && h < 8 ? 2 : 1)
      return Math.round(frame < 8 ? 4000 * buzz * Math.sin((Math.PI * frame) / 8 + 0.2) : 8000 * random())
    }),
  )
}

// From the network's own graph on the same signal.
const EXPECTED = [
  0.166365, 0.58101, 0.659955, 0.210902, 0.064294, 0.039062, 0.083309, 0.188956, 0.823504, 0.614477, 0.551024, 0.490425,
]

test('probabilities are those of the original network, frame by frame', async () => {
  const stream = (await loadSilero()).stream()
  makeSignal().forEach((frame, i) => {
    expect(stream.process(frame)).toBeCloseTo(EXPECTED[i] ?? -1, 4)
  })
})

test('streams do not hear each other, and a reset one is as new', async () => {
  const model = await loadSilero()
  const [first, second] = [model.stream(), model.stream()]
  const frames = makeSignal()
  for (const frame of frames) first.process(frame)
  const fresh = frames.map((frame) => second.process(frame))
  first.reset()
  expect(frames.map((frame) => first.process(frame))).toEqual(fresh)
})

test('silence is not speech', async () => {
  const stream = (await loadSilero()).stream()
  for (let i = 0; i < 30; i++) expect(stream.process(new Int16Array(SILERO_FRAME))).toBeLessThan(0.1)
})
