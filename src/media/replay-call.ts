import { mulawSilence } from '../audio/mulaw.ts'
import { createLogger } from '../lib/log.ts'
import type { EngineEvent, EngineSession, SpeechEngine } from '../providers/speech/port.ts'
import type { CallCommand } from './call-commands.ts'
import { TIMER_TOLERANCE_MS } from './call-context.ts'
import { VirtualClock } from './clock.ts'
import { MediaSession } from './media-session.ts'
import { type CallTools, DEFAULT_LIMITS, type PhraseName, type Reception } from './media-session-ports.ts'
import type { TraceEntry, TraceStart } from './trace-entries.ts'
import { DEFAULT_POLICY } from './turn-options.ts'

/** The session runs these itself. */
const OWN_TOOLS = new Set(['save_lead', 'end_call', 'transfer_to_human'])

/** Entries after which the event loop runs: a trace may be replayed beside live calls. */
const YIELD_EVERY = 100

/** A number in a decision may differ by this much: measured times are never quite the same. */
export const TOLERANCE_MS = 60

type Timer = Extract<TraceEntry, { kind: 'timer' | 'timer_off' }>
type ToolCall = Extract<EngineEvent, { type: 'tool_call' }>
type ToolDone = Extract<TraceEntry, { kind: 'tool_done' }>

/** The same session on a clock that follows the trace, fed with what the carrier and the engine did. */
export class CallReplay {
  readonly entries: TraceEntry[] = []
  readonly #start: TraceStart
  readonly #clock = new VirtualClock()
  readonly #session: MediaSession
  readonly #voices: boolean[]
  readonly #timers: Map<number, Timer[]>
  readonly #toolNames: string[]
  readonly #wasRun: (toolCallId: string) => boolean
  /** Ids of the tool calls whose `run` is still to come, and what ends each that runs. */
  readonly #toRun: string[] = []
  readonly #running = new Map<string, (done: ToolDone) => void>()
  readonly #transfers: ((problem: string | null) => void)[] = []
  #onEvent: (event: EngineEvent) => void = () => {}

  constructor(
    private readonly recorded: readonly TraceEntry[],
    start: TraceStart,
  ) {
    this.#start = start
    this.#voices = recorded.flatMap((entry) => (entry.kind === 'voice' ? [entry.heard] : []))
    this.#timers = Map.groupBy(
      recorded.filter((entry) => entry.kind === 'timer' || entry.kind === 'timer_off'),
      (entry) => entry.timer,
    )
    const done = new Set(recorded.flatMap((entry) => (entry.kind === 'tool_done' ? [entry.id] : [])))
    const answered = new Set(
      recorded.flatMap((entry) => (entry.kind === 'decision' && entry.decision === 'tool_result' ? [entry.id] : [])),
    )
    // It ended, or was still running when the call ended; one that was answered without that was refused.
    this.#wasRun = (id) => done.has(id) || !answered.has(id)
    this.#toolNames = recorded.flatMap((entry) => {
      const call = toolCallOf(entry)
      return call && this.#wasRun(call.toolCallId) ? [call.name] : []
    })
    this.#session = this.#createSession()
  }

  /** Replays every entry; the session's own entries are in `entries` then. */
  async run(): Promise<void> {
    const { callSid } = this.#start
    const parameters = {}
    const format = { encoding: 'audio/x-mulaw', sampleRate: 8000 }
    this.#session.onFrame({ event: 'start', streamSid: 'MZreplay', callSid, parameters, ...format })
    await settle()
    for (const [index, entry] of this.recorded.entries()) {
      if (index % YIELD_EVERY === YIELD_EVERY - 1) await new Promise<void>((resolve) => setImmediate(resolve))
      if (['start', 'decision', 'voice', 'timer_off', 'loop_delay'].includes(entry.kind)) continue
      await this.#clock.goTo(entry.t, settle, this.#isHeld)
      this.#feed(entry)
      await settle()
    }
    // What was due after the last entry.
    const end = this.recorded.find((entry) => entry.kind === 'decision' && entry.decision === 'end')
    await this.#clock.goTo((end?.t ?? this.recorded.at(-1)?.t ?? 0) + TOLERANCE_MS, settle, this.#isHeld)
  }

  #createSession(): MediaSession {
    const { callSid, businessId, engine, standby, limits } = this.#start
    const call = { callSid, businessId, from: '', to: '', expiresAt: 0, nonce: '' }
    return new MediaSession(
      { send: () => 1, close() {} },
      {
        engine: this.#engineNamed(engine),
        standby: standby === null ? null : this.#engineNamed(standby),
        tools: this.#createTools(),
        log: createLogger('silent'),
        clock: this.#clock,
        limits: { ...DEFAULT_LIMITS, ...limits },
        openTrace: () => ({ write: (entry) => void this.entries.push(entry), close() {} }),
        verifyToken: () => call,
        reception: () => this.#createReception(),
        events: { claim: async () => true, turn() {}, lead() {}, async end() {} },
      },
    )
  }

  #createReception(): Reception {
    const { script, greetingMs, phraseMs, policy } = this.#start
    return {
      script,
      greeting: greetingMs === null ? undefined : mulawSilence(greetingMs),
      renderGreeting: () => new Promise(() => {}),
      phrase(name: PhraseName) {
        const ms = phraseMs[name] ?? 0
        return ms > 0 ? mulawSilence(ms) : undefined
      },
      // An earlier trace may lack a setting.
      policy: { ...DEFAULT_POLICY, ...policy },
    }
  }

  #engineNamed(name: string): SpeechEngine {
    return {
      name,
      remote: name !== 'embedded',
      connect: (options): EngineSession => {
        this.#onEvent = options.onEvent
        return {
          sendAudio() {},
          say() {},
          cancel() {},
          truncate() {},
          toolResult() {},
          hearsVoice: () => this.#voices.shift() ?? true,
          ignoreTurn() {},
          answer() {},
          close() {},
        }
      },
      async close() {},
    }
  }

  #createTools(): CallTools {
    return {
      // What was run in the call can be run in the replay.
      list: () => this.#toolNames.map((name) => ({ name, description: '', parameters: {} })),
      run: () =>
        new Promise((resolve, reject) => {
          this.#running.set(this.#toRun.shift() ?? '', ({ failed, result }) =>
            failed ? reject(new Error('The tool failed in the recorded call.')) : resolve(result),
          )
        }),
      transfer: () => new Promise((resolve) => this.#transfers.push(resolve)),
      canTransfer: () => this.#start.canTransfer,
    }
  }

  /** A timer fires where it fired in the trace, as long as it is set to the same time. */
  readonly #isHeld = (timer: number, due: number): boolean => {
    const left = this.#timers.get(timer) ?? []
    return left.slice(0, firesAt(left) + 1 || left.length).some((entry) => isCloseTo(entry.due)(due))
  }

  #feed(entry: TraceEntry): void {
    const session = this.#session
    switch (entry.kind) {
      case 'audio':
        this.#feedAudio(entry)
        break
      case 'engine':
        this.#feedEngine(entry.event)
        break
      case 'timer':
        this.#feedTimer(entry)
        break
      case 'mark':
        session.onFrame({ event: 'mark', name: entry.name })
        break
      case 'dtmf':
        session.onFrame({ event: 'dtmf', digit: entry.digit })
        break
      case 'stop':
        session.onFrame({ event: 'stop' })
        break
      case 'line':
        session.onLine(entry.heard, entry.agoMs)
        break
      case 'lost':
        session.onClose(entry.code, '')
        break
      case 'violation':
        session.onViolation(entry.reason, entry.code)
        break
      case 'drain':
        void session.drain()
        break
      case 'command':
        void session.command(commandOf(entry))
        break
      case 'tool_done':
        this.#running.get(entry.id)?.(entry)
        break
      case 'transfer_done':
        this.#transfers.shift()?.(entry.problem)
        break
    }
  }

  #feedEngine(event: EngineEvent): void {
    if (event.type === 'tool_call' && !OWN_TOOLS.has(event.name) && this.#wasRun(event.toolCallId))
      this.#toRun.push(event.toolCallId)
    this.#onEvent(event)
  }

  #feedTimer({ timer, due }: Timer): void {
    const left = this.#timers.get(timer) ?? []
    left.splice(0, firesAt(left) + 1)
    this.#clock.fire(timer, isCloseTo(due))
  }

  /** The engine's audio; the session itself plays the greeting and the phrases. */
  #feedAudio({ item, ms }: Extract<TraceEntry, { kind: 'audio' }>): void {
    if (item === 'greeting' || /^phrase_|\+$/.test(item)) return
    this.#onEvent({ type: 'audio', itemId: item, payload: Buffer.from(mulawSilence(ms)).toString('base64'), ms })
  }
}

/** The number of a transfer is not in the trace: the replay's carrier does not need it. */
function commandOf({ command, text }: Extract<TraceEntry, { kind: 'command' }>): CallCommand {
  if (command === 'whisper') return { kind: 'whisper', text: text ?? '' }
  return command === 'end' ? { kind: 'end' } : { kind: 'transfer', number: null }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}

function isCloseTo(due: number): (other: number) => boolean {
  return (other) => Math.abs(due - other) <= TIMER_TOLERANCE_MS
}

function firesAt(timers: readonly Timer[]): number {
  return timers.findIndex((entry) => entry.kind === 'timer')
}

function toolCallOf(entry: TraceEntry): ToolCall | null {
  return entry.kind === 'engine' && entry.event.type === 'tool_call' ? entry.event : null
}
