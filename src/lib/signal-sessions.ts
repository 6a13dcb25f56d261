import { z } from 'zod'

const recordSchema = z.looseObject({
  _sessions: z.record(z.string(), z.looseObject({ indexInfo: z.looseObject({ used: z.number() }) })),
})

/**
 * Repairs a stored Signal session record after the decryption of a message that does not name its session (`msg`, not `pkmsg`).
 *
 * libsignal 6.0.0 tries a message on one session after the other and steps the ratchet of each before it checks the
 * message's authentication code (session_cipher.js, doDecryptWhisperMessage). When a later session fits, the wrongly
 * stepped ones are stored too, and what comes on them next is lost ("Bad MAC"). That happens whenever two sides open a
 * session at the same time. Only the session that fitted has a new time of use: every other one is put back.
 * @param before the record as it was stored, undefined when there was none
 * @param after the record that libsignal wants to store
 * @returns the record to store; `after` itself when either is of a shape that is not known
 */
export function undoFailedTrials<T>(before: unknown, after: T): T {
  const old = recordSchema.safeParse(before)
  const next = recordSchema.safeParse(after)
  if (!old.success || !next.success) return after
  const sessions = next.data._sessions
  const fitted = findFitted(old.data._sessions, sessions)
  if (fitted === null) return after
  const repaired = Object.entries(sessions).map(([id, session]) => [
    id,
    id === fitted ? session : (old.data._sessions[id] ?? session),
  ])
  return { ...after, _sessions: Object.fromEntries(repaired) }
}

type Sessions = z.infer<typeof recordSchema>['_sessions']

/** The one session that was used: its time changed, or, within one millisecond, it is the only one used last. */
function findFitted(before: Sessions, after: Sessions): string | null {
  const changed = Object.keys(after).filter((id) => after[id]?.indexInfo.used !== before[id]?.indexInfo.used)
  const [only] = changed
  if (only !== undefined) return changed.length === 1 ? only : null
  const last = Math.max(...Object.values(after).map(({ indexInfo }) => indexInfo.used))
  const latest = Object.keys(after).filter((id) => after[id]?.indexInfo.used === last)
  return latest.length === 1 ? (latest[0] ?? null) : null
}
