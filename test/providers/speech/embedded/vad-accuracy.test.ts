import { afterAll, expect, test } from 'bun:test'
import { rmsOfMulaw } from '../../../../src/audio/energy.ts'
import { decodeMulaw, encodeMulaw, mulawSilence } from '../../../../src/audio/mulaw.ts'
import { EnergyGate } from '../../../../src/audio/vad/energy-gate.ts'
import { loadSilero } from '../../../../src/audio/vad/silero.ts'
import { type SpeechMark, TurnDetector } from '../../../../src/audio/vad/turn-detector.ts'
import { MIN_ANSWER_MS } from '../../../../src/providers/speech/embedded/dialogue.ts'
import { VadPool } from '../../../../src/providers/speech/embedded/vad-pool.ts'
import { endSpeech, feed, line, rmsOf, speak } from '../../../support/speech.ts'

const pool = new VadPool()
afterAll(async () => {
  pool.close()
  await endSpeech()
})

const UTTERANCES = [
  ['שְׁמִי דָּוִד לֵוִי', 'he'],
  ['אֲנִי רוֹצֶה לִקְבּוֹעַ תּוֹר לְיוֹם שְׁלִישִׁי', 'he'],
  ['מָחָר בַּבֹּ֫קֶר, אַחֲרֵי הַשָּׁעָה עֶ֫שֶׂר', 'he'],
  ['My name is David Levi', 'en'],
  ['I would like to make an appointment for Tuesday', 'en'],
  ['yes', 'en'],
  ['כֵּן', 'he'],
] as const

/** Repeatable noise; `pink` falls towards high tones as that of a room does. */
function noise(samples: number, rms: number, colour: 'white' | 'pink' = 'white', seed = 7): Int16Array {
  let state = seed
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 4294967296 - 0.5
  }
  let [b0, b1, b2] = [0, 0, 0]
  const raw = Float64Array.from({ length: samples }, () => {
    const white = random()
    if (colour === 'white') return white
    b0 = 0.99765 * b0 + white * 0.099
    b1 = 0.963 * b1 + white * 0.2965
    b2 = 0.57 * b2 + white * 1.0527
    return b0 + b1 + b2 + white * 0.1848
  })
  const scale = rms / Math.sqrt(raw.reduce((sum, value) => sum + value * value, 0) / samples)
  return Int16Array.from(raw, (value) => Math.max(-32768, Math.min(32767, value * scale)))
}

function mix(mulaw: Uint8Array, other: Int16Array): Uint8Array {
  const pcm = decodeMulaw(mulaw)
  return encodeMulaw(pcm.map((value, i) => Math.max(-32768, Math.min(32767, value + (other[i] ?? 0)))))
}

/** Where clean speech really begins and ends: its first and last 10 ms above 3 % of the loudest. */
function edgesOf(mulaw: Uint8Array): { fromMs: number; toMs: number } {
  const frames = Array.from({ length: Math.floor(mulaw.length / 80) }, (_, i) =>
    rmsOfMulaw(mulaw.subarray(i * 80, i * 80 + 80)),
  )
  const floor = Math.max(...frames) * 0.03
  return {
    fromMs: frames.findIndex((rms) => rms > floor) * 10,
    toMs: (frames.findLastIndex((rms) => rms > floor) + 1) * 10,
  }
}

/** What the embedded engine hears: the gate in front of a line of the pool. */
function openLine(endOfTurnMs = 700) {
  const marks: SpeechMark[] = []
  const vad = pool.open(endOfTurnMs, {
    onOpen() {},
    onMark: (mark) => marks.push(mark),
    onFailure(error) {
      throw error
    },
  })
  const gate = new EnergyGate(vad.push)
  return {
    push: (frame: Uint8Array, atMs: number) => gate.push(frame, atMs),
    /** The marks so far; the count is answered after all the audio before it. */
    async marks(): Promise<SpeechMark[]> {
      await pool.countLines()
      return marks
    },
    close: vad.close,
  }
}

async function listen(
  audio: Uint8Array,
  options: { endOfTurnMs?: number; frameBytes?: number } = {},
): Promise<SpeechMark[]> {
  const opened = openLine(options.endOfTurnMs)
  feed(audio, opened.push, 0, options.frameBytes)
  const marks = await opened.marks()
  opened.close()
  return marks
}

test.each(UTTERANCES)('"%s" (%s) is one turn, its edges in their place', async (text, language) => {
  const words = await speak(text, language)
  const edges = edgesOf(words)
  const events = await listen(line(1500, words, 1500))
  expect(events.map((event) => event.type)).toEqual(['speech_started', 'speech_stopped'])
  const [started, stopped] = events
  if (started?.type !== 'speech_started' || stopped?.type !== 'speech_stopped') throw new Error('unreachable')
  expect(Math.abs(started.atMs - (1500 + edges.fromMs))).toBeLessThanOrEqual(150)
  expect(Math.abs(stopped.atMs - (1500 + edges.toMs))).toBeLessThanOrEqual(200)
  // Even a "yes" is more than the cough that an intake ignores.
  expect(stopped.voicedMs).toBeGreaterThanOrEqual(MIN_ANSWER_MS)
})

test.each([
  ['white', 20],
  ['pink', 15],
  ['pink', 5],
] as const)('every utterance is found in %s noise at %d dB, and nothing besides', async (colour, snr) => {
  for (const [text, language] of UTTERANCES) {
    const words = await speak(text, language)
    const edges = edgesOf(words)
    const clean = line(1500, words, 1500)
    const level = rmsOf(decodeMulaw(words)) / 10 ** (snr / 20)
    const events = await listen(mix(clean, noise(clean.length, level, colour)))
    const started = events.filter((event) => event.type === 'speech_started')
    expect(started.length).toBe(1)
    expect(Math.abs((started[0]?.atMs ?? 0) - (1500 + edges.fromMs))).toBeLessThanOrEqual(250)
  }
})

test('silence, low noise, hum and clicks are no speech', async () => {
  const silent = mulawSilence(10_000)
  const clicks = line(500, ...Array.from({ length: 12 }, (_, i) => [encodeMulaw(noise(40 + i * 10, 9000)), 600]).flat())
  const hum = encodeMulaw(Int16Array.from({ length: 40_000 }, (_, i) => 500 * Math.sin((2 * Math.PI * 50 * i) / 8000)))
  for (const audio of [
    silent,
    clicks,
    hum,
    encodeMulaw(noise(80_000, 20)),
    encodeMulaw(noise(80_000, 150)),
    encodeMulaw(noise(80_000, 150, 'pink')),
  ])
    expect(await listen(audio)).toEqual([])
})

test('the silence that ends a turn is adjustable, and a shorter pause does not split it', async () => {
  const words = await speak('My name is David Levi', 'en')
  const audio = line(500, words, 900, words, 3000)
  const count = async (endOfTurnMs: number) =>
    (await listen(audio, { endOfTurnMs })).filter((event) => event.type === 'speech_stopped').length
  expect(await count(600)).toBe(2)
  expect(await count(1400)).toBe(1)
  // Longer than the gate stays open.
  expect(await count(2500)).toBe(1)
})

test('a turn ends when its silence is over, not later', async () => {
  const words = await speak('My name is David Levi', 'en')
  for (const endOfTurnMs of [500, 900, 2000]) {
    const detector = new TurnDetector((await loadSilero()).stream(), { endOfTurnMs })
    let reportedMs = 0
    let stoppedMs = 0
    let nowMs = 0
    const gate = new EnergyGate((mulaw, atMs) => {
      for (const mark of detector.push(mulaw, atMs))
        if (mark.type === 'speech_stopped') [reportedMs, stoppedMs] = [nowMs, mark.atMs]
    })
    feed(line(500, words, 4000), (frame, atMs) => {
      nowMs = atMs + frame.length / 8
      gate.push(frame, atMs)
    })
    expect(reportedMs - stoppedMs).toBeGreaterThanOrEqual(endOfTurnMs)
    expect(reportedMs - stoppedMs).toBeLessThanOrEqual(endOfTurnMs + 200)
  }
})

test('frames of any length give the same turns', async () => {
  const audio = line(700, await speak('אני רוצה לקבוע תור', 'he'), 1500)
  const usual = await listen(audio)
  for (const frameBytes of [80, 111, 256, 800]) {
    const events = await listen(audio, { frameBytes })
    expect(events.map((event) => event.type)).toEqual(usual.map((event) => event.type))
    events.forEach((event, i) => {
      expect(Math.abs(event.atMs - (usual[i]?.atMs ?? 0))).toBeLessThanOrEqual(140)
    })
  }
})

test('a hole in the line is silence: it ends a turn by the clock', async () => {
  const words = await speak('My name is David Levi', 'en')
  const { push, marks, close } = openLine()
  const hole = feed(line(500, words), push)
  expect((await marks()).map((event) => event.type)).toEqual(['speech_started'])
  feed(line(200, words, 1500), push, hole + 5000)
  const events = await marks()
  close()
  expect(events.map((event) => event.type)).toEqual([
    'speech_started',
    'speech_stopped',
    'speech_started',
    'speech_stopped',
  ])
  expect(events[2]?.atMs ?? 0).toBeGreaterThan(hole + 5000)
})
