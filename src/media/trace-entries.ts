import { z } from 'zod'
import { AppError } from '../lib/errors.ts'
import type { EngineEvent, IntakeScript } from '../providers/speech/port.ts'
import { DEFAULT_POLICY, type TurnOptions } from './turn-options.ts'

/** The version that is written; version 1, with short field names, can still be read. */
export const TRACE_VERSION = 2

/** What every entry has: `t` in ms since the stream's start, and its kind. */
const entry = <K extends string, S extends z.ZodRawShape>(kind: K, shape: S) =>
  z.object({ t: z.number(), kind: z.literal(kind), ...shape })

const decision = <D extends string, S extends z.ZodRawShape>(name: D, shape: S) =>
  entry('decision', { decision: z.literal(name), ...shape })

const isObject = (value: unknown) => typeof value === 'object' && value !== null
const engineEvent = z.custom<EngineEvent>((value) => z.looseObject({ type: z.string() }).safeParse(value).success)

/** What the call decided: a replay must come to the same decisions. */
const decisions = z.discriminatedUnion('decision', [
  decision('connect', { engine: z.string(), resume: z.boolean() }),
  decision('phrase', { name: z.string() }),
  decision('say', { text: z.string() }),
  decision('ask_again', {}),
  decision('cancel', {}),
  decision('clear', {}),
  decision('truncate', { item: z.string(), ms: z.number() }),
  decision('resume', { item: z.string() }),
  decision('ignore_turn', {}),
  decision('tool_result', { id: z.string(), silent: z.boolean() }),
  decision('transfer', {}),
  decision('end', {
    reason: z.string(),
    detail: z.string().nullable(),
    metrics: z.record(z.string(), z.number().nullable()).optional(),
  }),
])

const traceEntry = z.discriminatedUnion('kind', [
  entry('start', {
    version: z.literal([1, TRACE_VERSION]),
    callSid: z.string(),
    businessId: z.string(),
    engine: z.string(),
    standby: z.string().nullable(),
    script: z.custom<IntakeScript>(isObject),
    policy: z.custom<TurnOptions>(isObject).default(DEFAULT_POLICY),
    limits: z.record(z.string(), z.number()),
    greetingMs: z.number().nullable(),
    phraseMs: z.record(z.string(), z.number()),
    canTransfer: z.boolean(),
  }),
  decisions,
  /** Audio sent without a pause. */
  entry('audio', { item: z.string(), ms: z.number() }),
  entry('engine', { event: engineEvent }),
  /** The carrier sent a frame. */
  entry('mark', { name: z.string() }),
  entry('dtmf', { digit: z.string() }),
  entry('stop', {}),
  entry('violation', { reason: z.string(), code: z.number() }),
  /** The socket closed without a `stop`. */
  entry('lost', { code: z.number() }),
  entry('drain', {}),
  /** The line monitor noticed the end of a turn, or speech that the engine did not report. */
  entry('line', { heard: z.enum(['turn_ended', 'unnoticed']), agoMs: z.number() }),
  /** Whether the engine heard a voice when the call asked. */
  entry('voice', { heard: z.boolean() }),
  /** A timer fired. `due`: when it was set to fire; a busy machine fires late. */
  entry('timer', { timer: z.number(), due: z.number() }),
  /** A timer was canceled shortly before it was due. */
  entry('timer_off', { timer: z.number(), due: z.number() }),
  entry('tool_done', { id: z.string(), result: z.unknown().optional(), failed: z.boolean() }),
  /** The carrier accepted the transfer, or `problem` says why not. */
  entry('transfer_done', { problem: z.string().nullable() }),
  entry('command', {
    command: z.enum(['end', 'transfer', 'whisper']),
    text: z.string().optional(),
  }),
  /** The event loop of the server was so late, in ms; a replay is not. */
  entry('loop_delay', { ms: z.number() }),
  /** Entries were lost here. */
  entry('gap', { lines: z.number() }),
])

export type TraceEntry = z.infer<typeof traceEntry>
export type TraceStart = Extract<TraceEntry, { kind: 'start' }>
export type TraceDecision = Extract<TraceEntry, { kind: 'decision' }>

type WithoutTime<E> = E extends { t: number } ? Omit<E, 't'> : never
/** What a part of the call notes; the trace adds the time. */
export type TraceNote = WithoutTime<Exclude<TraceEntry, { kind: 'decision' | 'start' }>>
export type DecisionNote =
  WithoutTime<TraceDecision> extends infer D ? (D extends unknown ? Omit<D, 'kind'> : never) : never

const kinds: ReadonlySet<string> = new Set(
  traceEntry.options.flatMap((option) =>
    option instanceof z.ZodObject ? [...option.shape.kind.values] : ['decision' as const],
  ),
)

/**
 * Reads a call's trace, of this version or an earlier one. Entries of kinds that this version does not know are left out.
 * @throws AppError `bad_trace` naming the line
 */
export function parseTrace(text: string): TraceEntry[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line, index) => {
      try {
        const read = header.parse(upgrade(JSON.parse(line)))
        return kinds.has(read.kind) ? [traceEntry.parse(read)] : []
      } catch (cause) {
        throw new AppError('invalid', 'bad_trace', `Line ${index + 1} of the trace is not valid.`, { cause })
      }
    })
}

const header = z.looseObject({ t: z.number(), kind: z.string() })

/** The entry that begins a trace; null when the line is none. */
export function readStart(line: string): { callSid: string; businessId: string } | null {
  try {
    return startHeader.parse(upgrade(JSON.parse(line)))
  } catch {
    return null
  }
}

const startHeader = z.object({ kind: z.literal('start'), callSid: z.string(), businessId: z.uuid() })

/** Version 1 named the kind `k`, a decision `out`, and what was decided `o`. */
function upgrade(line: unknown): unknown {
  if (typeof line !== 'object' || line === null || !('k' in line)) return line
  const { k, ...rest } = line
  if (k !== 'out' || !('o' in rest)) return { ...rest, kind: k }
  const { o, ...data } = rest
  return { ...data, kind: 'decision', decision: o }
}
