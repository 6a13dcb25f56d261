import type { CallTurn } from '../jobs/registry.ts'
import { stripPoints } from '../lib/hebrew.ts'
import type { EngineEvent, SpokenTurn } from '../providers/speech/port.ts'
import type { HeardAudio } from './item-audio.ts'

type SavedTurn = Omit<CallTurn, 'callSid' | 'businessId' | 'audioKey'>
type AgentTurn = { index: number; text: string | null; startMs: number; ms: number }

/** The most turns that an engine gets when it takes over. */
const MAX_HISTORY = 40

/** The turns of a call. Times in ms since the stream's start. */
export class Transcript {
  readonly #agentTurns = new Map<string, AgentTurn>()
  #history: (SpokenTurn & { atMs: number })[] = []
  #turns = 0
  #callerTurns = 0

  constructor(private readonly save: (turn: SavedTurn, audio?: HeardAudio) => void) {}

  get turns(): number {
    return this.#turns
  }

  get callerTurns(): number {
    return this.#callerTurns
  }

  knows(itemId: string): boolean {
    return this.#agentTurns.has(itemId)
  }

  agentSays(itemId: string, text: string | null, startMs: number): void {
    if (!this.#agentTurns.has(itemId)) this.#agentTurns.set(itemId, { index: this.#turns++, text, startMs, ms: 0 })
  }

  agentText(itemId: string, text: string): void {
    const turn = this.#agentTurns.get(itemId)
    if (turn) turn.text = text
  }

  textOf(itemId: string): string | null {
    return this.#agentTurns.get(itemId)?.text ?? null
  }

  /** An item was played, to its end or not. @param audio μ-law, as far as it was heard */
  agentHeard(itemId: string, heardMs: number, sentMs: number, interrupted: boolean, audio?: HeardAudio): void {
    const turn = this.#agentTurns.get(itemId)
    if (!turn) return
    this.#agentTurns.delete(itemId)
    if (turn.text) this.#remember('agent', interrupted ? `${turn.text} (interrupted)` : turn.text, turn.startMs)
    this.save(
      {
        index: turn.index,
        role: 'agent',
        text: turn.text === null ? null : stripPoints(turn.text),
        startMs: round(turn.startMs),
        endMs: round(turn.startMs + (interrupted ? heardMs : sentMs)),
        heardMs: round(heardMs),
        interrupted,
      },
      audio,
    )
  }

  callerSaid(event: Extract<EngineEvent, { type: 'user_turn' }>): void {
    this.#callerTurns++
    const { audio } = event
    if (event.transcript) this.#remember('caller', event.transcript, event.startMs)
    this.save(
      {
        index: this.#turns++,
        role: 'caller',
        text: event.transcript ?? null,
        question: event.question ?? null,
        startMs: round(event.startMs),
        endMs: round(event.endMs),
        heardMs: null,
        interrupted: false,
      },
      audio && (async () => audio),
    )
  }

  /** The conversation so far, for an engine that takes over. */
  history(): SpokenTurn[] {
    const open = [...this.#agentTurns.values()].flatMap(({ text, startMs }) =>
      text ? [{ role: 'agent' as const, text, atMs: startMs }] : [],
    )
    return [...this.#history, ...open]
      .sort((a, b) => a.atMs - b.atMs)
      .slice(-MAX_HISTORY)
      .map(({ role, text }) => ({ role, text }))
  }

  #remember(role: SpokenTurn['role'], text: string, atMs: number): void {
    this.#history.push({ role, text, atMs })
    if (this.#history.length > MAX_HISTORY * 2) this.#history = this.#history.slice(-MAX_HISTORY)
  }
}

function round(ms: number): number {
  return Math.max(0, Math.round(ms))
}
