import type { CallReportJson } from '../sandbox/carrier/call-report.ts'
import type { Outputs } from '../trpc/client.ts'
import { formatLine, formatTable } from './output.ts'

export function describeTurns(call: Pick<Outputs['calls']['get'], 'turns'>): string {
  return formatTable(
    ['#', 'role', 'at', 'heard', 'text'],
    call.turns.map((turn) => [
      String(turn.index),
      turn.role,
      `${(turn.startMs / 1000).toFixed(1)}s`,
      `${((turn.role === 'caller' ? turn.endMs - turn.startMs : (turn.heardMs ?? 0)) / 1000).toFixed(1)}s${turn.interrupted ? ' interrupted' : ''}`,
      turn.text ?? `[${turn.hasAudio ? 'audio' : turn.transcript}${turn.question ? `: ${turn.question}` : ''}]`,
    ]),
  )
}

export function describeReport(report: CallReportJson): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(1)}s`.padStart(6)
  const latency = (ms: number | null) => (ms === null ? 'none' : `${Math.round(ms)} ms`)
  return [
    `call ${report.callSid}  ${report.from} → ${report.to}`,
    ...report.timeline.map((entry) => formatLine(seconds(entry.atMs), entry.event, entry.detail ?? '')),
    '',
    `answered after      ${latency(report.answerLatencyMs)}`,
    `greeting after      ${latency(report.greetingLatencyMs)} of the stream's start`,
    ...report.turns.map(
      (turn) => `answer to ${turn.label.padEnd(9)} ${latency(turn.responseLatencyMs)} after the end of speech`,
    ),
    `heard               ${(report.heardMs / 1000).toFixed(1)} s of the agent`,
    `ended               ${report.ended.by}: ${report.ended.detail}`,
    ...report.codes.map((code) => `${code.level.padEnd(19)} ${code.code} ${code.message}`),
  ].join('\n')
}
