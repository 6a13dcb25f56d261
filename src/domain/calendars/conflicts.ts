import { and, asc, eq, gt, isNotNull, isNull, lt, or } from 'drizzle-orm'
import { z } from 'zod'
import {
  appointments,
  calendarConnections,
  calendarPushes,
  contacts,
  outsideCalendars,
  outsideEvents,
} from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

const MOST = 200

export const conflictView = z.object({
  /** For `decide`; of an overlap it is the event's, about which nothing is decided. */
  id: z.uuid(),
  kind: z.enum(['overlap', 'moved', 'deleted']),
  appointmentId: z.uuid(),
  name: z.string().nullable(),
  startsAt: z.date(),
  endsAt: z.date(),
  calendar: z.string(),
  /** Where the business keeps titles. */
  title: z.string().nullable(),
  outsideStartsAt: z.date().nullable(),
  outsideEndsAt: z.date().nullable(),
})

/** Where the calendars outside and the appointments disagree, from now on, soonest first. */
export async function listConflicts(ctx: BusinessContext, now = new Date()): Promise<z.output<typeof conflictView>[]> {
  const ahead = and(
    eq(appointments.businessId, ctx.businessId),
    eq(appointments.state, 'booked'),
    gt(appointments.endsAt, now),
  )
  const row = {
    appointmentId: appointments.id,
    name: appointments.name,
    contactName: contacts.name,
    startsAt: appointments.startsAt,
    endsAt: appointments.endsAt,
    calendar: outsideCalendars.name,
  }
  const overlaps = await ctx.db
    .select({
      ...{ ...row, id: outsideEvents.id, title: outsideEvents.title },
      ...{ outsideStartsAt: outsideEvents.startsAt, outsideEndsAt: outsideEvents.endsAt },
    })
    .from(outsideEvents)
    .innerJoin(
      outsideCalendars,
      and(eq(outsideCalendars.id, outsideEvents.calendarId), eq(outsideCalendars.reads, true)),
    )
    .innerJoin(calendarConnections, eq(calendarConnections.id, outsideCalendars.connectionId))
    .innerJoin(
      appointments,
      and(
        ahead,
        lt(appointments.startsAt, outsideEvents.endsAt),
        gt(appointments.endsAt, outsideEvents.startsAt),
        or(isNull(calendarConnections.staffId), eq(calendarConnections.staffId, appointments.staffId)),
      ),
    )
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .where(
      and(eq(outsideEvents.businessId, ctx.businessId), eq(outsideEvents.busy, true), gt(outsideEvents.endsAt, now)),
    )
    .orderBy(asc(appointments.startsAt))
    .limit(MOST)
  const changes = await ctx.db
    .select({
      ...{ ...row, id: calendarPushes.id, change: calendarPushes.change },
      ...{ outsideStartsAt: calendarPushes.changedStartsAt, outsideEndsAt: calendarPushes.changedEndsAt },
    })
    .from(calendarPushes)
    .innerJoin(outsideCalendars, eq(outsideCalendars.id, calendarPushes.calendarId))
    .innerJoin(appointments, and(ahead, eq(appointments.id, calendarPushes.appointmentId)))
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .where(and(eq(calendarPushes.businessId, ctx.businessId), isNotNull(calendarPushes.change)))
    .orderBy(asc(appointments.startsAt))
    .limit(MOST)
  return [
    ...changes.map(({ change, contactName, name, ...rest }) => ({
      ...rest,
      kind: change ?? ('moved' as const),
      title: null,
      name: name ?? contactName,
    })),
    ...overlaps.map(({ contactName, name, ...rest }) => ({
      ...rest,
      kind: 'overlap' as const,
      name: name ?? contactName,
    })),
  ].sort((a, b) => a.startsAt.getTime() - b.startsAt.getTime())
}
