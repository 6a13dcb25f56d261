import type { PlayResult } from '../../domain/scenarios/index.ts'
import { formatTable } from '../output.ts'

const MARKS = { passed: 'pass', failed: 'FAIL', skipped: 'skip' } as const

const costOf = (cost: number | null) => (cost === null ? 'unknown' : cost === 0 ? '-' : `$${cost.toFixed(4)}`)

export function describeResult({ outcome, scenario, channel, run, ms, reason }: PlayResult): string {
  const why = reason === null ? '' : `  (${reason})`
  return `${MARKS[outcome]}  ${scenario} on ${channel}${run > 1 ? ` (run ${run})` : ''}${ms > 0 ? `  ${ms} ms` : ''}${why}`
}

/** The table of a run, what failed with its conversation, what was not judged, and the sums. */
export function describeRun(results: readonly PlayResult[]): string {
  const table = formatTable(
    ['scenario', 'channel', 'run', 'result', 'turns', 'ms', 'cost', 'why'],
    results.map(({ scenario, channel, run, outcome, turns, ms, costUsd, reason, failures }) => [
      ...[scenario, channel, String(run), MARKS[outcome], outcome === 'skipped' ? '' : String(turns)],
      ...[outcome === 'skipped' ? '' : String(ms), outcome === 'skipped' ? '' : costOf(costUsd)],
      reason ?? failures[0] ?? '',
    ]),
  )
  const failed = results.filter(({ outcome }) => outcome === 'failed').map(describeFailure)
  return [table, ...failed, sumUp(results)].join('\n\n')
}

function describeFailure({ scenario, channel, failures, transcript, verdicts }: PlayResult): string {
  return [
    `${scenario} on ${channel} failed:`,
    ...failures.map((failure) => `  - ${failure}`),
    ...verdicts.map(({ verdict, criterion, reason }) => `  judge: ${verdict}: ${criterion} (${reason})`),
    ...transcript.map(({ who, text, tools }) => {
      const called = tools && tools.length > 0 ? ` [${tools.join(', ')}]` : ''
      return `    ${who}: ${text.replace(/\n/g, ' / ')}${called}`
    }),
  ].join('\n')
}

function sumUp(results: readonly PlayResult[]): string {
  const count = (outcome: PlayResult['outcome']) => results.filter((each) => each.outcome === outcome).length
  const notJudged = results.flatMap(({ verdicts }) => verdicts).filter(({ verdict }) => verdict === 'not_judged')
  const priced = results.flatMap(({ costUsd }) => (costUsd === null ? [] : [costUsd]))
  const cost = priced.reduce((sum, each) => sum + each, 0)
  return [
    `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped${cost > 0 ? `, ${costOf(cost)}` : ''}`,
    ...(notJudged.length > 0 ? [`${notJudged.length} criteria were not judged: ${notJudged[0]?.reason}`] : []),
  ].join('\n')
}

const escapeXml = (text: string) =>
  text
    // What XML 1.0 cannot hold.
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '')
    .replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

/** The results as a JUnit file, a suite a channel. */
export function writeJunit(results: readonly PlayResult[]): string {
  const suites = Map.groupBy(results, ({ channel }) => channel)
  const xml = [...suites].map(([channel, plays]) => {
    const seconds = plays.reduce((sum, { ms }) => sum + ms, 0) / 1_000
    const count = (outcome: PlayResult['outcome']) => plays.filter((each) => each.outcome === outcome).length
    return [
      `<testsuite name="${channel}" tests="${plays.length}" failures="${count('failed')}" skipped="${count('skipped')}" time="${seconds.toFixed(3)}">`,
      ...plays.map(testCase),
      '</testsuite>',
    ].join('\n')
  })
  return ['<?xml version="1.0" encoding="UTF-8"?>', '<testsuites>', ...xml, '</testsuites>', ''].join('\n')
}

function testCase({ scenario, channel, run, ms, outcome, reason, failures, transcript, verdicts }: PlayResult): string {
  const open = `<testcase classname="${channel}" name="${escapeXml(scenario)}${run > 1 ? ` #${run}` : ''}" time="${(ms / 1_000).toFixed(3)}">`
  const said = transcript.map(({ who, text }) => `${who}: ${text}`).join('\n')
  const judged = verdicts
    .map(({ verdict, criterion, reason: why }) => `judge: ${verdict}: ${criterion} (${why})`)
    .join('\n')
  return [
    open,
    ...(outcome === 'skipped' ? [`<skipped message="${escapeXml(reason ?? '')}"/>`] : []),
    ...failures.map((failure) => `<failure message="${escapeXml(failure)}"/>`),
    ...(said === '' ? [] : [`<system-out>${escapeXml([said, judged].filter(Boolean).join('\n'))}</system-out>`]),
    '</testcase>',
  ].join('\n')
}
