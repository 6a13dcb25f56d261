import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import { DEFAULT_POLICY } from '../../src/media/turn-options.ts'

/** The record of a short call: greeted, something said, the caller hangs up. Lived through again it decides the same. */
export function recordOfCall(call: { callSid: string; businessId: string; said?: string }): string {
  const lines = [
    {
      t: 0,
      k: 'start',
      version: 1,
      callSid: call.callSid,
      businessId: call.businessId,
      engine: 'openai-realtime',
      standby: null,
      script: intakeScript({ language: 'en', businessName: 'Levi' }),
      policy: DEFAULT_POLICY,
      limits: DEFAULT_LIMITS,
      greetingMs: 600,
      phraseMs: { oneMoment: 0, connecting: 0 },
      canTransfer: false,
    },
    { t: 0, k: 'out', o: 'connect', engine: 'openai-realtime', resume: false },
    { t: 40, k: 'engine', event: { type: 'ready' } },
    { t: 610, k: 'mark', name: 'greeting:600:g0:m1' },
    { t: 900, k: 'engine', event: { type: 'speech_started', atMs: 700 } },
    { t: 1_500, k: 'engine', event: { type: 'speech_stopped', atMs: 1_200 } },
    {
      t: 1_600,
      k: 'engine',
      event: { type: 'user_turn', startMs: 700, endMs: 1_200, transcript: call.said ?? 'I want a flat' },
    },
    { t: 2_000, k: 'stop' },
    { t: 2_000, k: 'out', o: 'end', reason: 'caller_hung_up', detail: null },
  ]
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
}
