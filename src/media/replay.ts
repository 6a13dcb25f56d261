import { AppError } from '../lib/errors.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { CallReplay, TOLERANCE_MS } from './replay-call.ts'
import { parseTrace, type TraceDecision, type TraceEntry } from './trace-entries.ts'

/** A decision as it is compared: what was decided, and the number that may differ a little. */
export type Decision = { what: string; ms: number | null }

export type Replay = {
  callSid: string
  same: boolean
  recorded: Decision[]
  replayed: Decision[]
  /** The first decision that differs. */
  firstDifference: { index: number; recorded: Decision | null; replayed: Decision | null } | null
}

/** A replay as it is shown: what was said, and whether every decision was the same. */
export type ReplayReport = Pick<Replay, 'callSid' | 'same' | 'firstDifference'> & {
  decisions: Decision[]
  transcript: string[]
}

/** Replays a trace. @param text its lines @throws AppError `bad_trace` */
export async function replayTrace(text: string): Promise<ReplayReport> {
  const entries = parseTrace(text)
  const { callSid, same, recorded, firstDifference } = await replayCall(entries)
  return { callSid, same, firstDifference, decisions: recorded, transcript: transcriptOf(entries) }
}

/** Replays a trace of the storage. @throws AppError `trace_not_found`, `bad_trace` */
export async function replayStored(storage: Pick<ObjectStorage, 'get'>, key: string): Promise<ReplayReport> {
  return await replayTrace(await readText(storage, key))
}

/** The entries of a trace of the storage. @throws AppError `trace_not_found`, `bad_trace` */
export async function readStoredTrace(storage: Pick<ObjectStorage, 'get'>, key: string): Promise<TraceEntry[]> {
  return parseTrace(await readText(storage, key))
}

async function readText(storage: Pick<ObjectStorage, 'get'>, key: string): Promise<string> {
  const object = await storage.get(key)
  if (!object) throw new AppError('not_found', 'trace_not_found', 'The trace is no longer in the storage.')
  return await object.body.text()
}

/**
 * Runs a recorded call again, without carrier and engine, and compares the decisions.
 * @throws AppError `bad_trace` for a trace without a start, or with a gap
 */
export async function replayCall(entries: readonly TraceEntry[]): Promise<Replay> {
  const start = entries.find((entry) => entry.kind === 'start')
  if (!start) throw new AppError('invalid', 'bad_trace', 'The trace has no start. Give a complete trace.')
  if (entries.some((entry) => entry.kind === 'gap'))
    throw new AppError('invalid', 'bad_trace', 'Lines are missing in the trace: it cannot be replayed.')
  const replay = new CallReplay(entries, start)
  await replay.run()
  const recorded = decisionsOf(entries)
  const replayed = decisionsOf(replay.entries)
  const firstDifference = compareDecisions(recorded, replayed)
  return { callSid: start.callSid, same: firstDifference === null, recorded, replayed, firstDifference }
}

function compareDecisions(recorded: readonly Decision[], replayed: readonly Decision[]): Replay['firstDifference'] {
  const length = Math.max(recorded.length, replayed.length)
  for (let index = 0; index < length; index++) {
    const one = recorded[index] ?? null
    const other = replayed[index] ?? null
    if (!one || !other || !isSameDecision(one, other)) return { index, recorded: one, replayed: other }
  }
  return null
}

function decisionsOf(entries: readonly TraceEntry[]): Decision[] {
  return entries.filter((entry) => entry.kind === 'decision').map(describeDecision)
}

/** `t`, `detail` and `metrics` only measure: they are not compared. */
function describeDecision({ t: _, kind: __, decision, ...data }: TraceDecision): Decision {
  const { ms = null, detail: ___, metrics: ____, ...fields } = { ms: null, detail: null, metrics: null, ...data }
  const parts = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
  return { what: [decision, ...parts.map(([name, value]) => `${name}=${String(value)}`)].join(' '), ms }
}

function isSameDecision(one: Decision, other: Decision): boolean {
  return one.what === other.what && (one.ms === null || Math.abs(one.ms - (other.ms ?? 0)) <= TOLERANCE_MS)
}

/** What was said in a recorded call, as lines to read. */
export function transcriptOf(entries: readonly TraceEntry[]): string[] {
  return entries
    .flatMap((entry) => describeEntry(entry).map((text) => ({ t: entry.t, text })))
    .sort((a, b) => a.t - b.t)
    .map(({ t, text }) => `${(t / 1000).toFixed(1).padStart(6)}s  ${text}`)
}

function describeEntry(entry: TraceEntry): string[] {
  if (entry.kind === 'start') return [`agent   ${entry.script.greeting}`]
  if (entry.kind === 'decision') return describeTurning(entry)
  if (entry.kind !== 'engine') return []
  const { event } = entry
  if (event.type === 'agent_transcript') return [`agent   ${event.text}`]
  if (event.type === 'user_turn') return [`caller  ${event.transcript ?? '(audio)'}`]
  if (event.type === 'tool_call') return [`        [${event.name}]`]
  return []
}

function describeTurning(entry: TraceDecision): string[] {
  switch (entry.decision) {
    case 'clear':
    case 'transfer':
    case 'resume':
      return [`        (${entry.decision})`]
    case 'phrase':
      return [`        (phrase ${entry.name})`]
    case 'end':
      return [`        (end ${entry.reason})`]
    default:
      return []
  }
}
