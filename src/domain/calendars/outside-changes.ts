import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { appointments, calendarConnections, calendarPushes, outsideCalendars } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { type CalendarAccount, CalendarError } from '../../providers/calendars/port.ts'
import { cancelByCalendar, moveByCalendar } from '../appointments/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import type { Connection } from './access.ts'
import type { Calendar, Push, SeenPush } from './apply-sync.ts'
import type { CalendarDeps } from './deps.ts'

/** So many deleted in one round are not cancelled without a question: a whole calendar may have been emptied. */
const MOST_DELETED = 3

type Change = { push: Push; change: 'moved' | 'deleted'; startsAt: Date | null; endsAt: Date | null }

/**
 * Tells what a person did with our events outside from our own changes that come back, and does or asks what the business set.
 * What seems to be gone is looked up first: a list may lack it for other reasons.
 */
export async function takeOutsideChanges(
  ctx: BusinessContext,
  connection: Connection,
  calendar: Calendar,
  account: CalendarAccount,
  seen: SeenPush[],
  deps: CalendarDeps,
): Promise<void> {
  const changes: Change[] = []
  for (const { push, event } of seen) {
    if (!push.eventId || !push.startsAt || !push.endsAt || push.endsAt <= deps.now()) continue
    // Who wrote it last is not in every list: an event that seems to be moved is looked up as well.
    const there =
      event && (event.ours || isWhereItWas(event, push)) ? event : await lookUp(ctx, account, calendar, push.eventId)
    if (there === 'refused') continue
    if (!there) changes.push({ push, change: 'deleted', startsAt: null, endsAt: null })
    else if (isWhereItWas(there, push)) await settle(ctx, push, { etag: there.etag, ...(push.change ? cleared : {}) })
    // Another revision is what we wrote before or since: its own change comes, or came.
    else if (!there.ours || there.ours.revision === push.revision)
      changes.push({ push, change: 'moved', startsAt: there.startsAt, endsAt: there.endsAt })
  }
  const many = changes.filter(({ change }) => change === 'deleted').length > MOST_DELETED
  for (const change of changes) {
    const apply = connection.onChange === 'apply' && !(many && change.change === 'deleted')
    if (apply && (await applyChange(ctx, change, connection.notifyCustomer, deps.now()))) continue
    await askAbout(ctx, change)
  }
}

/** Null for one that is gone; one that may not be looked up is left as it is. */
async function lookUp(ctx: BusinessContext, { write }: CalendarAccount, { id, remoteId }: Calendar, eventId: string) {
  try {
    return (await write?.read(remoteId, eventId)) ?? null
  } catch (error) {
    if (!(error instanceof CalendarError) || error.problem !== 'refused') throw error
    ctx.log.warn({ calendarId: id, error: errorMessage(error) }, 'an event of ours could not be looked up')
    return 'refused' as const
  }
}

const isWhereItWas = (event: { startsAt: Date; endsAt: Date }, push: Push) =>
  event.startsAt.getTime() === push.startsAt?.getTime() && event.endsAt.getTime() === push.endsAt?.getTime()

const cleared = { change: null, changedStartsAt: null, changedEndsAt: null }

async function settle(ctx: BusinessContext, push: Push, set: Partial<typeof calendarPushes.$inferInsert>) {
  if (set.etag === push.etag && Object.keys(set).length === 1) return
  await ctx.db
    .update(calendarPushes)
    .set(set)
    .where(and(eq(calendarPushes.id, push.id), eq(calendarPushes.businessId, ctx.businessId)))
}

/** @returns false where it cannot be: the time is taken here, or is none of an appointment. A person decides then. */
async function applyChange(
  ctx: BusinessContext,
  { push, ...to }: Change,
  notify: boolean,
  now: Date,
): Promise<boolean> {
  try {
    if (to.change === 'deleted') await cancelByCalendar(ctx, push.appointmentId, { notify, now })
    else if (to.startsAt && to.endsAt) {
      const times = { startsAt: to.startsAt, endsAt: to.endsAt }
      await moveByCalendar(ctx, push.appointmentId, times, { notify, now })
      await settle(ctx, push, { ...times, ...cleared })
    }
    return true
  } catch (error) {
    if (error instanceof AppError && error.kind !== 'unavailable') return false
    throw error
  }
}

/** Notes what was done outside, once, for a person to decide. */
async function askAbout(ctx: BusinessContext, { push, change, startsAt, endsAt }: Change): Promise<void> {
  const same =
    push.change === change &&
    push.changedStartsAt?.getTime() === startsAt?.getTime() &&
    push.changedEndsAt?.getTime() === endsAt?.getTime()
  if (same) return
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .select({ state: appointments.state })
      .from(appointments)
      .where(and(eq(appointments.id, push.appointmentId), eq(appointments.businessId, ctx.businessId)))
    if (row?.state !== 'booked') return
    await tx
      .update(calendarPushes)
      .set({ change, changedStartsAt: startsAt, changedEndsAt: endsAt })
      .where(and(eq(calendarPushes.id, push.id), eq(calendarPushes.businessId, ctx.businessId)))
    await reportChange(tx, ctx, push, change)
  })
}

export async function reportChange(tx: Executor, ctx: BusinessContext, push: Push, why: string): Promise<void> {
  await audit(tx, ctx, {
    action: 'calendar.conflict',
    entity: 'appointment',
    entityId: push.appointmentId,
    data: { calendarId: push.calendarId, why },
  })
}

/**
 * Decides what a person did outside: done here too, or taken back there.
 * @throws AppError `calendar_change_not_found`, `slot_taken`
 */
export async function decideChange(
  ctx: BusinessContext,
  id: string,
  decision: 'apply' | 'keep',
  now = new Date(),
): Promise<void> {
  const mine = and(eq(calendarPushes.id, id), eq(calendarPushes.businessId, ctx.businessId))
  const [row] = await ctx.db
    .select({ push: calendarPushes, notify: calendarConnections.notifyCustomer })
    .from(calendarPushes)
    .innerJoin(outsideCalendars, eq(outsideCalendars.id, calendarPushes.calendarId))
    .innerJoin(calendarConnections, eq(calendarConnections.id, outsideCalendars.connectionId))
    .where(mine)
  if (!row?.push.change)
    throw new AppError(
      'not_found',
      'calendar_change_not_found',
      'There is nothing to decide about this event any more.',
    )
  const { push, notify } = row
  if (decision === 'apply') {
    if (push.change === 'deleted') await cancelByCalendar(ctx, push.appointmentId, { notify, now })
    else if (push.changedStartsAt && push.changedEndsAt) {
      const times = { startsAt: push.changedStartsAt, endsAt: push.changedEndsAt }
      await moveByCalendar(ctx, push.appointmentId, times, { notify, now })
      await settle(ctx, push, { ...times, ...cleared })
      return
    }
    await settle(ctx, push, cleared)
    return
  }
  // Written again: one that was deleted as a new event, since some vendors do not bring one back.
  await ctx.db.transaction(async (tx) => {
    if (push.change === 'deleted') await tx.delete(calendarPushes).where(mine)
    else
      await tx
        .update(calendarPushes)
        .set({ ...cleared, content: null, etag: null, nextAt: now, attempts: 0 })
        .where(mine)
    await audit(tx, ctx, { action: 'calendar.keep', entity: 'appointment', entityId: push.appointmentId })
  })
}
