import { expect, test } from 'bun:test'
import { mulawSilence } from '../../../src/audio/mulaw.ts'
import { EnergyGate } from '../../../src/audio/vad/energy-gate.ts'

const LOUD = new Uint8Array(160).fill(0x90)
const QUIET = mulawSilence(20)

/** What a line of loud (`x`) and quiet (`.`) frames lets through, as `ms:bytes`. */
function passed(frames: string, hangoverMs = 40): string[] {
  const out: string[] = []
  const line = new EnergyGate((mulaw, atMs) => out.push(`${atMs}:${mulaw.length}`), { hangoverMs })
  ;[...frames].forEach((frame, i) => {
    line.push(frame === 'x' ? LOUD : QUIET, i * 20)
  })
  return out
}

test('a silent line costs nothing', () => {
  expect(passed('.'.repeat(500))).toEqual([])
})

test('sound brings the 120 ms before it along, in order and once', () => {
  expect(passed(`${'.'.repeat(20)}xx`)).toEqual([
    '280:160',
    '300:160',
    '320:160',
    '340:160',
    '360:160',
    '380:160',
    '400:160',
    '420:160',
  ])
})

test('after the sound only the time is passed on, without the held audio, and then nothing', () => {
  const out = passed(`x${'.'.repeat(400)}`)
  expect(out.slice(0, 2)).toEqual(['0:160', '20:160'])
  expect(new Set(out.slice(2).map((entry) => entry.split(':')[1]))).toEqual(new Set(['0']))
  const times = out.slice(2).map((entry) => Number(entry.split(':')[0]))
  expect(times).toEqual([...times].sort((a, b) => a - b))
  expect(times.at(-1)).toBeGreaterThan(3500)
  expect(times.at(-1)).toBeLessThan(4100)
})

test('nothing is passed twice when the sound comes back', () => {
  const audio = passed('x.....x..........x').filter((entry) => entry.endsWith(':160'))
  expect(new Set(audio).size).toBe(audio.length)
  expect(audio.map((entry) => Number.parseInt(entry, 10))).toEqual(
    audio.map((entry) => Number.parseInt(entry, 10)).toSorted((a, b) => a - b),
  )
})
