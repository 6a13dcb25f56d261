import { and, eq, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, calls } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { parsePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'
import { lock } from '../locks.ts'
import { type BusinessHours, instantOf, isOpen, possibleStarts, wallClock } from './hours.ts'
import { appointmentNotFound, LONGEST_MS, overlapping } from './queries.ts'

export type AppointmentRequest = {
  /** On the business's walls. */
  date: string
  time: string
  minutes: number
  name?: string | null
  note?: string | null
  callSid?: string | null
  /** Who asks for it by telephone: until a person confirms it, they have one at a time. */
  caller?: { number: string; perCall: number; perDay: number }
}

const MAX_AHEAD_MS = 366 * 86_400_000

/**
 * Books an appointment. The same call asking for the same time again gets the one it has.
 * @throws AppError `invalid_date`, `too_long`, `in_the_past`, `too_far`, `closed`, `slot_taken`; the last
 *   two name free times in their message; `person_erased` when the call was erased with its caller
 */
export async function bookAppointment(
  ctx: BusinessContext,
  request: AppointmentRequest,
  settings: { hours: BusinessHours; timeZone: string; now?: Date },
): Promise<{ id: string; startsAt: Date; endsAt: Date }> {
  const { hours, timeZone } = settings
  const now = settings.now ?? new Date()
  const startsAt = instantOf(request.date, request.time, timeZone)
  if (Number.isNaN(startsAt.getTime()))
    throw new AppError('invalid', 'invalid_date', 'There is no such day, or no such time on it: the clocks change.')
  if (request.minutes > LONGEST_MS / 60_000)
    throw new AppError('invalid', 'too_long', 'An appointment is at most a day long.')
  const endsAt = new Date(startsAt.getTime() + request.minutes * 60_000)
  if (startsAt <= now) throw new AppError('invalid', 'in_the_past', 'This time has passed.')
  if (startsAt.getTime() - now.getTime() > MAX_AHEAD_MS)
    throw new AppError('invalid', 'too_far', 'This is more than a year away.')
  return await ctx.db.transaction(async (tx) => {
    // One booking of a business at a time: two that overlap cannot both see a free slot.
    await lock(tx, `appointments:${ctx.businessId}`)
    const [call] = request.callSid
      ? await tx
          .select({ id: calls.id, contactId: calls.contactId })
          .from(calls)
          .where(and(eq(calls.callSid, request.callSid), eq(calls.businessId, ctx.businessId)))
      : []
    if (request.callSid && !call) await refuseErasedCall(tx, request.callSid)
    const busy = await overlapping(tx, ctx, startsAt, endsAt)
    const own = busy.find((each) => each.callId !== null && each.callId === call?.id)
    if (own && own.startsAt.getTime() === startsAt.getTime())
      return { id: own.id, startsAt: own.startsAt, endsAt: own.endsAt }
    const earlier = request.caller && call ? await bookedBy(tx, ctx, call.id, request.caller, now) : []
    const open = isOpen(hours, startsAt, endsAt, timeZone)
    if (!open || busy.length > 0) {
      const free = await freeTimes(tx, ctx, startsAt, request.minutes, settings)
      const times = free.length > 0 ? ` Free: ${free.join(', ')}.` : ''
      throw open
        ? new AppError('conflict', 'slot_taken', `This time is taken.${times}`)
        : new AppError('invalid', 'closed', `The business is closed then.${times}`)
    }
    const id = newId()
    await tx.insert(appointments).values({
      id,
      businessId: ctx.businessId,
      contactId: call?.contactId ?? null,
      callId: call?.id ?? null,
      startsAt,
      endsAt,
      name: request.name ?? null,
      note: request.note ?? null,
    })
    await audit(tx, ctx, { action: 'appointment.book', entity: 'appointment', entityId: id })
    for (const moved of earlier) await cancelIn(tx, ctx, moved)
    return { id, startsAt, endsAt }
  })
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

async function cancelIn(tx: Executor, ctx: BusinessContext, id: string): Promise<void> {
  await tx
    .update(appointments)
    .set({ state: 'cancelled' })
    .where(and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId)))
  await audit(tx, ctx, { action: 'appointment.cancel', entity: 'appointment', entityId: id })
}

/** Takes an appointment back; taken back already, it stays so. @throws AppError `appointment_not_found` */
export async function cancelAppointment(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const mine = and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId))
    const [row] = await tx.select({ state: appointments.state }).from(appointments).where(mine).for('update')
    if (!row) throw appointmentNotFound()
    if (row.state === 'cancelled') return
    await cancelIn(tx, ctx, id)
  })
}

/** The next three free times, as words that a voice can say. */
async function freeTimes(
  tx: Executor,
  ctx: BusinessContext,
  after: Date,
  minutes: number,
  { hours, timeZone }: { hours: BusinessHours; timeZone: string },
): Promise<string[]> {
  const taken = await overlapping(tx, ctx, after, new Date(after.getTime() + 15 * 86_400_000))
  const free: string[] = []
  for (const start of possibleStarts(hours, after, minutes, timeZone)) {
    const end = new Date(start.getTime() + minutes * 60_000)
    if (taken.some((each) => each.startsAt < end && each.endsAt > start)) continue
    const { date, time } = wallClock(start, timeZone)
    free.push(`${date} ${time}`)
    if (free.length === 3) break
  }
  return free
}
