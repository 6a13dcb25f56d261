import { and, asc, eq, inArray, lte, ne, or } from 'drizzle-orm'
import {
  businesses,
  calendarConnections,
  calendarPushes,
  outsideCalendars,
  outsideEvents,
} from '../../../db/schema/index.ts'
import { type CalendarAccount, CalendarError, type SyncResult, type Window } from '../../providers/calendars/port.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { type Connection, withAccount, withConnection } from './access.ts'
import { applySync, type Calendar, keepState } from './apply-sync.ts'
import { renewChannel } from './channels.ts'
import type { CalendarDeps } from './deps.ts'
import { ANSWERED, noteFailure } from './failures.ts'
import { takeOutsideChanges } from './outside-changes.ts'
import { queueRound } from './queue.ts'

const DAY_MS = 86_400_000
/** What is read ahead: as far as appointments are taken, and a little more. */
const AHEAD_DAYS = 370
/** How often is read besides what notices ask for; without notices more often. */
const POLL_MS = { noticed: 10 * 60_000, polled: 5 * 60_000 }
const BATCH = 200

export type SyncOptions = {
  waitMs?: number
  /** Only what was read once already, and quickly. */
  live?: boolean
  /** Nothing where none is due: another job was first. */
  ifDue?: boolean
}

/** Reads what changed in the calendars of a connection. @returns false when another process does, or it may not be read */
export async function syncConnection(
  ctx: BusinessContext,
  id: string,
  deps: CalendarDeps,
  options: SyncOptions = {},
): Promise<boolean> {
  const done = await withConnection(
    ctx,
    id,
    deps,
    async (connection) => {
      if (connection.state === 'needs_reconnect') return false
      if (options.ifDue && connection.nextSyncAt > deps.now()) return true
      try {
        await withAccount(ctx, connection, deps, (account) => syncAccount(ctx, connection, account, deps, options))
        return true
      } catch (error) {
        await noteFailure(ctx, connection, error, deps)
        return false
      }
    },
    options.waitMs,
  )
  return done ?? false
}

async function syncAccount(
  ctx: BusinessContext,
  connection: Connection,
  account: CalendarAccount,
  deps: CalendarDeps,
  options: SyncOptions,
): Promise<void> {
  const began = deps.now()
  const calendars = await ctx.db
    .select()
    .from(outsideCalendars)
    .where(
      and(
        eq(outsideCalendars.businessId, ctx.businessId),
        eq(outsideCalendars.connectionId, connection.id),
        options.live
          ? eq(outsideCalendars.reads, true)
          : or(eq(outsideCalendars.reads, true), eq(outsideCalendars.writes, true)),
      ),
    )
    .orderBy(asc(outsideCalendars.id))
  let noticed = calendars.length > 0
  let failed: CalendarError | null = null
  for (const calendar of calendars) {
    if (options.live && !calendar.readAt) continue
    try {
      await syncCalendar(ctx, connection, calendar, account, deps)
    } catch (error) {
      if (!(error instanceof CalendarError) || !ANSWERED.includes(error.problem)) throw error
      // Deleted, or no longer shared: the others of the account are read all the same.
      failed ??= error
      continue
    }
    if (!options.live && !(await renewChannel(ctx, connection, calendar, account, deps))) noticed = false
  }
  if (failed) throw failed
  if (options.live) return
  const now = deps.now()
  const pause = (noticed ? POLL_MS.noticed : POLL_MS.polled) * (0.9 + 0.2 * Math.random())
  const mine = and(eq(calendarConnections.id, connection.id), eq(calendarConnections.businessId, ctx.businessId))
  await ctx.db
    .update(calendarConnections)
    .set({ state: 'connected', reason: null, failures: 0, syncedAt: now })
    .where(mine)
  // A notice that came meanwhile has made it due again.
  await ctx.db
    .update(calendarConnections)
    .set({ nextSyncAt: new Date(now.getTime() + pause) })
    .where(and(mine, lte(calendarConnections.nextSyncAt, began)))
}

async function syncCalendar(
  ctx: BusinessContext,
  connection: Connection,
  calendar: Calendar,
  account: CalendarAccount,
  deps: CalendarDeps,
): Promise<void> {
  const now = deps.now()
  const window = await windowOf(ctx, now)
  // What is read is fixed in the vendor's token: once a day it is read anew, further ahead.
  const isOld = !calendar.readAt || now.getTime() - calendar.readAt.getTime() > DAY_MS
  const result = await readChanges(account, calendar.remoteId, isOld ? null : calendar.syncState, window)
  if (result.skipped > 0) ctx.log.info({ calendarId: calendar.id, skipped: result.skipped }, 'events outside left out')
  const changes = await applySync(ctx, connection, calendar, result, window, now)
  await takeOutsideChanges(ctx, connection, calendar, account, changes, deps)
  if (changes.length > 0) await keepState(ctx, calendar, result.state)
}

async function readChanges(
  account: CalendarAccount,
  remoteId: string,
  state: string | null,
  window: Window,
): Promise<SyncResult> {
  try {
    return await account.sync(remoteId, state, window)
  } catch (error) {
    if (state === null || !(error instanceof CalendarError) || error.problem !== 'resync') throw error
    return await account.sync(remoteId, null, window)
  }
}

async function windowOf(ctx: BusinessContext, now: Date): Promise<Window> {
  const [business] = await ctx.db
    .select({ zone: businesses.timezone })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  return {
    from: new Date(now.getTime() - DAY_MS),
    to: new Date(now.getTime() + AHEAD_DAYS * DAY_MS),
    zone: business?.zone ?? 'UTC',
  }
}

/** Queues the connections that are due. @returns how many */
export async function queueSyncs(ctx: DomainContext, now = new Date()): Promise<number> {
  const due = await ctx.db
    .select({ id: calendarConnections.id, businessId: calendarConnections.businessId })
    .from(calendarConnections)
    .where(and(ne(calendarConnections.state, 'needs_reconnect'), lte(calendarConnections.nextSyncAt, now)))
    .orderBy(asc(calendarConnections.nextSyncAt))
    .limit(BATCH)
  for (const { id, businessId } of due) await queueRound(ctx, 'calendar.sync', businessId, id)
  return due.length
}

/**
 * Takes a vendor's notice that a calendar changed: it is due at once. Doubled notices are one round.
 * @returns whether there is such a channel
 */
export async function takeNotice(
  ctx: DomainContext,
  channelId: string,
  { calendarId, now = new Date() }: { calendarId?: string; now?: Date } = {},
): Promise<boolean> {
  const [calendar] = await ctx.db
    .select({ connectionId: outsideCalendars.connectionId, businessId: outsideCalendars.businessId })
    .from(outsideCalendars)
    .where(and(eq(outsideCalendars.channelId, channelId), calendarId ? eq(outsideCalendars.id, calendarId) : undefined))
  if (!calendar) return false
  const { businessId, connectionId } = calendar
  await ctx.db
    .update(calendarConnections)
    .set({ nextSyncAt: now })
    .where(and(eq(calendarConnections.id, connectionId), eq(calendarConnections.businessId, businessId)))
  await queueRound(ctx, 'calendar.sync', businessId, connectionId)
  return true
}

/** A channel is over, as its vendor says: the next round opens another. */
export async function forgetChannel(ctx: DomainContext, channelId: string): Promise<void> {
  await ctx.db
    .update(outsideCalendars)
    .set({ channelId: null, channelResource: null, channelExpiresAt: null })
    .where(eq(outsideCalendars.channelId, channelId))
}

/** Reads a connection now, for a person who asks for it; what was given up is tried again. */
export async function syncNow(ctx: BusinessContext, id: string, now = new Date()): Promise<boolean> {
  const rows = await ctx.db
    .update(calendarConnections)
    .set({ nextSyncAt: now, failures: 0 })
    .where(and(eq(calendarConnections.id, id), eq(calendarConnections.businessId, ctx.businessId)))
    .returning({ id: calendarConnections.id })
  if (rows.length === 0) return false
  const calendars = ctx.db
    .select({ id: outsideCalendars.id })
    .from(outsideCalendars)
    .where(and(eq(outsideCalendars.connectionId, id), eq(outsideCalendars.businessId, ctx.businessId)))
  await ctx.db
    .update(calendarPushes)
    .set({ attempts: 0, nextAt: now })
    .where(and(eq(calendarPushes.businessId, ctx.businessId), inArray(calendarPushes.calendarId, calendars)))
  await queueRound(ctx, 'calendar.sync', ctx.businessId, id)
  return true
}

/** Deletes what has passed from the copies. @returns how many */
export async function pruneOutside(ctx: DomainContext, now = new Date()): Promise<number> {
  const gone = await ctx.db
    .delete(outsideEvents)
    .where(lte(outsideEvents.endsAt, new Date(now.getTime() - 7 * DAY_MS)))
    .returning({ id: outsideEvents.id })
  return gone.length
}
