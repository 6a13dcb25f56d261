import type { EngineEvent, EngineSession, EngineSessionOptions, SpeechEngine } from '../providers/speech/port.ts'
import type { OpenedEngine } from './media-session-ports.ts'

/** How long a session waits for the stream of its call. */
const WAIT_MS = 10_000

/**
 * Engine sessions opened while the voice webhook is answered, so that the engine is ready when the stream starts. A session
 * whose stream does not come, or comes to another server, is closed.
 */
export class PrewarmedSessions {
  readonly #waiting = new Map<string, { opened: OpenedEngine; timer: Timer }>()

  constructor(private readonly engine: SpeechEngine) {}

  /** Opens a session for a call, once; a local engine needs none, null then. @param engine the business's own, if it has one */
  open(callSid: string, options: Omit<EngineSessionOptions, 'onEvent'>, engine = this.engine): EngineSession | null {
    if (!engine.remote || this.#waiting.has(callSid)) return null
    const early: EngineEvent[] = []
    let listener: ((event: EngineEvent) => void) | null = null
    const session = engine.connect({
      ...options,
      onEvent(event) {
        if (listener) listener(event)
        else early.push(event)
      },
    })
    const opened: OpenedEngine = {
      session,
      attach(next) {
        listener = next
        for (const event of early.splice(0)) next(event)
      },
    }
    const timer = setTimeout(() => this.drop(callSid), WAIT_MS)
    this.#waiting.set(callSid, { opened, timer })
    return session
  }

  /** Hands over the session of a call; null when there is none. */
  adopt(callSid: string): OpenedEngine | null {
    const found = this.#waiting.get(callSid)
    if (!found) return null
    clearTimeout(found.timer)
    this.#waiting.delete(callSid)
    return found.opened
  }

  drop(callSid: string): void {
    this.adopt(callSid)?.session.close()
  }

  close(): void {
    for (const callSid of [...this.#waiting.keys()]) this.drop(callSid)
  }

  get waiting(): number {
    return this.#waiting.size
  }
}
