import { and, asc, eq, inArray, isNull, lte } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, payments, services } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { type PaymentDeps, requestPayment } from '../payments/index.ts'
import { lockRow, toBooked } from './booking.ts'
import { readCalendar } from './business-calendar.ts'
import { refreshBusyTimes } from './busy-times.ts'
import { lockCalendar } from './lock-calendar.ts'
import { findPlace, type Place } from './place.ts'
import { planEnd } from './plan-notices.ts'
import { type AppointmentRow, mine, takeTime } from './write-appointment.ts'

const BATCH = 100
/** Of a time that was given up: another has it, the business is closed then, or who gave it is gone. */
const CANNOT_BE_HAD = new Set(['slot_taken', 'closed', 'staff_not_found'])

/**
 * The link by which the deposit of a held appointment is paid; asked again, the same.
 * @returns null where none is asked for
 * @throws AppError those of `requestPayment`, and the appointment stays held until its time is over
 */
export async function requestDeposit(
  ctx: BusinessContext,
  row: AppointmentRow,
  deps: PaymentDeps,
): Promise<string | null> {
  if (row.state !== 'held' || !row.serviceId || !row.contactId || !row.heldUntil) return null
  // What was asked for stays, whatever the service costs or is called since.
  if (row.depositPaymentId) return deps.urls.page(row.depositPaymentId)
  const [service] = await ctx.db
    .select()
    .from(services)
    .where(and(eq(services.id, row.serviceId), eq(services.businessId, ctx.businessId)))
  if (!service?.deposit) return null
  const hours = (row.heldUntil.getTime() - row.createdAt.getTime()) / 3_600_000
  const payment = await requestPayment(
    ctx,
    {
      contact: row.contactId,
      amount: service.deposit,
      description: (row.language === 'en' ? service.nameEn : service.nameHe).slice(0, 127),
      idempotencyKey: `appointment-deposit-${row.id}`,
      expiresInHours: Math.max(0.1, Math.round(hours * 1_000) / 1_000),
    },
    deps,
  )
  await ctx.db.update(appointments).set({ depositPaymentId: payment.id }).where(mine(ctx, row.id))
  return payment.url
}

/**
 * Books what was held for a deposit that is paid. One that came too late books its time where that is still free; else it is to be
 * given back, of which the business and the customer are notified.
 * @param paymentId only for this payment
 * @returns how many changed
 */
export async function settleDeposits(ctx: DomainContext, now = new Date(), paymentId?: string): Promise<number> {
  const paid = await ctx.db
    .select({ id: appointments.id, businessId: appointments.businessId })
    .from(appointments)
    .innerJoin(payments, eq(payments.id, appointments.depositPaymentId))
    .where(
      and(
        inArray(appointments.state, ['held', 'expired', 'cancelled']),
        isNull(appointments.depositPaidAt),
        isNull(appointments.refundDueAt),
        eq(payments.state, 'paid'),
        paymentId ? eq(appointments.depositPaymentId, paymentId) : undefined,
      ),
    )
    .limit(BATCH)
  for (const { id, businessId } of paid)
    try {
      await settleOne(within(ctx, businessId), id, now)
    } catch (error) {
      // The others are not kept waiting by one.
      ctx.log.error({ businessId, appointmentId: id, error: errorMessage(error) }, 'a paid deposit was not settled')
    }
  return paid.length
}

/** Books what was held for a deposit that is paid, then gives up what was held too long. @returns how many changed */
export async function settleHolds(ctx: DomainContext, now = new Date()): Promise<number> {
  const paid = await settleDeposits(ctx, now)
  const over = await ctx.db
    .selectDistinct({ businessId: appointments.businessId })
    .from(appointments)
    .where(and(eq(appointments.state, 'held'), lte(appointments.heldUntil, now)))
    .orderBy(asc(appointments.businessId))
    .limit(BATCH)
  for (const { businessId } of over) {
    const business = within(ctx, businessId)
    try {
      await business.db.transaction((tx) => lockCalendar(tx, business, now))
    } catch (error) {
      ctx.log.error({ businessId, error: errorMessage(error) }, 'holds that are over were not given up')
    }
  }
  return paid + over.length
}

async function settleOne(ctx: BusinessContext, id: string, now: Date): Promise<void> {
  await refreshBusyTimes(ctx)
  await ctx.db.transaction(async (tx) => {
    // A hold that is paid for is not given up by it.
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.depositPaidAt || row.refundDueAt) return
    const late = await bookPaid(tx, ctx, row, now)
    if (!late) {
      await tx.update(appointments).set({ depositPaidAt: now }).where(mine(ctx, id))
      return
    }
    await tx.update(appointments).set({ refundDueAt: now }).where(mine(ctx, id))
    const data = { paymentId: row.depositPaymentId, reason: late }
    await audit(tx, ctx, { action: 'appointment.deposit_late', entity: 'appointment', entityId: id, data })
    if (row.contactId) await planEnd(tx, ctx, [row], 'refund_due', now)
  })
}

/** Books an appointment whose deposit was paid. @returns why it cannot be booked any more, or null */
async function bookPaid(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date): Promise<string | null> {
  if (row.state === 'booked' || row.state === 'no_show') return null
  if (row.state === 'cancelled') return 'cancelled'
  if (row.startsAt <= now) return 'begun'
  try {
    const place = row.state === 'expired' ? await placeAgain(tx, ctx, row, now) : null
    await takeTime(
      tx,
      async (inner) => {
        if (place) await inner.update(appointments).set(place).where(mine(ctx, row.id))
        await toBooked(inner, ctx, { ...row, ...place }, now)
      },
      () => new AppError('conflict', 'slot_taken', 'The time of the appointment is taken.'),
    )
    return null
  } catch (error) {
    if (!(error instanceof AppError) || !CANNOT_BE_HAD.has(error.code)) throw error
    return error.code
  }
}

/** The time of an appointment that was given up, looked up anew: others and calendars outside may have taken it. */
async function placeAgain(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date): Promise<Place> {
  const [service] = row.serviceId
    ? await tx
        .select()
        .from(services)
        .where(and(eq(services.id, row.serviceId), eq(services.businessId, ctx.businessId)))
    : []
  const minutes = (row.endsAt.getTime() - row.startsAt.getTime()) / 60_000
  const visit = { minutes, service: service ?? null, staffId: row.staffId, area: row.area, except: row.id }
  return await findPlace(tx, ctx, await readCalendar(tx, ctx), visit, row.startsAt, { now })
}
