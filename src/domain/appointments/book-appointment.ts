import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, calls } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { instantOf } from '../../lib/local-time.ts'
import { parsePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'
import { cancelRow, giveUpKept, lockRow, noSuchTime, offerFreed, requireInReach, withdrawRow } from './booking.ts'
import { readCalendar, readService, withHoursOf } from './business-calendar.ts'
import { refreshBusyTimes } from './busy-times.ts'
import type { BusinessHours } from './hours.ts'
import { lockCalendar } from './lock-calendar.ts'
import { appointmentNotFound, LONGEST_MS } from './queries.ts'
import { type AppointmentRow, writeAppointment } from './write-appointment.ts'

export type AppointmentRequest = {
  /** On the business's walls. */
  date: string
  time: string
  minutes: number
  serviceId?: string | null
  staffId?: string | null
  name?: string | null
  note?: string | null
  callSid?: string | null
  /** Only keeps it for a while, until `bookHeld`. */
  hold?: boolean | undefined
  /** Who asks for it by telephone: until a person confirms it, they have one at a time. */
  caller?: { number: string; perCall: number; perDay: number }
}

const MAX_AHEAD_MS = 366 * 86_400_000

/**
 * Books an appointment. The same call asking for the same time again gets the one it has.
 * @throws AppError `invalid_date`, `too_long`, `in_the_past`, `too_soon`, `too_far`, `closed`, `slot_taken`; the last
 *   two name free times in their message; `person_erased` when the call was erased with its caller
 */
export async function bookAppointment(
  ctx: BusinessContext,
  request: AppointmentRequest,
  settings: { hours: BusinessHours; timeZone: string; now?: Date },
): Promise<Pick<AppointmentRow, 'id' | 'startsAt' | 'endsAt' | 'state'>> {
  const { hours, timeZone } = settings
  const now = settings.now ?? new Date()
  const startsAt = instantOf(request.date, request.time, timeZone)
  if (Number.isNaN(startsAt.getTime())) throw noSuchTime()
  if (request.minutes > LONGEST_MS / 60_000)
    throw new AppError('invalid', 'too_long', 'An appointment is at most a day long.')
  if (startsAt <= now) throw new AppError('invalid', 'in_the_past', 'This time has passed.')
  if (startsAt.getTime() - now.getTime() > MAX_AHEAD_MS)
    throw new AppError('invalid', 'too_far', 'This is more than a year away.')
  await refreshBusyTimes(ctx)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const [call] = request.callSid
      ? await tx
          .select({ id: calls.id, contactId: calls.contactId })
          .from(calls)
          .where(and(eq(calls.callSid, request.callSid), eq(calls.businessId, ctx.businessId)))
      : []
    if (request.callSid && !call) await refuseErasedCall(tx, request.callSid)
    const own = call ? await bookedInCall(tx, ctx, call.id, startsAt) : null
    if (own) return own
    const earlier = request.caller && call ? await bookedBy(tx, ctx, call.id, request.caller, now) : []
    const calendar = withHoursOf(await readCalendar(tx, ctx), hours, timeZone)
    // By telephone no one comes sooner, or books farther ahead, than in writing or on the page.
    requireInReach(calendar, startsAt, now, 'date')
    const service = request.serviceId ? await readService(tx, ctx, request.serviceId) : null
    const visit = {
      minutes: service?.minutes ?? request.minutes,
      service,
      serviceId: service?.id ?? null,
      staffId: request.staffId ?? null,
    }
    const { depositMinutes, holdMinutes } = calendar.settings
    // What it replaces may overlap it; where the new time cannot be had, that stays.
    const replaced: AppointmentRow[] = []
    for (const moved of earlier) replaced.push(await lockRow(tx, ctx, moved))
    for (const each of replaced) await withdrawRow(tx, ctx, each, now)
    const { contactId = null } = call ?? {}
    if (contactId) replaced.push(...(await giveUpKept(tx, ctx, contactId, now)))
    const row = await writeAppointment(tx, ctx, calendar, {
      ...{
        act: 'book',
        visit,
        startsAt,
        now,
        holds: request.hold ? holdMinutes : service?.deposit ? depositMinutes : null,
        deposit: !request.hold,
      },
      values: {
        ...{ id: newId(), contactId, callId: call?.id ?? null, source: 'voice' },
        ...{ name: request.name ?? null, note: request.note ?? null },
      },
    })
    for (const each of replaced) await offerFreed(tx, ctx, each, now)
    return row
  })
}

/** What the same call has at this time already. */
async function bookedInCall(tx: Executor, ctx: BusinessContext, callId: string, startsAt: Date) {
  const [row] = await tx
    .select()
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.callId, callId),
        eq(appointments.startsAt, startsAt),
        inArray(appointments.state, ['held', 'booked']),
      ),
    )
  return row ?? null
}

/**
 * What a caller has booked by telephone: refused when it is too much, or when one of an earlier call waits to be confirmed.
 * @returns the open ones of this call, which a new one replaces
 * @throws AppError `booking_limit`, `booking_open`
 */
async function bookedBy(
  tx: Executor,
  ctx: BusinessContext,
  callId: string,
  caller: { number: string; perCall: number; perDay: number },
  now: Date,
): Promise<string[]> {
  const known = parsePhone(caller.number) !== null
  const rows = await tx
    .select({
      id: appointments.id,
      callId: appointments.callId,
      waits: sql<boolean>`${appointments.state} = 'booked' and ${appointments.confirmedAt} is null and ${appointments.endsAt} > ${now.toISOString()}::timestamptz`,
      lately: sql<boolean>`${appointments.createdAt} > now() - interval '24 hours'`,
    })
    .from(appointments)
    .innerJoin(calls, eq(calls.id, appointments.callId))
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        // A withheld number names no contact: of the caller's bookings only this call's are known.
        known ? eq(calls.fromNumber, caller.number) : eq(calls.id, callId),
      ),
    )
    .orderBy(sql`${appointments.createdAt} desc`)
    .limit(100)
  const here = rows.filter((row) => row.callId === callId)
  if (here.length >= caller.perCall || rows.filter((row) => row.lately).length >= caller.perDay)
    throw new AppError('rate_limited', 'booking_limit', 'No more can be booked in this call. Offer to take a message.')
  if (rows.some((row) => row.waits && row.callId !== callId))
    throw new AppError(
      'conflict',
      'booking_open',
      'The caller has an appointment that the business has not confirmed yet. Offer to take a message about it.',
    )
  return here.filter((row) => row.waits).map(({ id }) => id)
}

/** Says yes to an appointment, or takes that back; said already, it stays so. @throws AppError `appointment_not_found` */
export async function confirmAppointment(ctx: BusinessContext, id: string, confirmed = true): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const mine = and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId))
    const [row] = await tx
      .select({ confirmedAt: appointments.confirmedAt })
      .from(appointments)
      .where(mine)
      .for('update')
    if (!row) throw appointmentNotFound()
    if ((row.confirmedAt !== null) === confirmed) return
    await tx
      .update(appointments)
      .set({ confirmedAt: confirmed ? new Date() : null })
      .where(mine)
    await audit(tx, ctx, {
      action: confirmed ? 'appointment.confirm' : 'appointment.unconfirm',
      entity: 'appointment',
      entityId: id,
    })
  })
}

/** Takes an appointment back; taken back already, it stays so. @throws AppError `appointment_not_found` */
export async function cancelAppointment(ctx: BusinessContext, id: string, now = new Date()): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'cancelled') return
    await cancelRow(tx, ctx, row, now)
  })
}
