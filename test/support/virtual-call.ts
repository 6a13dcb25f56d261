import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { createLogger } from '../../src/lib/log.ts'
import { VirtualClock } from '../../src/media/clock.ts'
import { MediaSession } from '../../src/media/media-session.ts'
import {
  type CallTools,
  DEFAULT_LIMITS,
  type SessionEnd,
  type SessionLimits,
} from '../../src/media/media-session-ports.ts'
import type { EngineEvent } from '../../src/providers/speech/port.ts'
import { makeTone } from '../../src/sandbox/carrier/audio.ts'

const CALL = { callSid: 'CA1', businessId: 'b', from: '+972501234567', to: '+97233760000', expiresAt: 0, nonce: 'n' }

/** Audio of 20 ms, as base64. */
export const FRAME = Buffer.from(makeTone(440, 20)).toString('base64')

/**
 * A call whose greeting of 100 ms was heard, at 1,000 ms of a clock that only the test moves. The test speaks for its engine;
 * what the call asks of the engine is in `asked`. A mark returns 100 ms after it was sent.
 */
export async function startVirtualCall(options: { limits?: Partial<SessionLimits>; tools?: CallTools } = {}) {
  const clock = new VirtualClock()
  const audioAt: number[] = []
  const asked: string[] = []
  const ends: SessionEnd[] = []
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
        connect(session) {
          tell = session.onEvent
          return {
            sendAudio() {},
            say: (text) => void asked.push(`say ${text}`),
            cancel: () => void asked.push('cancel'),
            truncate() {},
            toolResult: (id, _, { silent } = {}) => void asked.push(`result ${id}${silent ? ' silent' : ''}`),
            hearsVoice: () => true,
            ignoreTurn: () => void asked.push('ignore turn'),
            answer: () => void asked.push('answer'),
            close() {},
          }
        },
        close: async () => {},
      },
      ...(options.tools ? { tools: options.tools } : {}),
      events: { claim: async () => true, turn() {}, lead() {}, end: async (_, end) => void ends.push(end) },
      log: createLogger('silent'),
      verifyToken: () => CALL,
      reception: () => ({
        script: intakeScript({ language: 'en', businessName: 'Levi' }),
        greeting: makeTone(350, 100),
        renderGreeting: async () => makeTone(350, 100),
        phrase: () => makeTone(500, 100),
      }),
      limits: { ...DEFAULT_LIMITS, ...options.limits },
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
    asked,
    ends,
    /** When audio was sent to the caller. */
    audioAt,
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
