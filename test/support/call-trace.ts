import { intakeScript } from '../../src/domain/receptionist/index.ts'
import { DEFAULT_LIMITS } from '../../src/media/media-session-ports.ts'
import { TRACE_VERSION, type TraceEntry } from '../../src/media/trace-entries.ts'
import { DEFAULT_POLICY } from '../../src/media/turn-options.ts'

/** The trace of a short call: greeting, one turn of the caller, hang-up. A replay comes to the same decisions. */
export function traceOfCall(call: { callSid: string; businessId: string; said?: string }): string {
  const entries: TraceEntry[] = [
    {
      t: 0,
      kind: 'start',
      version: TRACE_VERSION,
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
    { t: 0, kind: 'decision', decision: 'connect', engine: 'openai-realtime', resume: false },
    { t: 40, kind: 'engine', event: { type: 'ready' } },
    { t: 610, kind: 'mark', name: 'greeting:600:g0:m1' },
    { t: 900, kind: 'engine', event: { type: 'speech_started', atMs: 700 } },
    { t: 1_500, kind: 'engine', event: { type: 'speech_stopped', atMs: 1_200 } },
    {
      t: 1_600,
      kind: 'engine',
      event: { type: 'user_turn', startMs: 700, endMs: 1_200, transcript: call.said ?? 'I want a flat' },
    },
    { t: 2_000, kind: 'stop' },
    { t: 2_000, kind: 'decision', decision: 'end', reason: 'caller_hung_up', detail: null },
  ]
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
}
