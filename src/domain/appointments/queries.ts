import { and, asc, eq, getTableColumns, gt, inArray, lt } from 'drizzle-orm'
import { z } from 'zod'
import { appointments, contacts, payments, TAKING_STATES, waitingList } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { laterThan, timePageInput, timeText, toTimePage } from '../paging-by-time.ts'
import type { PaymentDeps } from '../payments/index.ts'

/** None is longer, so that what began earlier need not be looked at. */
export const LONGEST_MS = 86_400_000

export const appointmentFilters = timePageInput.extend({
  /** Appointments that end after this time; now otherwise. */
  from: z.iso.datetime({ offset: true }).optional(),
  /** Appointments that begin before this time. */
  to: z.iso.datetime({ offset: true }).optional(),
  staffId: z.uuid().optional(),
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
  staffId: z.uuid(),
  serviceId: z.uuid().nullable(),
  /** Until then it is held, and not booked. */
  heldUntil: z.date().nullable(),
  /** When the customer answered that they come. */
  customerConfirmedAt: z.date().nullable(),
  source: z.enum(appointments.source.enumValues),
  area: z.string().nullable(),
  zone: z.string(),
  revision: z.number(),
  createdAt: z.date(),
  /** What was asked for before it counts. */
  deposit: z
    .object({
      paymentId: z.uuid(),
      state: z.enum(payments.state.enumValues),
      amount: z.number(),
      currency: z.string(),
      /** Where the customer pays it. */
      url: z.string(),
    })
    .nullable(),
  /** Since when its deposit is to be given back, which came too late. */
  refundDueAt: z.date().nullable(),
})

const columns = {
  ...getTableColumns(appointments),
  phone: contacts.phone,
  contactName: contacts.name,
  deposit: {
    paymentId: payments.id,
    state: payments.state,
    amount: payments.amount,
    currency: payments.currency,
  },
}

/** An appointment with the link by which its deposit is paid. */
export function withPayUrl<Deposit extends { paymentId: string }, Row extends object>(
  row: Row & { deposit: Deposit | null },
  urls: Pick<PaymentDeps['urls'], 'page'>,
) {
  const { deposit } = row
  return { ...row, deposit: deposit && { ...deposit, url: urls.page(deposit.paymentId) } }
}

/** The appointments of the business that take time: booked, held, or not kept by the customer, soonest first. @throws AppError `invalid_cursor` */
export async function listAppointments(ctx: BusinessContext, input: z.input<typeof appointmentFilters>) {
  const { limit, cursor, ...filters } = appointmentFilters.parse(input)
  const from = filters.from ? new Date(filters.from) : new Date()
  const rows = await ctx.db
    .select({ ...columns, atText: timeText(appointments.startsAt) })
    .from(appointments)
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .leftJoin(payments, eq(payments.id, appointments.depositPaymentId))
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        inArray(appointments.state, [...TAKING_STATES]),
        filters.staffId ? eq(appointments.staffId, filters.staffId) : undefined,
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
    .leftJoin(payments, eq(payments.id, appointments.depositPaymentId))
    .where(and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId)))
  if (!row) throw appointmentNotFound()
  return row
}

/** An appointment by its link, of whichever business. */
export async function readAppointmentRow(ctx: DomainContext, id: string) {
  const [row] = await ctx.db.select().from(appointments).where(eq(appointments.id, id))
  return row ?? null
}

export function appointmentNotFound(): AppError {
  return new AppError('not_found', 'appointment_not_found', 'There is no such appointment.')
}

/** How an appointment ended, as its customer is informed; null while it is booked, held or past. */
export type AppointmentEnd = 'cancelled' | 'unpaid' | 'refund_due' | 'declined' | 'offer_over'

export async function endOf(
  ctx: BusinessContext,
  row: typeof appointments.$inferSelect,
): Promise<AppointmentEnd | null> {
  if (row.refundDueAt) return 'refund_due'
  if (row.state !== 'cancelled' && row.state !== 'expired') return null
  if (row.state === 'expired' && row.depositPaymentId) return 'unpaid'
  const [entry] = await ctx.db
    .select({ state: waitingList.state })
    .from(waitingList)
    .where(and(eq(waitingList.businessId, ctx.businessId), eq(waitingList.appointmentId, row.id)))
  if (row.state === 'expired') return entry ? 'offer_over' : null
  // Who took what was offered had an appointment.
  return entry && entry.state !== 'booked' ? 'declined' : 'cancelled'
}

/** The appointment for which a payment is the deposit; null for any other payment. */
export async function appointmentOfPayment(
  ctx: DomainContext,
  paymentId: string,
): Promise<{ id: string; isOver: boolean } | null> {
  const [row] = await ctx.db
    .select({ id: appointments.id, state: appointments.state })
    .from(appointments)
    .where(eq(appointments.depositPaymentId, paymentId))
  return row ? { id: row.id, isOver: row.state === 'expired' || row.state === 'cancelled' } : null
}
