import { AppError } from '../../../lib/errors.ts'
import type { EngineSessionOptions, SpeechEngine } from '../port.ts'
import { RealtimeEngineSession, type RealtimeLimits } from './session.ts'
import { DEFAULT_SETTINGS, type RealtimeSettings } from './settings.ts'

export type RealtimeEngineOptions = {
  apiKey: string
  /** `wss://…/v1/realtime`, without the model. */
  url: string
  model: string
  settings?: Partial<Omit<RealtimeSettings, 'model'>>
  limits?: Partial<RealtimeLimits>
}

export type RealtimeEngine = SpeechEngine & {
  /** Conversations under way. */
  readonly sessionCount: number
}

/** How often every conversation is looked after. */
const WATCH_MS = 250

const DEFAULT_LIMITS: RealtimeLimits = { connectMs: 4_000, quietMs: 1_500, stallMs: 5_000 }

/** The engine on OpenAI Realtime, one WebSocket a call. */
export function createRealtimeEngine(options: RealtimeEngineOptions): RealtimeEngine {
  const sessions = new Set<RealtimeEngineSession>()
  const settings: RealtimeSettings = { ...DEFAULT_SETTINGS, ...options.settings, model: options.model }
  const limits: RealtimeLimits = { ...DEFAULT_LIMITS, ...options.limits }
  let closed = false
  let ticking: Timer | undefined

  /** One timer looks after all conversations: one each would wake the process hundreds of times a second. */
  function tick(): void {
    const now = performance.now()
    for (const session of sessions) session.watch(now)
  }

  function release(session: RealtimeEngineSession): void {
    sessions.delete(session)
    if (sessions.size > 0) return
    clearInterval(ticking)
    ticking = undefined
  }

  return {
    name: 'openai-realtime',
    remote: true,
    get sessionCount() {
      return sessions.size
    },
    connect(call: EngineSessionOptions) {
      if (closed) throw new AppError('unavailable', 'engine_closed', 'The speech engine was closed; no call can begin.')
      const session = new RealtimeEngineSession(call, {
        url: options.url,
        apiKey: options.apiKey,
        settings,
        limits,
        onRelease: () => release(session),
      })
      sessions.add(session)
      ticking ??= setInterval(tick, WATCH_MS)
      return session
    },
    async close() {
      closed = true
      for (const session of [...sessions]) session.endBecause('engine_closed')
    },
  }
}
