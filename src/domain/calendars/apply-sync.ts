import { and, eq, gt, inArray, lt, notInArray, or } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  appointments,
  calendarPushes,
  outsideCalendars,
  outsideEvents,
  TAKING_STATES,
} from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import type { OutsideEvent, SyncResult, Window } from '../../providers/calendars/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { Connection } from './access.ts'

export type Calendar = typeof outsideCalendars.$inferSelect
export type Push = typeof calendarPushes.$inferSelect

/** What was seen of our own events: where they are now, or null when they were not found. */
export type SeenPush = { push: Push; event: OutsideEvent | null }

const AT_ONCE = 500
/** Alerts of one round: what more there is, the list shows. */
const MOST_CONFLICTS = 20

/**
 * Writes what changed outside into the copy, with the state of the next round, in one transaction. Changes are merged; what is
 * read as a whole replaces. Our own events are not part of the copy.
 * While there are such among the changes the state stays, until they are dealt with: see `keepState`.
 * @returns our own events among the changes
 */
export async function applySync(
  ctx: BusinessContext,
  connection: Connection,
  calendar: Calendar,
  result: SyncResult,
  window: Window,
  now: Date,
): Promise<SeenPush[]> {
  return await ctx.db.transaction(async (tx) => {
    const pushes = await tx
      .select()
      .from(calendarPushes)
      .where(and(eq(calendarPushes.businessId, ctx.businessId), eq(calendarPushes.calendarId, calendar.id)))
    const isOurs = await ownMarks(tx, ctx, connection, result, pushes)
    const { foreign, seen } = sortOut(result, pushes, window, isOurs)
    const events = calendar.reads ? foreign : []
    const before = await readCopy(tx, ctx, calendar, result, events)
    await dropChanged(tx, ctx, calendar, result, events)
    const rows = events.map((each) => ({
      id: newId(),
      businessId: ctx.businessId,
      calendarId: calendar.id,
      objectId: each.objectId,
      eventId: each.eventId,
      startsAt: each.startsAt,
      endsAt: each.endsAt,
      busy: each.busy,
      allDay: each.allDay,
      etag: each.etag,
      title: connection.showTitles ? (each.title?.slice(0, 200) ?? null) : null,
    }))
    for (let from = 0; from < rows.length; from += AT_ONCE)
      await tx.insert(outsideEvents).values(rows.slice(from, from + AT_ONCE))
    const fresh = rows.filter((row) => row.busy && !before.has(keyOf(row)))
    await reportConflicts(tx, ctx, connection, fresh, now)
    await tx
      .update(outsideCalendars)
      .set({
        ...(seen.length > 0 ? {} : { syncState: result.state }),
        ...{ syncedAt: now, ...(result.whole ? { readAt: now } : {}) },
      })
      .where(and(eq(outsideCalendars.id, calendar.id), eq(outsideCalendars.businessId, ctx.businessId)))
    return seen
  })
}

/** Where the next round goes on, once all of this one is done: a process that ends before reads the same changes again. */
export async function keepState(ctx: BusinessContext, { id }: Calendar, state: string | null): Promise<void> {
  await ctx.db
    .update(outsideCalendars)
    .set({ syncState: state })
    .where(and(eq(outsideCalendars.id, id), eq(outsideCalendars.businessId, ctx.businessId)))
}

/**
 * Which events carry the mark of an appointment that has its time here anyway. That of another business, or of an appointment
 * that was cancelled and whose event a person brought back, is as busy as any other event.
 */
async function ownMarks(
  tx: Executor,
  ctx: BusinessContext,
  { kind }: Connection,
  { events }: SyncResult,
  pushes: Push[],
): Promise<(event: OutsideEvent) => boolean> {
  const written = new Set(pushes.map(({ eventId }) => eventId))
  const ids = [
    ...new Set(events.flatMap(({ ours, objectId }) => (ours && !written.has(objectId) ? [ours.appointmentId] : []))),
  ]
  const known = new Map<string, { state: string; startsAt: Date }>()
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const rows = await tx
      .select({ id: appointments.id, state: appointments.state, startsAt: appointments.startsAt })
      .from(appointments)
      .where(
        and(eq(appointments.businessId, ctx.businessId), inArray(appointments.id, ids.slice(from, from + AT_ONCE))),
      )
    for (const { id, ...row } of rows) known.set(id, row)
  }
  return ({ ours, startsAt }) => {
    const row = ours ? known.get(ours.appointmentId) : undefined
    if (!row) return false
    // Our own feed may be read late. Elsewhere a copy of it at another time is busy, as of an event that a person made weekly.
    if (kind === 'ics') return true
    return TAKING_STATES.some((each) => each === row.state) && startsAt.getTime() === row.startsAt.getTime()
  }
}

const keyOf = (row: { eventId: string; startsAt: Date; endsAt: Date }) =>
  `${row.startsAt.getTime()}-${row.endsAt.getTime()}-${row.eventId}`

/** Ours by the push that wrote them, or by the mark that they carry: our own feed, read back, is ours too. */
function sortOut(
  result: SyncResult,
  pushes: Push[],
  window: Window,
  isOurs: (event: OutsideEvent) => boolean,
): { foreign: OutsideEvent[]; seen: SeenPush[] } {
  const byEvent = new Map(pushes.flatMap((push) => (push.eventId ? [[push.eventId, push] as const] : [])))
  const found = new Map<string, SeenPush>()
  const foreign = new Map<string, OutsideEvent>()
  for (const event of result.events) {
    const push = byEvent.get(event.objectId)
    if (push) {
      const [own, other] = tellApart(push, event, found.get(push.id)?.event ?? null)
      found.set(push.id, { push, event: own })
      if (other) foreign.set(other.eventId, other)
    } else if (!isOurs(event) && event.endsAt > event.startsAt) foreign.set(event.eventId, event)
  }
  for (const objectId of result.removed) {
    const push = byEvent.get(objectId)
    if (push && !found.has(push.id)) found.set(push.id, { push, event: null })
  }
  if (result.whole)
    for (const push of pushes)
      if (!found.has(push.id) && push.startsAt && push.startsAt > window.from && push.startsAt < window.to)
        found.set(push.id, { push, event: null })
  return {
    foreign: [...foreign.values()],
    seen: [...found.values()].filter(({ push }) => push.state === 'pushed'),
  }
}

/**
 * A person may have made our event a series: of its occurrences the one where we wrote it is ours, or the first; the others are
 * busy as any event. @returns ours, and of two the other
 */
function tellApart(push: Push, event: OutsideEvent, before: OutsideEvent | null): [OutsideEvent, OutsideEvent | null] {
  if (!before) return [event, null]
  const isThere = ({ startsAt }: OutsideEvent) => startsAt.getTime() === push.startsAt?.getTime()
  const isOurs = !isThere(before) && (isThere(event) || event.startsAt < before.startsAt)
  return isOurs ? [event, before] : [before, event]
}

/** The busy times that are known of what changed: what stays as it was is not reported again. */
async function readCopy(
  tx: Executor,
  ctx: BusinessContext,
  calendar: Calendar,
  result: SyncResult,
  events: OutsideEvent[],
): Promise<Set<string>> {
  const objects = [...new Set(events.map(({ objectId }) => objectId))]
  if (objects.length === 0) return new Set()
  const rows = await tx
    .select()
    .from(outsideEvents)
    .where(
      and(
        eq(outsideEvents.businessId, ctx.businessId),
        eq(outsideEvents.calendarId, calendar.id),
        eq(outsideEvents.busy, true),
        result.whole
          ? undefined
          : or(
              inArray(outsideEvents.objectId, objects),
              inArray(
                outsideEvents.eventId,
                events.map(({ eventId }) => eventId),
              ),
            ),
      ),
    )
  return new Set(rows.map(keyOf))
}

async function dropChanged(
  tx: Executor,
  ctx: BusinessContext,
  calendar: Calendar,
  result: SyncResult,
  events: OutsideEvent[],
): Promise<void> {
  const mine = and(eq(outsideEvents.businessId, ctx.businessId), eq(outsideEvents.calendarId, calendar.id))
  if (result.whole) {
    await tx.delete(outsideEvents).where(mine)
    return
  }
  const objects = [...new Set([...result.removed, ...result.events.map(({ objectId }) => objectId)])]
  for (let from = 0; from < objects.length; from += AT_ONCE)
    await tx
      .delete(outsideEvents)
      .where(and(mine, inArray(outsideEvents.objectId, objects.slice(from, from + AT_ONCE))))
  // What is removed may be one of several of an object.
  const single = [...new Set([...result.removed, ...events.map(({ eventId }) => eventId)])]
  for (let from = 0; from < single.length; from += AT_ONCE)
    await tx.delete(outsideEvents).where(and(mine, inArray(outsideEvents.eventId, single.slice(from, from + AT_ONCE))))
}

/** What became busy outside where something is booked here: each is an event, and with it an alert. */
async function reportConflicts(
  tx: Executor,
  ctx: BusinessContext,
  connection: Connection,
  fresh: { startsAt: Date; endsAt: Date }[],
  now: Date,
): Promise<void> {
  const reported = new Set<string>()
  const ahead = fresh.filter(({ endsAt }) => endsAt > now)
  for (let from = 0; from < ahead.length && reported.size < MOST_CONFLICTS; from += 100) {
    const rows = await tx
      .select({ id: appointments.id })
      .from(appointments)
      .where(
        and(
          eq(appointments.businessId, ctx.businessId),
          eq(appointments.state, 'booked'),
          gt(appointments.endsAt, now),
          connection.staffId ? eq(appointments.staffId, connection.staffId) : undefined,
          or(
            ...ahead
              .slice(from, from + 100)
              .map(({ startsAt, endsAt }) => and(lt(appointments.startsAt, endsAt), gt(appointments.endsAt, startsAt))),
          ),
          reported.size > 0 ? notInArray(appointments.id, [...reported]) : undefined,
        ),
      )
      .limit(MOST_CONFLICTS - reported.size)
    for (const { id } of rows) {
      reported.add(id)
      await audit(tx, ctx, {
        action: 'calendar.conflict',
        entity: 'appointment',
        entityId: id,
        data: { connectionId: connection.id, why: 'overlap' },
      })
    }
  }
}
