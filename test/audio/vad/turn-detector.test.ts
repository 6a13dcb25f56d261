import { afterAll, expect, test } from 'bun:test'
import { rmsOfMulaw } from '../../../src/audio/energy.ts'
import { loadSilero } from '../../../src/audio/vad/silero.ts'
import { type SpeechMark, TurnDetector, type TurnDetectorOptions } from '../../../src/audio/vad/turn-detector.ts'
import { MIN_ANSWER_MS } from '../../../src/providers/speech/embedded/dialogue.ts'
import { endSpeech, feed, line, speak } from '../../support/speech.ts'

afterAll(endSpeech)

async function marksOf(audio: Uint8Array, options: TurnDetectorOptions = {}): Promise<SpeechMark[]> {
  const detector = new TurnDetector((await loadSilero()).stream(), options)
  const marks: SpeechMark[] = []
  feed(audio, (frame, atMs) => marks.push(...detector.push(frame, atMs)))
  return marks
}

/** The loudest stretch of real speech of a length: all voice. */
async function scrapOfVoice(ms: number): Promise<Uint8Array> {
  const words = await speak('I would like to make an appointment', 'en')
  let best = words.subarray(0, ms * 8)
  for (let i = 0; i + ms * 8 <= words.length; i += 80) {
    const scrap = words.subarray(i, i + ms * 8)
    if (rmsOfMulaw(scrap) > rmsOfMulaw(best)) best = scrap
  }
  return best
}

test('a scrap of voice is a turn only when it lasts for the asked time', async () => {
  const audio = line(800, await scrapOfVoice(80), 1500)
  expect((await marksOf(audio, { minSpeechMs: 32 })).map((mark) => mark.type)).toEqual([
    'speech_started',
    'speech_stopped',
  ])
  expect(await marksOf(audio, { minSpeechMs: 160 })).toEqual([])
  // A scrap may begin a turn, for the network's memory outlasts it, but has too little voice for an answer.
  for (const mark of await marksOf(line(800, await scrapOfVoice(30), 1500)))
    if (mark.type === 'speech_stopped') expect(mark.voicedMs).toBeLessThan(MIN_ANSWER_MS)
})

test('voice is counted, the silence around it is not', async () => {
  const words = await speak('I would like to make an appointment', 'en')
  const marks = await marksOf(line(800, words, 3000), { endOfTurnMs: 2000 })
  const stopped = marks.at(-1)
  if (stopped?.type !== 'speech_stopped') throw new Error('the turn did not end')
  expect(stopped.voicedMs).toBeGreaterThan(words.length / 8 / 2)
  expect(stopped.voicedMs).toBeLessThan(words.length / 8 + 250)
})

test('an empty frame moves the clock only', async () => {
  const detector = new TurnDetector((await loadSilero()).stream(), { endOfTurnMs: 700 })
  const end = feed(line(500, await speak('My name is David Levi', 'en')), (frame, atMs) => detector.push(frame, atMs))
  expect(detector.speaking).toBe(true)
  expect(detector.push(new Uint8Array(0), end + 300)).toEqual([])
  expect(detector.push(new Uint8Array(0), end + 900)).toMatchObject([{ type: 'speech_stopped' }])
  expect(detector.speaking).toBe(false)
})
