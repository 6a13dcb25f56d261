import type { CallMoment } from '../domain/calls/index.ts'
import { maskCards } from '../lib/card-numbers.ts'
import type { ObjectStorage } from '../providers/storage/port.ts'
import { readStoredTrace } from './replay.ts'
import type { TraceDecision, TraceEntry } from './trace-entries.ts'

/** What happened in a call of the storage, in order. @throws AppError `trace_not_found`, `bad_trace` */
export async function readMoments(storage: Pick<ObjectStorage, 'get'>, key: string): Promise<CallMoment[]> {
  return momentsOf(await readStoredTrace(storage, key))
}

/** What happened in a call, in order. */
export function momentsOf(entries: readonly TraceEntry[]): CallMoment[] {
  const reader = new MomentReader(entries)
  return reader.read()
}

const moment = (atMs: number, kind: CallMoment['kind'], rest: Partial<CallMoment> = {}): CallMoment => ({
  atMs: Math.max(0, Math.round(atMs)),
  kind,
  name: null,
  ms: null,
  detail: null,
  ...rest,
})

class MomentReader {
  readonly #moments: CallMoment[] = []
  readonly #tools = new Map<string, CallMoment>()
  /** When the caller fell silent, until they are answered. */
  #waitsSince: number | null = null
  #engines = 0
  /** Audio that was sent of each item, in ms. */
  readonly #sent = new Map<string, number>()

  constructor(private readonly entries: readonly TraceEntry[]) {}

  read(): CallMoment[] {
    for (const entry of this.entries) this.#take(entry)
    return this.#moments.sort((a, b) => a.atMs - b.atMs)
  }

  #add(...given: Parameters<typeof moment>): CallMoment {
    const added = moment(...given)
    this.#moments.push(added)
    return added
  }

  #take(entry: TraceEntry): void {
    switch (entry.kind) {
      case 'decision':
        this.#decided(entry)
        break
      case 'engine':
        this.#engine(entry)
        break
      case 'audio':
        this.#sent.set(entry.item, (this.#sent.get(entry.item) ?? 0) + entry.ms)
        // A greeting, a phrase, or the rest of what was interrupted answers no one.
        if (entry.item === 'greeting' || /^phrase_|\+$/.test(entry.item) || this.#waitsSince === null) break
        this.#add(entry.t, 'answer', { ms: Math.max(0, Math.round(entry.t - this.#waitsSince)) })
        this.#waitsSince = null
        break
      case 'line':
        if (entry.heard === 'turn_ended') this.#waitsSince = entry.t - entry.agoMs
        break
      case 'dtmf':
        this.#add(entry.t, 'key_pressed', { name: entry.digit })
        break
      case 'tool_done':
        this.#toolDone(entry)
        break
      case 'transfer_done':
        this.#add(entry.t, 'transfer', { failed: entry.problem !== null, detail: entry.problem })
        break
      case 'command':
        this.#add(entry.t, 'command', { name: entry.command, detail: entry.text ?? null })
        break
      case 'violation':
        this.#add(entry.t, 'problem', { name: 'violation', detail: entry.reason })
        break
      case 'lost':
        this.#add(entry.t, 'problem', { name: 'lost' })
        break
    }
  }

  #decided(entry: TraceDecision): void {
    switch (entry.decision) {
      case 'truncate':
        this.#add(entry.t, 'barge_in', {
          ms: Math.round(entry.ms),
          ofMs: Math.round(this.#sent.get(entry.item) ?? entry.ms),
        })
        break
      case 'resume':
        this.#add(entry.t, 'resumed')
        break
      case 'connect':
        this.#add(entry.t, 'engine', { name: entry.engine, detail: this.#engines++ === 0 ? null : 'replaced' })
        break
      case 'ask_again':
        this.#add(entry.t, 'asked_again')
        break
      case 'phrase':
        if (entry.name === 'oneMoment' || entry.name === 'reprompt')
          this.#add(entry.t, 'asked_again', { name: entry.name })
        break
      case 'ignore_turn':
        this.#waitsSince = null
        break
      case 'end':
        this.#add(entry.t, 'end', { name: entry.reason, detail: entry.detail })
        break
      case 'tool_result': {
        // A tool of the session's own has no end of its own.
        const tool = this.#tools.get(entry.id)
        if (tool && tool.ms === null) tool.ms = Math.round(entry.t - tool.atMs)
        break
      }
    }
  }

  #engine({ t, event }: Extract<TraceEntry, { kind: 'engine' }>): void {
    if (event.type === 'speech_stopped' && !event.noise) this.#waitsSince = event.atMs
    else if (event.type === 'speech_started') this.#waitsSince = null
    else if (event.type === 'tool_call')
      this.#tools.set(event.toolCallId, this.#add(t, 'tool', { name: event.name, args: maskCards(event.args) }))
    else if (event.type === 'error' && event.fatal)
      this.#add(t, 'problem', { name: event.code, detail: String(event.message).slice(0, 300) })
    else if (event.type === 'closed') this.#add(t, 'problem', { name: 'engine_closed', detail: event.reason })
  }

  #toolDone(entry: Extract<TraceEntry, { kind: 'tool_done' }>): void {
    const tool = this.#tools.get(entry.id)
    if (!tool) return
    tool.ms = Math.round(entry.t - tool.atMs)
    tool.failed = entry.failed
    tool.result = maskCards(entry.result)
  }
}
