import { z } from 'zod'

const recordSchema = z.looseObject({
  _sessions: z.record(z.string(), z.looseObject({ indexInfo: z.looseObject({ used: z.number() }) })),
})

/**
 * Repairs a Signal session record after a `msg`. libsignal 6.0.0 steps ratchets before it checks the MAC (session_cipher.js,
 * doDecryptWhisperMessage), which loses messages ("Bad MAC"): all sessions without a new time of use are restored. Unknown
 * shapes return `after`.
 */
export function undoFailedTrials<T>(before: unknown, after: T): T {
  const old = recordSchema.safeParse(before)
  const next = recordSchema.safeParse(after)
  if (!old.success || !next.success) return after
  const sessions = next.data._sessions
  const matching = findMatching(old.data._sessions, sessions)
  if (matching === null) return after
  const repaired = Object.entries(sessions).map(([id, session]) => [
    id,
    id === matching ? session : (old.data._sessions[id] ?? session),
  ])
  return { ...after, _sessions: Object.fromEntries(repaired) }
}

type Sessions = z.infer<typeof recordSchema>['_sessions']

/** The session that was used: its time changed, or, within one millisecond, it is the only one used last. */
function findMatching(before: Sessions, after: Sessions): string | null {
  const changed = Object.keys(after).filter((id) => after[id]?.indexInfo.used !== before[id]?.indexInfo.used)
  const [only] = changed
  if (only !== undefined) return changed.length === 1 ? only : null
  const last = Math.max(...Object.values(after).map(({ indexInfo }) => indexInfo.used))
  const latest = Object.keys(after).filter((id) => after[id]?.indexInfo.used === last)
  return latest.length === 1 ? (latest[0] ?? null) : null
}
