import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { createRealtimeEngine, type RealtimeEngine } from '../../../../src/providers/speech/openai-realtime/engine.ts'
import type { OpenAiSandbox } from '../../../../src/sandbox/openai/server.ts'
import { until } from '../../../sandbox/carrier/support.ts'
import { lastReport, OPENAI_KEY, RealtimeCaller, startTestOpenAi } from '../../../support/realtime.ts'
import { say, startVoiceLine } from '../../../support/voice-line.ts'
import { quietFor } from '../../../support/wait.ts'

setDefaultTimeout(40_000)

const TIMES = { probeMs: 60_000, answerMs: 2_000, renewMs: 60_000, retryMs: 300 }
const open: { sandbox: OpenAiSandbox; engine: RealtimeEngine }[] = []

function start(times: Partial<typeof TIMES> = {}, apiKey = OPENAI_KEY) {
  const sandbox = startTestOpenAi({ steps: [{ say: 'Yes?', ms: 200 }] })
  const engine = createRealtimeEngine({
    apiKey,
    url: sandbox.realtimeUrl,
    model: 'gpt-realtime-2.1',
    warmConnection: { ...TIMES, ...times },
  })
  open.push({ sandbox, engine })
  return { sandbox, engine }
}

afterEach(async () => {
  for (const { sandbox, engine } of open.splice(0)) {
    await engine.close()
    // The one in reserve goes too.
    await until(() => sandbox.open() === 0, 5_000)
    expect(engine.warmConnectionReady).toBe(false)
    await sandbox.close()
  }
})

test('a call takes the connection that waits; another one takes its place', async () => {
  const { sandbox, engine } = start()
  await until(() => engine.warmConnectionReady, 5_000)
  expect({ open: sandbox.open(), calls: engine.sessionCount }).toEqual({ open: 1, calls: 0 })
  const waiting = lastReport(sandbox)
  expect(waiting.settings?.audio).toBeUndefined()
  const caller = new RealtimeCaller(engine, { language: 'he' })
  await caller.next('ready')
  expect(waiting.settings?.audio?.input?.transcription?.language).toBe('he')
  await until(() => engine.warmConnectionReady, 5_000)
  expect({ open: sandbox.open(), calls: engine.sessionCount }).toEqual({ open: 2, calls: 1 })
  caller.speak(400)
  await caller.next('audio')
  // Nothing came before the session was configured for this call.
  expect(waiting.audioBeforeConfiguredMs).toBe(0)
  expect(waiting.errors).toEqual([])
  caller.hangUp()
  await until(() => sandbox.open() === 1, 5_000)
})

test('calls at once: one takes it, the others open their own', async () => {
  const { sandbox, engine } = start()
  await until(() => engine.warmConnectionReady, 5_000)
  const callers = [1, 2, 3].map(() => new RealtimeCaller(engine))
  await Promise.all(callers.map((caller) => caller.next('ready')))
  await until(() => engine.warmConnectionReady, 5_000)
  expect(sandbox.sessions.length).toBe(4)
  for (const caller of callers) caller.hangUp()
})

test('one that no longer answers, is closed, or is old is replaced before anybody gets it', async () => {
  for (const [times, harm] of [
    [{ probeMs: 200, answerMs: 300 }, { kind: 'stall' as const }],
    [{}, { kind: 'vanish' as const }],
    [{}, { kind: 'session_expired' as const }],
    [{ probeMs: 200, renewMs: 100 }, null],
  ] as const) {
    const { sandbox, engine } = start(times)
    await until(() => engine.warmConnectionReady, 5_000)
    const [first] = sandbox.sessions
    if (harm) first?.strike(harm)
    await until(() => sandbox.sessions.length >= 2 && engine.warmConnectionReady, 10_000)
    const caller = new RealtimeCaller(engine)
    await caller.next('ready')
    expect(first?.report.settings?.audio).toBeUndefined()
    caller.hangUp()
  }
})

test('a wrong key is not asked again and again, and closing ends the asking', async () => {
  const { sandbox, engine } = start({ retryMs: 60_000 }, 'sk-wrong')
  await quietFor(300, 'a second attempt would have been made')
  expect({ ready: engine.warmConnectionReady, sessions: sandbox.sessions.length }).toEqual({
    ready: false,
    sessions: 0,
  })
  const caller = new RealtimeCaller(engine)
  expect(await caller.next('error')).toMatchObject({ code: 'engine_refused', retry: false })
})

test('a call that gets one which died in that very moment goes on with a fresh one', async () => {
  const line = startVoiceLine({ warmConnection: TIMES, script: { steps: [{ say: 'Yes?', ms: 300 }] } })
  try {
    await until(() => line.engine.warmConnectionReady, 5_000)
    line.openai.sessions[0]?.strike({ kind: 'stall' })
    const { report, end } = await line.call({
      script: [{ silence: 3_000 }, { say: say(600) }, { hangup: true, when: { afterMs: 1_500 } }],
    })
    expect(end?.reason).toBe('caller_hung_up')
    expect(end?.metrics.engineFailures).toBe(1)
    expect(report.turns[0]?.audibleLatencyMs ?? 9_999).toBeLessThan(2_000)
    // Once since the caller was asked to wait a moment, and once as the answer to what they said then.
    expect(line.openai.sessions.flatMap((each) => each.report.said)).toEqual(['Yes?', 'Yes?'])
    for (const replay of line.replays) expect(replay.firstDifference).toBeNull()
  } finally {
    await line.close()
  }
})
