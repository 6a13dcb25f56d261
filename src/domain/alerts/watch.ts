import { and, count, desc, eq, gt, gte, inArray, isNotNull, ne, sql } from 'drizzle-orm'
import {
  alertWatch,
  appointments,
  calendarConnections,
  calendarPushes,
  calls,
  outsideCalendars,
  whatsappAccounts,
  whatsappLinks,
} from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { maskPhone } from '../../lib/log.ts'
import { cutText } from '../../lib/text.ts'
import { listBusinesses } from '../businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { failingModels, modelBudget } from '../models/index.ts'
import { type AlertDeps, checkHandedOver, failingWays, reachOf } from './deliver.ts'
import { conditionsOf, observe } from './incidents.ts'
import type { AlertKind } from './kinds.ts'

/** What a watch found wrong. */
export type Found = { kind: AlertKind; subject: string; facts?: Record<string, string | number> }

/** How long an account may be away before it is a matter for a person: it reconnects by itself after a short loss. */
const AWAY_MS = 3 * 60_000
/** After so many tries, which take more than half an hour, a vendor does not take an appointment. */
const UNWRITTEN_TRIES = 8
/** How long a calendar outside may not be read: it is tried again all the while. */
const UNREAD_MS = 6 * 3_600_000
const ENGINE_MINUTES = 15
const ENGINE_FAILURES = 2
const ENGINE_ENDS = ['engine_failed', 'engine_refused', 'engine_lost', 'engine_stalled', 'engine_rate_limited']
/** OpenAI: `insufficient_quota`, `billing_hard_limit_reached`, "exceeded your current quota"; 402 is Payment Required. */
const OUT_OF_MONEY = /insufficient_quota|billing|exceeded your current quota|\b402\b|credit balance/i
/** Spans in which silence is unusual when each of the weeks before had at least so many in them. */
const SILENT_HOURS = [3, 8, 24] as const
const USUAL_LEAST = 4
const WEEKS = 4

/** The kinds that are watched here, and cleared when nothing is found of them any more. */
const BUSINESS_KINDS = [
  'whatsapp_down',
  'calendar_failing',
  'engine_failing',
  'engine_credit',
  'model_failing',
  'model_budget',
  'silence',
  'way_failing',
] as const

/** Looks at every business for what is wrong. One that cannot be looked at does not stop the others. @returns how many were found */
export async function watchBusinesses(ctx: DomainContext, deps: AlertDeps): Promise<number> {
  const now = deps.now()
  let count = 0
  for (const { id, blockedAt } of await listBusinesses(ctx)) {
    if (blockedAt) continue
    const business = within(ctx, id)
    try {
      await checkHandedOver(business, deps)
      const found = [
        ...(await awayAccounts(business, now)),
        ...(await unreadCalendars(business, now)),
        ...(await unwrittenCalendars(business, now)),
        ...(await failingEngine(business, now)),
        ...(await failingModelsOf(business, now)),
        ...(await budgetOf(business)),
        ...(await unusualSilence(business, now)),
        ...(await failingWays(business, now)).failing.map(
          (way): Found => ({
            kind: 'way_failing',
            subject: way,
            facts: { way },
          }),
        ),
      ]
      count += found.length
      await report(business, BUSINESS_KINDS, found, deps)
    } catch (error) {
      ctx.log.error({ businessId: id, error: errorMessage(error) }, 'a business could not be watched')
    }
  }
  return count
}

/** Whether something of this kind was found in the installation and is not over. */
export async function isWatched(ctx: DomainContext, kind: AlertKind): Promise<boolean> {
  const [first] = await listBusinesses(ctx)
  return first !== undefined && (await conditionsOf(within(ctx, first.id), kind)).length > 0
}

/** Takes what was found of the installation: notified in its first business, whose owners operate it. */
export async function reportInstallation(
  ctx: DomainContext,
  kinds: readonly AlertKind[],
  found: Found[],
  deps: AlertDeps,
): Promise<void> {
  const [first] = await listBusinesses(ctx)
  if (first) await report(within(ctx, first.id), kinds, found, deps)
}

async function report(
  ctx: BusinessContext,
  kinds: readonly AlertKind[],
  found: Found[],
  deps: AlertDeps,
): Promise<void> {
  const [reach, now] = [reachOf(deps), deps.now()]
  for (const each of found) await observe(ctx, { ...each, bad: true }, reach, now)
  for (const kind of kinds)
    for (const subject of await conditionsOf(ctx, kind))
      if (!found.some((each) => each.kind === kind && each.subject === subject))
        await observe(ctx, { kind, subject, bad: false }, reach, now)
}

async function awayAccounts(ctx: BusinessContext, now: Date): Promise<Found[]> {
  const rows = await ctx.db
    .select({
      id: whatsappAccounts.id,
      phone: whatsappAccounts.phone,
      state: whatsappAccounts.state,
      reason: whatsappAccounts.stateReason,
      since: whatsappAccounts.stateSince,
      wanted: whatsappLinks.wanted,
      restrictedAt: whatsappLinks.restrictedAt,
      restriction: whatsappLinks.restrictionCode,
      leaseExpiresAt: whatsappLinks.leaseExpiresAt,
    })
    .from(whatsappAccounts)
    .innerJoin(
      whatsappLinks,
      and(eq(whatsappLinks.accountId, whatsappAccounts.id), eq(whatsappLinks.businessId, ctx.businessId)),
    )
    .where(
      and(
        eq(whatsappAccounts.businessId, ctx.businessId),
        eq(whatsappAccounts.provider, 'baileys'),
        // One that was never linked is no loss.
        isNotNull(whatsappAccounts.linkedAt),
      ),
    )
  return rows.flatMap(
    ({ id, phone, state, reason, since, wanted, restrictedAt, restriction, leaseExpiresAt }): Found[] => {
      // A member switched it off.
      if (state === 'stopped' && !wanted) return []
      const away = state !== 'working' && (state !== 'starting' || now.getTime() - since.getTime() > AWAY_MS)
      // The process that held it is gone, and no other took it.
      const unheld = wanted && now.getTime() - leaseExpiresAt.getTime() > AWAY_MS
      const restricted = restrictedAt !== null && now.getTime() - restrictedAt.getTime() < 24 * 3_600_000
      if (!away && !unheld && !restricted) return []
      const why = restricted ? `restricted ${restriction ?? ''}`.trim() : (reason ?? (unheld ? 'no worker' : state))
      return [
        { kind: 'whatsapp_down', subject: id, facts: { reason: why, ...(phone ? { phone: maskPhone(phone) } : {}) } },
      ]
    },
  )
}

/** Of one that only a person can connect again one is notified at once; the others fail silently. */
async function unreadCalendars(ctx: BusinessContext, now: Date): Promise<Found[]> {
  const rows = await ctx.db
    .select({
      id: calendarConnections.id,
      name: calendarConnections.name,
      syncedAt: calendarConnections.syncedAt,
      createdAt: calendarConnections.createdAt,
    })
    .from(calendarConnections)
    .where(
      and(
        eq(calendarConnections.businessId, ctx.businessId),
        ne(calendarConnections.state, 'needs_reconnect'),
        gt(calendarConnections.failures, 0),
      ),
    )
  return rows.flatMap(({ id, name, syncedAt, createdAt }): Found[] => {
    const unread = now.getTime() - (syncedAt ?? createdAt).getTime()
    if (unread < UNREAD_MS) return []
    const hours = Math.floor(unread / 3_600_000)
    return [{ kind: 'calendar_failing', subject: id, facts: { name: cutText(name, 80), hours } }]
  })
}

/** Appointments that a calendar does not take, as one that became read-only: a person who looks there thinks to be free. */
async function unwrittenCalendars(ctx: BusinessContext, now: Date): Promise<Found[]> {
  const rows = await ctx.db
    .select({ id: outsideCalendars.id, name: outsideCalendars.name, unwritten: count() })
    .from(calendarPushes)
    .innerJoin(outsideCalendars, eq(outsideCalendars.id, calendarPushes.calendarId))
    .innerJoin(appointments, eq(appointments.id, calendarPushes.appointmentId))
    .where(
      and(
        eq(calendarPushes.businessId, ctx.businessId),
        gte(calendarPushes.attempts, UNWRITTEN_TRIES),
        gt(appointments.endsAt, now),
      ),
    )
    .groupBy(outsideCalendars.id, outsideCalendars.name)
  return rows.map(({ id, name, unwritten }) => ({
    kind: 'calendar_failing',
    subject: `${id} writes`,
    facts: { name: cutText(name, 80), unwritten },
  }))
}

async function failingEngine(ctx: BusinessContext, now: Date): Promise<Found[]> {
  const since = new Date(now.getTime() - ENGINE_MINUTES * 60_000)
  const rows = await ctx.db
    .select({ id: calls.id, detail: calls.endDetail, reason: calls.endReason })
    .from(calls)
    .where(
      and(
        eq(calls.businessId, ctx.businessId),
        gt(calls.startedAt, since),
        inArray(calls.endReason, ENGINE_ENDS),
        eq(calls.isTest, false),
      ),
    )
    .orderBy(desc(calls.id))
    .limit(100)
  const found: Found[] = []
  const [last] = rows
  if (rows.some(({ detail }) => OUT_OF_MONEY.test(detail ?? '')))
    found.push({ kind: 'engine_credit', subject: 'engine' })
  else if (last && rows.length >= ENGINE_FAILURES)
    found.push({
      kind: 'engine_failing',
      subject: 'engine',
      facts: { count: rows.length, minutes: ENGINE_MINUTES, callId: last.id },
    })
  return found
}

async function failingModelsOf(ctx: BusinessContext, now: Date): Promise<Found[]> {
  const rows = await failingModels(ctx, now)
  return rows.map(({ model, trouble }) => ({ kind: 'model_failing', subject: model, facts: { model, trouble } }))
}

/** Its state is in the subject: what was notified at 80 % is notified again at 100 %, and again next month. */
async function budgetOf(ctx: BusinessContext): Promise<Found[]> {
  const { month, percent, state } = await modelBudget(ctx)
  return state === 'ok' ? [] : [{ kind: 'model_budget', subject: `${month} ${state}`, facts: { percent } }]
}

/** Nothing came for hours in which in each of the weeks before something did: lines and accounts fail silently. */
async function unusualSilence(ctx: BusinessContext, now: Date): Promise<Found[]> {
  for (const hours of SILENT_HOURS) {
    const windows = Array.from({ length: WEEKS + 1 }, (_, weeks) => {
      const to = new Date(now.getTime() - weeks * 7 * 86_400_000)
      return { from: new Date(to.getTime() - hours * 3_600_000), to }
    })
    const counts: number[] = []
    for (const { from, to } of windows) {
      counts.push(await countInbound(ctx, from, to))
      // Most of the time the first window decides.
      if (counts.length === 1 && counts[0] !== 0) break
    }
    const [now_, ...before] = counts
    if (now_ !== 0) return []
    const usual = Math.min(...before)
    if (usual >= USUAL_LEAST) return [{ kind: 'silence', subject: 'inbound', facts: { hours, usual } }]
  }
  return []
}

async function countInbound(ctx: BusinessContext, from: Date, to: Date): Promise<number> {
  const [row] = await ctx.db.execute<{ count: number }>(sql`select (
      (select count(*) from calls where business_id = ${ctx.businessId} and not is_test and direction = 'inbound'
        and started_at > ${from.toISOString()}::timestamptz and started_at <= ${to.toISOString()}::timestamptz)
      + (select count(*) from messages where business_id = ${ctx.businessId} and direction = 'in'
        and occurred_at > ${from.toISOString()}::timestamptz and occurred_at <= ${to.toISOString()}::timestamptz)
    )::int as count`)
  return row?.count ?? 0
}

/**
 * Whether something that is done every so often is due, and that it is done now: by one of several processes.
 * @returns false when another did it in that time
 */
export async function isDue(ctx: DomainContext, name: string, everyMs: number, now: Date): Promise<boolean> {
  const before = new Date(now.getTime() - everyMs)
  const rows = await ctx.db
    .insert(alertWatch)
    .values({ name, at: now })
    .onConflictDoUpdate({
      target: alertWatch.name,
      set: { at: now },
      setWhere: sql`${alertWatch.at} <= ${before.toISOString()}::timestamptz`,
    })
    .returning({ name: alertWatch.name })
  return rows.length > 0
}
