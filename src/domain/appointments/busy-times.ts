import { and, eq, gt, lt } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calendarConnections, outsideCalendars, outsideEvents } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'

/** Time that is taken outside: of one person, or with null of the whole business. */
export type OutsideBusy = { staffId: string | null; from: Date; to: Date }

/**
 * What is busy in calendars outside between two moments, from the copy of those that are read, whatever the state of their
 * connections is; read in the booking transaction.
 */
export async function busyTimes(tx: Executor, ctx: BusinessContext, from: Date, to: Date): Promise<OutsideBusy[]> {
  return await tx
    .select({ staffId: calendarConnections.staffId, from: outsideEvents.startsAt, to: outsideEvents.endsAt })
    .from(outsideEvents)
    .innerJoin(
      outsideCalendars,
      and(
        eq(outsideCalendars.id, outsideEvents.calendarId),
        eq(outsideCalendars.businessId, ctx.businessId),
        eq(outsideCalendars.reads, true),
      ),
    )
    .innerJoin(
      calendarConnections,
      and(
        eq(calendarConnections.id, outsideCalendars.connectionId),
        eq(calendarConnections.businessId, ctx.businessId),
      ),
    )
    .where(
      and(
        eq(outsideEvents.businessId, ctx.businessId),
        eq(outsideEvents.busy, true),
        gt(outsideEvents.endsAt, from),
        lt(outsideEvents.startsAt, to),
      ),
    )
}

/**
 * Brings the copy up to date before a booking, where the process can: in a short time, and before the transaction, which must
 * not wait for a vendor. When that fails, the copy counts.
 */
export async function refreshBusyTimes(ctx: BusinessContext): Promise<void> {
  try {
    await ctx.refreshCalendars?.(ctx)
  } catch (error) {
    ctx.log.warn(
      { businessId: ctx.businessId, error: errorMessage(error) },
      'calendars outside not read before a booking',
    )
  }
}
