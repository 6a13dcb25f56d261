import { and, eq, ne } from 'drizzle-orm'
import { calendarConnections } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { CalendarError, type CalendarProblem } from '../../providers/calendars/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { Connection } from './access.ts'
import type { CalendarDeps } from './deps.ts'

const FIRST_PAUSE_MS = 60_000
const LONGEST_PAUSE_MS = 3_600_000
/** Answered at once, as of one calendar of several that is gone: the others are read as often as before. */
export const ANSWERED: readonly CalendarProblem[] = ['missing', 'refused']
const LONGEST_ANSWERED_MS = 10 * 60_000

export const problemOf = (error: unknown): CalendarProblem | 'internal' =>
  error instanceof CalendarError ? error.problem : 'internal'

/**
 * Notes that a round failed. What only a person can mend stops the rounds and is an alert; all else is tried again, ever more
 * seldom, and what was read before counts.
 */
export async function noteFailure(
  ctx: BusinessContext,
  connection: Connection,
  error: unknown,
  deps: Pick<CalendarDeps, 'now'>,
): Promise<void> {
  const problem = problemOf(error)
  const mine = and(eq(calendarConnections.id, connection.id), eq(calendarConnections.businessId, ctx.businessId))
  ctx.log.warn({ connectionId: connection.id, problem, error: errorMessage(error) }, 'calendar outside failed')
  if (problem === 'reconnect' || problem === 'unauthorized') {
    await ctx.db.transaction(async (tx) => {
      const stopped = await tx
        .update(calendarConnections)
        .set({ state: 'needs_reconnect', reason: 'access_withdrawn', failures: connection.failures + 1 })
        .where(and(mine, ne(calendarConnections.state, 'needs_reconnect')))
        .returning({ id: calendarConnections.id })
      if (stopped.length > 0)
        await audit(tx, ctx, {
          action: 'calendar.needs_reconnect',
          entity: 'calendar_connection',
          entityId: connection.id,
        })
    })
    return
  }
  const failures = connection.failures + 1
  const asked = error instanceof CalendarError ? (error.options.retryAfterMs ?? 0) : 0
  const longest = ANSWERED.some((each) => each === problem) ? LONGEST_ANSWERED_MS : LONGEST_PAUSE_MS
  const pause = Math.min(longest, FIRST_PAUSE_MS * 2 ** Math.min(10, failures - 1))
  const nextSyncAt = new Date(deps.now().getTime() + Math.max(asked, pause * (0.5 + Math.random())))
  await ctx.db
    .update(calendarConnections)
    // To be asked for patience is no failure.
    .set({ failures, reason: problem, nextSyncAt, ...(problem === 'limited' ? {} : { state: 'failing' as const }) })
    .where(and(mine, ne(calendarConnections.state, 'needs_reconnect')))
}
