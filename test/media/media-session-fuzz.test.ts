import { expect, test } from 'bun:test'
import { createLogger } from '../../src/lib/log.ts'
import { VirtualClock } from '../../src/media/clock.ts'
import { MediaSession } from '../../src/media/media-session.ts'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import type { EngineEvent, EngineSession, SpeechEngine } from '../../src/providers/speech/port.ts'
import { randomIntegers, withSeed } from '../support/seed.ts'

const CALL = { callSid: 'CA1', businessId: 'b', from: '+1', to: '+2', expiresAt: 0, nonce: 'n' }
const SCRIPT = {
  language: 'en' as const,
  greeting: 'Hello',
  questions: [],
  reprompt: '',
  thanks: '',
  goodbye: 'Bye',
  oneMoment: 'One moment',
}
const PIECE = Buffer.alloc(800, 0x55).toString('base64')

/** One call in which anything may happen in any order; answers what it left behind. */
async function live(seed: number, open: Set<EngineSession>) {
  const random = randomIntegers(seed)
  const clock = new VirtualClock()
  const sent: string[] = []
  const closes: string[] = []
  let ends = 0
  const tellers: ((event: EngineEvent) => void)[] = []
  const engine = (name: string): SpeechEngine => ({
    name,
    remote: name === 'remote',
    connect(options) {
      if (random(12) === 0) throw new Error('refused')
      const session: EngineSession = {
        sendAudio() {},
        say() {},
        cancel() {},
        truncate() {},
        toolResult() {},
        hearsVoice: () => random(2) === 0,
        ignoreTurn() {},
        answer() {},
        close() {
          if (open.delete(session)) options.onEvent({ type: 'closed', reason: 'closed' })
        },
      }
      open.add(session)
      tellers.push(options.onEvent)
      return session
    },
    close: async () => {},
  })
  const session = new MediaSession(
    {
      send: (frame) => (sent.push(frame) > 0 && random(400) !== 0 ? frame.length : 0),
      close: (_, reason) => void closes.push(reason),
    },
    {
      engine: engine('remote'),
      standby: random(2) === 0 ? engine('embedded') : null,
      log: createLogger('silent'),
      clock,
      limits: DEFAULT_LIMITS,
      verifyToken: () => (random(20) === 0 ? null : CALL),
      reception: () => ({
        script: SCRIPT,
        greeting: random(5) === 0 ? undefined : new Uint8Array(4_000),
        renderGreeting: async () => new Uint8Array(4_000),
        phrase: () => (random(4) === 0 ? undefined : new Uint8Array(2_000)),
      }),
      tools: {
        list: () => [{ name: 'look', description: '', parameters: {} }],
        run: async () => {
          if (random(3) === 0) throw new Error('no')
          return { ok: true }
        },
        transfer: async () => (random(2) === 0 ? null : 'no answer'),
        canTransfer: () => random(2) === 0,
      },
      events: { claim: async () => random(30) !== 0, turn() {}, lead() {}, end: async () => void ends++ },
    },
  )
  const start = JSON.stringify({
    event: 'start',
    streamSid: 'MZ1',
    start: { callSid: 'CA1', customParameters: { token: 't' } },
  })
  const events = (): EngineEvent => {
    const itemId = `i${random(4)}`
    const all: EngineEvent[] = [
      { type: 'ready' },
      { type: 'speech_started', atMs: random(9_000), voicedMs: random(300) },
      { type: 'speech_stopped', atMs: random(9_000) },
      { type: 'audio', itemId, payload: PIECE, ms: 100 },
      { type: 'audio', itemId, payload: PIECE, ms: 100 },
      { type: 'audio_done', itemId },
      { type: 'agent_transcript', itemId, text: 'words' },
      { type: 'user_turn', startMs: 0, endMs: random(2_000), transcript: random(2) ? 'yeah' : 'I want a flat' },
      {
        type: 'tool_call',
        toolCallId: `t${random(9)}`,
        name: ['look', 'save_lead', 'transfer_to_human', 'end_call', 'x'][random(5)] ?? '',
        args: {},
      },
      { type: 'quiet', forMs: 2_000 },
      { type: 'error', code: 'hiccup', message: '', fatal: random(4) === 0, retry: random(2) === 0 },
      { type: 'closed', reason: 'gone' },
    ]
    // The last two are rarer, or no call would last.
    return all[random(random(6) === 0 ? all.length : all.length - 2)] ?? { type: 'ready' }
  }
  const marks = () => sent.filter((frame) => frame.startsWith('{"event":"mark"'))
  const happen = [
    () => session.onText(start),
    () => session.onText('{"event":"connected"}'),
    () =>
      session.onText(
        `{"event":"media","streamSid":"MZ1","media":{"timestamp":"${random(9_999)}","payload":"${PIECE}"}}`,
      ),
    () => session.onText(marks()[random(marks().length || 1)] ?? '{"event":"mark","mark":{"name":"never"}}'),
    () => session.onText('{"event":"dtmf","dtmf":{"digit":"5"}}'),
    () => session.onText('{"event":"media","media":{"payload":"cut'),
    () => session.onText('not json'),
    () => tellers[random(tellers.length || 1)]?.(events()),
    () => tellers.at(-1)?.(events()),
    () => tellers.at(-1)?.(events()),
    () => clock.goTo(clock.now() + random(700), async () => {}),
  ]
  if (random(10) !== 0) session.onText(start)
  for (let i = random(40); i > 0; i--) {
    await happen[random(random(30) === 0 ? happen.length : happen.length)]?.()
    if (random(8) === 0) await Promise.resolve()
  }
  const ways = [
    () => session.onText('{"event":"stop"}'),
    () => session.onClose(1006, ''),
    () => session.drain(),
    () => session.onViolation('rule'),
  ]
  await ways[random(ways.length)]?.()
  session.onClose(1000, '')
  await Promise.resolve()
  await Promise.resolve()
  return { waiting: clock.waiting, live: session.live, ends, closes: closes.length }
}

test(
  'ten thousand calls in which anything happens leave no session, no timer, and one reason each',
  withSeed(async (first) => {
    const open = new Set<EngineSession>()
    for (let seed = first; seed < first + 10_000; seed++) {
      const left = await live(seed, open)
      if (left.waiting > 0 || left.live || left.ends > 1 || open.size > 0)
        throw new Error(`call ${seed} left ${JSON.stringify({ ...left, open: open.size })}`)
    }
    expect(open.size).toBe(0)
  }, 1),
  120_000,
)
