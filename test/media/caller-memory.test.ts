import { expect, test } from 'bun:test'
import { createStreamToken, isDiverted, verifyStreamToken } from '../../src/domain/calls/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { CallerMemories } from '../../src/media/caller-memories.ts'
import { createRealtimeEngine } from '../../src/providers/speech/openai-realtime/engine.ts'
import { lastReport, OPENAI_KEY, RealtimeCaller, startTestOpenAi } from '../support/realtime.ts'
import { say, startVoiceLine } from '../support/voice-line.ts'
import { eventually } from '../support/wait.ts'

const KNOWN = 'Name: Ruth'
const call = { callSid: 'CA1', businessId: 'b', from: '+972501234567', to: '+97233760000' }

test('what is known is in the first instructions when it comes early, and replaces them when it comes late', async () => {
  const openai = startTestOpenAi({ steps: [{ say: 'Hello', ms: 200 }] })
  const engine = createRealtimeEngine({ apiKey: OPENAI_KEY, url: openai.realtimeUrl, model: 'gpt-realtime-2.1' })
  try {
    for (const isLate of [false, true]) {
      const caller = new RealtimeCaller(engine)
      if (isLate) await caller.next('ready')
      caller.session.remember?.(KNOWN)
      caller.session.remember?.(KNOWN)
      await caller.next('ready')
      await eventually(
        () => lastReport(openai).settings?.instructions === `You answer the telephone.\n\n${KNOWN}`,
        'the instructions with what is known',
      )
      const updates = lastReport(openai).received['session.update']
      expect(updates).toBe(isLate ? 2 : 1)
      // What else was set stays, and no one speaks because of it.
      expect(lastReport(openai).settings?.audio?.output?.format).toMatchObject({ type: 'audio/pcmu' })
      expect(lastReport(openai).responses).toEqual([])
      caller.hangUp()
    }
  } finally {
    await engine.close()
    await openai.close()
  }
})

test('a read that hangs or fails holds up no call, and an engine that takes over knows it too', async () => {
  const reads = [async () => null, () => new Promise<never>(() => {}), () => Bun.sleep(300).then(() => KNOWN)] as const
  const delays = await Promise.all(
    reads.map(async (known) => {
      const line = startVoiceLine({ known, script: { heard: ['Dana'], steps: [{ say: 'Yes?', ms: 300 }] } })
      line.openai.faults.add({ at: 'turn', skip: 1, effect: { kind: 'close', code: 1011, reason: 'gone' } })
      try {
        const { report, end } = await line.call({
          script: [{ say: say(500) }, { say: say(500) }, { wait: 1_500 }, { hangup: true }],
        })
        expect(end?.reason).toBe('caller_hung_up')
        const sessions = line.openai.sessions.map((each) => each.report.settings?.instructions ?? '')
        expect(sessions).toHaveLength(2)
        for (const instructions of sessions) expect(instructions.includes(KNOWN)).toBe(known === reads[2])
        return report.greetingLatencyMs ?? Number.POSITIVE_INFINITY
      } finally {
        await line.close()
      }
    }),
  )
  expect(Math.max(...delays)).toBeLessThan(2_000)
}, 60_000)

test('it is read once a call; of a test call, a number that is not the caller’s, and a diverted call nothing is', async () => {
  let reads = 0
  const read = async () => {
    reads++
    if (reads === 2) throw new Error('the database is away')
    return KNOWN
  }
  const memories = new CallerMemories(read, createLogger('silent'))
  expect(await Promise.all([memories.of(call), memories.of(call)])).toEqual([KNOWN, KNOWN])
  expect(reads).toBe(1)
  expect(await memories.of({ ...call, callSid: 'CA2' })).toBeNull()
  const test = { member: 'm', draft: false, language: 'en' } as const
  for (const odd of [{ test }, { unverified: true as const }, { diverted: true as const }]) {
    expect(await memories.of({ ...call, callSid: 'CA3', ...odd })).toBeNull()
    // The server with the stream learns it by the token.
    const token = createStreamToken('secret', { ...call, ...odd })
    expect(verifyStreamToken('secret', token, 'CA1')).toMatchObject(odd)
  }
  expect(reads).toBe(2)
  expect(isDiverted({ from: '+972501234567', forwardedFrom: '0501234567' })).toBe(true)
  expect(isDiverted({ from: '+972501234567', forwardedFrom: '+97233760000' })).toBe(false)
})
