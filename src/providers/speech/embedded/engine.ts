import { AppError } from '../../../lib/errors.ts'
import type { EngineSessionOptions, SpeechEngine } from '../port.ts'
import type { PromptCache } from '../prompts.ts'
import { EmbeddedSession } from './session.ts'
import { VadPool, type VadPoolOptions } from './vad-pool.ts'

export type EmbeddedEngineOptions = { prompts: PromptCache; vad?: VadPoolOptions }

/** Counts of an embedded engine, for health checks and tests. */
export type EmbeddedEngine = SpeechEngine & {
  readonly sessionCount: number
  /** Lines of the detector threads; equals the conversations unless a line leaks. */
  countLines(): Promise<number>
}

/**
 * The engine that needs no network: asks the script's questions in order, detects speech with Silero in threads of its
 * own, and saves the answers as audio. `save_lead` carries, by question key, `{ startMs, endMs, spokenMs, transcript: null }`.
 */
export function createEmbeddedEngine({ prompts, vad }: EmbeddedEngineOptions): EmbeddedEngine {
  const pool = new VadPool(vad)
  const sessions = new Set<EmbeddedSession>()
  let closed = false
  return {
    name: 'embedded',
    remote: false,
    get sessionCount() {
      return sessions.size
    },
    countLines: () => pool.countLines(),
    connect(options: EngineSessionOptions) {
      if (closed) throw new AppError('unavailable', 'engine_closed', 'The speech engine was closed; no call can begin.')
      const session = new EmbeddedSession(options, {
        prompts,
        openLine: (endOfTurnMs, listener) => pool.open(endOfTurnMs, listener),
        onRelease: () => sessions.delete(session),
      })
      sessions.add(session)
      return session
    },
    async close() {
      closed = true
      for (const session of sessions) session.endBecause('engine_closed')
      pool.close()
    },
  }
}
