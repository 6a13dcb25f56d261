import type { AgentToolRun } from '../../../db/schema/index.ts'
import { stripPoints } from '../../lib/hebrew.ts'
import { findUnbacked } from '../agent/index.ts'
import { dateOf } from './dates.ts'
import type { Observed, ObservedRow } from './observe.ts'
import {
  type Expectation,
  type ExpectedRow,
  type FinalExpectation,
  patternOf,
  type Said,
  type ScenarioChannel,
} from './schema.ts'

/** What came back for a step. */
export type Reply = {
  /** Each message, or what the agent said from one turn of the customer to the next. */
  texts: string[]
  tools: AgentToolRun[]
  handover: boolean
  /** How the agent stands to the conversation afterwards; null where the channel has no such state. */
  agent: 'on' | 'paused' | 'off' | null
  /** From the end of what the customer sent to the first answer; null where none came. */
  ms: number | null
}

/** What is known when an answer is judged. */
export type CheckFacts = {
  /** What the business knows. */
  known: readonly string[]
  /** What the customer sent so far. */
  sent: readonly string[]
  /** What the agent answered before, and the tools that ran so far, those of this step too. */
  before: readonly string[]
  tools: readonly AgentToolRun[]
}

const normal = (text: string) =>
  stripPoints(text)
    .normalize('NFKC')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/[״“”]/g, '"')
    .replace(/[׳‘’]/g, "'")
    .replace(/\s+/g, ' ')
    .toLowerCase()

/** Whether a text holds a plain text, whatever its case and points, or fits a pattern between slashes. */
export function fits(text: string, pattern: string): boolean {
  const expression = patternOf(pattern)
  return expression ? expression.test(normal(text)) : normal(text).includes(normal(pattern))
}

const quote = (text: string) => `«${text.replace(/\s+/g, ' ').trim().slice(0, 160)}»`

/** What of an expectation does not hold, in words; empty when all does. What a judge decides is left out. */
export function checkReply(
  expected: Expectation,
  reply: Reply,
  facts: CheckFacts,
  within: number | undefined,
): string[] {
  const text = reply.texts.join('\n')
  const failures: string[] = []
  const { replies, says = [], never, tools = [], language } = expected
  if (replies && !isIn(reply.texts.length, replies)) {
    failures.push(
      `expected ${saysRange(replies)} replies, got ${reply.texts.length}${text === '' ? '' : `: ${quote(text)}`}`,
    )
  }
  for (const each of says) {
    const missing = missingOf(each, text)
    if (missing) failures.push(`it does not say ${missing}: ${quote(text)}`)
  }
  failures.push(...checkNever(never, reply.texts, reply.tools), ...checkTools(tools, reply.tools))
  if (language && reply.texts.length > 0 && languageOf(text) !== language)
    failures.push(`it is not written in ${language}: ${quote(text)}`)
  if (expected.handover !== undefined && reply.handover !== expected.handover)
    failures.push(expected.handover ? 'no person takes over' : 'it is handed over to a person')
  const agent = expected.conversation?.agent
  if (agent && reply.agent !== null && reply.agent !== agent) failures.push(`the agent is ${reply.agent}, not ${agent}`)
  failures.push(...checkTruth(expected, reply, facts))
  if (within !== undefined && reply.ms !== null && reply.ms > within)
    failures.push(`the answer took ${Math.round(reply.ms)} ms, more than ${within}`)
  return failures
}

const isIn = (count: number, { min, max }: { min: number; max: number }) => count >= min && count <= max
const saysRange = ({ min, max }: { min: number; max: number }) => (min === max ? `${min}` : `${min} to ${max}`)

function missingOf(said: Said, text: string): string | null {
  if ('any' in said) return said.any.some((each) => fits(text, each)) ? null : said.any.join(' or ')
  const missing = said.all.filter((each) => !fits(text, each))
  return missing.length > 0 ? missing.join(' and ') : null
}

const PHONE = /(?<![\d.,:/-])\+?\d[\d\s()-]{7,}\d(?![\d.,]*\d)/

function checkNever(never: Expectation['never'], texts: readonly string[], tools: readonly AgentToolRun[]): string[] {
  const text = texts.join('\n')
  return [
    ...(never?.says ?? []).filter((each) => fits(text, each)).map((each) => `it must not say ${each}: ${quote(text)}`),
    ...(never?.tools ?? [])
      .filter((name) => tools.some((run) => run.name === name))
      .map((name) => `it must not call ${name}`),
    ...(never?.phones === 'any' && PHONE.test(text) ? [`it names a telephone number: ${quote(text)}`] : []),
  ]
}

function checkTools(expected: NonNullable<Expectation['tools']>, runs: readonly AgentToolRun[]): string[] {
  return expected.flatMap(({ name, args, times }) => {
    const called = runs.filter((run) => run.name === name)
    const fitting = called.filter((run) => rowFits(Object(run.input), args))
    if (isIn(fitting.length, times)) return []
    const was = called.length === 0 ? 'never' : called.map((run) => JSON.stringify(run.input)).join(', ')
    return [`expected ${saysRange(times)} calls of ${name}${sayArgs(args)}, it was called: ${was}`]
  })
}

const sayArgs = (args: ExpectedRow) => (Object.keys(args).length > 0 ? ` with ${JSON.stringify(args)}` : '')

const TRUTH = {
  amounts: new Set(['amount', 'time', 'phone', 'url']),
  claims: new Set(['booked', 'cancelled', 'sent', 'paid', 'saved']),
}

function checkTruth({ amounts, claims }: Expectation, { texts }: Reply, facts: CheckFacts): string[] {
  if (!amounts && !claims) return []
  const hits = texts.flatMap((text) =>
    findUnbacked(text, { tools: facts.tools, known: facts.known, said: facts.sent, before: [], instructions: '' }),
  )
  return hits
    .filter(({ kind }) => (amounts && TRUTH.amounts.has(kind)) || (claims && TRUTH.claims.has(kind)))
    .map(({ kind, words }) => `nothing backs ${kind} ${quote(words)}`)
}

/** By letters; a text without any is of no language. */
export function languageOf(text: string): 'he' | 'en' | null {
  const hebrew = text.match(/[\u05d0-\u05ea]/g)?.length ?? 0
  const latin = text.match(/[a-z]/gi)?.length ?? 0
  return hebrew + latin === 0 ? null : hebrew >= latin ? 'he' : 'en'
}

/** A whole play, when it is over. */
export type Play = {
  channel: ScenarioChannel
  replies: Reply[]
  observed: Observed
  now: Date
  timeZone: string
}

/** What of the expectations at the end does not hold. */
export function checkFinally({ db, never, tools, budget }: FinalExpectation, play: Play): string[] {
  const { observed, replies, channel } = play
  const runs = replies.flatMap((reply) => reply.tools)
  const failures = [
    ...checkNever(
      never,
      replies.flatMap(({ texts }) => texts),
      runs,
    ),
    ...checkTools(tools ?? [], runs),
  ]
  for (const table of ['leads', 'appointments', 'gaps', 'calls'] as const) {
    const expected = db?.[table]
    if (expected !== undefined) failures.push(...checkRows(table, expected, observed[table], play))
  }
  if (db?.contact && !(observed.contact && rowFits(observed.contact, db.contact)))
    failures.push(`the contact is ${JSON.stringify(observed.contact)}, not ${JSON.stringify(db.contact)}`)
  if (db?.messages) failures.push(...checkMessages(db.messages, observed))
  if (budget) failures.push(...checkBudget(budget, play, channel))
  return failures
}

function checkRows(table: string, expected: ExpectedRow[] | null, rows: ObservedRow[], play: Play): string[] {
  const shown = rows.map((row) => JSON.stringify(row)).join(', ')
  if (expected === null || expected.length === 0)
    return rows.length === 0 ? [] : [`there must be no ${table}, there are ${shown}`]
  const left = [...rows]
  return expected.flatMap((wanted) => {
    const dated =
      typeof wanted.date === 'string' ? { ...wanted, date: dateOf(wanted.date, play.now, play.timeZone) } : wanted
    const at = left.findIndex((row) => rowFits(row, dated))
    if (at === -1) return [`${table}: there is none with ${JSON.stringify(dated)}; there are ${shown || 'none'}`]
    left.splice(at, 1)
    return []
  })
}

function rowFits(row: Readonly<Record<string, unknown>>, expected: ExpectedRow): boolean {
  return Object.entries(expected).every(([name, wanted]) => {
    const value = row[name]
    if (wanted === null) return value === null || value === undefined
    if (typeof wanted === 'boolean') return value === wanted
    if (value === null || value === undefined) return false
    return patternOf(wanted) ? fits(String(value), wanted) : normal(String(value)) === normal(wanted)
  })
}

function checkMessages(
  { duplicates, outOfOrder }: { duplicates?: number | undefined; outOfOrder?: number | undefined },
  { messages, runs }: Observed,
): string[] {
  const ours = messages.filter(({ direction, writtenBy }) => direction === 'out' && writtenBy === 'agent')
  const twice = ours.filter(({ body }, i) => i > 0 && ours[i - 1]?.body === body).length
  const answered = runs.flatMap(({ sentMessageId }) => (sentMessageId ? [sentMessageId] : []))
  const late = answered.filter((id, i) => i > 0 && id < (answered[i - 1] ?? '')).length
  return [
    ...(duplicates !== undefined && twice > duplicates ? [`${twice} messages were sent twice`] : []),
    ...(outOfOrder !== undefined && late > outOfOrder ? [`${late} messages are out of order`] : []),
  ]
}

function checkBudget(
  { replySecondsP95, turns, modelCalls, costUsd }: NonNullable<FinalExpectation['budget']>,
  { replies, observed }: Play,
  channel: ScenarioChannel,
): string[] {
  const most = replySecondsP95?.[channel]
  const waits = replies.flatMap(({ ms }) => (ms === null ? [] : [ms])).sort((a, b) => a - b)
  const p95 = waits[Math.min(waits.length - 1, Math.floor(waits.length * 0.95))] ?? 0
  const asked = observed.runs.filter(({ model }) => model !== null && model !== '').length
  const cost = observed.runs.reduce((sum, { costMicros }) => sum + (costMicros ?? 0), 0) / 1e6
  const answers = replies.reduce((sum, { texts }) => sum + texts.length, 0)
  return [
    ...(most !== undefined && p95 > most * 1_000
      ? [`answers took ${(p95 / 1_000).toFixed(1)} s (p95), more than ${most}`]
      : []),
    ...(turns !== undefined && answers > turns ? [`the agent spoke ${answers} times, more than ${turns}`] : []),
    ...(modelCalls !== undefined && asked > modelCalls ? [`${asked} model calls, more than ${modelCalls}`] : []),
    ...(costUsd !== undefined && cost > costUsd ? [`it cost $${cost.toFixed(4)}, more than ${costUsd}`] : []),
  ]
}
