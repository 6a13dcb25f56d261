import { z } from 'zod'

const recordSchema = z.looseObject({
  _sessions: z.record(z.string(), z.looseObject({ indexInfo: z.looseObject({ used: z.number() }) })),
})

/**
 * Repairs a Signal session record after the decryption of a `msg`. libsignal 6.0.0 tries one session after another and steps the
 * ratchet of each before it checks the MAC (session_cipher.js, doDecryptWhisperMessage): messages on the wrongly stepped
 * sessions would be lost ("Bad MAC"). Only the matching session has a new time of use: every other one is restored.
 * @param before the stored record, undefined when there was none
 * @param after the record that libsignal wants to store
 * @returns the record to store; `after` when either has an unknown shape
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
