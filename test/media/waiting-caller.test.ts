import { expect, test } from 'bun:test'
import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { VirtualClock } from '../../src/media/clock.ts'
import { MediaSession } from '../../src/media/media-session.ts'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import type { EngineEvent } from '../../src/providers/speech/port.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'

const RULE_MS = 2_000
const CALL = { callSid: 'CA1', businessId: 'b', from: '+972501234567', to: '+97233760000', expiresAt: 0, nonce: 'n' }
const FRAME = Buffer.from(makeTone(440, 20)).toString('base64')

/** A call whose greeting of 100 ms was heard, at 1,000 ms of a clock that only the test moves. */
async function startCall() {
  const clock = new VirtualClock()
  const audioAt: number[] = []
  let tell: (event: EngineEvent) => void = () => {}
  let timestampMs = 0
  const session: MediaSession = new MediaSession(
    {
      send(text) {
        const frame: { event: string; mark?: { name: string } } = JSON.parse(text)
        if (frame.event === 'media') audioAt.push(clock.now())
        const name = frame.mark?.name
        if (name) clock.after(100, () => session.onFrame({ event: 'mark', name }))
        return text.length
      },
      close() {},
    },
    {
      engine: {
        name: 'scripted',
        remote: false,
        connect(options) {
          tell = options.onEvent
          const nothing = () => {}
          return {
            sendAudio: nothing,
            say: nothing,
            cancel: nothing,
            truncate: nothing,
            toolResult: nothing,
            hearsVoice: () => true,
            ignoreTurn: nothing,
            answer: nothing,
            close: nothing,
          }
        },
        close: async () => {},
      },
      events: { claim: async () => true, turn() {}, lead() {}, end: async () => {} },
      log: createLogger('silent'),
      verifyToken: () => CALL,
      reception: () => ({
        script: intakeScript({ language: 'en', businessName: 'Levi' }),
        greeting: makeTone(350, 100),
        renderGreeting: async () => makeTone(350, 100),
        phrase: () => makeTone(500, 100),
      }),
      limits: DEFAULT_LIMITS,
      clock,
    },
  )
  session.onFrame({
    event: 'start',
    streamSid: 'MZ1',
    callSid: CALL.callSid,
    parameters: { token: 'good' },
    encoding: 'audio/x-mulaw',
    sampleRate: 8_000,
  })
  const goTo = (at: number) => clock.goTo(at, async () => {})
  const call = {
    goTo,
    tell: (event: EngineEvent) => tell(event),
    /** The caller speaks from now until `at`. */
    async speakUntil(at: number) {
      while (clock.now() < at) {
        timestampMs = clock.now()
        session.onFrame({ event: 'media', payload: FRAME, timestampMs })
        await goTo(clock.now() + 20)
      }
    },
    /** When the caller hears something after `at`, so much later. */
    async heardAfter(at: number) {
      await goTo(at + 6_000)
      return (audioAt.find((each) => each > at) ?? Number.POSITIVE_INFINITY) - at
    },
  }
  tell({ type: 'ready' })
  await goTo(1_000)
  return call
}

test('the end of a turn is reported late, and no answer comes', async () => {
  for (const lateMs of [300, 900, 1_100, 1_400, 1_550]) {
    const call = await startCall()
    call.tell({ type: 'speech_started', atMs: 1_000 })
    await call.speakUntil(2_000)
    await call.goTo(2_000 + lateMs)
    call.tell({ type: 'speech_stopped', atMs: 2_000 })
    expect(await call.heardAfter(2_000)).toBeLessThanOrEqual(RULE_MS)
  }
})

test('an answer that comes soon after a late report is not preceded by a filler', async () => {
  const call = await startCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  await call.speakUntil(2_000)
  await call.goTo(3_200)
  call.tell({ type: 'speech_stopped', atMs: 2_000 })
  await call.goTo(3_850)
  call.tell({ type: 'audio', itemId: 'answer', payload: FRAME, ms: 20 })
  expect(await call.heardAfter(2_000)).toBe(1_850)
})

test('a tool that is done at once puts nothing off', async () => {
  const call = await startCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  await call.speakUntil(2_000)
  await call.goTo(3_000)
  call.tell({ type: 'speech_stopped', atMs: 2_000 })
  await call.goTo(3_100)
  call.tell({ type: 'tool_call', toolCallId: 't', name: 'save_lead', args: {} })
  expect(await call.heardAfter(2_000)).toBeLessThanOrEqual(RULE_MS)
})

test('the beginning of a turn is reported after its end, which is not reported', async () => {
  for (const voiceMs of [300, 1_000]) {
    const call = await startCall()
    await call.speakUntil(1_000 + voiceMs)
    await call.goTo(1_000 + voiceMs + 1_700)
    call.tell({ type: 'speech_started', atMs: 1_000 })
    expect(await call.heardAfter(1_000 + voiceMs)).toBeLessThanOrEqual(RULE_MS)
  }
})

test('a caller too quiet for the line’s own detector is not taken to be done', async () => {
  const call = await startCall()
  call.tell({ type: 'speech_started', atMs: 1_000 })
  expect(await call.heardAfter(1_000)).toBe(Number.POSITIVE_INFINITY)
})
