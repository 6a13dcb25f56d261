import type { CallCode, CallEnd, CallerTurn, CallReport } from './call-report.ts'
import type { Line } from './line.ts'
import type { CarrierCall } from './state.ts'

/** Warnings of one code per report; a server that errs on every message would fill the memory. */
const MAX_CODES = 200
const MAX_TIMELINE = 5000

export class CallLog {
  readonly turns: CallerTurn[] = []
  readonly keys: CallReport['keys'] = []
  readonly streams: CallReport['streams'] = []
  readonly documents: CallReport['documents'] = []
  readonly said: CallReport['said'] = []
  readonly marks: CallReport['marks'] = { sent: [], returned: [] }
  readonly clears: CallReport['clears'] = []
  readonly codes: CallCode[] = []
  readonly recordings: CallReport['recordings'] = []
  readonly #timeline: CallReport['timeline'] = []
  readonly #startedAt = new Date()

  note(now: number, event: string, detail?: string): void {
    if (this.#timeline.length >= MAX_TIMELINE) return
    this.#timeline.push({ atMs: Math.round(now * 10) / 10, event, ...(detail === undefined ? {} : { detail }) })
  }

  raise(now: number, code: number, level: CallCode['level'], message: string): void {
    if (this.codes.length >= MAX_CODES) return
    this.codes.push({ atMs: Math.round(now * 10) / 10, code, level, message })
    this.note(now, `code_${code}`, message)
  }

  toReport(call: CarrierCall, accountSid: string, line: Line, ended: CallEnd, stepsLeft: number): CallReport {
    const heard = line.playback.heard()
    const unheard = line.playback.unheard()
    return {
      callSid: call.sid,
      accountSid,
      from: call.from,
      to: call.to,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Math.round(line.now()),
      status: call.status,
      ended,
      answerLatencyMs: this.documents[0]?.latencyMs ?? null,
      greetingLatencyMs: this.streams[0]?.greetingLatencyMs ?? null,
      turns: this.turns,
      stepsLeft,
      streams: this.streams,
      documents: this.documents,
      said: this.said,
      marks: this.marks,
      clears: this.clears,
      codes: this.codes,
      recordings: this.recordings,
      keys: this.keys,
      heardMs: heard.length / 8,
      unheardMs: unheard.length / 8,
      heardSpans: line.playback.spans().map((span) => ({ ...span })),
      timeline: this.#timeline,
      audio: { heard, unheard },
    }
  }
}
