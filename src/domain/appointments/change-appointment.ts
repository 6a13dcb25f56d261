import { eq } from 'drizzle-orm'
import { z } from 'zod'
import { appointments, services } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { nameText, requiredText } from '../../lib/text.ts'
import { lockContact, phoneOf, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lockRow, moveRow } from './booking.ts'
import { readCalendar, readService } from './business-calendar.ts'
import { refreshBusyTimes } from './busy-times.ts'
import { lockCalendar } from './lock-calendar.ts'
import { planNoShow } from './plan-notices.ts'
import { mine, writeAppointment } from './write-appointment.ts'

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text))
const minutes = z
  .int()
  .min(5)
  .max(24 * 60)

export const newAppointment = z.object({
  /** Chosen by the client, so that a repeated request makes one appointment. */
  id: z.uuid().optional(),
  startsAt: instant,
  minutes,
  contactId: z.uuid().optional(),
  /** Finds or makes the contact where no `contactId` is given. */
  phone: z.string().max(64).optional(),
  name: nameText(200).nullish(),
  note: requiredText(2_000).nullish(),
  serviceId: z.uuid().optional(),
  /** Anybody who is free otherwise. */
  staffId: z.uuid().optional(),
  area: requiredText(100).nullish(),
  /** Only keeps the time, for as many minutes as the business has set, until it is booked. */
  hold: z.boolean().optional(),
})

export const appointmentMove = z.object({
  startsAt: instant,
  minutes: minutes.optional(),
  staffId: z.uuid().optional(),
})

/**
 * Makes an appointment for a member, who may also choose a time outside the business's hours. It is confirmed.
 * @returns its id
 * @throws AppError `slot_taken`, `id_taken`, `contact_not_found`, `invalid_number`; `in_the_past` of one that is only held
 */
export async function createAppointment(ctx: BusinessContext, input: z.input<typeof newAppointment>): Promise<string> {
  const { id = newId(), startsAt, ...wanted } = newAppointment.parse(input)
  const now = new Date()
  if (wanted.hold && startsAt <= now)
    throw new AppError('invalid', 'in_the_past', 'This time has passed.', { field: 'startsAt' })
  await refreshBusyTimes(ctx)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const [earlier] = await tx
      .select({ businessId: appointments.businessId })
      .from(appointments)
      .where(eq(appointments.id, id))
    if (earlier && earlier.businessId !== ctx.businessId)
      throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
    if (earlier) return
    const calendar = await readCalendar(tx, ctx)
    const service = wanted.serviceId ? await readService(tx, ctx, wanted.serviceId) : null
    const { name = null, note = null, area = null, staffId = null } = wanted
    const visit = { minutes: wanted.minutes, service, serviceId: service?.id ?? null, staffId, area }
    const phone = phoneOf(wanted.phone)
    let contactId = wanted.contactId ?? null
    if (contactId) await lockContact(tx, ctx, contactId)
    else if (phone) contactId = await resolveContact(tx, ctx, { phone, name })
    const values = { id, contactId, confirmedAt: now, name, note, area }
    const holds = wanted.hold ? calendar.settings.holdMinutes : null
    await writeAppointment(tx, ctx, calendar, { act: 'book', visit, startsAt, now, anyHour: true, holds, values })
  })
  return id
}

/**
 * Moves an appointment to another time; its length stays unless it is given.
 * @throws AppError `appointment_not_found`, `appointment_cancelled`, `slot_taken`
 */
export async function moveAppointment(
  ctx: BusinessContext,
  id: string,
  input: z.input<typeof appointmentMove>,
  now = new Date(),
): Promise<void> {
  const to = appointmentMove.parse(input)
  await refreshBusyTimes(ctx)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state !== 'booked' && row.state !== 'held')
      throw new AppError('conflict', 'appointment_cancelled', 'The appointment is cancelled. Restore it first.')
    const length = to.minutes ?? (row.endsAt.getTime() - row.startsAt.getTime()) / 60_000
    const same = row.startsAt.getTime() === to.startsAt.getTime() && row.endsAt.getTime() === endOf(to.startsAt, length)
    if (same && (!to.staffId || to.staffId === row.staffId)) return
    await moveRow(tx, ctx, await readCalendar(tx, ctx), row, to.startsAt, {
      ...{ now, minutes: length, anyHour: true },
      ...(to.staffId ? { staffId: to.staffId } : {}),
    })
  })
}

/**
 * Takes back a cancellation, or what was said of a customer who came after all; without one it stays as it is.
 * @throws AppError `appointment_not_found`, `slot_taken`
 */
export async function restoreAppointment(ctx: BusinessContext, id: string): Promise<void> {
  const now = new Date()
  await refreshBusyTimes(ctx)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'booked') return
    const calendar = await readCalendar(tx, ctx)
    const minutes = (row.endsAt.getTime() - row.startsAt.getTime()) / 60_000
    const [service] = row.serviceId ? await tx.select().from(services).where(eq(services.id, row.serviceId)) : []
    const visit = { minutes, service: service ?? null, staffId: row.staffId, area: row.area, except: id }
    const { startsAt } = row
    await writeAppointment(tx, ctx, calendar, { act: 'restore', row, visit, startsAt, now, anyHour: true })
  })
}

/** Notes that a customer did not come to an appointment that has begun. @throws AppError `appointment_not_found`, `not_begun` */
export async function noteNoShow(ctx: BusinessContext, id: string, now = new Date()): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'no_show') return
    if (row.state !== 'booked' || row.startsAt > now)
      throw new AppError('conflict', 'not_begun', 'Only of a booked appointment that has begun can this be said.')
    await tx.update(appointments).set({ state: 'no_show' }).where(mine(ctx, id))
    await audit(tx, ctx, { action: 'appointment.no_show', entity: 'appointment', entityId: id })
    await planNoShow(tx, ctx, row, now)
  })
}

const endOf = (startsAt: Date, length: number) => startsAt.getTime() + length * 60_000

export const appointmentChanges = newAppointment.pick({ name: true, note: true })

/**
 * Changes with whom an appointment is, and its note; what is left out stays, and null empties it.
 * @throws AppError `appointment_not_found`
 */
export async function updateAppointment(
  ctx: BusinessContext,
  id: string,
  input: z.input<typeof appointmentChanges>,
): Promise<void> {
  const { name, note } = appointmentChanges.parse(input)
  await ctx.db.transaction(async (tx) => {
    const row = await lockRow(tx, ctx, id)
    const next = { name: name === undefined ? row.name : name, note: note === undefined ? row.note : note }
    if (next.name === row.name && next.note === row.note) return
    await tx.update(appointments).set(next).where(mine(ctx, id))
    await audit(tx, ctx, { action: 'appointment.update', entity: 'appointment', entityId: id })
  })
}
