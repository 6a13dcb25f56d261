import { expect, test } from 'bun:test'
import { AudioTape } from '../../src/audio/audio-tape.ts'
import { renderCallAudio } from '../../src/audio/call-audio.ts'
import { encodeMulaw, mulawSilence } from '../../src/audio/mulaw.ts'
import { peaksOfMulaw } from '../../src/audio/peaks.ts'
import { readWav, writeWavMulaw } from '../../src/audio/wav.ts'
import { randomIntegers, withSeed } from '../support/seed.ts'

/** A tone as loud as asked. */
const tone = (ms: number, amplitude: number) =>
  encodeMulaw(Int16Array.from({ length: ms * 8 }, (_, i) => Math.round(amplitude * Math.sin(i / 2))))
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

test('both sides lie where they were heard: the caller left with the lead-in before the turn, the agent right', () => {
  const rendered = renderCallAudio([
    { role: 'agent', startMs: 0, endMs: 500, wav: writeWavMulaw(tone(500, 20_000)) },
    // 300 ms before the turn, 100 ms behind it.
    { role: 'caller', startMs: 1_000, endMs: 1_400, wav: writeWavMulaw(tone(800, 10_000)) },
  ])
  const { pcm, channels } = readWav(rendered?.wav ?? new Uint8Array())
  expect(channels).toBe(2)
  const rms = (channel: 0 | 1, fromMs: number, toMs: number) => {
    let sum = 0
    for (let i = fromMs * 8; i < toMs * 8; i++) sum += (pcm[i * 2 + channel] ?? 0) ** 2
    return Math.round(Math.sqrt(sum / ((toMs - fromMs) * 8)))
  }
  expect(rms(1, 0, 500)).toBeGreaterThan(13_000)
  expect(rms(1, 500, 1_500)).toBe(0)
  expect(rms(0, 0, 700)).toBe(0)
  expect(rms(0, 700, 1_500)).toBeGreaterThan(6_000)
  const { durationMs, stepMs, caller, agent } = rendered?.peaks ?? { durationMs: 0, stepMs: 1, caller: [], agent: [] }
  expect([durationMs, stepMs, caller.length, agent.length]).toEqual([1_500, 20, 75, 75])
  expect(Math.max(...caller.slice(0, 35))).toBe(0)
  expect(Math.max(...caller.slice(36))).toBeGreaterThan(28)
  expect(Math.max(...agent.slice(0, 25))).toBeGreaterThan(58)
})

test('a call without audio has none; an hour has no more steps than a screen can show', () => {
  expect(renderCallAudio([])).toBeNull()
  const long = renderCallAudio([
    { role: 'agent', startMs: 3_590_000, endMs: 3_599_000, wav: writeWavMulaw(tone(9_000, 1_000)) },
  ])
  expect(long?.peaks.agent.length).toBeLessThanOrEqual(2_400)
  expect(long?.peaks.durationMs).toBe(3_599_000)
})

test('peaks are the loudest sample of each step, as a share of the loudest there is', () => {
  expect(peaksOfMulaw(mulawSilence(40), 20)).toEqual([0, 0])
  const [loud, soft] = peaksOfMulaw(Uint8Array.from([...tone(20, 32_000), ...tone(20, 3_200)]), 20)
  expect(loud).toBeGreaterThan(95)
  expect(soft).toBeGreaterThan(8)
  expect(soft).toBeLessThan(11)
})

test('a tape joins pieces, fills gaps with silence, cuts, forgets, and ends at its bound', () => {
  const tape = new AudioTape(1_000)
  const piece = tone(20, 8_000)
  tape.append(base64(piece), 100)
  tape.append(base64(piece), 120)
  tape.append(base64(piece), 220)
  expect([tape.startMs, tape.ms]).toEqual([100, 140])
  expect(tape.slice(100, 140)).toEqual(Uint8Array.from([...piece, ...piece]))
  expect(tape.slice(140, 220)).toEqual(mulawSilence(80))
  expect(tape.slice(0, 120)).toEqual(piece)
  tape.forget(220)
  expect([tape.startMs, tape.ms]).toEqual([220, 20])
  expect(tape.slice(220, 240)).toEqual(piece)
  // The clock jumped: what was before belongs to another time.
  tape.append(base64(piece), 60_000)
  expect([tape.startMs, tape.ms]).toEqual([60_000, 20])
  for (let i = 1; i < 100; i++) tape.append(base64(piece))
  expect(tape.ms).toBe(1_000)
})

test(
  'tapes that take and forget at random hold what plain bytes hold, and nothing of each other',
  withSeed((seed) => {
    const upTo = randomIntegers(seed)
    const tapes = Array.from({ length: 6 }, (_, mark) => ({
      mark,
      tape: new AudioTape(60_000),
      from: 0,
      bytes: [] as number[],
    }))
    for (let round = 0; round < 3_000; round++) {
      const each = tapes[upTo(tapes.length)]
      if (!each) continue
      const audio = Uint8Array.from({ length: 8 * (1 + upTo(60)) }, () => each.mark * 40 + upTo(40))
      each.tape.append(base64(audio), each.from + each.bytes.length / 8)
      each.bytes.push(...audio)
      if (upTo(5) === 0) {
        const ms = upTo(each.bytes.length / 8)
        each.from += ms
        each.bytes.splice(0, ms * 8)
        each.tape.forget(each.from)
      }
      const [from, to] = [upTo(800), 800 + upTo(400)]
      expect(each.tape.slice(each.from + from, each.from + to)).toEqual(
        Uint8Array.from(each.bytes.slice(from * 8, to * 8)),
      )
    }
  }),
)
