import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { CallListener } from '../../src/media/listen-tap.ts'
import type { MediaSession } from '../../src/media/media-session.ts'
import type { CallTools } from '../../src/media/media-session-ports.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'
import { say, startVoiceLine, type VoiceLine, withVoiceLine } from '../support/voice-line.ts'
import { eventually } from '../support/wait.ts'

setDefaultTimeout(60_000)

const tools = (overrides: Partial<CallTools> = {}): CallTools => ({
  list: () => [],
  run: async () => ({}),
  transfer: async () => null,
  canTransfer: () => true,
  ...overrides,
})
const goodbye = { say: 'Goodbye.', ms: 600, tools: [{ name: 'end_call', args: { reason: 'completed' } }] }
const waits = { say: 'Go on', ms: 400 }

/** The session of the line's call, once its engine is ready. */
async function sessionOf(line: VoiceLine): Promise<MediaSession> {
  const session = await eventually(() => {
    const callSid = line.answers.find(({ path }) => path === '/incoming')?.params.CallSid
    return callSid ? line.media.sessionOf(callSid) : null
  }, 'the session')
  await eventually(() => line.openai.sessions[0]?.report.settings, 'the engine')
  return session
}

/** Everything that a listener gets. */
function createListener(overrides: Partial<CallListener> = {}) {
  const heard = { caller: [] as Uint8Array[], agent: [] as Uint8Array[], ended: 0 }
  const listener: CallListener = {
    hear(caller, agent) {
      heard.caller.push(caller.slice())
      heard.agent.push(agent.slice())
    },
    end() {
      heard.ended++
    },
    ...overrides,
  }
  const loudMs = (side: 'caller' | 'agent') =>
    Buffer.concat(heard[side]).filter((byte) => byte !== 0xff && byte !== 0x7f).length / 8
  return { heard, listener, loudMs }
}

describe('commands of members', () => {
  test.concurrent('an end is said goodbye to, and a caller who talks on cannot hold the call', () =>
    withVoiceLine({ script: { steps: [{ say: 'A long answer', ms: 8_000 }] } }, async (line) => {
      const calling = line.call({ script: [{ say: say(600) }, { say: say(6_000), when: 'now' }] })
      const session = await sessionOf(line)
      await eventually(() => line.turns.some(({ role }) => role === 'caller'), 'the turn of the caller')
      expect(await session.command({ kind: 'end' })).toBeNull()
      const { end, report } = await calling
      expect(end?.reason).toBe('ended_by_member')
      // The product's own goodbye, 800 ms, was heard to its end.
      const last = report.heardSpans.at(-1)
      expect((last?.endMs ?? 0) - (last?.startMs ?? 0)).toBeGreaterThan(780)
      expect(await session.command({ kind: 'end' })).toBe('not_live')
    }))

  test.concurrent('a whisper reaches the model, not the caller, who hears the answer to it', () =>
    withVoiceLine({ script: { steps: [waits, { say: 'We close at five', ms: 700 }, goodbye] } }, async (line) => {
      const calling = line.call({ script: [{ say: say(600) }, { say: say(600), when: { afterMs: 4_000 } }] })
      const session = await sessionOf(line)
      await eventually(() => line.openai.sessions[0]?.report.said.includes('Go on'), 'the first answer')
      expect(await session.command({ kind: 'whisper', text: 'Say when we close.' })).toBeNull()
      await eventually(() => line.openai.sessions[0]?.report.said.includes('We close at five'), 'the answer')
      const { end } = await calling
      expect(end?.reason).toBe('completed')
      const items = line.openai.sessions[0]?.report.items ?? []
      const whispered = items.filter((item) => item.type === 'message' && item.role === 'system')
      expect(JSON.stringify(whispered)).toContain('Say when we close.')
      expect(JSON.stringify(line.turns)).not.toContain('Say when we close.')
    }))

  test.concurrent('an engine that takes over gets what was whispered before', () =>
    withVoiceLine({ script: { steps: [waits, waits, goodbye] } }, async (line) => {
      line.openai.faults.add({ at: 'turn', skip: 1, effect: { kind: 'close', code: 1011, reason: 'gone' } })
      const calling = line.call({ script: [{ say: say(600) }, { say: say(600), when: { afterMs: 2_500 } }] })
      const session = await sessionOf(line)
      await eventually(() => line.openai.sessions[0]?.report.said.includes('Go on'), 'the first answer')
      expect(await session.command({ kind: 'whisper', text: 'Offer a discount.' })).toBeNull()
      const second = await eventually(() => line.openai.sessions[1]?.report.settings, 'the second session')
      expect(second.instructions).toContain('Offer a discount.')
      await calling
    }))

  test.concurrent('a member takes the call over: announced, then transferred to their number', () => {
    const numbers: (string | null | undefined)[] = []
    let redirect: (callSid: string) => Promise<void> = () => Promise.reject(new Error('There is no line.'))
    const transfer: CallTools['transfer'] = async ({ callSid }, number) => {
      numbers.push(number)
      await redirect(callSid)
      return null
    }
    return withVoiceLine(
      { tools: tools({ transfer }), script: { steps: [{ say: 'A long answer', ms: 8_000 }] } },
      async (line) => {
        redirect = (callSid) =>
          line.telephony().updateCall(callSid, '<Response><Dial answerOnBridge="true">+97235550000</Dial></Response>')
        const calling = line.call({ script: [{ say: say(600) }], dial: { outcome: 'answered', talkMs: 200 } })
        const session = await sessionOf(line)
        await eventually(() => line.turns.some(({ role }) => role === 'caller'), 'the turn of the caller')
        const taken = session.command({ kind: 'transfer', number: '+972521110000' })
        expect(await session.command({ kind: 'transfer', number: null })).toBe('transfer_under_way')
        expect(await session.command({ kind: 'whisper', text: 'x' })).toBe('transfer_under_way')
        expect(await taken).toBeNull()
        const { end, report } = await calling
        expect([end?.reason, numbers]).toEqual(['transferred', ['+972521110000']])
        expect(report.documents.map((each) => each.source)).toEqual(['webhook', 'rest'])
      },
    )
  })

  test.concurrent('a transfer that the carrier refuses leaves the call with the agent, who explains it', () =>
    withVoiceLine(
      { tools: tools({ transfer: async () => 'No one answers.' }), script: { steps: [waits, goodbye] } },
      async (line) => {
        const calling = line.call({ script: [{ say: say(600) }] })
        const session = await sessionOf(line)
        await eventually(() => line.openai.sessions[0]?.report.said.includes('Go on'), 'the first answer')
        expect(await session.command({ kind: 'transfer', number: null })).toBe('transfer_failed')
        const { end } = await calling
        expect(end?.reason).toBe('completed')
        expect(JSON.stringify(line.openai.sessions[0]?.report.items)).toContain('the transfer failed')
      },
    ))

  test.concurrent('without a number there is no person to transfer to', () =>
    withVoiceLine({ tools: tools({ canTransfer: () => false }), script: { steps: [goodbye] } }, async (line) => {
      const calling = line.call({ script: [{ say: say(600), when: { afterMs: 1_500 } }] })
      const session = await sessionOf(line)
      expect(await session.command({ kind: 'transfer', number: null })).toBe('no_transfer_number')
      expect((await calling).end?.reason).toBe('completed')
    }))
})

describe('listening in', () => {
  test.concurrent('both sides are heard, the greeting that plays already too, until the call ends', () =>
    withVoiceLine({ greetingMs: 3_000, script: { steps: [{ ...goodbye, ms: 1_000 }] } }, async (line) => {
      const calling = line.call({ script: [{ say: say(1_000) }] })
      const session = await sessionOf(line)
      const { heard, listener, loudMs } = createListener()
      expect(session.listen(listener)).not.toBeNull()
      const { end } = await calling
      expect(end?.reason).toBe('completed')
      expect(heard.ended).toBe(1)
      expect(heard.caller.map(({ length }) => length)).toEqual(heard.agent.map(({ length }) => length))
      expect(loudMs('caller')).toBeGreaterThan(700)
      // Of the greeting what was left of it, and the goodbye but for the step that the end cut off.
      expect(loudMs('agent')).toBeGreaterThan(2_000)
      expect(loudMs('agent')).toBeLessThan(4_200)
      expect(session.listen(listener)).toBeNull()
    }))

  test.concurrent('what the carrier drops when the caller interrupts is not heard either', () =>
    withVoiceLine({ script: { steps: [{ say: 'A long answer', ms: 9_000 }, goodbye] } }, async (line) => {
      const calling = line.call({ script: [{ say: say(600) }, { say: say(800), when: 'barge_in' }] })
      const session = await sessionOf(line)
      const { listener, loudMs } = createListener()
      session.listen(listener)
      const { report } = await calling
      expect(report.clears.length).toBeGreaterThan(0)
      expect(Math.abs(loudMs('agent') - report.heardMs)).toBeLessThan(900)
    }))

  test.concurrent('fifty listeners, broken and slow ones among them, delay no frame of the caller or the agent', async () => {
    const relays: number[][] = []
    for (const count of [0, 50])
      await withVoiceLine({ script: { steps: [{ say: 'An answer', ms: 3_000 }, goodbye], speed: 1 } }, async (line) => {
        const calling = line.call({ script: [{ say: say(1_000) }, { say: say(600) }] })
        const session = await sessionOf(line)
        for (let index = 0; index < count; index++)
          session.listen(
            createListener(
              index % 10 === 0
                ? {
                    hear() {
                      throw new Error('broken')
                    },
                  }
                : {},
            ).listener,
          )
        const { end, report } = await calling
        expect(end?.reason).toBe('completed')
        relays.push([end?.metrics.relayInP95Us ?? -1, end?.metrics.relayOutP95Us ?? -1])
        // Every frame of the carrier went in, but for those that crossed the end.
        const missing = (report.streams[0]?.framesSent ?? 0) - (end?.metrics.framesIn ?? 0)
        expect(missing).toBeLessThan(10)
        expect(end?.metrics.framesIn).toBeGreaterThan(200)
      })
    // In microseconds. The worst of few samples on a machine that does other things too: less than the length of a frame.
    for (const measured of relays.flat()) expect(measured).toBeLessThan(20_000)
  })

  test('a frame costs the call less than five microseconds more while a member listens', async () => {
    const line = startVoiceLine({ script: { steps: [waits] } })
    try {
      const calling = line.call({ script: [] })
      const session = await sessionOf(line)
      const payload = Buffer.from(makeTone(440, 20)).toString('base64')
      const frame = (at: number) =>
        `{"event":"media","sequenceNumber":"1","streamSid":"MZ1","media":{"track":"inbound","chunk":"1","timestamp":"${at}","payload":"${payload}"}}`
      const frames = Array.from({ length: 50 }, (_, index) => frame(100_000 + index * 20))
      const microseconds = () => {
        const samples = Array.from({ length: 40 }, () => {
          const from = performance.now()
          for (const text of frames) session.onText(text)
          return ((performance.now() - from) * 1_000) / frames.length
        }).sort((a, b) => a - b)
        return samples[20] ?? 0
      }
      microseconds()
      const alone = microseconds()
      session.listen(createListener().listener)
      const heard = microseconds()
      expect(heard - alone).toBeLessThan(5)
      await session.command({ kind: 'end' })
      await calling
    } finally {
      await line.close()
    }
  })
})
