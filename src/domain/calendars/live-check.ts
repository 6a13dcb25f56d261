import { and, eq, inArray, isNotNull, ne, or } from 'drizzle-orm'
import { calendarConnections, outsideCalendars } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { waitAtMost } from '../../lib/wait-at-most.ts'
import type { BusinessContext } from '../context.ts'
import type { CalendarDeps } from './deps.ts'
import { ANSWERED } from './failures.ts'
import { syncConnection } from './sync.ts'

/** A customer waits: what is not read by then is read afterwards, and a conflict is reported. */
const WAIT_MS = 1_500
/** Businesses that a process reads at the same time: each holds a connection to the database. */
const AT_ONCE = 4

type Round = { running: Promise<void>; next: Promise<void> | null }

/**
 * Makes what reads the calendars of a business before something is booked. Requests that come while a round runs share the one
 * after it, which began after all of them. Published feeds are not read: they change seldom, and slowly.
 */
export function createLiveCheck(deps: CalendarDeps): (ctx: BusinessContext) => Promise<void> {
  const rounds = new Map<string, Round>()

  function begin(ctx: BusinessContext): Promise<void> {
    const round: Round = { running: readAll(ctx, deps), next: null }
    rounds.set(ctx.businessId, round)
    round.running = round.running.finally(() => {
      if (!round.next && rounds.get(ctx.businessId) === round) rounds.delete(ctx.businessId)
    })
    return round.running
  }

  return async (ctx) => {
    const round = rounds.get(ctx.businessId)
    if (!round && rounds.size >= AT_ONCE) return
    let mine: Promise<void>
    if (!round) mine = begin(ctx)
    else {
      round.next ??= round.running.then(
        () => begin(ctx),
        () => begin(ctx),
      )
      mine = round.next
    }
    const reported = mine.catch((error: unknown) => {
      ctx.log.warn({ businessId: ctx.businessId, error: errorMessage(error) }, 'calendars outside not read in time')
    })
    await waitAtMost(reported, WAIT_MS)
  }
}

async function readAll(ctx: BusinessContext, deps: CalendarDeps): Promise<void> {
  const rows = await ctx.db
    .selectDistinct({ id: calendarConnections.id })
    .from(calendarConnections)
    .innerJoin(
      outsideCalendars,
      and(
        eq(outsideCalendars.connectionId, calendarConnections.id),
        eq(outsideCalendars.businessId, calendarConnections.businessId),
        eq(outsideCalendars.reads, true),
        isNotNull(outsideCalendars.readAt),
      ),
    )
    .where(
      and(
        eq(calendarConnections.businessId, ctx.businessId),
        // One that does not answer already is not waited for again.
        or(
          eq(calendarConnections.state, 'connected'),
          and(eq(calendarConnections.state, 'failing'), inArray(calendarConnections.reason, [...ANSWERED])),
        ),
        ne(calendarConnections.kind, 'ics'),
      ),
    )
  // One after the other: each holds a connection to the database.
  for (const { id } of rows) await syncConnection(ctx, id, deps, { live: true, waitMs: WAIT_MS })
}
