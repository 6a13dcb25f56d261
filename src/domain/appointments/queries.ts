import { and, asc, eq, getTableColumns, gt, lt, type SQL } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { appointments, contacts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { laterThan, timePageInput, timeText, toTimePage } from '../paging-by-time.ts'

/** None is longer, so that what began earlier need not be looked at. */
export const LONGEST_MS = 86_400_000

export const appointmentFilters = timePageInput.extend({
  /** Appointments that end after this time; now otherwise. */
  from: z.iso.datetime({ offset: true }).optional(),
  /** Appointments that begin before this time. */
  to: z.iso.datetime({ offset: true }).optional(),
})

export const appointmentView = z.object({
  id: z.uuid(),
  contactId: z.uuid().nullable(),
  callId: z.uuid().nullable(),
  startsAt: z.date(),
  endsAt: z.date(),
  state: z.enum(appointments.state.enumValues),
  /** Until it is confirmed by a member, its caller cannot book another one by telephone. */
  confirmedAt: z.date().nullable(),
  name: z.string().nullable(),
  /** Of the contact. */
  phone: z.string().nullable(),
  contactName: z.string().nullable(),
  note: z.string().nullable(),
  createdAt: z.date(),
})

const columns = { ...getTableColumns(appointments), phone: contacts.phone, contactName: contacts.name }

/** The booked appointments of the business, soonest first. @throws AppError `invalid_cursor` */
export async function listAppointments(ctx: BusinessContext, input: z.input<typeof appointmentFilters>) {
  const { limit, cursor, ...filters } = appointmentFilters.parse(input)
  const from = filters.from ? new Date(filters.from) : new Date()
  const rows = await ctx.db
    .select({ ...columns, atText: timeText(appointments.startsAt) })
    .from(appointments)
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.state, 'booked'),
        gt(appointments.endsAt, from),
        gt(appointments.startsAt, new Date(from.getTime() - LONGEST_MS)),
        filters.to ? lt(appointments.startsAt, new Date(filters.to)) : undefined,
        laterThan(appointments.startsAt, appointments.id, cursor),
      ),
    )
    .orderBy(asc(appointments.startsAt), asc(appointments.id))
    .limit(limit + 1)
  return toTimePage(rows, limit)
}

/** @throws AppError `appointment_not_found` */
export async function getAppointment(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(columns)
    .from(appointments)
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .where(and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId)))
  if (!row) throw appointmentNotFound()
  return row
}

/** The booked appointments that overlap a span. */
export async function overlapping(tx: Executor, ctx: BusinessContext, startsAt: Date, endsAt: Date, which?: SQL) {
  return await tx
    .select({
      id: appointments.id,
      callId: appointments.callId,
      startsAt: appointments.startsAt,
      endsAt: appointments.endsAt,
    })
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.state, 'booked'),
        lt(appointments.startsAt, endsAt),
        gt(appointments.endsAt, startsAt),
        gt(appointments.startsAt, new Date(startsAt.getTime() - LONGEST_MS)),
        which,
      ),
    )
}

export function appointmentNotFound(): AppError {
  return new AppError('not_found', 'appointment_not_found', 'There is no such appointment.')
}
