import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { CallTools } from '../../src/media/media-session-ports.ts'
import type { CallerStep } from '../../src/sandbox/carrier/caller-step.ts'
import { until } from '../sandbox/carrier/support.ts'
import { say, startVoiceLine, type VoiceLine, withVoiceLine } from '../support/voice-line.ts'

setDefaultTimeout(60_000)

const tools = (overrides: Partial<CallTools> = {}): CallTools => ({
  list: () => [{ name: 'lookup_business_info', description: 'Looks it up.', parameters: {} }],
  run: async () => ({ answer: 'nine to five' }),
  transfer: async () => null,
  canTransfer: () => true,
  ...overrides,
})

const goodbye = { say: 'Goodbye.', ms: 3_000, tools: [{ name: 'end_call', args: { reason: 'completed' } }] }
const hangup = (afterMs: number): CallerStep => ({ hangup: true, when: { afterMs } })

type State = {
  name: string
  options: Parameters<typeof startVoiceLine>[0]
  script: CallerStep[]
  fault?: (line: VoiceLine) => void
  reason?: string
}

const states: State[] = [
  { name: 'in the greeting', options: { greetingMs: 3_000, script: {} }, script: [{ hangup: true, when: 'barge_in' }] },
  { name: 'while listened to', options: { script: {} }, script: [{ silence: 400 }, hangup(100)] },
  {
    name: 'in the middle of a word',
    options: { script: {} },
    script: [{ say: say(400) }, hangup(0)],
  },
  {
    name: 'while the engine thinks',
    options: {
      script: { steps: [{ say: 'Later', ms: 400, delayMs: 8_000 }] },
      engineLimits: { quietMs: 20_000, stallMs: 30_000 },
    },
    script: [{ say: say(600) }, hangup(1_500)],
  },
  {
    name: 'while the caller hears that it takes a moment',
    options: {
      script: { steps: [{ say: 'Later', ms: 400, delayMs: 8_000 }] },
      engineLimits: { quietMs: 500, stallMs: 30_000 },
    },
    script: [{ say: say(600) }, hangup(1_600)],
  },
  {
    name: 'in the middle of an answer',
    options: { script: { steps: [{ say: 'A long answer', ms: 6_000 }] } },
    script: [{ say: say(600) }, { hangup: true, when: 'barge_in', bargeInMs: 400 }],
  },
  {
    name: 'in the middle of an answer that comes no faster than it is heard',
    options: { script: { steps: [{ say: 'A long answer', ms: 6_000 }], speed: 1 } },
    script: [{ say: say(600) }, { hangup: true, when: 'barge_in', bargeInMs: 400 }],
  },
  {
    name: 'in the middle of an interruption',
    options: { script: { steps: [{ say: 'A long answer', ms: 6_000 }] } },
    script: [{ say: say(600) }, { say: say(500), when: 'barge_in' }, hangup(0)],
  },
  {
    name: 'while a tool runs',
    options: {
      tools: tools({ run: () => Bun.sleep(3_000).then(() => ({ late: true })) }),
      script: { steps: [{ tools: [{ name: 'lookup_business_info', args: { query: 'hours' } }] }] },
    },
    script: [{ say: say(600) }, hangup(1_200)],
  },
  {
    name: 'while a transfer is announced',
    options: { tools: tools(), script: { steps: [{ tools: [{ name: 'transfer_to_human', args: {} }] }] } },
    script: [{ say: say(600) }, { hangup: true, when: 'barge_in', bargeInMs: 200 }],
  },
  {
    name: 'while a transfer is asked for',
    options: {
      tools: tools({ transfer: () => Bun.sleep(3_000).then(() => null) }),
      script: { steps: [{ tools: [{ name: 'transfer_to_human', args: {} }] }] },
    },
    script: [{ say: say(600) }, hangup(2_600)],
    // The carrier was asked to transfer: the end of the stream does not show whether it or the caller ended it.
    reason: 'transferred',
  },
  {
    name: 'in the goodbye',
    options: { script: { steps: [goodbye] } },
    script: [{ say: say(600) }, { hangup: true, when: 'barge_in', bargeInMs: 400 }],
  },
  {
    name: 'in a goodbye for silence',
    options: { limits: { silenceMs: 600 }, script: {} },
    script: [{ silence: 1_300 }, hangup(0)],
  },
  {
    name: 'while the engine is connected again',
    options: {
      script: { steps: [{ say: 'Yes?', ms: 300 }] },
      policy: { reconnectMs: 20_000 },
      engineLimits: { connectMs: 20_000 },
    },
    script: [{ say: say(600) }, hangup(2_000)],
    fault(line) {
      line.openai.faults.add({ at: 'turn', effect: { kind: 'close' } })
      line.openai.faults.add({ at: 'configure', skip: 1, effect: { kind: 'stall' } })
    },
  },
  {
    name: 'while the first engine session is not ready',
    options: { greetingMs: 300, script: {}, engineLimits: { connectMs: 20_000 } },
    script: [{ silence: 200 }, hangup(100)],
    fault: (line) => line.openai.faults.add({ at: 'configure', effect: { kind: 'stall' } }),
  },
]

describe('a caller who hangs up', () => {
  for (const { name, options, script, fault, reason } of states)
    test.concurrent(`${name}: one end with its reason, nothing left`, async () => {
      const line = startVoiceLine(options)
      fault?.(line)
      const { report, end, replay } = await line.call({ script })
      expect(report.ended.by).toBe('caller')
      await until(() => line.ends.size > 0, 10_000)
      expect(line.ends.get(report.callSid)?.reason ?? end?.reason).toBe(
        (reason ?? 'caller_hung_up') as NonNullable<typeof end>['reason'],
      )
      expect(line.ends.size).toBe(1)
      // No document is answered that the carrier would still follow: the caller is gone.
      expect(report.documents.every((each) => each.followed || each.params.CallStatus === 'completed')).toBe(true)
      await line.emptied()
      expect(line.media.liveCalls()).toBe(0)
      expect(line.engine.sessionCount).toBe(0)
      expect(replay?.firstDifference ?? null).toBeNull()
      await line.close()
    })

  test.concurrent('before the stream has begun: no call, no end', async () => {
    const line = startVoiceLine({ script: {} })
    // Between `connected` and `start` there are ten milliseconds; the caller is gone before the answer to the webhook.
    const calls = [0, 4, 8, 12, 16].map((ms) =>
      line.call({
        script: [],
        onPlaced: (sid) => setTimeout(() => line.carrier.calls.get(sid)?.control?.hangUp(), ms),
      }),
    )
    await Promise.all(calls)
    await line.emptied()
    expect(line.media.liveCalls()).toBe(0)
    for (const end of line.ends.values()) expect(end.reason).toBe('caller_hung_up')
    await line.close()
  })
})

describe('an engine that is gone for good: the last reason is the call’s', () => {
  const twice = [{ say: say(600) }, { say: say(600), quietMs: 900 }, { say: say(600), quietMs: 900 }]
  const effects = [
    [{ kind: 'close' as const }, 'engine_lost'],
    [{ kind: 'vanish' as const }, 'engine_lost'],
    [{ kind: 'stall' as const }, 'engine_stalled'],
    [{ kind: 'session_expired' as const }, 'engine_expired'],
    [{ kind: 'rate_limit' as const }, 'engine_rate_limited'],
    [{ kind: 'server_error' as const }, 'engine_failed'],
  ] as const
  for (const [effect, reason] of effects)
    test.concurrent(`${effect.kind}: ${reason}`, async () => {
      const line = startVoiceLine({ script: { steps: [{ say: 'Yes?', ms: 300 }] } })
      line.openai.faults.add({ at: 'turn', times: 9, effect })
      const { report, end } = await line.call({ script: twice, maxSeconds: 40 })
      expect(end?.reason).toBe(reason)
      expect(end?.detail).toStartWith(reason === 'engine_failed' ? 'engine_error' : reason)
      expect(report.streams[0]).toMatchObject({ endedBy: 'server', closeReason: reason })
      // What becomes of the caller is asked about.
      expect(line.answers.at(-1)?.path).toBe('/ended')
      await line.close()
    })

  for (const [status, reason, sessions] of [
    [401, 'engine_refused', 0],
    [429, 'engine_rate_limited', 0],
    [503, 'engine_refused', 0],
  ] as const)
    test.concurrent(`refused with ${status} from the start: ${reason}; the greeting is heard`, async () => {
      const line = startVoiceLine({ script: {} })
      line.openai.faults.add({ at: 'connect', times: 9, effect: { kind: 'refuse', status } })
      const { report, end } = await line.call({})
      expect(end?.reason).toBe(reason)
      expect(end?.detail).toContain(`status ${status}`)
      expect(line.openai.sessions.length).toBe(sessions)
      expect(report.streams[0]?.greetingLatencyMs ?? 9_999).toBeLessThan(500)
      await line.close()
    })

  test.concurrent('never configured: refused, within seconds', async () => {
    const line = startVoiceLine({ script: {} })
    line.openai.faults.add({ at: 'configure', times: 9, effect: { kind: 'stall' } })
    const { end } = await line.call({})
    expect(end?.reason).toBe('engine_refused')
    await line.close()
  })
})

test.concurrent('a bad token: the carrier’s stream is refused with its reason logged, a stranger’s without', () =>
  withVoiceLine({ script: {} }, async (line) => {
    line.spoilTokens(true)
    const signed = await line.call({})
    expect(signed.end).toBeNull()
    expect(signed.report.streams[0]).toMatchObject({ closeCode: 1008, endedBy: 'server' })
    expect(line.rejections.get(signed.report.callSid)).toContain('token')
    const unsigned = await line.call({ signature: 'none' })
    expect(unsigned.report.streams[0]).toMatchObject({ closeCode: 1008 })
    expect(line.rejections.has(unsigned.report.callSid)).toBe(false)
    expect(line.openai.sessions.length).toBe(0)
  }))
