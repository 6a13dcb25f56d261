import { and, eq, ne } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { appointments } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { requiredText } from '../../lib/text.ts'
import { lockContact, phoneOf, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { appointmentNotFound, overlapping } from './queries.ts'

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
  name: requiredText(200).nullish(),
  note: requiredText(2_000).nullish(),
})

export const appointmentMove = z.object({ startsAt: instant, minutes: minutes.optional() })

/**
 * Makes an appointment for a member, who may also choose a time outside the business's hours. It is confirmed.
 * @returns its id
 * @throws AppError `slot_taken`, `id_taken`, `contact_not_found`, `invalid_number`
 */
export async function createAppointment(ctx: BusinessContext, input: z.input<typeof newAppointment>): Promise<string> {
  const { id = newId(), startsAt, ...wanted } = newAppointment.parse(input)
  const endsAt = endOf(startsAt, wanted.minutes)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx)
    const [earlier] = await tx
      .select({ businessId: appointments.businessId })
      .from(appointments)
      .where(eq(appointments.id, id))
    if (earlier && earlier.businessId !== ctx.businessId)
      throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
    if (earlier) return
    await requireFree(tx, ctx, { startsAt, endsAt })
    const phone = phoneOf(wanted.phone)
    let contactId = wanted.contactId ?? null
    if (contactId) await lockContact(tx, ctx, contactId)
    else if (phone) contactId = await resolveContact(tx, ctx, { phone, name: wanted.name ?? null })
    const { name = null, note = null } = wanted
    const confirmedAt = new Date()
    await tx
      .insert(appointments)
      .values({ id, businessId: ctx.businessId, contactId, startsAt, endsAt, confirmedAt, name, note })
    await audit(tx, ctx, { action: 'appointment.book', entity: 'appointment', entityId: id })
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
): Promise<void> {
  const to = appointmentMove.parse(input)
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx)
    const row = await lockAppointment(tx, ctx, id)
    if (row.state === 'cancelled')
      throw new AppError('conflict', 'appointment_cancelled', 'The appointment is cancelled. Restore it first.')
    const length = to.minutes ?? (row.endsAt.getTime() - row.startsAt.getTime()) / 60_000
    const times = { startsAt: to.startsAt, endsAt: endOf(to.startsAt, length) }
    if (times.startsAt.getTime() === row.startsAt.getTime() && times.endsAt.getTime() === row.endsAt.getTime()) return
    await requireFree(tx, ctx, times, id)
    await tx.update(appointments).set(times).where(mine(ctx, id))
    await audit(tx, ctx, { action: 'appointment.move', entity: 'appointment', entityId: id })
  })
}

/**
 * Takes back a cancellation; without one it stays as it is.
 * @throws AppError `appointment_not_found`, `slot_taken`
 */
export async function restoreAppointment(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx)
    const row = await lockAppointment(tx, ctx, id)
    if (row.state === 'booked') return
    await requireFree(tx, ctx, row, id)
    await tx.update(appointments).set({ state: 'booked' }).where(mine(ctx, id))
    await audit(tx, ctx, { action: 'appointment.restore', entity: 'appointment', entityId: id })
  })
}

const mine = (ctx: BusinessContext, id: string) =>
  and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId))

const endOf = (startsAt: Date, length: number) => new Date(startsAt.getTime() + length * 60_000)

/** One change of a business's calendar at a time: two that overlap cannot both see a free slot. */
async function lockCalendar(tx: Executor, ctx: BusinessContext): Promise<void> {
  await lock(tx, `appointments:${ctx.businessId}`)
}

async function lockAppointment(tx: Executor, ctx: BusinessContext, id: string) {
  const [row] = await tx.select().from(appointments).where(mine(ctx, id)).for('update')
  if (!row) throw appointmentNotFound()
  return row
}

async function requireFree(
  tx: Executor,
  ctx: BusinessContext,
  { startsAt, endsAt }: { startsAt: Date; endsAt: Date },
  except?: string,
): Promise<void> {
  const busy = await overlapping(tx, ctx, startsAt, endsAt, except ? ne(appointments.id, except) : undefined)
  if (busy.length > 0)
    throw new AppError('conflict', 'slot_taken', 'This time is taken. Choose another one.', { field: 'startsAt' })
}
