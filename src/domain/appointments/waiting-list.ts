import { and, asc, eq, gt, inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { contacts, staff, WAITING_STATES, waitingList } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { wallClock } from '../../lib/local-time.ts'
import { nameText } from '../../lib/text.ts'
import { lockContact, phoneOf, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { bookOrAsk, cancelRow, lockRow } from './booking.ts'
import { readCalendar, readService } from './business-calendar.ts'
import { lockCalendar } from './lock-calendar.ts'
import { freeForWaiting, isOffer, offerWaiting, visitOfWaiting, type WaitingRow } from './offer-waiting.ts'
import type { AppointmentRow } from './write-appointment.ts'

/** So many may wait at a business, and one person for so many things. */
const MOST_WAITING = 500
const MOST_OF_ONE = 3
/** A window is at most so long. */
const LONGEST_MS = 92 * 86_400_000
/** In one sweep. */
const BATCH = 200
const DEFAULT_MINUTES = 30
const OPEN = ['waiting', 'offered'] as const

const instant = z.iso.datetime({ offset: true }).transform((text) => new Date(text))

export const newWaiting = z.object({
  contactId: z.uuid().optional(),
  /** Finds or makes the contact where no `contactId` is given. */
  phone: z.string().max(64).optional(),
  name: nameText(200).nullish(),
  serviceId: z.uuid().optional(),
  /** Anybody otherwise. */
  staffId: z.uuid().optional(),
  minutes: z.int().min(5).max(1_440).optional(),
  /** A start between these suits. */
  from: instant,
  to: instant,
  language: z.enum(['he', 'en']).optional(),
})

export const waitingView = z.object({
  id: z.uuid(),
  contactId: z.uuid(),
  name: z.string().nullable(),
  phone: z.string().nullable(),
  serviceId: z.uuid().nullable(),
  staffId: z.uuid().nullable(),
  minutes: z.number(),
  from: z.date(),
  to: z.date(),
  state: z.enum(WAITING_STATES),
  /** What is held for them now, and until when. */
  offer: z.object({ appointmentId: z.uuid(), startsAt: z.date(), heldUntil: z.date().nullable() }).nullable(),
  /** They asked not to be written to: nothing is offered to them. */
  optedOut: z.boolean(),
  createdAt: z.date(),
})

type NewWaiting = z.input<typeof newWaiting>

/**
 * Puts someone on the waiting list, once for the same service and person: asked again, it waits for the new window.
 * @returns the entry's id
 * @throws AppError `waiting_window`, `times_free` (with them), `waiting_full`, `contact_opted_out`, `service_not_found`, `staff_not_found`,
 *   `contact_not_found`, `invalid_number`, `contact_missing`
 */
export async function joinWaitingList(ctx: BusinessContext, input: NewWaiting, now = new Date()): Promise<string> {
  const { from: fromAt, to: toAt, ...wanted } = newWaiting.parse(input)
  if (toAt <= fromAt || toAt <= now || toAt.getTime() - fromAt.getTime() > LONGEST_MS)
    throw new AppError('invalid', 'waiting_window', 'Name a time that is to come, of at most three months.', {
      field: 'to',
    })
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const calendar = await readCalendar(tx, ctx)
    const service = wanted.serviceId ? await readService(tx, ctx, wanted.serviceId) : null
    if (wanted.staffId) await requireStaffMember(tx, ctx, wanted.staffId)
    const window = {
      ...{ serviceId: service?.id ?? null, staffId: wanted.staffId ?? null, fromAt, toAt },
      minutes: service?.minutes ?? wanted.minutes ?? DEFAULT_MINUTES,
    }
    const free = await freeForWaiting(tx, ctx, calendar, visitOfWaiting(window, service), now, window)
    if (free.length > 0) throw timesFree(free.slice(0, 3), calendar.timeZone)
    const contactId = await contactOf(tx, ctx, wanted)
    await requireReachable(tx, ctx, contactId)
    const open = await tx
      .select()
      .from(waitingList)
      .where(and(eq(waitingList.businessId, ctx.businessId), inArray(waitingList.state, [...OPEN])))
      .limit(MOST_WAITING)
    const own = open.filter((each) => each.contactId === contactId)
    const same = own.find(
      (each) => each.state === 'waiting' && each.serviceId === window.serviceId && each.staffId === window.staffId,
    )
    if (same) {
      if (same.fromAt.getTime() !== fromAt.getTime() || same.toAt.getTime() !== toAt.getTime())
        await tx.update(waitingList).set(window).where(eq(waitingList.id, same.id))
      return same.id
    }
    if (open.length >= MOST_WAITING || own.length >= MOST_OF_ONE)
      throw new AppError('rate_limited', 'waiting_full', 'No more can be put on the waiting list now.')
    const id = newId()
    const language = wanted.language ?? calendar.language
    await tx.insert(waitingList).values({ ...window, id, businessId: ctx.businessId, contactId, language })
    await audit(tx, ctx, { action: 'waiting.join', entity: 'waiting_entry', entityId: id })
    return id
  })
}

function timesFree(nextTimes: Date[], timeZone: string): AppError {
  const said = nextTimes.map((at) => {
    const { date, time } = wallClock(at, timeZone)
    return `${date} ${time}`
  })
  return new AppError('conflict', 'times_free', `There are free times then: ${said.join(', ')}.`, { nextTimes })
}

async function requireStaffMember(tx: Executor, ctx: BusinessContext, id: string): Promise<void> {
  const [row] = await tx
    .select({ id: staff.id })
    .from(staff)
    .where(and(eq(staff.id, id), eq(staff.businessId, ctx.businessId)))
  if (!row)
    throw new AppError('not_found', 'staff_not_found', 'There is no such person among the staff.', { field: 'staffId' })
}

/** What becomes free is offered in writing. */
async function requireReachable(tx: Executor, ctx: BusinessContext, contactId: string): Promise<void> {
  const [row] = await tx
    .select({ optedOutAt: contacts.optedOutAt })
    .from(contacts)
    .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId)))
  if (row?.optedOutAt)
    throw new AppError(
      'conflict',
      'contact_opted_out',
      'This number asked for no messages, so nothing can be offered.',
      {
        field: 'phone',
      },
    )
}

async function contactOf(
  tx: Executor,
  ctx: BusinessContext,
  wanted: Pick<z.output<typeof newWaiting>, 'contactId' | 'phone' | 'name'>,
): Promise<string> {
  if (wanted.contactId) {
    await lockContact(tx, ctx, wanted.contactId)
    return wanted.contactId
  }
  const phone = phoneOf(wanted.phone)
  if (!phone)
    throw new AppError('invalid', 'contact_missing', 'Name a contact or a phone number: the offer is sent to it.', {
      field: 'phone',
    })
  return await resolveContact(tx, ctx, { phone, name: wanted.name ?? null })
}

/** Who waits, or was offered a time and has not answered: those who wait longest first. */
export async function listWaiting(ctx: BusinessContext) {
  const rows = await ctx.db
    .select({
      ...{ row: waitingList, name: contacts.name, phone: contacts.phone, optedOutAt: contacts.optedOutAt },
      offer: appointmentOfOffer,
    })
    .from(waitingList)
    .innerJoin(contacts, eq(contacts.id, waitingList.contactId))
    .where(
      and(
        eq(waitingList.businessId, ctx.businessId),
        inArray(waitingList.state, [...OPEN]),
        gt(waitingList.toAt, sql`now() - interval '1 day'`),
      ),
    )
    .orderBy(asc(waitingList.createdAt), asc(waitingList.id))
    .limit(MOST_WAITING)
  return rows.map(({ row: { fromAt, toAt, ...row }, name, phone, optedOutAt, offer }) => ({
    ...{ id: row.id, contactId: row.contactId, name, phone, serviceId: row.serviceId, staffId: row.staffId },
    ...{ minutes: row.minutes, from: fromAt, to: toAt, state: row.state, createdAt: row.createdAt },
    offer: offer && row.state === 'offered' ? heldOf(offer) : null,
    optedOut: optedOutAt !== null,
  }))
}

const appointmentOfOffer = sql<{ id: string; startsAt: string; heldUntil: string | null } | null>`(
  select jsonb_build_object('id', held.id, 'startsAt', held.starts_at, 'heldUntil', held.held_until)
  from appointments as held where held.id = ${waitingList.appointmentId})`

const heldOf = (offer: { id: string; startsAt: string; heldUntil: string | null }) => ({
  ...{ appointmentId: offer.id, startsAt: new Date(offer.startsAt) },
  heldUntil: offer.heldUntil ? new Date(offer.heldUntil) : null,
})

/** Takes someone off the list; gone already, it stays so. What is held for them goes to the next. @throws AppError `waiting_not_found` */
export async function cancelWaiting(ctx: BusinessContext, id: string, now = new Date()): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await findWaiting(tx, ctx, id)
    if (!row) throw new AppError('not_found', 'waiting_not_found', 'There is no such entry on the waiting list.')
    if (row.state !== 'waiting' && row.state !== 'offered') return
    await audit(tx, ctx, { action: 'waiting.cancel', entity: 'waiting_entry', entityId: id })
    const held = row.appointmentId ? await lockRow(tx, ctx, row.appointmentId) : null
    // That closes the entry as well.
    if (held?.state === 'held') await cancelRow(tx, ctx, held, now)
    else await tx.update(waitingList).set({ state: 'cancelled' }).where(eq(waitingList.id, id))
  })
}

/** An entry of the list; null where there is none. */
async function findWaiting(tx: Executor, ctx: BusinessContext, id: string): Promise<WaitingRow | null> {
  const [row] = await tx
    .select()
    .from(waitingList)
    .where(and(eq(waitingList.id, id), eq(waitingList.businessId, ctx.businessId)))
  return row ?? null
}

/** An entry by its link, of whichever business. */
export async function readWaitingRow(ctx: DomainContext, id: string): Promise<WaitingRow | null> {
  const [row] = await ctx.db.select().from(waitingList).where(eq(waitingList.id, id))
  return row ?? null
}

/**
 * Takes what is held for someone who waits; taken already, it stays so. One that asks for a deposit is held on until it is paid.
 * @throws AppError `appointment_not_found`, `hold_over`
 */
export async function takeOffer(ctx: BusinessContext, id: string, now = new Date()): Promise<AppointmentRow> {
  return await ctx.db.transaction(async (tx) => {
    await lockCalendar(tx, ctx, now)
    const row = await lockRow(tx, ctx, id)
    if (row.state === 'booked') return row
    if (row.state !== 'held')
      throw new AppError('gone', 'hold_over', 'This time is no longer held. Choose another one.')
    if (!(await isOffer(tx, ctx, id))) return row
    await tx
      .update(waitingList)
      .set({ state: 'booked' })
      .where(and(eq(waitingList.businessId, ctx.businessId), eq(waitingList.appointmentId, id)))
    return await bookOrAsk(tx, ctx, row, now)
  })
}

/** Offers what became free to those who wait, also where nothing was cancelled. @returns how many times were offered */
export async function offerAllWaiting(ctx: DomainContext, now = new Date()): Promise<number> {
  const rows = await ctx.db
    .selectDistinct({
      businessId: waitingList.businessId,
      random: sql`md5(${waitingList.businessId}::text || ${now.getTime()}::text)`,
    })
    .from(waitingList)
    .where(inArray(waitingList.state, [...OPEN]))
    .orderBy(sql`2`)
    .limit(BATCH)
  let offered = 0
  for (const { businessId } of rows) {
    const business = within(ctx, businessId)
    try {
      offered += await business.db.transaction(async (tx) => {
        await lockCalendar(tx, business, now)
        return await offerWaiting(tx, business, now)
      })
    } catch (error) {
      ctx.log.error({ businessId, error: errorMessage(error) }, 'waiting list not offered')
    }
  }
  return offered
}
