import { and, asc, eq, gt, inArray, isNull, lt, lte, ne, notInArray, or, sql } from 'drizzle-orm'
import {
  appointments,
  businesses,
  calendarConnections,
  calendarPushes,
  contacts,
  outsideCalendars,
  outsideEvents,
  services,
} from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { type CalendarAccount, CalendarError, type OwnEvent } from '../../providers/calendars/port.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { type Connection, withAccount, withConnection } from './access.ts'
import type { Push } from './apply-sync.ts'
import type { CalendarDeps } from './deps.ts'
import { noteFailure } from './failures.ts'
import { reportChange } from './outside-changes.ts'
import { queueRound } from './queue.ts'

/** After so many failures of one event it is left, until a person asks for it or it changes. */
const ATTEMPTS = 12
const FIRST_PAUSE_MS = 15_000
const LONGEST_PAUSE_MS = 6 * 3_600_000
const BATCH = 100
/** Longer than a round of reading takes. */
const WAIT_MS = 20_000

/** The states in which an appointment is in the calendars outside. */
const PRESENT = ['booked', 'no_show'] as const

/** Names all that is written of an appointment: when it differs from what was written last, it is written again. */
const content = sql<string>`md5(jsonb_build_array(extract(epoch from ${appointments.startsAt}), extract(epoch from ${appointments.endsAt}),
  ${appointments.zone}, ${appointments.name}, ${appointments.note}, ${contacts.name}, ${contacts.phone},
  ${services.nameHe}, ${services.nameEn})::text)`

const isTheirs = or(isNull(calendarConnections.staffId), eq(calendarConnections.staffId, appointments.staffId))
const isDue = (now: Date) =>
  or(
    isNull(calendarPushes.id),
    and(
      lte(calendarPushes.nextAt, now),
      // Given up, it is tried again when the appointment has changed since.
      or(lt(calendarPushes.attempts, ATTEMPTS), gt(appointments.updatedAt, calendarPushes.updatedAt)),
    ),
  )

/** What belongs into the calendars and is not there, or not as it is now. */
function missing(ctx: DomainContext, now: Date, connectionId?: string) {
  return ctx.db
    .select({
      connectionId: calendarConnections.id,
      businessId: calendarConnections.businessId,
      calendarId: outsideCalendars.id,
      remoteId: outsideCalendars.remoteId,
      appointmentId: appointments.id,
    })
    .from(outsideCalendars)
    .innerJoin(
      calendarConnections,
      and(
        eq(calendarConnections.id, outsideCalendars.connectionId),
        ne(calendarConnections.state, 'needs_reconnect'),
        connectionId ? eq(calendarConnections.id, connectionId) : undefined,
      ),
    )
    .innerJoin(
      appointments,
      and(
        eq(appointments.businessId, outsideCalendars.businessId),
        inArray(appointments.state, [...PRESENT]),
        gt(appointments.endsAt, now),
        isTheirs,
      ),
    )
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .leftJoin(services, eq(services.id, appointments.serviceId))
    .leftJoin(
      calendarPushes,
      and(
        eq(calendarPushes.calendarId, outsideCalendars.id),
        eq(calendarPushes.appointmentId, appointments.id),
        eq(calendarPushes.businessId, appointments.businessId),
      ),
    )
    .where(
      and(
        eq(outsideCalendars.writes, true),
        isDue(now),
        or(isNull(calendarPushes.content), ne(calendarPushes.content, content)),
      ),
    )
    .orderBy(asc(appointments.startsAt))
    .limit(BATCH)
}

/** What is in the calendars and does not belong there any more. */
function leftOver(ctx: DomainContext, now: Date, connectionId?: string) {
  return ctx.db
    .select({
      connectionId: calendarConnections.id,
      businessId: calendarConnections.businessId,
      remoteId: outsideCalendars.remoteId,
      push: calendarPushes,
    })
    .from(calendarPushes)
    .innerJoin(outsideCalendars, eq(outsideCalendars.id, calendarPushes.calendarId))
    .innerJoin(
      calendarConnections,
      and(
        eq(calendarConnections.id, outsideCalendars.connectionId),
        ne(calendarConnections.state, 'needs_reconnect'),
        connectionId ? eq(calendarConnections.id, connectionId) : undefined,
      ),
    )
    .innerJoin(appointments, eq(appointments.id, calendarPushes.appointmentId))
    .where(
      and(
        isDue(now),
        or(
          notInArray(appointments.state, [...PRESENT]),
          and(eq(outsideCalendars.writes, false), gt(appointments.endsAt, now)),
          ne(calendarConnections.staffId, appointments.staffId),
        ),
      ),
    )
    .limit(BATCH)
}

/**
 * Queues the connections whose calendars differ from the appointments. What is written is derived from the rows each time, so
 * that a process that ends between any two steps loses nothing and repeats nothing. @returns how many
 */
export async function queuePushes(ctx: DomainContext, now = new Date()): Promise<number> {
  const due = new Map<string, string>()
  for (const { connectionId, businessId } of await missing(ctx, now)) due.set(connectionId, businessId)
  for (const { connectionId, businessId } of await leftOver(ctx, now)) due.set(connectionId, businessId)
  for (const [connectionId, businessId] of due) await queueRound(ctx, 'calendar.push', businessId, connectionId)
  return due.size
}

/** Writes the appointments of a connection into its calendars. @returns how many events it wrote or removed */
export async function pushConnection(ctx: BusinessContext, id: string, deps: CalendarDeps): Promise<number> {
  const done = await withConnection(
    ctx,
    id,
    deps,
    async (connection) => {
      if (connection.state === 'needs_reconnect') return 0
      try {
        return await withAccount(ctx, connection, deps, (account) => pushAll(ctx, connection, account, deps))
      } catch (error) {
        await noteFailure(ctx, connection, error, deps)
        return 0
      }
    },
    WAIT_MS,
  )
  return done ?? 0
}

async function pushAll(
  ctx: BusinessContext,
  { id }: Connection,
  account: CalendarAccount,
  deps: CalendarDeps,
): Promise<number> {
  const { write } = account
  if (!write) return 0
  let count = 0
  for (;;) {
    const now = deps.now()
    const gone = await leftOver(ctx, now, id)
    for (const { push, remoteId } of gone)
      count += await attempt(ctx, push, deps, () => removeOne(ctx, push, remoteId, write))
    const wanted = await missing(ctx, now, id)
    for (const { calendarId, remoteId, appointmentId } of wanted) {
      const push = await preparePush(ctx, calendarId, appointmentId, write.eventIdOf(remoteId, appointmentId))
      if (push) count += await attempt(ctx, push, deps, () => putOne(ctx, push, remoteId, write))
    }
    if (gone.length < BATCH && wanted.length < BATCH) return count
  }
}

type Write = NonNullable<CalendarAccount['write']>

const minePush = (ctx: BusinessContext, id: string) =>
  and(eq(calendarPushes.id, id), eq(calendarPushes.businessId, ctx.businessId))

/** One event: its own failure is its own; that of the account ends the round. */
async function attempt(
  ctx: BusinessContext,
  push: Push,
  deps: Pick<CalendarDeps, 'now'>,
  work: () => Promise<void>,
): Promise<number> {
  try {
    await work()
    return 1
  } catch (error) {
    if (!(error instanceof CalendarError) || !['refused', 'changed', 'missing'].includes(error.problem)) throw error
    const attempts = push.attempts + 1
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** push.attempts)
    const nextAt = new Date(deps.now().getTime() + pause * (0.5 + Math.random()))
    await ctx.db.update(calendarPushes).set({ attempts, nextAt, error: error.problem }).where(minePush(ctx, push.id))
    ctx.log.warn({ pushId: push.id, attempts, error: errorMessage(error) }, 'appointment not written to a calendar')
    return 0
  }
}

/** The row comes before the event: written twice after an end between the two, it is the same event. */
async function preparePush(
  ctx: BusinessContext,
  calendarId: string,
  appointmentId: string,
  eventId: string | null,
): Promise<Push | null> {
  const row = { id: newId(), businessId: ctx.businessId, calendarId, appointmentId, eventId }
  await ctx.db.insert(calendarPushes).values(row).onConflictDoNothing()
  const [push] = await ctx.db
    .select()
    .from(calendarPushes)
    .where(
      and(
        eq(calendarPushes.businessId, ctx.businessId),
        eq(calendarPushes.calendarId, calendarId),
        eq(calendarPushes.appointmentId, appointmentId),
      ),
    )
  return push ?? null
}

async function putOne(ctx: BusinessContext, push: Push, remoteId: string, write: Write): Promise<void> {
  const wanted = await readWanted(ctx, push)
  if (!wanted) return
  const { event } = wanted
  // One that was never confirmed may be there or not: it is made, and the vendor knows it again.
  const known = push.state === 'pushed' && push.eventId ? { eventId: push.eventId, etag: push.etag } : null
  const written = await putKnown(ctx, push, remoteId, write, event, known)
  await ctx.db.transaction(async (tx) => {
    const { startsAt, endsAt, revision } = event
    await tx
      .update(calendarPushes)
      .set({
        ...{ ...written, state: 'pushed', content: wanted.content, startsAt, endsAt, revision },
        ...{ attempts: 0, error: null, change: null, changedStartsAt: null, changedEndsAt: null },
      })
      .where(minePush(ctx, push.id))
    // Read before its id was known, it looked like another's.
    await tx
      .delete(outsideEvents)
      .where(
        and(
          eq(outsideEvents.businessId, ctx.businessId),
          eq(outsideEvents.calendarId, push.calendarId),
          eq(outsideEvents.objectId, written.eventId),
        ),
      )
  })
}

/**
 * Changes the event where it is as we know it. Where a person changed it meanwhile, the appointment's newer change counts, and the
 * person's is reported. One that is gone is made anew.
 */
async function putKnown(
  ctx: BusinessContext,
  push: Push,
  remoteId: string,
  write: Write,
  event: OwnEvent,
  known: { eventId: string; etag: string | null } | null,
) {
  try {
    return await write.put(remoteId, event, known)
  } catch (error) {
    if (!known || !(error instanceof CalendarError)) throw error
    if (error.problem !== 'changed' && error.problem !== 'missing') throw error
    const there = error.problem === 'changed' ? await write.read(remoteId, known.eventId) : null
    if (!there) return await write.put(remoteId, { ...event, key: newId() }, null)
    const moved =
      there.startsAt.getTime() !== push.startsAt?.getTime() || there.endsAt.getTime() !== push.endsAt?.getTime()
    const isPersons = moved && (!there.ours || there.ours.revision === push.revision)
    if (isPersons) await ctx.db.transaction((tx) => reportChange(tx, ctx, push, 'overwritten'))
    return await write.put(remoteId, event, { eventId: known.eventId, etag: there.etag })
  }
}

async function removeOne(ctx: BusinessContext, push: Push, remoteId: string, write: Write): Promise<void> {
  if (push.state !== 'removing')
    await ctx.db.update(calendarPushes).set({ state: 'removing' }).where(minePush(ctx, push.id))
  if (push.eventId) await write.remove(remoteId, push.eventId)
  await ctx.db.delete(calendarPushes).where(minePush(ctx, push.id))
}

/** The appointment as it is now, with the name of this content. */
async function readWanted(ctx: BusinessContext, push: Push): Promise<{ event: OwnEvent; content: string } | null> {
  const [row] = await ctx.db
    .select({
      appointment: appointments,
      contact: contacts.name,
      phone: contacts.phone,
      serviceHe: services.nameHe,
      serviceEn: services.nameEn,
      language: businesses.language,
      content,
    })
    .from(appointments)
    .innerJoin(businesses, eq(businesses.id, appointments.businessId))
    .leftJoin(contacts, eq(contacts.id, appointments.contactId))
    .leftJoin(services, eq(services.id, appointments.serviceId))
    .where(and(eq(appointments.id, push.appointmentId), eq(appointments.businessId, ctx.businessId)))
  if (!row) return null
  const { appointment } = row
  return { content: row.content, event: { ...eventOf(row), key: push.id, zone: appointment.zone } }
}

type Row = {
  appointment: typeof appointments.$inferSelect
  contact: string | null
  phone: string | null
  serviceHe: string | null
  serviceEn: string | null
  language: 'he' | 'en'
}

/** How an appointment reads outside. */
export function eventOf({ appointment, contact, phone, serviceHe, serviceEn, language }: Row) {
  const { id, revision, startsAt, endsAt, name, note, updatedAt } = appointment
  const service = language === 'he' ? serviceHe : serviceEn
  const who = name ?? contact ?? phone
  const title = [service, who].filter(Boolean).join(' – ') || (language === 'he' ? 'תור' : 'Appointment')
  const description = [phone, note].filter(Boolean).join('\n')
  return { appointmentId: id, revision, title, description, startsAt, endsAt, changedAt: updatedAt }
}
