import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointmentNotices, appointments, services } from '../../../db/schema/index.ts'
import { sqlStateOf } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { BusinessCalendar } from './business-calendar.ts'
import { findPlace, notFree, type PlaceOptions, type Visit } from './place.ts'
import { planDeposit, planNotices } from './plan-notices.ts'

export type AppointmentRow = typeof appointments.$inferSelect
type NewAppointment = typeof appointments.$inferInsert

export const mine = (ctx: BusinessContext, id: string) =>
  and(eq(appointments.id, id), eq(appointments.businessId, ctx.businessId))

type Written = PlaceOptions & { visit: Visit; startsAt: Date } & (
    | {
        /** A new one. */
        act: 'book'
        values: Pick<NewAppointment, 'id'> & Partial<NewAppointment>
        /** Minutes for which it is only held; null books it. */
        holds?: number | null
        /** It is held until its deposit is paid. */
        deposit?: boolean
      }
    | { act: 'move' | 'restore'; row: AppointmentRow }
  )

/**
 * The one place where an appointment gets its time: found, written, audited, and its customer's notices planned. Under the lock
 * of the calendar; the constraint of the table is the last word where another writer does not know the lock.
 * @throws AppError `slot_taken`, `closed`: both name the next free times
 */
export async function writeAppointment(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  wanted: Written,
): Promise<AppointmentRow> {
  const { visit, startsAt, now } = wanted
  const place = await findPlace(tx, ctx, calendar, visit, startsAt, wanted)
  const row = await takeTime(
    tx,
    async (inner) => {
      const rows =
        wanted.act === 'book'
          ? await inner
              .insert(appointments)
              .values({
                ...{ ...place, ...stateOf(wanted.holds ?? null, now, place.startsAt), ...wanted.values },
                ...{ businessId: ctx.businessId, serviceId: visit.service?.id ?? null },
              })
              .returning()
          : await inner
              .update(appointments)
              .set({ ...place, ...changesOf(wanted, place.startsAt), revision: wanted.row.revision + 1 })
              .where(mine(ctx, wanted.row.id))
              .returning()
      const [written] = rows
      if (!written) throw new Error('The appointment was not written.')
      return written
    },
    () => notFree(tx, ctx, calendar, visit, startsAt, now),
  )
  const act = wanted.act === 'book' && row.state === 'held' ? 'hold' : wanted.act
  await audit(tx, ctx, { action: `appointment.${act}`, entity: 'appointment', entityId: row.id })
  if (row.state === 'booked')
    await planNotices(tx, ctx, calendar, row, now, act === 'move' ? 'moved' : 'booked', beforeOf(wanted))
  else if (wanted.act === 'book' ? wanted.deposit : visit.service?.deposit && (await awaitsDeposit(tx, ctx, row)))
    // The link of the earlier time is not sent any more, and names it.
    await planDeposit(tx, ctx, row, now)
  return row
}

const beforeOf = (wanted: Written) => (wanted.act === 'book' ? undefined : wanted.row)

/** Whether it is held for its deposit, and not for who waits or decides. */
export async function awaitsDeposit(tx: Executor, ctx: BusinessContext, row: AppointmentRow): Promise<boolean> {
  if (row.state !== 'held') return false
  if (row.depositPaymentId) return true
  // Whose number is withheld was sent no link.
  if (!row.contactId) return await asksDeposit(tx, ctx, row)
  const [asked] = await tx
    .select({ id: appointmentNotices.id })
    .from(appointmentNotices)
    .where(
      and(
        eq(appointmentNotices.businessId, ctx.businessId),
        eq(appointmentNotices.appointmentId, row.id),
        eq(appointmentNotices.kind, 'deposit'),
      ),
    )
    .limit(1)
  return asked !== undefined
}

async function asksDeposit(tx: Executor, ctx: BusinessContext, { serviceId }: AppointmentRow): Promise<boolean> {
  if (!serviceId) return false
  const [service] = await tx
    .select({ deposit: services.deposit })
    .from(services)
    .where(and(eq(services.id, serviceId), eq(services.businessId, ctx.businessId)))
  return Boolean(service?.deposit)
}

const stateOf = (holds: number | null, now: Date, startsAt: Date) =>
  holds === null
    ? { state: 'booked' as const, heldUntil: null }
    : { state: 'held' as const, heldUntil: holdEnd(now, holds, startsAt) }

/** No time is held beyond its start: what is paid for or taken then is over. */
export const holdEnd = (now: Date, minutes: number, startsAt: Date): Date =>
  new Date(Math.min(now.getTime() + minutes * 60_000, startsAt.getTime()))

const changesOf = ({ act, row }: { act: 'move' | 'restore'; row: AppointmentRow }, startsAt: Date) =>
  act === 'move'
    ? {
        ...confirmedAgain(row, startsAt),
        heldUntil: row.heldUntil && row.heldUntil > startsAt ? startsAt : row.heldUntil,
      }
    : { state: 'booked' as const, heldUntil: null, ...(row.refundDueAt ? kept(row.refundDueAt) : {}) }

/** Another time has to be confirmed anew; another person at the same time does not. */
const confirmedAgain = (row: AppointmentRow, startsAt: Date) =>
  row.startsAt.getTime() === startsAt.getTime() ? {} : { customerConfirmedAt: null }

/** Who has a time after all has paid for it. */
const kept = (paidAt: Date) => ({ depositPaidAt: paidAt, refundDueAt: null })

/** Writes a time that another may take meanwhile: then the error of `taken` is thrown, and the transaction goes on. */
export async function takeTime<T>(
  tx: Executor,
  write: (inner: Executor) => Promise<T>,
  taken: (cause: unknown) => Promise<Error> | Error,
): Promise<T> {
  try {
    return await tx.transaction(write)
  } catch (error) {
    if (sqlStateOf(error) !== '23P01') throw error
    throw await taken(error)
  }
}
