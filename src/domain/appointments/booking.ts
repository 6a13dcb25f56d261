import { and, eq, gt, inArray, isNull } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, type BOOKING_SOURCES, services, staff } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { addDates, instantOf, startOfDate, wallClock } from '../../lib/local-time.ts'
import { resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type BusinessCalendar, readCalendar, readService, type Service } from './business-calendar.ts'
import { refreshBusyTimes } from './busy-times.ts'
import { lockCalendar } from './lock-calendar.ts'
import { offerWaiting } from './offer-waiting.ts'
import { freeSlots, fullDatesOf, lastReachable, notFree, type Visit } from './place.ts'
import { planDeposit, planNotices } from './plan-notices.ts'
import { appointmentNotFound } from './queries.ts'
import { readSlotHandle, type SlotFacts, slotHandle } from './slots.ts'
import { type AppointmentRow, awaitsDeposit, holdEnd, mine, writeAppointment } from './write-appointment.ts'

const MINUTE = 60_000
const DEFAULT_MINUTES = 30
/** So often one appointment is moved by its customer: each time they are written to. */
const MOST_CHANGES = 20
/** So many are booked for one number in a day, those that were cancelled again among them. */
const MOST_IN_A_DAY = 10

export type BookingSource = (typeof BOOKING_SOURCES)[number]

export type SlotRequest = {
  /** As `offerSlots` named it. */
  slot: string
  source: Exclude<BookingSource, 'console' | 'calendar'>
  /** What makes a repeated request the same: of a call, a conversation or a form. */
  requestKey: string
  phone: string
  name?: string | null
  note?: string | null
  area?: string | null
  language?: 'he' | 'en'
  minutes?: number
  /** Only keeps it for a while, until `bookHeld`. */
  hold?: boolean
}

type SlotsWanted = {
  serviceId?: string | null
  staffId?: string | null
  minutes?: number
  area?: string | null
  /** An appointment that a member moves: its length and buffers count. */
  except?: string
}

export type SlotOffer = { slot: string; startsAt: Date; date: string; time: string }

/**
 * The free times of a service on the dates asked for, each once, as handles. The time of the appointment `except` is free for it.
 * @throws AppError `service_not_found`, `staff_not_found`, `appointment_not_found`
 */
export async function offerSlots(
  ctx: BusinessContext,
  wanted: SlotsWanted,
  dates: { from: string; days: number },
  now = new Date(),
): Promise<SlotOffer[]> {
  const calendar = await readCalendar(ctx.db, ctx)
  const visit = await visitOf(ctx.db, ctx, wanted)
  const span = reachableIn(calendar, dates, now)
  const slots = span ? await freeSlots(ctx.db, ctx, calendar, visit, span) : []
  return [...new Set(slots.map((each) => each.startsAt))].map((at) =>
    offerOf(ctx, wanted, calendar.timeZone, new Date(at)),
  )
}

/**
 * Of the dates asked for, those on which a service is given and every time is taken: what one can wait for.
 * @throws AppError `service_not_found`
 */
export async function fullDates(
  ctx: BusinessContext,
  serviceId: string,
  dates: { from: string; days: number },
  now = new Date(),
): Promise<string[]> {
  const calendar = await readCalendar(ctx.db, ctx)
  const span = reachableIn(calendar, dates, now)
  return span ? await fullDatesOf(ctx.db, ctx, calendar, await visitOf(ctx.db, ctx, { serviceId }), span) : []
}

/** The part of some dates that customers can book; null where there is none. */
function reachableIn(
  calendar: BusinessCalendar,
  dates: { from: string; days: number },
  now: Date,
): { from: Date; to: Date } | null {
  const { settings, timeZone } = calendar
  const earliest = now.getTime() + settings.noticeMinutes * MINUTE
  const last = lastReachable(calendar, now)
  const from = new Date(Math.max(earliest, startOfDate(dates.from, timeZone).getTime()))
  const to = new Date(Math.min(last.getTime(), startOfDate(addDates(dates.from, dates.days), timeZone).getTime()))
  return from < to ? { from, to } : null
}

/**
 * The refusal of a time that was not among the free ones, with the next that are.
 * @throws AppError `invalid_date`, and those of `offerSlots`
 */
export async function refuseTime(
  ctx: BusinessContext,
  wanted: SlotsWanted,
  { date, time }: { date: string; time: string },
  now = new Date(),
): Promise<AppError> {
  const calendar = await readCalendar(ctx.db, ctx)
  const startsAt = instantOf(date, time, calendar.timeZone)
  if (Number.isNaN(startsAt.getTime())) throw noSuchTime()
  return await notFree(ctx.db, ctx, calendar, await visitOf(ctx.db, ctx, wanted), startsAt, now)
}

export const noSuchTime = () =>
  new AppError('invalid', 'invalid_date', 'There is no such day, or no such time on it: the clocks change.')

function offerOf(
  ctx: BusinessContext,
  { serviceId = null, staffId = null }: { serviceId?: string | null; staffId?: string | null },
  timeZone: string,
  startsAt: Date,
): SlotOffer {
  const { date, time } = wallClock(startsAt, timeZone)
  return { slot: slotHandle(ctx.businessId, { startsAt, serviceId, staffId }), startsAt, date, time }
}

/** @throws AppError `service_not_found` */
async function visitOf(
  tx: Executor,
  ctx: BusinessContext,
  wanted: SlotsWanted,
): Promise<Visit & { service: Service | null }> {
  if (wanted.except) return await visitByMember(tx, ctx, { ...wanted, except: wanted.except })
  const service = wanted.serviceId ? await readService(tx, ctx, wanted.serviceId) : null
  return {
    serviceId: service?.id ?? null,
    staffId: wanted.staffId ?? null,
    area: wanted.area ?? null,
    minutes: service?.minutes ?? wanted.minutes ?? DEFAULT_MINUTES,
    service,
  }
}

/** A member may move an appointment to anybody, whoever gives its service. @throws AppError `appointment_not_found` */
async function visitByMember(
  tx: Executor,
  ctx: BusinessContext,
  { except, staffId = null, minutes }: SlotsWanted & { except: string },
): Promise<Visit & { service: Service | null }> {
  const [row] = await tx
    .select({ appointment: appointments, service: services })
    .from(appointments)
    .leftJoin(services, eq(services.id, appointments.serviceId))
    .where(mine(ctx, except))
  if (!row) throw appointmentNotFound()
  const { startsAt, endsAt, area } = row.appointment
  const length = (endsAt.getTime() - startsAt.getTime()) / MINUTE
  return { serviceId: null, staffId, area, minutes: minutes ?? length, service: row.service, except }
}

/** @throws AppError `slot_unknown` */
export async function readSlot(tx: Executor, ctx: BusinessContext, handle: string): Promise<SlotFacts> {
  const mine = await tx
    .select({ id: services.id })
    .from(services)
    .where(and(eq(services.businessId, ctx.businessId), isNull(services.archivedAt)))
  const people = await tx
    .select({ id: staff.id })
    .from(staff)
    .where(and(eq(staff.businessId, ctx.businessId), isNull(staff.archivedAt)))
  const candidates = [null, ...mine.map(({ id }) => id)].flatMap((serviceId) =>
    [null, ...people.map(({ id }) => id)].map((staffId) => ({ serviceId, staffId })),
  )
  const slot = readSlotHandle(ctx.businessId, handle, candidates)
  if (!slot)
    throw new AppError('invalid', 'slot_unknown', 'This time was not offered. Choose one of the free times.', {
      field: 'slot',
    })
  return slot
}

/**
 * Books a time that was offered, for a customer. One that asks for a deposit is held until it is paid. Asked again with the same key,
 * it is the same appointment.
 * @throws AppError `slot_unknown`, `slot_taken`, `closed` (both name free times), `too_soon`, `too_far`, `booking_limit`,
 *   `already_booked`
 */
export async function bookSlot(ctx: BusinessContext, request: SlotRequest, now = new Date()): Promise<AppointmentRow> {
  await refreshBusyTimes(ctx)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const again = await findByRequest(tx, ctx, request.requestKey)
    if (again) return again
    const slot = await readSlot(tx, ctx, request.slot)
    const calendar = await readCalendar(tx, ctx)
    requireInReach(calendar, slot.startsAt, now)
    const visit = await visitOf(tx, ctx, { ...request, ...slot })
    const contactId = await resolveContact(tx, ctx, { phone: request.phone, name: request.name ?? null })
    if (request.source === 'page') await requireOther(tx, ctx, contactId, slot)
    const givenUp = request.source === 'page' ? [] : await giveUpKept(tx, ctx, contactId, now)
    await requireFewOpen(tx, ctx, contactId, calendar.settings.openPerCustomer, now)
    const { depositMinutes, holdMinutes } = calendar.settings
    const holds = request.hold ? holdMinutes : visit.service?.deposit ? depositMinutes : null
    const row = await writeAppointment(tx, ctx, calendar, {
      ...{ act: 'book', visit, startsAt: slot.startsAt, now, holds, deposit: !request.hold },
      values: {
        ...{ id: newId(), contactId, source: request.source, requestKey: request.requestKey },
        ...{ area: request.area ?? null, language: request.language ?? calendar.language },
        ...{ name: request.name ?? null, note: request.note ?? null },
      },
    })
    for (const each of givenUp) await offerFreed(tx, ctx, each, now)
    return row
  })
}

/**
 * Books what is held; booked already, it stays so.
 * @throws AppError `appointment_not_found`, `hold_over`, `deposit_due`
 */
export async function bookHeld(ctx: BusinessContext, id: string, now = new Date()): Promise<AppointmentRow> {
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'booked') return row
    if (row.state !== 'held')
      throw new AppError('gone', 'hold_over', 'This time is no longer held. Choose another one.')
    if (await awaitsDeposit(tx, ctx, row))
      throw new AppError('conflict', 'deposit_due', 'The appointment counts when its deposit is paid.')
    return await bookOrAsk(tx, ctx, row, now)
  })
}

/**
 * A customer decides about one time: who asks the agent for another, in a call or in writing, gives up the one that it only kept.
 * The booking page keeps none, and does not know who fills it in. @returns what was given up
 */
export async function giveUpKept(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  now: Date,
): Promise<AppointmentRow[]> {
  const rows = await tx
    .select()
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.contactId, contactId),
        inArray(appointments.source, ['voice', 'whatsapp']),
        eq(appointments.state, 'held'),
      ),
    )
  const givenUp: AppointmentRow[] = []
  for (const row of rows)
    if (!(await awaitsDeposit(tx, ctx, row))) {
      await withdrawRow(tx, ctx, row, now)
      givenUp.push(row)
    }
  return givenUp
}

/** Books what is held, or holds it on until the deposit is paid that its service asks for. Under the lock of the calendar. */
export async function bookOrAsk(
  tx: Executor,
  ctx: BusinessContext,
  row: AppointmentRow,
  now: Date,
): Promise<AppointmentRow> {
  const [service] = row.serviceId ? await tx.select().from(services).where(eq(services.id, row.serviceId)) : []
  if (!service?.deposit) return await toBooked(tx, ctx, row, now)
  const { depositMinutes } = (await readCalendar(tx, ctx)).settings
  const heldUntil = holdEnd(now, depositMinutes, row.startsAt)
  await tx.update(appointments).set({ heldUntil }).where(mine(ctx, row.id))
  await planDeposit(tx, ctx, row, now)
  return { ...row, heldUntil }
}

/** Under the lock of the calendar. */
export async function toBooked(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date) {
  const booked = { ...row, state: 'booked' as const, heldUntil: null }
  await tx.update(appointments).set({ state: 'booked', heldUntil: null }).where(mine(ctx, row.id))
  await audit(tx, ctx, { action: 'appointment.book', entity: 'appointment', entityId: row.id })
  await planNotices(tx, ctx, await readCalendar(tx, ctx), booked, now, 'booked')
  return booked
}

/**
 * Moves a customer's own appointment to a time that was offered for its service.
 * @throws AppError `appointment_not_found`, `appointment_over`, `too_late`, and those of `bookSlot`
 */
export async function moveByCustomer(
  ctx: BusinessContext,
  id: string,
  slot: string,
  now = new Date(),
): Promise<AppointmentRow> {
  await refreshBusyTimes(ctx)
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    const calendar = await readCalendar(tx, ctx)
    const to = readSlotHandle(ctx.businessId, slot, [{ serviceId: row.serviceId, staffId: null }])
    if (!to)
      throw new AppError('invalid', 'slot_unknown', 'This time was not offered. Choose one of the free times.', {
        field: 'slot',
      })
    if (row.startsAt.getTime() === to.startsAt.getTime() && row.state === 'booked') return row
    if (row.revision >= MOST_CHANGES) throw tooManyOf()
    requireChangeable(calendar, row, now)
    requireInReach(calendar, to.startsAt, now)
    return await moveRow(tx, ctx, calendar, row, to.startsAt, { now })
  })
}

/** Cancels a customer's own appointment; cancelled already, it stays so. @throws AppError `appointment_not_found`, `appointment_over`, `too_late` */
export async function cancelByCustomer(ctx: BusinessContext, id: string, now = new Date()): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'cancelled') return
    // What is only held is given up at any time.
    if (row.state !== 'held') requireChangeable(await readCalendar(tx, ctx), row, now)
    await cancelRow(tx, ctx, row, now)
  })
}

/** The free times to which an appointment of a customer may move. */
export async function offerMoves(
  ctx: BusinessContext,
  row: AppointmentRow,
  dates: { from: string; days: number },
  now = new Date(),
) {
  return await offerSlots(ctx, visitOfMove(row), dates, now)
}

/** What is wanted where an appointment of a customer moves. */
export const visitOfMove = (row: AppointmentRow): SlotsWanted => ({
  serviceId: row.serviceId,
  minutes: (row.endsAt.getTime() - row.startsAt.getTime()) / MINUTE,
  area: row.area,
})

/** Under the lock of the calendar: another time, and with it another revision; what was planned for the earlier is not sent. */
export async function moveRow(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  row: AppointmentRow,
  startsAt: Date,
  options: { now: Date; minutes?: number; staffId?: string; anyHour?: boolean },
): Promise<AppointmentRow> {
  const [service] = row.serviceId ? await tx.select().from(services).where(eq(services.id, row.serviceId)) : []
  const visit: Visit = {
    minutes: options.minutes ?? (row.endsAt.getTime() - row.startsAt.getTime()) / MINUTE,
    service: service ?? null,
    serviceId: options.anyHour ? null : row.serviceId,
    staffId: options.staffId ?? (options.anyHour ? row.staffId : null),
    area: row.area,
    except: row.id,
  }
  const { now, anyHour = false } = options
  const moved = await writeAppointment(tx, ctx, calendar, { act: 'move', row, visit, startsAt, now, anyHour })
  await offerWaiting(tx, ctx, now, freedBy(row))
  return moved
}

/** Who waits may come between, and take the time with the buffers of another service. */
const freedBy = ({ busyFrom, busyTo }: AppointmentRow) => ({
  from: new Date(busyFrom.getTime() - 86_400_000),
  to: busyTo,
})

/** Under the lock of the calendar: cancelled, and what gets free is offered to who waits. */
export async function cancelRow(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date): Promise<void> {
  await withdrawRow(tx, ctx, row, now)
  await offerFreed(tx, ctx, row, now)
}

/** Offers the time of an appointment that was withdrawn to who waits for it. */
export async function offerFreed(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date): Promise<void> {
  await offerWaiting(tx, ctx, now, freedBy(row))
}

/** Cancelled, and its time not yet offered: another appointment of the same customer may take it first. */
export async function withdrawRow(tx: Executor, ctx: BusinessContext, row: AppointmentRow, now: Date): Promise<void> {
  const changed = { state: 'cancelled' as const, requestKey: null, heldUntil: null, revision: row.revision + 1 }
  // Who declines what is offered, or was only kept, has had no appointment.
  const isOnlyKept = row.state === 'held' && !(await awaitsDeposit(tx, ctx, row))
  await tx.update(appointments).set(changed).where(mine(ctx, row.id))
  const action = isOnlyKept ? 'appointment.expire' : 'appointment.cancel'
  await audit(tx, ctx, { action, entity: 'appointment', entityId: row.id })
  if (!isOnlyKept) await planNotices(tx, ctx, await readCalendar(tx, ctx), { ...row, ...changed }, now, 'cancelled')
}

export async function lockRow(tx: Executor, ctx: BusinessContext, id: string): Promise<AppointmentRow> {
  const [row] = await tx.select().from(appointments).where(mine(ctx, id)).for('update')
  if (!row) throw appointmentNotFound()
  return row
}

async function findByRequest(tx: Executor, ctx: BusinessContext, requestKey: string): Promise<AppointmentRow | null> {
  const [row] = await tx
    .select()
    .from(appointments)
    .where(and(eq(appointments.businessId, ctx.businessId), eq(appointments.requestKey, requestKey)))
  return row ?? null
}

/** A form that is opened again and sent again is not a second appointment. */
async function requireOther(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  { startsAt, serviceId }: SlotFacts,
): Promise<void> {
  const same = await tx.$count(
    appointments,
    and(
      eq(appointments.businessId, ctx.businessId),
      eq(appointments.contactId, contactId),
      eq(appointments.startsAt, startsAt),
      serviceId ? eq(appointments.serviceId, serviceId) : isNull(appointments.serviceId),
      inArray(appointments.state, ['held', 'booked']),
    ),
  )
  if (same > 0)
    throw new AppError('conflict', 'already_booked', 'This number has that appointment already.', { field: 'slot' })
}

async function requireFewOpen(
  tx: Executor,
  ctx: BusinessContext,
  contactId: string,
  most: number,
  now: Date,
): Promise<void> {
  const rows = await tx
    .select({ id: appointments.id })
    .from(appointments)
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.contactId, contactId),
        inArray(appointments.state, ['held', 'booked']),
        inArray(appointments.source, ['page', 'whatsapp']),
        isNull(appointments.confirmedAt),
        // Who came before is no risk: only what is ahead counts.
        gt(appointments.endsAt, now),
      ),
    )
    .limit(most)
  if (rows.length >= most) throw tooManyOf()
  const lately = await tx.$count(
    appointments,
    and(
      eq(appointments.businessId, ctx.businessId),
      eq(appointments.contactId, contactId),
      inArray(appointments.source, ['page', 'whatsapp']),
      gt(appointments.createdAt, new Date(now.getTime() - 86_400_000)),
    ),
  )
  if (lately >= Math.max(MOST_IN_A_DAY, most)) throw tooManyOf()
}

const tooManyOf = () =>
  new AppError('rate_limited', 'booking_limit', 'This number has as many open appointments as it can have.')

/** Customers come neither too soon nor too far ahead. @throws AppError `too_soon`, `too_far` */
export function requireInReach(calendar: BusinessCalendar, startsAt: Date, now: Date, field = 'slot'): void {
  if (startsAt.getTime() < now.getTime() + calendar.settings.noticeMinutes * MINUTE)
    throw new AppError('invalid', 'too_soon', 'This time is too soon. Choose a later one.', { field })
  if (startsAt >= lastReachable(calendar, now))
    throw new AppError('invalid', 'too_far', 'This time is too far away. Choose an earlier one.', { field })
}

/** Whether customers may still move or cancel what begins then. */
export function canStillChange(startsAt: Date, changeMinutes: number, now: Date): boolean {
  return startsAt.getTime() - now.getTime() >= changeMinutes * MINUTE
}

function requireChangeable({ settings }: BusinessCalendar, row: AppointmentRow, now: Date): void {
  if (row.state !== 'booked' && row.state !== 'held')
    throw new AppError('gone', 'appointment_over', 'This appointment can no longer be changed.')
  if (!canStillChange(row.startsAt, settings.changeMinutes, now))
    throw new AppError('conflict', 'too_late', 'It is too late to change this appointment here. Call the business.')
}
