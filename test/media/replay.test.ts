import { expect, test } from 'bun:test'
import { systemClock } from '../../src/media/clock.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import { say, type startVoiceLine, withVoiceLine } from '../support/voice-line.ts'

/** Every timer fires late, as on a busy machine: behind events that came after it was due. */
const lateClock = (lateMs: number) => ({
  now: systemClock.now,
  after: (ms: number, act: () => void) => systemClock.after(ms + lateMs, act),
})

type Call = Parameters<typeof startVoiceLine>[0]

/** Runs the call on a clock whose timers fire late, and expects its replay to decide the same. */
const callAndReplay = (lateMs: number, options: Call, script: CallerStep[]) =>
  withVoiceLine({ ...options, clock: lateClock(lateMs) }, async (line) => {
    const { replay } = await line.call({ script })
    expect(replay?.recorded.length).toBeGreaterThan(2)
    expect(replay?.firstDifference).toBeNull()
  })

/** An engine that answers with short noises alone: the call is kept alive by timers. */
const shortNoises: [Call, CallerStep[]] = [
  {
    engineLimits: { connectMs: 60_000, quietMs: 60_000, stallMs: 60_000 },
    script: { steps: Array.from({ length: 40 }, () => ({ say: 'a', ms: 20 })) },
  },
  [{ say: say(700) }, { hangup: true, when: { afterMs: 8_000 } }],
]

/** A noise and an interruption: a timer that checks the voice again and again tells one from the other. */
const interruptions: [Call, CallerStep[]] = [
  {
    policy: { minSpeechMs: 420 },
    script: {
      steps: [
        { say: 'A long answer', ms: 4_000 },
        { say: 'Pardon?', ms: 400, delayMs: 400 },
      ],
      speed: 0,
    },
  },
  [
    { say: say(700) },
    { say: say(240), when: 'barge_in', bargeInMs: 500 },
    { say: say(400), when: 'barge_in', bargeInMs: 300 },
    // Until the noise is known for one: a busy machine takes its time.
    { hangup: true, when: { afterMs: 2_500 } },
  ],
]

test.concurrent.each([0, 90, 250, 900])(
  'a call whose timers fire %p ms late decides the same when it is replayed',
  async (lateMs) => {
    await Promise.all([callAndReplay(lateMs, ...shortNoises), callAndReplay(lateMs, ...interruptions)])
  },
  40_000,
)
