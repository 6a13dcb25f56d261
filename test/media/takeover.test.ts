import { afterAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { PrewarmedSessions } from '../../src/media/prewarmed-sessions.ts'
import { createEmbeddedEngine } from '../../src/providers/speech/embedded/engine.ts'
import { createEspeakSynthesizer } from '../../src/providers/speech/espeak/synthesizer.ts'
import { createRealtimeEngine } from '../../src/providers/speech/openai-realtime/engine.ts'
import { createPromptCache } from '../../src/providers/speech/prompts.ts'
import { until } from '../sandbox/carrier/support.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { lastReport, OPENAI_KEY, startTestOpenAi } from '../support/realtime.ts'
import { endSpeech, speak } from '../support/speech.ts'
import { startVoiceLine } from '../support/voice-line.ts'

afterAll(endSpeech)

test('an engine that is gone for good: the embedded one takes over, asks, and ends the call well', async () => {
  const synthesizer = createEspeakSynthesizer()
  const prompts = createPromptCache({ dir: join(temporaryDirectory('takeover'), 'prompts'), synthesizer })
  const standby = createEmbeddedEngine({ prompts })
  const script = intakeScript({ language: 'en', businessName: 'Levi' })
  for (const text of [...script.questions.map((each) => each.prompt), script.thanks, script.goodbye, script.reprompt])
    await prompts.render(text, 'en')
  const line = startVoiceLine({ standby, script: { heard: ['Dana'], steps: [{ say: 'How can I help?', ms: 400 }] } })
  line.openai.faults.add({ at: 'turn', skip: 1, effect: { kind: 'close', code: 1011, reason: 'gone' } })
  line.openai.faults.add({ at: 'connect', skip: 1, times: 9, effect: { kind: 'refuse', status: 503 } })
  try {
    const answer = await speak('I am looking for a flat in the city', 'en')
    const { report, end } = await line.call({
      script: Array.from({ length: 5 }, () => ({ say: answer, quietMs: 900 })),
      maxSeconds: 60,
    })
    expect(end?.reason).toBe('completed')
    expect(end?.metrics.engineFailures).toBe(2)
    // The second turn met the dead engine: something is heard within two seconds of its end.
    expect(report.turns[1]?.audibleLatencyMs ?? 9_999).toBeLessThan(2_000)
    expect(line.turns.filter((turn) => turn.role === 'agent').map((turn) => turn.text)).toContain(
      script.questions[0]?.prompt ?? '',
    )
    expect(line.leads.length).toBe(1)
    expect(standby.sessionCount).toBe(0)
  } finally {
    await line.close()
    await standby.close()
    await synthesizer.close()
  }
}, 90_000)

test('an engine opened early is ready at the start, adopted once, and closed when no stream comes', async () => {
  const sandbox = startTestOpenAi({})
  const engine = createRealtimeEngine({ apiKey: OPENAI_KEY, url: sandbox.realtimeUrl, model: 'gpt-realtime-2.1' })
  const early = new PrewarmedSessions(engine)
  const options = {
    callId: 'CA1',
    language: 'en' as const,
    script: intakeScript({ language: 'en', businessName: 'Levi' }),
  }
  try {
    early.open('CA1', options)
    early.open('CA1', options)
    early.open('CA2', options)
    expect(early.waiting).toBe(2)
    await until(() => sandbox.sessions.length === 2 && lastReport(sandbox).settings !== null)
    const opened = early.adopt('CA1')
    expect(early.adopt('CA1')).toBeNull()
    const events: string[] = []
    await until(() => (sandbox.sessions[0]?.report.items.length ?? 0) > 0)
    await Bun.sleep(20)
    opened?.attach((event) => void events.push(event.type))
    expect(events).toEqual(['ready'])
    opened?.session.close()
    early.close()
    await until(() => sandbox.open() === 0)
    expect(engine.sessionCount).toBe(0)
  } finally {
    await engine.close()
    await sandbox.close()
  }
})
