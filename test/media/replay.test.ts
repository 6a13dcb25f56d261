import { expect, test } from 'bun:test'
import { systemClock } from '../../src/media/clock.ts'
import { say, voiceLines } from '../support/voice-line.ts'

const start = voiceLines()

/** Every timer fires late, as on a busy machine: behind events that came after it was due. */
const lateClock = (lateMs: number) => ({
  now: systemClock.now,
  after: (ms: number, act: () => void) => systemClock.after(ms + lateMs, act),
})

/** An engine that answers with blips alone: the call is kept alive by timers. */
const blips = (lateMs: number) =>
  start({
    clock: lateClock(lateMs),
    engineLimits: { connectMs: 60_000, quietMs: 60_000, stallMs: 60_000 },
    script: { steps: Array.from({ length: 40 }, () => ({ say: 'a', ms: 20 })) },
  }).call({ script: [{ say: say(700) }, { hangup: true, when: { afterMs: 8_000 } }] })

/** A noise and an interruption, distinguished by a timer that checks again and again. */
const noises = (lateMs: number) =>
  start({
    clock: lateClock(lateMs),
    policy: { minSpeechMs: 420 },
    script: {
      steps: [
        { say: 'A long answer', ms: 4_000 },
        { say: 'Pardon?', ms: 400, delayMs: 400 },
      ],
      speed: 0,
    },
  }).call({
    script: [
      { say: say(700) },
      { say: say(240), when: 'barge_in', bargeInMs: 500 },
      { say: say(400), when: 'barge_in', bargeInMs: 300 },
      { hangup: true, when: { afterMs: 1_000 } },
    ],
  })

test('a call whose timers fire late comes to the same decisions in a replay', async () => {
  const calls = await Promise.all([0, 90, 250, 900].flatMap((lateMs) => [blips(lateMs), noises(lateMs)]))
  for (const { replay } of calls) {
    expect(replay?.recorded.length).toBeGreaterThan(2)
    expect(replay?.firstDifference).toBeNull()
  }
}, 40_000)
