import { and, desc, eq, gt, inArray, or } from 'drizzle-orm'
import { appointments, calls, services } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { addDates, instantOf, startOfDate, wallClock } from '../../lib/local-time.ts'
import {
  type AppointmentToolArgs,
  type AppointmentToolName,
  appointmentTools,
  bookHeld,
  cancelByCustomer,
  isOffer,
  joinWaitingList,
  listServices,
  moveByCustomer,
  offerMoves,
  offerSlots,
  readAppointmentRow,
  refuseTime,
  takeOffer,
  visitOfMove,
} from '../appointments/index.ts'
import type { BusinessContext } from '../context.ts'
import { scoreTexts } from '../knowledge/index.ts'

const MOST_OFFERS = 12

export type Wanted = { date: string; time: string }
type OfferedService = Awaited<ReturnType<typeof listServices>>[number]
export type BookingWanted = Omit<AppointmentToolArgs<'book_appointment'>, 'service'> & {
  service: OfferedService | null
}

/** Who a model talks with, and how it books for them: in a conversation, or in a call. */
export type AppointmentCustomer = {
  timeZone: string
  /** Null where it is not known who it is. */
  contactId: string | null
  /** What was booked in this call is the caller's, also of one who is not known. */
  callId: string | null
  /** Why `contactId` is null. */
  unknownBecause: () => AppError
  /** In which they are written to; the business's where it is left out. */
  language?: 'he' | 'en'
  /** Whether a service has to be named where there are several. */
  namesService: boolean
  book(wanted: BookingWanted): Promise<{ startsAt: Date; state: string; id: string }>
}

/**
 * Runs an appointment tool for the customer; called twice with the same arguments, it acts once.
 * @throws AppError whose message a model may read; ZodError
 */
export async function runAppointmentTool(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  name: AppointmentToolName,
  args: unknown,
  now = new Date(),
): Promise<unknown> {
  switch (name) {
    case 'find_times':
      return await findTimes(ctx, appointmentTools.find_times.args.parse(args), now)
    case 'book_appointment':
      return await book(ctx, customer, appointmentTools.book_appointment.args.parse(args), now)
    case 'my_appointments': {
      appointmentTools.my_appointments.args.parse(args)
      const own = await ownAppointments(ctx, customer, now)
      return {
        appointments: own.map(({ date, time, service, isHeld }) => ({
          ...{ date, time, service },
          // Not booked yet: for a deposit, or for who waited.
          ...(isHeld ? { held: true } : {}),
        })),
      }
    }
    case 'reschedule_appointment':
      return await reschedule(ctx, customer, appointmentTools.reschedule_appointment.args.parse(args), now)
    case 'cancel_appointment':
      return await cancel(ctx, customer, appointmentTools.cancel_appointment.args.parse(args), now)
    case 'join_waiting_list':
      return await join(ctx, customer, appointmentTools.join_waiting_list.args.parse(args), now)
  }
}

/** The service that is meant; null where the business has none. @throws AppError `service_unclear`, `service_not_found` */
async function serviceOf(ctx: BusinessContext, name: string | undefined): Promise<OfferedService | null> {
  const offered = (await listServices(ctx)).filter(({ online }) => online)
  if (offered.length === 0) return null
  const [only] = offered
  if (offered.length === 1 && only) return only
  const names = offered.map(({ nameHe, nameEn }) => `${nameHe} / ${nameEn}`).join('; ')
  if (!name)
    throw new AppError('invalid', 'service_unclear', `Name the service, one of: ${names}.`, { field: 'service' })
  const texts = offered.map((service) => ({ title: '', body: `${service.nameHe} ${service.nameEn}`, service }))
  const [best] = scoreTexts(texts, name)
  if (!best || best.share < 0.4)
    throw new AppError('not_found', 'service_not_found', `There is no such service. There are: ${names}.`, {
      field: 'service',
    })
  return best.text.service
}

async function findTimes(ctx: BusinessContext, wanted: AppointmentToolArgs<'find_times'>, now: Date) {
  const service = await serviceOf(ctx, wanted.service)
  const slots = await offerSlots(ctx, { serviceId: service?.id ?? null }, { from: wanted.date, days: wanted.days }, now)
  const times = slots.slice(0, MOST_OFFERS).map(({ date, time }) => ({ date, time }))
  return times.length > 0
    ? { times, more: slots.length > times.length }
    : { times, note: 'Nothing is free then. Try other dates.' }
}

async function book(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  wanted: AppointmentToolArgs<'book_appointment'>,
  now: Date,
) {
  const own = (await findOwn(ctx, customer, now)).find((each) => isAt(each, wanted))
  const standing = own?.isHeld ? await takeHeld(ctx, own, wanted.hold === true, now) : BOOKED_ALREADY
  // What was held until a moment ago may still be free.
  if (own && standing) return { ok: true, date: own.date, time: own.time, appointment_id: own.id, ...standing }
  const named = wanted.service !== undefined || customer.namesService
  const service = named || wanted.minutes === undefined ? await serviceOrNone(ctx, wanted.service, named) : null
  const row = await customer.book({ ...wanted, service })
  return {
    ...{ ok: true, ...wallTime(row.startsAt, customer), appointment_id: row.id },
    ...(row.state === 'held' ? (wanted.hold ? KEPT : HELD) : {}),
  }
}

const BOOKED_ALREADY = { note: 'It is booked already.' }
const HELD = { note: 'It is held, and counts once its deposit is paid.' }
const KEPT = { kept: true, note: 'It is not booked: it is kept for some minutes, until the customer has decided.' }

/**
 * Books what is only held for the customer, who waited for it or has decided. @param hold it is to be kept on
 * @returns null where it is held no longer
 */
async function takeHeld(ctx: BusinessContext, { id }: OwnAppointment, hold: boolean, now: Date) {
  if (hold) return KEPT
  try {
    const row = (await isOffer(ctx.db, ctx, id)) ? await takeOffer(ctx, id, now) : await bookHeld(ctx, id, now)
    return row.state === 'held' ? HELD : {}
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'deposit_due') return HELD
    if (error.code === 'hold_over') return null
    throw error
  }
}

/** @param needed otherwise one that is not clear is left out */
async function serviceOrNone(ctx: BusinessContext, name: string | undefined, needed: boolean) {
  try {
    return await serviceOf(ctx, name)
  } catch (error) {
    if (!needed && error instanceof AppError && error.code === 'service_unclear') return null
    throw error
  }
}

export const isAt = (each: Wanted, wanted: Wanted) => each.date === wanted.date && each.time === wanted.time

const wallTime = (at: Date, { timeZone }: AppointmentCustomer): Wanted => {
  const { date, time } = wallClock(at, timeZone)
  return { date, time }
}

export type OwnAppointment = Wanted & { id: string; service: string | null; startsAt: Date; isHeld: boolean }

/** The customer's appointments that are to come. @throws AppError that of `unknownBecause` */
export async function ownAppointments(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  now: Date,
): Promise<OwnAppointment[]> {
  const own = await findOwn(ctx, customer, now)
  if (own.length === 0 && !customer.contactId) throw customer.unknownBecause()
  return own
}

async function findOwn(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  now: Date,
  states: ('held' | 'booked' | 'cancelled')[] = ['held', 'booked'],
): Promise<OwnAppointment[]> {
  const { contactId, callId } = customer
  const whose = [
    ...(contactId ? [eq(appointments.contactId, contactId)] : []),
    ...(callId ? [eq(appointments.callId, callId)] : []),
  ]
  if (whose.length === 0) return []
  const rows = await ctx.db
    .select({
      id: appointments.id,
      startsAt: appointments.startsAt,
      state: appointments.state,
      service: services.nameEn,
    })
    .from(appointments)
    .leftJoin(services, eq(services.id, appointments.serviceId))
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        or(...whose),
        inArray(appointments.state, states),
        gt(appointments.startsAt, now),
      ),
    )
    .orderBy(...(states.includes('cancelled') ? [desc(appointments.updatedAt)] : []), appointments.startsAt)
    .limit(10)
  return rows.map(({ state, ...row }) => ({ ...row, ...wallTime(row.startsAt, customer), isHeld: state === 'held' }))
}

type At = { date?: string | undefined; time?: string | undefined }
const meets = (own: Wanted, { date, time }: At) => (!date || date === own.date) && (!time || time === own.time)

/** The customer's own appointment that is meant. @throws AppError `no_appointment`, `appointment_unclear` */
function oneOf(own: OwnAppointment[], at: At): OwnAppointment {
  const [one, ...others] = own.filter((each) => meets(each, at))
  if (one && others.length === 0) return one
  if (own.length === 0)
    throw new AppError('not_found', 'no_appointment', 'The customer has no appointment that is to come.')
  const list = own.map(({ date, time }) => `${date} ${time}`).join(', ')
  throw new AppError('invalid', 'appointment_unclear', `Name one of the customer’s appointments: ${list}.`)
}

async function reschedule(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  wanted: AppointmentToolArgs<'reschedule_appointment'>,
  now: Date,
) {
  const from = { date: wanted.from_date, time: wanted.from_time }
  const all = await ownAppointments(ctx, customer, now)
  const there = all.find((each) => isAt(each, wanted))
  if (there && !all.some((each) => each !== there && meets(each, from)))
    return { ok: true, date: there.date, time: there.time, note: 'It is at this time already.' }
  const own = oneOf(all, from)
  const row = await readAppointmentRow(ctx, own.id)
  if (!row) throw new AppError('not_found', 'no_appointment', 'The appointment is gone.')
  const slot = (await offerMoves(ctx, row, { from: wanted.date, days: 1 }, now)).find((each) => isAt(each, wanted))
  if (!slot) throw await refuseTime(ctx, visitOfMove(row), wanted, now)
  await moveByCustomer(ctx, own.id, slot.slot, now)
  return { ok: true, from: { date: own.date, time: own.time }, date: slot.date, time: slot.time }
}

async function cancel(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  at: AppointmentToolArgs<'cancel_appointment'>,
  now: Date,
) {
  const all = await findOwn(ctx, customer, now)
  if (!all.some((each) => meets(each, at))) {
    const before = (await findOwn(ctx, customer, now, ['cancelled'])).find((each) => meets(each, at))
    if (before && (all.length === 0 || (at.date && at.time)))
      return { ok: true, cancelled: true, date: before.date, time: before.time, note: 'It is cancelled already.' }
    if (all.length === 0 && !customer.contactId) throw customer.unknownBecause()
  }
  const own = oneOf(all, at)
  await cancelByCustomer(ctx, own.id, now)
  return { ok: true, cancelled: true, date: own.date, time: own.time }
}

async function join(
  ctx: BusinessContext,
  customer: AppointmentCustomer,
  { from_date, to_date = from_date, from_time, to_time, service: name }: AppointmentToolArgs<'join_waiting_list'>,
  now: Date,
) {
  if (!customer.contactId) throw customer.unknownBecause()
  const service = await serviceOf(ctx, name)
  const { timeZone } = customer
  const from = instantOf(from_date, from_time ?? '00:00', timeZone)
  const to = to_time ? instantOf(to_date, to_time, timeZone) : startOfDate(addDates(to_date, 1), timeZone)
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()))
    throw new AppError('invalid', 'invalid_date', 'There is no such day, or no such time on it.')
  await joinWaitingList(
    ctx,
    {
      ...{ contactId: customer.contactId, from: from.toISOString(), to: to.toISOString() },
      ...(service ? { serviceId: service.id } : {}),
      ...(customer.language ? { language: customer.language } : {}),
    },
    now,
  )
  return { ok: true, waiting: true, note: 'They are sent a link when a time becomes free.' }
}

/** The row of a call with its contact; null before the call is written. */
export async function readCaller(ctx: BusinessContext, callSid: string) {
  const [row] = await ctx.db
    .select({ id: calls.id, contactId: calls.contactId })
    .from(calls)
    .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId)))
  return row ?? null
}
