import { and, asc, count, eq, inArray, isNotNull, isNull, lte, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointmentNotices, appointments, contacts, services, waitingList } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { wallClock } from '../../lib/local-time.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type BusinessCalendar, readCalendar } from './business-calendar.ts'
import { freeSlots, lastReachable, type Visit } from './place.ts'
import { writeAppointment } from './write-appointment.ts'

/** So many times are held for people who wait, at most. */
const OPEN_OFFERS = 5
/** So many who wait are looked at in one go. */
const LOOKED_AT = 500
/** When people are written to where the business has set no hours for it. */
const USUAL_HOURS = { from: '08:00', to: '21:00' }

export type WaitingRow = typeof waitingList.$inferSelect

/** What someone who waits wants. */
export function visitOfWaiting(
  row: Pick<WaitingRow, 'serviceId' | 'staffId' | 'minutes'>,
  service: Visit['service'],
): Visit {
  return { serviceId: row.serviceId, staffId: row.staffId, minutes: service?.minutes ?? row.minutes, service }
}

/** Whether an appointment is only held for someone who waits, and may be taken. */
export async function isOffer(tx: Executor, ctx: BusinessContext, appointmentId: string): Promise<boolean> {
  const [row] = await tx
    .select({ id: waitingList.id })
    .from(waitingList)
    .where(
      and(
        eq(waitingList.businessId, ctx.businessId),
        eq(waitingList.appointmentId, appointmentId),
        eq(waitingList.state, 'offered'),
      ),
    )
  return row !== undefined
}

/** The free starts for what someone wants, between two moments and as customers can reach them. */
export async function freeForWaiting(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  now: Date,
  window?: { fromAt: Date; toAt: Date },
): Promise<Date[]> {
  const earliest = now.getTime() + calendar.settings.noticeMinutes * 60_000
  const from = new Date(Math.max(earliest, window?.fromAt.getTime() ?? 0))
  const last = lastReachable(calendar, now).getTime()
  const to = new Date(Math.min(last, window?.toAt.getTime() ?? last))
  if (from >= to) return []
  const slots = await freeSlots(tx, ctx, calendar, visit, { from, to })
  return [...new Set(slots.map(({ startsAt }) => startsAt))].map((at) => new Date(at))
}

/**
 * Holds what is free for those who wait longest, and notes down to tell them; under the lock of the calendar, so that none is
 * held for two. Each is offered one time, which they take in time or not. In the quiet hours nothing is offered.
 * @param freed only who would take a start between these
 * @returns how many times were offered
 */
export async function offerWaiting(
  tx: Executor,
  ctx: BusinessContext,
  now: Date,
  freed?: { from: Date; to: Date },
): Promise<number> {
  await closeOver(tx, ctx, now)
  const waiting = await tx
    .select({ row: waitingList, service: services })
    .from(waitingList)
    .innerJoin(contacts, eq(contacts.id, waitingList.contactId))
    .leftJoin(services, eq(services.id, waitingList.serviceId))
    .where(
      and(
        eq(waitingList.businessId, ctx.businessId),
        eq(waitingList.state, 'waiting'),
        isNotNull(contacts.phone),
        isNull(contacts.optedOutAt),
        isNull(services.archivedAt),
        // One at a time to one person.
        sql`not exists (select from ${waitingList} as other where other.business_id = ${ctx.businessId}
          and other.contact_id = ${waitingList.contactId} and other.state = 'offered')`,
        freed ? sql`${waitingList.fromAt} < ${freed.to.toISOString()}::timestamptz` : undefined,
        freed ? sql`${waitingList.toAt} > ${freed.from.toISOString()}::timestamptz` : undefined,
      ),
    )
    .orderBy(asc(waitingList.createdAt), asc(waitingList.id))
    .limit(LOOKED_AT)
  if (waiting.length === 0) return 0
  const calendar = await readCalendar(tx, ctx)
  const { from, to } = calendar.settings.reminders ?? USUAL_HOURS
  const { time } = wallClock(now, calendar.timeZone)
  if (time < from || time >= to) return 0
  const room = OPEN_OFFERS - (await countOffered(tx, ctx))
  const served = new Set<string>()
  const free = new Map<string, Date[]>()
  for (const { row, service } of waiting) {
    if (served.size >= room) break
    if (served.has(row.contactId)) continue
    const visit = visitOfWaiting(row, service)
    const key = [visit.serviceId, visit.staffId, visit.minutes].join()
    const starts = free.get(key) ?? (await freeForWaiting(tx, ctx, calendar, visit, now))
    free.set(key, starts)
    const startsAt = starts.find((at) => row.fromAt <= at && at < row.toAt)
    if (!startsAt) continue
    // One start may be several seats, and takes time of other services.
    free.clear()
    if (await offerOne(tx, ctx, calendar, row, visit, startsAt, now)) served.add(row.contactId)
  }
  return served.size
}

async function countOffered(tx: Executor, ctx: BusinessContext): Promise<number> {
  const [open] = await tx
    .select({ offers: count() })
    .from(waitingList)
    .where(and(eq(waitingList.businessId, ctx.businessId), eq(waitingList.state, 'offered')))
  return open?.offers ?? 0
}

async function offerOne(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  row: WaitingRow,
  visit: Visit,
  startsAt: Date,
  now: Date,
): Promise<boolean> {
  try {
    const held = await writeAppointment(tx, ctx, calendar, {
      ...{ act: 'book', visit, startsAt, now, holds: calendar.settings.offerMinutes },
      values: { ...{ id: newId(), contactId: row.contactId, source: 'page', language: row.language } },
    })
    await tx.update(waitingList).set({ state: 'offered', appointmentId: held.id }).where(eq(waitingList.id, row.id))
    await tx.insert(appointmentNotices).values({
      ...{ id: newId(), businessId: ctx.businessId, appointmentId: held.id, kind: 'offer', dueAt: now },
      revision: held.revision,
    })
    await audit(tx, ctx, { action: 'waiting.offer', entity: 'waiting_entry', entityId: row.id })
    return true
  } catch (error) {
    // Taken meanwhile by a writer who does not know the lock.
    if (error instanceof AppError && error.code === 'slot_taken') return false
    throw error
  }
}

/** Closes what is decided: offers that were taken, declined, not taken in time or not delivered, and times that are past. */
async function closeOver(tx: Executor, ctx: BusinessContext, now: Date): Promise<void> {
  const mine = eq(waitingList.businessId, ctx.businessId)
  const undelivered = await tx
    .update(appointments)
    .set({ state: 'expired', requestKey: null })
    .where(
      and(
        eq(appointments.businessId, ctx.businessId),
        eq(appointments.state, 'held'),
        sql`exists (select from ${waitingList} join ${appointmentNotices} on ${appointmentNotices.appointmentId} = ${waitingList.appointmentId}
          where ${waitingList.appointmentId} = ${appointments.id} and ${waitingList.state} = 'offered'
            and ${appointmentNotices.kind} = 'offer' and ${appointmentNotices.state} in ('failed', 'dropped'))`,
      ),
    )
    .returning({ id: appointments.id })
  for (const { id } of undelivered)
    await audit(tx, ctx, { action: 'appointment.expire', entity: 'appointment', entityId: id })
  await tx
    .update(waitingList)
    .set({
      state: sql`case ${appointments.state} when 'booked' then 'booked' when 'cancelled' then 'cancelled' else 'expired' end`,
    })
    .from(appointments)
    .where(
      and(
        mine,
        eq(waitingList.state, 'offered'),
        eq(appointments.id, waitingList.appointmentId),
        eq(appointments.businessId, ctx.businessId),
        sql`${appointments.state} <> 'held'`,
      ),
    )
  await tx
    .update(waitingList)
    .set({ state: 'expired' })
    .where(and(mine, inArray(waitingList.state, ['waiting']), lte(waitingList.toAt, now)))
}
