import { AppError } from '../../../lib/errors.ts'
import type { EngineSessionOptions, SpeechEngine } from '../port.ts'
import { openSocket } from './connection.ts'
import { RealtimeEngineSession } from './session.ts'
import { DEFAULT_SETTINGS, type RealtimeLimits, type RealtimeSettings } from './settings.ts'
import { WarmConnection, type WarmConnectionTimes } from './warm-connection.ts'

export type RealtimeEngineOptions = {
  apiKey: string
  /** `wss://…/v1/realtime`, without the model. */
  url: string
  model: string
  settings?: Partial<Omit<RealtimeSettings, 'model'>>
  limits?: Partial<RealtimeLimits>
  /** Keeps one connection open for the next call. */
  warmConnection?: boolean | WarmConnectionTimes
}

export type RealtimeEngine = SpeechEngine & {
  readonly sessionCount: number
  /** Whether a connection is open for the next call. */
  readonly warmConnectionReady: boolean
}

/** How often every session is checked for what does not happen. */
const WATCH_MS = 250

/** How long a connection that was open already may take to be configured. */
const WARM_CONNECT_MS = 1_500

const DEFAULT_LIMITS: RealtimeLimits = { connectMs: 4_000, quietMs: 1_500, stallMs: 5_000 }

/** The engine on OpenAI Realtime, one WebSocket a call. */
export function createRealtimeEngine(options: RealtimeEngineOptions): RealtimeEngine {
  const sessions = new Set<RealtimeEngineSession>()
  const settings: RealtimeSettings = { ...DEFAULT_SETTINGS, ...options.settings, model: options.model }
  const limits: RealtimeLimits = { ...DEFAULT_LIMITS, ...options.limits }
  const connection = { url: options.url, apiKey: options.apiKey, settings }
  const warm = options.warmConnection
    ? new WarmConnection(
        () => openSocket(connection),
        options.warmConnection === true ? undefined : options.warmConnection,
      )
    : null
  let closed = false
  let ticking: Timer | undefined

  /** One timer for all sessions: one each would wake the process hundreds of times a second. */
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
      if (closed)
        throw new AppError('unavailable', 'engine_closed', 'The speech engine is closed. Start the server again.')
      const socket = warm?.take()
      const session = new RealtimeEngineSession(call, {
        ...connection,
        // An open connection is configured in one round trip, or it is dead: then a new one is tried soon.
        limits: socket ? { ...limits, connectMs: Math.min(limits.connectMs, WARM_CONNECT_MS) } : limits,
        ...(socket ? { socket } : {}),
        onRelease: () => release(session),
      })
      sessions.add(session)
      ticking ??= setInterval(tick, WATCH_MS)
      return session
    },
    get warmConnectionReady() {
      return warm?.ready ?? false
    },
    async close() {
      closed = true
      warm?.close()
      for (const session of [...sessions]) session.endBecause('engine_closed')
    },
  }
}
