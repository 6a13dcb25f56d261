import { z } from 'zod'
import { mulawSilence } from '../audio/mulaw.ts'
import type { StreamToken } from '../domain/calls/index.ts'
import { AppError } from '../lib/errors.ts'
import { createLogger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, IntakeScript, SpeechEngine } from '../providers/speech/port.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { TIMER_TOLERANCE_MS } from './call-context.ts'
import type { RecordLine } from './call-trace-writer.ts'
import { VirtualClock } from './clock.ts'
import { CallSession } from './media-session.ts'
import type { CallTools, PhraseName } from './media-session-ports.ts'
import { DEFAULT_LIMITS } from './media-session-ports.ts'
import { DEFAULT_POLICY, type TurnOptions } from './turn-options.ts'

/** What the session does itself. */
const OWN_TOOLS = new Set(['save_lead', 'end_call', 'transfer_to_human'])

/** Lines after which others get their turn: a record may be replayed beside live calls. */
const YIELD_EVERY = 100

/** The number of a decision may differ by this much: what is measured is never quite the same. */
const TOLERANCE_MS = 60

const timerLine = z.looseObject({ k: z.enum(['timer', 'timer_off']), timer: z.number(), due: z.number() })
const engineEvent = z.custom<EngineEvent>((value) => recordedEvent.safeParse(value).success)
const recordedEvent = z.looseObject({ type: z.string() })
const recordLine = z.looseObject({ t: z.number(), k: z.string() })
const startLine = z.looseObject({
  callSid: z.string(),
  businessId: z.string(),
  engine: z.string(),
  standby: z.string().nullable(),
  script: z.custom<IntakeScript>((value) => typeof value === 'object' && value !== null),
  policy: z.custom<TurnOptions>((value) => typeof value === 'object' && value !== null).default(DEFAULT_POLICY),
  limits: z.record(z.string(), z.number()),
  greetingMs: z.number().nullable(),
  phraseMs: z.record(z.string(), z.number()),
  canTransfer: z.boolean(),
})

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

/**
 * Reads a call's record.
 * @throws AppError `bad_record` naming the line
 */
export function parseRecord(text: string): RecordLine[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, i) => {
      try {
        return recordLine.parse(JSON.parse(line))
      } catch (cause) {
        throw new AppError('invalid', 'bad_record', `Line ${i + 1} of the record cannot be read.`, { cause })
      }
    })
}

/**
 * Lives a recorded call through again: the same session on a clock that follows the record, with what the carrier and the
 * engine did, and without either of them. The decisions must be those that were recorded.
 * @throws AppError `bad_record` for one without a beginning, or with a gap
 */
export async function replayCall(lines: readonly RecordLine[]): Promise<Replay> {
  const begin = startLine.safeParse(lines.find((line) => line.k === 'start'))
  if (!begin.success) throw new AppError('invalid', 'bad_record', 'The record has no beginning that can be read.')
  if (lines.some((line) => line.k === 'gap'))
    throw new AppError('invalid', 'bad_record', 'Lines are missing in the record: it cannot be lived through again.')
  const start = begin.data
  const clock = new VirtualClock()
  const replayed: RecordLine[] = []
  const voices = lines.filter((line) => line.k === 'voice').map((line) => line.heard === true)
  const tools = new Map<string, (result: { failed: boolean; result: unknown }) => void>()
  const transfers: ((problem: string | null) => void)[] = []
  let tell: (event: EngineEvent) => void = () => {}

  const engineNamed = (name: string): SpeechEngine => ({
    name,
    remote: name !== 'embedded',
    connect(options): EngineSession {
      tell = options.onEvent
      return {
        sendAudio() {},
        say() {},
        cancel() {},
        truncate() {},
        toolResult() {},
        hearsVoice: () => voices.shift() ?? true,
        ignoreTurn() {},
        answer() {},
        close() {},
      }
    },
    async close() {},
  })
  const call: StreamToken = {
    callSid: start.callSid,
    businessId: start.businessId,
    from: '',
    to: '',
    expiresAt: 0,
    nonce: '',
  }
  const pending: string[] = []
  const callTools: CallTools = {
    // Whatever was run when it was recorded can be run now.
    list: () => toolNames.map((name) => ({ name, description: '', parameters: {} })),
    run: () =>
      new Promise((resolve, reject) => {
        const id = pending.shift() ?? ''
        tools.set(id, ({ failed, result }) => (failed ? reject(new Error('failed when recorded')) : resolve(result)))
      }),
    transfer: () => new Promise((resolve) => transfers.push(resolve)),
    canTransfer: () => start.canTransfer,
  }
  const done = new Set(lines.filter((line) => line.k === 'tool_done').map((line) => String(line.id)))
  const answered = new Set(lines.filter((line) => line.o === 'tool_result').map((line) => String(line.id)))
  /** It was run, or was still running when the call ended; one that was answered without that was refused. */
  const wasRun = (id: string) => done.has(id) || !answered.has(id)
  const toolNames = lines.flatMap((line) => {
    const event = toolCallOf(line)
    return event && wasRun(event.toolCallId) ? [event.name] : []
  })

  const phrase = (name: PhraseName) => {
    const ms = start.phraseMs[name] ?? 0
    return ms > 0 ? mulawSilence(ms) : undefined
  }
  const session = new CallSession(
    { send: () => 1, close() {} },
    {
      engine: engineNamed(start.engine),
      standby: start.standby === null ? null : engineNamed(start.standby),
      tools: callTools,
      log: createLogger('silent'),
      clock,
      limits: { ...DEFAULT_LIMITS, ...start.limits },
      record: () => ({ line: (line) => void replayed.push(line), close() {} }),
      verifyToken: () => call,
      reception: () => ({
        script: start.script,
        greeting: start.greetingMs === null ? undefined : mulawSilence(start.greetingMs),
        renderGreeting: () => new Promise(() => {}),
        phrase,
        // A record of before has not every setting.
        policy: { ...DEFAULT_POLICY, ...start.policy },
      }),
      sink: { claim: async () => true, turn() {}, lead() {}, async end() {} },
    },
  )
  /** What is still to come of each timer: it fires where it fired, as long as it is set to the time that it was set to. */
  const timers = Map.groupBy(
    lines.flatMap((line) => timerLine.safeParse(line).data ?? []),
    (line) => line.timer,
  )
  const closeTo = (due: number) => (other: number) => Math.abs(due - other) <= TIMER_TOLERANCE_MS
  const held = (timer: number, due: number) => {
    const left = timers.get(timer) ?? []
    return left.slice(0, firesAt(left) + 1 || left.length).some((line) => closeTo(line.due)(due))
  }
  const settle = async () => {
    for (let i = 0; i < 8; i++) await Promise.resolve()
  }

  session.onFrame({
    event: 'start',
    streamSid: 'MZreplay',
    callSid: start.callSid,
    parameters: {},
    encoding: 'audio/x-mulaw',
    sampleRate: 8000,
  })
  await settle()
  for (const [index, line] of lines.entries()) {
    if (index % YIELD_EVERY === YIELD_EVERY - 1) await new Promise<void>((resolve) => setImmediate(resolve))
    if (line.k === 'start' || ['out', 'voice', 'timer_off'].includes(line.k)) continue
    await clock.goTo(line.t, settle, held)
    feed(line)
    await settle()
  }
  // What was due after the last thing that happened.
  const end = lines.find((line) => line.k === 'out' && line.o === 'end')
  await clock.goTo((end?.t ?? lines.at(-1)?.t ?? 0) + TOLERANCE_MS, settle, held)

  function feed(line: RecordLine): void {
    switch (line.k) {
      case 'audio': {
        const ms = Number(line.ms)
        // The greeting and the phrases are played by the session itself.
        if (String(line.item) === 'greeting' || /^phrase_|\+$/.test(String(line.item))) return
        tell({
          type: 'audio',
          itemId: String(line.item),
          payload: Buffer.from(mulawSilence(ms)).toString('base64'),
          ms,
        })
        return
      }
      case 'engine': {
        const tool = toolCallOf(line)
        if (tool && !OWN_TOOLS.has(tool.name) && wasRun(tool.toolCallId)) pending.push(tool.toolCallId)
        const event = engineEvent.parse(line.event)
        tell(event)
        return
      }
      case 'timer': {
        const timer = Number(line.timer)
        const left = timers.get(timer) ?? []
        left.splice(0, firesAt(left) + 1)
        clock.fire(timer, closeTo(Number(line.due)))
        return
      }
      case 'mark':
        session.onFrame({ event: 'mark', name: String(line.name) })
        return
      case 'line':
        session.onLine(String(line.heard), Number(line.agoMs))
        return
      case 'dtmf':
        session.onFrame({ event: 'dtmf', digit: String(line.digit) })
        return
      case 'stop':
        session.onFrame({ event: 'stop' })
        return
      case 'lost':
        session.onClose(Number(line.code), '')
        return
      case 'violation':
        session.onViolation(String(line.reason), Number(line.code))
        return
      case 'drain':
        void session.drain()
        return
      case 'tool_done':
        tools.get(String(line.id))?.({ failed: line.failed === true, result: line.result })
        return
      case 'transfer_done':
        transfers.shift()?.(line.problem === null ? null : String(line.problem))
    }
  }

  const recordedDecisions = decisionsOf(lines)
  const replayedDecisions = decisionsOf(replayed)
  const length = Math.max(recordedDecisions.length, replayedDecisions.length)
  let firstDifference: Replay['firstDifference'] = null
  for (let index = 0; index < length && !firstDifference; index++) {
    const one = recordedDecisions[index] ?? null
    const other = replayedDecisions[index] ?? null
    if (!one || !other || !sameDecision(one, other)) firstDifference = { index, recorded: one, replayed: other }
  }
  return {
    callSid: start.callSid,
    same: firstDifference === null,
    recorded: recordedDecisions,
    replayed: replayedDecisions,
    firstDifference,
  }
}

function firesAt(timer: readonly z.infer<typeof timerLine>[]): number {
  return timer.findIndex((line) => line.k === 'timer')
}

function toolCallOf(line: RecordLine): { toolCallId: string; name: string } | null {
  const parsed = z
    .object({ event: z.object({ type: z.literal('tool_call'), toolCallId: z.string(), name: z.string() }) })
    .safeParse(line)
  return parsed.success ? parsed.data.event : null
}

/** The decisions of a record in order, without what only measures. */
function decisionsOf(lines: readonly RecordLine[]): Decision[] {
  return lines
    .filter((line) => line.k === 'out')
    .map((line) => {
      const parts = ['o', 'engine', 'resume', 'item', 'id', 'silent', 'name', 'text', 'reason']
      const what = parts
        .flatMap((part) => (line[part] === undefined ? [] : [`${part}=${String(line[part])}`]))
        .join(' ')
      return { what, ms: typeof line.ms === 'number' ? line.ms : null }
    })
}

function sameDecision(one: Decision, other: Decision): boolean {
  return one.what === other.what && (one.ms === null || Math.abs(one.ms - (other.ms ?? 0)) <= TOLERANCE_MS)
}

/** What was said in a recorded call, as lines to read. */
export function transcriptOf(lines: readonly RecordLine[]): string[] {
  const start = startLine.safeParse(lines.find((line) => line.k === 'start'))
  const said: { t: number; text: string }[] = []
  if (start.success) said.push({ t: 0, text: `agent   ${start.data.script.greeting}` })
  for (const line of lines) {
    const event = z
      .looseObject({ type: z.string(), text: z.string().optional(), transcript: z.string().optional() })
      .safeParse(line.event)
    if (line.k === 'out' && ['clear', 'phrase', 'transfer', 'resume', 'end'].includes(String(line.o)))
      said.push({ t: line.t, text: `        (${String(line.o)} ${String(line.name ?? line.reason ?? '')})`.trimEnd() })
    if (!event.success) continue
    if (event.data.type === 'agent_transcript') said.push({ t: line.t, text: `agent   ${event.data.text ?? ''}` })
    if (event.data.type === 'user_turn') said.push({ t: line.t, text: `caller  ${event.data.transcript ?? '(audio)'}` })
    if (event.data.type === 'tool_call') said.push({ t: line.t, text: `        [${String(event.data.name ?? '')}]` })
  }
  return said.sort((a, b) => a.t - b.t).map(({ t, text }) => `${(t / 1000).toFixed(1).padStart(6)}s  ${text}`)
}

/** A replay as it is shown: what was said, and whether every decision was the same. */
export type ReplayReport = Pick<Replay, 'callSid' | 'same' | 'firstDifference'> & {
  decisions: Decision[]
  transcript: string[]
}

/**
 * Replays a record.
 * @param text its lines
 * @throws AppError `bad_record`
 */
export async function replayRecord(text: string): Promise<ReplayReport> {
  const lines = parseRecord(text)
  const { callSid, same, recorded, firstDifference } = await replayCall(lines)
  return { callSid, same, firstDifference, decisions: recorded, transcript: transcriptOf(lines) }
}

/**
 * Replays a record of the storage.
 * @throws AppError `record_not_found`, `bad_record`
 */
export async function replayStored(storage: Pick<ObjectStorage, 'get'>, key: string): Promise<ReplayReport> {
  const object = await storage.get(key)
  if (!object) throw new AppError('not_found', 'record_not_found', 'The record is no longer in the storage.')
  return await replayRecord(await object.body.text())
}
