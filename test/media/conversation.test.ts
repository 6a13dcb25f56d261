import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { CallTools } from '../../src/media/media-session-ports.ts'
import { say, voiceLines } from '../support/voice-line.ts'

setDefaultTimeout(40_000)

const start = voiceLines()

const goodbye = { say: 'Goodbye.', ms: 400, tools: [{ name: 'end_call', args: { reason: 'completed' } }] }

describe('a conversation', () => {
  test('greets at once, answers turns, keeps the lead, ends when the goodbye was heard', async () => {
    const line = start({
      script: {
        heard: ['Dana', 'A flat'],
        steps: [
          { say: 'How can I help?', ms: 600 },
          { tools: [{ name: 'save_lead', args: { name: 'Dana', inquiry: 'A flat' } }] },
          goodbye,
        ],
      },
    })
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
  })

  test('ten interruptions in a row: each cuts at once, each truncates to what was heard', async () => {
    const line = start({
      greetingMs: 300,
      script: { steps: Array.from({ length: 12 }, (_, i) => ({ say: `Answer ${i}`, ms: 5_000 })), speed: 10 },
    })
    const { report, end } = await line.call({
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
      const heardMs = (span?.endMs ?? 0) - (span?.startMs ?? 0)
      expect(Math.abs(each.audioEndMs - heardMs)).toBeLessThanOrEqual(150)
    })
    // Also of the first, which is cut off while it is still being made: what it had said so far is kept.
    expect(cut.map((turn) => turn.text?.slice(0, 6))).toEqual(Array.from({ length: 10 }, () => 'Answer'))
    expect(end?.metrics.clearP95Ms).toBeLessThan(1_000)
  }, 60_000)

  test('a short noise does not interrupt, and is not answered', async () => {
    const line = start({
      policy: { minSpeechMs: 420 },
      script: {
        steps: [
          { say: 'A long answer', ms: 3_000 },
          // A model thinks before it speaks: time to be told that nobody waits for it.
          { say: 'Pardon?', ms: 400, delayMs: 400 },
        ],
        speed: 0,
      },
    })
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
  })

  test('a murmur of agreement lets the agent go on where it was cut', async () => {
    const line = start({
      script: {
        heard: ['I want a flat', 'Mm-hm.'],
        steps: [
          { say: 'A long answer', ms: 3_000 },
          { say: 'Pardon?', ms: 400, delayMs: 400 },
        ],
        speed: 0,
      },
    })
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
  })

  test('a caller who hangs up: the reason is the caller’s', async () => {
    const line = start({ script: { steps: [{ say: 'A long answer', ms: 4_000 }] } })
    for (const script of [
      [{ hangup: true as const }],
      [{ wait: 300 }, { hangup: true as const }],
      [{ say: say(500) }, { hangup: true as const, when: 'barge_in' as const, bargeInMs: 300 }],
    ]) {
      const { end, report } = await line.call({ script })
      if (report.streams[0]?.startAtMs !== null && end) expect(end.reason).toBe('caller_hung_up')
    }
    expect(line.media.sockets()).toBe(0)
  })

  test('silence, too long a call, the key 0, a draining server: each has its reason', async () => {
    const silent = start({ limits: { silenceMs: 700 }, script: {} })
    expect((await silent.call({})).end?.reason).toBe('silence')
    expect(silent.openai.sessions[0]?.report.said.length).toBe(1)

    const long = start({ limits: { maxDurationMs: 900 }, script: {} })
    expect((await long.call({})).end?.reason).toBe('max_duration')

    const zero = start({ script: {} })
    expect((await zero.call({ script: [{ dtmf: '0' }] })).end?.reason).toBe('voicemail_requested')

    const draining = start({ script: {} })
    const call = draining.call({})
    await Bun.sleep(900)
    await draining.media.drain()
    expect((await call).end?.reason).toBe('server_draining')
  })

  test('a wrong token gets no agent', async () => {
    const line = start({ script: {} })
    line.spoilTokens(true)
    const { report, end } = await line.call({})
    expect(end).toBeNull()
    expect(report.streams[0]?.closeCode).toBe(1008)
    expect(line.openai.sessions.length).toBe(0)
  })
})

describe('tools', () => {
  const tools = (overrides: Partial<CallTools> = {}): CallTools => ({
    list: () => [{ name: 'lookup_business_info', description: 'Looks it up.', parameters: {} }],
    run: async (_call, name, args) => ({ ok: true, name, args }),
    transfer: async () => null,
    canTransfer: () => true,
    ...overrides,
  })

  test('a result goes back, a failure too, a slow one is bridged, an unknown one is refused', async () => {
    let runs = 0
    const line = start({
      policy: { fillerAfterMs: 300, toolTimeoutMs: 1_200 },
      tools: tools({
        async run() {
          runs++
          if (runs === 2) throw new Error('The calendar is not there.')
          if (runs === 3) await Bun.sleep(5_000)
          return { answer: 'nine to five' }
        },
      }),
      script: {
        steps: [
          { tools: [{ name: 'lookup_business_info', args: { query: 'hours' } }] },
          { tools: [{ name: 'lookup_business_info', args: { query: 'more' } }] },
          { tools: [{ name: 'lookup_business_info', args: { query: 'slow' } }] },
          { tools: [{ name: 'make_coffee', args: {} }] },
          { tools: [{ name: 'lookup_business_info', args: '{"broken' }] },
          goodbye,
        ],
      },
    })
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

  test('a transfer is announced, heard, then done; the reason is written', async () => {
    const line = start({
      tools: tools({
        async transfer(call) {
          await line
            .telephony()
            .updateCall(call.callSid, '<Response><Dial answerOnBridge="true">+97235550000</Dial></Response>')
          return null
        },
      }),
      script: { steps: [{ tools: [{ name: 'transfer_to_human', args: { reason: 'asked' } }] }] },
    })
    const { report, end } = await line.call({ script: [{ say: say(600) }], dial: { outcome: 'answered', talkMs: 200 } })
    expect(end?.reason).toBe('transferred')
    expect(report.documents.map((each) => each.source)).toEqual(['webhook', 'rest'])
    // The announcement of 500 ms was heard whole before the call was taken away.
    const taken = report.timeline.find((each) => each.event === 'stream_ended')?.atMs ?? 0
    const announced = report.heardSpans.at(-1)?.startMs ?? 0
    expect(taken - announced).toBeGreaterThan(490)
  })

  test('a transfer that fails is told to the model, and the call goes on', async () => {
    const line = start({
      tools: tools({ transfer: async () => 'Nobody answers.' }),
      script: { steps: [{ tools: [{ name: 'transfer_to_human', args: {} }] }, goodbye] },
    })
    const { end } = await line.call({ script: [{ say: say(600) }] })
    expect(end?.reason).toBe('completed')
    expect(line.openai.sessions[0]?.report.toolOutputs[0]?.output).toContain('Nobody answers.')
  })
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
    test(`${effect.kind}: one moment is heard, the engine is tried again with the conversation so far`, async () => {
      const line = start({
        script: {
          heard: ['I want a flat', 'In Haifa'],
          steps: [
            { say: 'Where?', ms: 400 },
            { say: 'Here again.', ms: 400 },
          ],
        },
      })
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
    })

  test('gone for good: its reason ends the call, and voicemail is asked for', async () => {
    for (const [effect, reason] of [
      [{ kind: 'close' as const }, 'engine_lost'],
      [{ kind: 'rate_limit' as const }, 'engine_rate_limited'],
      [{ kind: 'session_expired' as const }, 'engine_expired'],
      [{ kind: 'stall' as const }, 'engine_stalled'],
    ] as const) {
      const line = start({ script: { steps: [{ say: 'Yes?', ms: 300 }] } })
      line.openai.faults.add({ at: 'turn', times: 3, effect })
      line.openai.faults.add({ at: 'connect', skip: 1, times: 5, effect: { kind: 'refuse', status: 503 } })
      const { report, end } = await line.call({ script: [{ say: say(600) }] })
      if (reason === 'engine_rate_limited') expect(end?.reason).toBe(reason)
      else expect(end?.reason).toBe('engine_refused')
      expect(end?.detail).toContain('engine_')
      expect(line.answers.at(-1)?.path).toBe('/ended')
      expect(report.streams[0]?.endedBy).toBe('server')
    }
  }, 30_000)

  test('refused from the start: no silence, the reason says so', async () => {
    const line = start({ apiKey: 'sk-wrong', script: {} })
    const { end, report } = await line.call({})
    expect(end?.reason).toBe('engine_refused')
    expect(report.streams[0]?.greetingLatencyMs ?? 9_999).toBeLessThan(1_000)
  })
})
