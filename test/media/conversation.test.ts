import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { CallTools } from '../../src/media/media-session-ports.ts'
import { until } from '../sandbox/carrier/support.ts'
import { watchStalls } from '../support/stalls.ts'
import { say, withVoiceLine } from '../support/voice-line.ts'

const stalls = watchStalls()
afterAll(stalls.stop)
setDefaultTimeout(40_000)

const goodbye = { say: 'Goodbye.', ms: 400, tools: [{ name: 'end_call', args: { reason: 'completed' } }] }

describe('a conversation', () => {
  test.concurrent('greets at once, answers turns, keeps the lead, ends when the goodbye was heard', () =>
    withVoiceLine(
      {
        script: {
          heard: ['Dana', 'A flat'],
          steps: [
            { say: 'How can I help?', ms: 600 },
            { tools: [{ name: 'save_lead', args: { name: 'Dana', inquiry: 'A flat' } }] },
            goodbye,
          ],
        },
      },
      async (line) => {
        const { report, end } = await line.call({ script: [{ say: say(600) }, { say: say(600) }] })
        expect(end?.reason).toBe('completed')
        expect(report.streams[0]?.greetingLatencyMs ?? 9_999).toBeLessThan(1_000)
        expect(report.streams[0]?.endedBy).toBe('server')
        expect(line.leads).toEqual([{ name: 'Dana', inquiry: 'A flat' }])
        expect(line.turns.filter((turn) => turn.role === 'caller').map((turn) => turn.text)).toEqual(['Dana', 'A flat'])
        expect(line.turns.find((turn) => turn.text === 'Goodbye.')).toMatchObject({ interrupted: false, heardMs: 400 })
        expect(end?.metrics.greetingMs).toBeLessThan(1_000)
        expect(end?.metrics.responseMedianMs).toBeGreaterThan(300)
        expect(end?.metrics.outputAudioTokens).toBe(20)
        expect(end?.metrics.costMicroUsd).toBeGreaterThan(0)
        expect(line.openai.sessions[0]?.report.audioBeforeConfiguredMs).toBe(0)
        expect(line.openai.sessions[0]?.report.errors).toEqual([])
        expect(report.codes.filter((code) => code.level !== 'notice')).toEqual([])
      },
    ))

  test.concurrent(
    'ten interruptions in a row: each cuts at once, each truncates to what was heard',
    () =>
      withVoiceLine(
        {
          greetingMs: 300,
          script: { steps: Array.from({ length: 12 }, (_, i) => ({ say: `Answer ${i}`, ms: 5_000 })), speed: 10 },
        },
        async (line) => {
          const { report, end, placedAt } = await line.call({
            script: [
              { say: say(500) },
              ...Array.from({ length: 10 }, (_, i) => ({
                say: say(500),
                when: 'barge_in' as const,
                bargeInMs: 300 + 70 * i,
              })),
              { hangup: true, when: { afterMs: 200 } },
            ],
            maxSeconds: 40,
          })
          expect(end?.metrics.bargeIns).toBe(10)
          const session = line.openai.sessions[0]?.report
          // A response may be over while its cancellation is on the way.
          expect(session?.errors.filter((code) => code !== 'response_cancel_not_active')).toEqual([])
          expect(session?.truncations.length).toBe(10)
          const cut = line.turns.filter((turn) => turn.interrupted && turn.text !== null)
          const spans = report.heardSpans.filter((span) => span.endMs - span.startMs > 100)
          expect(spans.length).toBeGreaterThanOrEqual(10)
          session?.truncations.forEach((each, i) => {
            // The first span is the greeting.
            const span = spans[i + 1]
            const [from, to] = [span?.startMs ?? 0, span?.endMs ?? 0]
            // While the machine stands still the answer plays on, and the cut comes as much later.
            const late = stalls.ms(placedAt + from, placedAt + to + 100)
            expect(Math.abs(each.audioEndMs - (to - from))).toBeLessThanOrEqual(150 + late)
          })
          // Also of one that is cut off while it is still being made: what it had said so far is kept.
          expect(cut).toHaveLength(10)
          for (const { text } of cut) expect([text, /^A(nswer.*|n?s?w?e?)$/.test(text ?? '')]).toEqual([text, true])
          expect(end?.metrics.clearP95Ms).toBeLessThan(1_000)
        },
      ),
    60_000,
  )

  test.concurrent('a short noise does not interrupt, and is not answered', () =>
    withVoiceLine(
      {
        policy: { minSpeechMs: 420 },
        script: {
          steps: [
            { say: 'A long answer', ms: 3_000 },
            // A model thinks before it speaks: long enough to learn that the turn needs no answer.
            { say: 'Pardon?', ms: 400, delayMs: 400 },
          ],
          speed: 0,
        },
      },
      async (line) => {
        const { report, end } = await line.call({
          script: [
            { say: say(700) },
            { say: say(240), when: 'barge_in', bargeInMs: 500 },
            { hangup: true, when: { afterMs: 2_600 } },
          ],
        })
        expect(end?.metrics).toMatchObject({ bargeIns: 0, ignoredNoises: 1 })
        expect(line.turns.find((turn) => turn.text === 'A long answer')).toMatchObject({ interrupted: false })
        expect(report.turns[1]?.clearLatencyMs).toBeNull()
        expect(line.openai.sessions[0]?.report.said).toEqual(['A long answer'])
      },
    ))

  test.concurrent('a murmur of agreement lets the agent go on where it was cut', () =>
    withVoiceLine(
      {
        script: {
          heard: ['I want a flat', 'Mm-hm.'],
          steps: [
            { say: 'A long answer', ms: 3_000 },
            { say: 'Pardon?', ms: 400, delayMs: 400 },
          ],
          speed: 0,
        },
      },
      async (line) => {
        const { report, end } = await line.call({
          script: [
            { say: say(700) },
            { say: say(400), when: 'barge_in', bargeInMs: 600 },
            { hangup: true, when: { afterMs: 4_000 } },
          ],
        })
        expect(end?.metrics).toMatchObject({ bargeIns: 1, resumed: 1 })
        expect(line.openai.sessions[0]?.report.said).toEqual(['A long answer'])
        const after = report.turns[1]?.endMs ?? 0
        const resumed = report.heardSpans
          .filter((span) => span.startMs > after)
          .reduce((sum, s) => sum + s.endMs - s.startMs, 0)
        expect(resumed).toBeGreaterThan(1_800)
        expect(resumed).toBeLessThan(2_700)
      },
    ))

  test.concurrent('a caller who hangs up: the reason is the caller’s', () =>
    withVoiceLine({ script: { steps: [{ say: 'A long answer', ms: 4_000 }] } }, async (line) => {
      for (const script of [
        [{ hangup: true as const }],
        [{ wait: 300 }, { hangup: true as const }],
        [{ say: say(500) }, { hangup: true as const, when: 'barge_in' as const, bargeInMs: 300 }],
      ]) {
        const { end, report } = await line.call({ script })
        if (report.streams[0]?.startAtMs !== null && end) expect(end.reason).toBe('caller_hung_up')
      }
      expect(line.media.sockets()).toBe(0)
    }))

  test.concurrent.each([
    ['silence', { limits: { silenceMs: 700 } }, {}, 'silence'],
    ['too long a call', { limits: { maxDurationMs: 900 } }, {}, 'max_duration'],
    ['the key 0', {}, { script: [{ dtmf: '0' }] }, 'voicemail_requested'],
  ] as const)('%s ends the call with its own reason', (_, options, call, reason) =>
    withVoiceLine({ ...options, script: {} }, async (line) => {
      expect((await line.call({ ...call, script: [...('script' in call ? call.script : [])] })).end?.reason).toBe(
        reason,
      )
      if (reason === 'silence') expect(line.openai.sessions[0]?.report.said.length).toBe(1)
    }),
  )

  test.concurrent('a draining server ends the call with its own reason', () =>
    withVoiceLine({ script: {} }, async (line) => {
      const call = line.call({})
      await until(() => line.openai.sessions[0]?.report.settings != null)
      await line.media.drain()
      expect((await call).end?.reason).toBe('server_draining')
    }))

  test.concurrent('a wrong token gets no agent', () =>
    withVoiceLine({ script: {} }, async (line) => {
      line.spoilTokens(true)
      const { report, end } = await line.call({})
      expect(end).toBeNull()
      expect(report.streams[0]?.closeCode).toBe(1008)
      expect(line.openai.sessions.length).toBe(0)
    }))
})

describe('tools', () => {
  const tools = (overrides: Partial<CallTools> = {}): CallTools => ({
    list: () => [{ name: 'lookup_business_info', description: 'Looks it up.', parameters: {} }],
    run: async (_call, name, args) => ({ ok: true, name, args }),
    transfer: async () => null,
    canTransfer: () => true,
    ...overrides,
  })

  test.concurrent('a result goes back, a failure too, a slow one is bridged, an unknown one is refused', () => {
    let runs = 0
    const run: CallTools['run'] = async () => {
      runs++
      if (runs === 2) throw new Error('The calendar is not there.')
      // Longer than the tool may take.
      if (runs === 3) await Bun.sleep(5_000)
      return { answer: 'nine to five' }
    }
    const look = (query: string) => ({ tools: [{ name: 'lookup_business_info', args: { query } }] })
    const steps = [
      ...['hours', 'more', 'slow'].map(look),
      { tools: [{ name: 'make_coffee', args: {} }] },
      { tools: [{ name: 'lookup_business_info', args: '{"broken' }] },
      goodbye,
    ]
    const policy = { fillerAfterMs: 300, toolTimeoutMs: 1_200 }
    return withVoiceLine({ policy, tools: tools({ run }), script: { steps } }, async (line) => {
      const { end } = await line.call({ script: [{ say: say(600) }] })
      expect(end?.reason).toBe('completed')
      const outputs = line.openai.sessions[0]?.report.toolOutputs.map((each) => each.output) ?? []
      expect(outputs[0]).toContain('nine to five')
      expect(outputs[1]).toContain('The calendar is not there.')
      expect(outputs[2]).toContain('took too long')
      expect(outputs[3]).toContain('There is no tool named make_coffee')
      expect(outputs[4]).toContain('not valid JSON')
      expect(end?.metrics).toMatchObject({ fillers: 1, toolFailures: 3 })
    })
  })

  test.concurrent('a transfer is announced, heard, then done; the reason is written', () => {
    let redirect: (callSid: string) => Promise<void> = () => Promise.reject(new Error('There is no line.'))
    const transfer: CallTools['transfer'] = async ({ callSid }) => {
      await redirect(callSid)
      return null
    }
    const script = { steps: [{ tools: [{ name: 'transfer_to_human', args: { reason: 'asked' } }] }] }
    return withVoiceLine({ tools: tools({ transfer }), script }, async (line) => {
      redirect = async (callSid) => {
        const document = '<Response><Dial answerOnBridge="true">+97235550000</Dial></Response>'
        await line.telephony().updateCall(callSid, document)
      }
      const { report, end } = await line.call({
        script: [{ say: say(600) }],
        dial: { outcome: 'answered', talkMs: 200 },
      })
      expect(end?.reason).toBe('transferred')
      expect(report.documents.map((each) => each.source)).toEqual(['webhook', 'rest'])
      // The announcement of 500 ms was heard whole before the call was taken away.
      const taken = report.timeline.find((each) => each.event === 'stream_ended')?.atMs ?? 0
      const announced = report.heardSpans.at(-1)?.startMs ?? 0
      expect(taken - announced).toBeGreaterThan(490)
    })
  })

  test.concurrent('a transfer that fails is reported to the model, and the call goes on', () =>
    withVoiceLine(
      {
        tools: tools({ transfer: async () => 'No one answers.' }),
        script: { steps: [{ tools: [{ name: 'transfer_to_human', args: {} }] }, goodbye] },
      },
      async (line) => {
        const { end } = await line.call({ script: [{ say: say(600) }] })
        expect(end?.reason).toBe('completed')
        expect(line.openai.sessions[0]?.report.toolOutputs[0]?.output).toContain('No one answers.')
      },
    ))
})

describe('an engine that fails in mid-call', () => {
  const effects = [
    { kind: 'close' as const },
    { kind: 'vanish' as const },
    { kind: 'stall' as const },
    { kind: 'session_expired' as const },
    { kind: 'server_error' as const },
  ]
  for (const effect of effects)
    test.concurrent(`${effect.kind}: one moment is heard, the engine is tried again with the conversation so far`, () =>
      withVoiceLine(
        {
          script: {
            heard: ['I want a flat', 'In Haifa'],
            steps: [
              { say: 'Where?', ms: 400 },
              { say: 'Here again.', ms: 400 },
            ],
          },
        },
        async (line) => {
          line.openai.faults.add({ at: 'turn', skip: 1, effect })
          const { report, end } = await line.call({
            script: [{ say: say(600) }, { say: say(600) }, { hangup: true, when: { afterMs: 3_500 } }],
          })
          expect(end?.reason).toBe('caller_hung_up')
          expect(end?.metrics.engineFailures).toBe(1)
          expect(line.openai.sessions.length).toBe(2)
          expect(line.openai.sessions[1]?.report.said[0]).toBe('Where?')
          const items = line.openai.sessions[1]?.report.items ?? []
          expect(JSON.stringify(items)).toContain('I want a flat')
          expect(report.turns[1]?.audibleLatencyMs ?? 9_999).toBeLessThan(2_350)
        },
      ))

  test.concurrent.each([
    [{ kind: 'close' }, 'engine_refused'],
    [{ kind: 'rate_limit' }, 'engine_rate_limited'],
    [{ kind: 'session_expired' }, 'engine_refused'],
    [{ kind: 'stall' }, 'engine_refused'],
  ] as const)('gone for good by %p: %s ends the call, and voicemail is asked for', (effect, reason) =>
    withVoiceLine({ script: { steps: [{ say: 'Yes?', ms: 300 }] } }, async (line) => {
      line.openai.faults.add({ at: 'turn', times: 3, effect })
      line.openai.faults.add({ at: 'connect', skip: 1, times: 5, effect: { kind: 'refuse', status: 503 } })
      const { report, end } = await line.call({ script: [{ say: say(600) }] })
      expect(end?.reason).toBe(reason)
      expect(end?.detail).toContain('engine_')
      expect(line.answers.at(-1)?.path).toBe('/ended')
      expect(report.streams[0]?.endedBy).toBe('server')
    }),
  )

  test.concurrent('refused from the start: no silence, the reason says so', () =>
    withVoiceLine({ apiKey: 'sk-wrong', script: {} }, async (line) => {
      const { end, report } = await line.call({})
      expect(end?.reason).toBe('engine_refused')
      expect(report.streams[0]?.greetingLatencyMs ?? 9_999).toBeLessThan(1_000)
    }))
})
