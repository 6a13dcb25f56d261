import { expect, setDefaultTimeout, test } from 'bun:test'
import { say, startVoiceLine } from '../../support/voice-line.ts'

setDefaultTimeout(30_000)

/** Blocks this process. */
function stall(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

test.each([800, 1_500, 2_500])(
  'a caller whose words left in a burst, behind %i ms in which the machine stood still, hears the answer after them',
  async (ms) => {
    const answer = { say: 'I would', ms: 400, end: { status: 'cancelled' } }
    const line = startVoiceLine({ script: { speed: 20, steps: [answer] }, greetingMs: 300 })
    // Just before the caller speaks.
    setTimeout(() => stall(ms), 250)
    try {
      const { report } = await line.call({ script: [{ say: say(700) }, { hangup: true, when: { afterMs: 1_500 } }] })
      const [turn] = report.turns
      expect(turn?.voiceEndMs).toBeGreaterThanOrEqual(turn?.startMs ?? Number.NaN)
      const after = report.heardSpans.filter(({ endMs }) => endMs > (turn?.endMs ?? Number.NaN))
      expect(after.some(({ startMs, endMs }) => endMs - startMs >= 390)).toBe(true)
    } finally {
      await line.close()
    }
  },
)
