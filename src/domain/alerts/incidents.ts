import { and, asc, desc, eq, inArray, lte, ne, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { alertDeliveries, alertIncidents, alertLadder, alertSettings, alertSteps } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { lock } from '../locks.ts'
import { type AlertKind, isAlertKind, KINDS } from './kinds.ts'
import { planDeliveries, type Reach, tellAgain } from './plan.ts'

export type Incident = typeof alertIncidents.$inferSelect
type Facts = Record<string, string | number>

/** What happened is old after this, and nothing more is notified of it. */
const EVENT_LIVES_MS = 24 * 3_600_000
/** A condition that stays is notified once in this time. */
const CONDITION_LIVES_MS = 7 * 24 * 3_600_000
/** Found twice, and for this long: a restart or one lost request is no alert. */
const STRIKES = 2
const LASTS_MS = 60_000
/** Not found for this long, it is over. */
const QUIET_MS = 10 * 60_000
/** Each time it comes back, that doubles, up to this. */
const LONGEST_QUIET_MS = 6 * 3_600_000
/** What comes back so soon after it was over is the same: it is notified again only when it lasts this long. */
const BACK_MS = 3 * 3_600_000
const BACK_LASTS_MS = 30 * 60_000

/** Opens an incident of something that happened, and writes whom it is notified. Raised twice, it is one. */
export async function raise(
  tx: Executor,
  ctx: BusinessContext,
  what: { kind: AlertKind; subject: string; memberId?: string | null; delayMs?: number },
  reach: Reach,
  now: Date,
): Promise<string | null> {
  const { kind, subject, memberId = null, delayMs = 0 } = what
  // Two processes that decide at once must not both find none.
  await lock(tx, `alert:${ctx.businessId}:${kind}:${subject}`)
  const [earlier] = await tx
    .select({ id: alertIncidents.id })
    .from(alertIncidents)
    .where(sameIncident(ctx, kind, subject))
    .limit(1)
  if (earlier) return null
  const [incident] = await tx
    .insert(alertIncidents)
    .values({
      businessId: ctx.businessId,
      kind,
      subject,
      state: 'open',
      memberId,
      firstAt: now,
      lastAt: now,
      openedAt: now,
      expiresAt: new Date(now.getTime() + EVENT_LIVES_MS),
    })
    .returning()
  if (!incident) throw new Error('The incident was not written.')
  await tell(tx, ctx, incident, reach, now, delayMs)
  return incident.id
}

/**
 * Takes what a watch found of a condition. It is notified when it was found twice and lasted; it is over when it was not found for
 * longer than that. What comes and goes is notified once and is over once.
 */
export async function observe(
  ctx: BusinessContext,
  what: { kind: AlertKind; subject: string; bad: boolean; facts?: Facts },
  reach: Reach,
  now: Date,
): Promise<'notified' | 'over' | 'unchanged'> {
  const { kind, subject, bad, facts } = what
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, `alert:${ctx.businessId}:${kind}:${subject}`)
    const [incident] = await tx
      .select()
      .from(alertIncidents)
      .where(sameIncident(ctx, kind, subject))
      .orderBy(desc(alertIncidents.id))
      .limit(1)
    if (bad) return await foundBad(tx, ctx, { kind, subject, ...(facts ? { facts } : {}) }, incident, reach, now)
    if (!incident || incident.state === 'over') return 'unchanged'
    return await foundGood(tx, ctx, incident, now)
  })
}

async function foundBad(
  tx: Executor,
  ctx: BusinessContext,
  { kind, subject, facts }: { kind: AlertKind; subject: string; facts?: Facts },
  incident: Incident | undefined,
  reach: Reach,
  now: Date,
): Promise<'notified' | 'unchanged'> {
  const life = { lastAt: now, expiresAt: new Date(now.getTime() + CONDITION_LIVES_MS), ...(facts ? { facts } : {}) }
  const returns = incident?.state === 'over' && now.getTime() - (incident.overAt?.getTime() ?? 0) < BACK_MS
  if (!incident || (incident.state === 'over' && !returns)) {
    await tx.insert(alertIncidents).values({
      businessId: ctx.businessId,
      kind,
      subject,
      state: 'watched',
      firstAt: now,
      badSince: now,
      ...life,
    })
    return 'unchanged'
  }
  const badSince = incident.badSince ?? now
  const flaps = incident.flaps + (incident.badSince ? 0 : 1)
  const strikes = incident.state === 'over' ? 1 : incident.strikes + 1
  const lasts = incident.openedAt ? BACK_LASTS_MS : LASTS_MS
  const since = incident.state === 'watched' && !incident.openedAt ? incident.firstAt : badSince
  const opens = incident.state !== 'open' && strikes >= STRIKES && now.getTime() - since.getTime() >= lasts
  const state = opens ? 'open' : incident.state === 'over' ? 'watched' : incident.state
  const [changed] = await tx
    .update(alertIncidents)
    .set({
      ...life,
      state,
      strikes,
      flaps,
      badSince,
      goodSince: null,
      overAt: null,
      ...(opens ? { openedAt: now, seenAt: null, seenBy: null, takenAt: null, takenBy: null, takenHow: null } : {}),
    })
    .where(eq(alertIncidents.id, incident.id))
    .returning()
  if (!opens || !changed) return 'unchanged'
  // Held until the morning, it would say then that all is well.
  await dropWaiting(tx, incident.id, 'it is back', ['all_clear'])
  await tell(tx, ctx, changed, reach, now)
  return 'notified'
}

async function foundGood(
  tx: Executor,
  ctx: BusinessContext,
  incident: Incident,
  now: Date,
): Promise<'over' | 'unchanged'> {
  const goodSince = incident.goodSince ?? now
  const quiet = Math.min(QUIET_MS * 2 ** Math.min(incident.flaps, 10), LONGEST_QUIET_MS)
  const over = now.getTime() - goodSince.getTime() >= quiet
  await tx
    .update(alertIncidents)
    .set({ badSince: null, goodSince, ...(over ? { state: 'over' as const, overAt: now } : {}) })
    .where(eq(alertIncidents.id, incident.id))
  if (!over) return 'unchanged'
  await skipSteps(tx, incident.id)
  if (incident.state !== 'open') return 'unchanged'
  await dropWaiting(tx, incident.id, 'it is over')
  await tellAgain(tx, ctx, incident, 'all_clear', now)
  await audit(tx, ctx, { action: 'alert.over', entity: 'alert', entityId: incident.id, data: { kind: incident.kind } })
  return 'over'
}

/** Writes the deliveries of an incident that opens, the steps of its escalation, and the event that says so. */
async function tell(tx: Executor, ctx: BusinessContext, incident: Incident, reach: Reach, now: Date, delayMs = 0) {
  await planDeliveries(tx, ctx, incident, reach, now, delayMs)
  const kind = incident.kind
  if (!isAlertKind(kind)) return
  const [settings] = await tx.select().from(alertSettings).where(eq(alertSettings.businessId, ctx.businessId))
  if (settings?.escalated ? settings.escalated.includes(kind) : KINDS[kind].level === 'critical') {
    const ladder = await tx
      .select()
      .from(alertLadder)
      .where(eq(alertLadder.businessId, ctx.businessId))
      .orderBy(asc(alertLadder.position))
    if (ladder.length > 0)
      await tx
        .insert(alertSteps)
        .values(
          ladder.map(({ position, userId, ways, afterMinutes }) => ({
            businessId: ctx.businessId,
            incidentId: incident.id,
            position,
            userId,
            ways,
            dueAt: new Date(now.getTime() + delayMs + afterMinutes * 60_000),
          })),
        )
        // One that opened again climbs the ladder again.
        .onConflictDoUpdate({
          target: [alertSteps.incidentId, alertSteps.position],
          set: {
            state: 'pending',
            dueAt: sql`excluded.due_at`,
            ways: sql`excluded.ways`,
            userId: sql`excluded.user_id`,
          },
        })
  }
  await audit(tx, ctx, { action: 'alert.open', entity: 'alert', entityId: incident.id, data: { kind } })
}

export type Taken = { by: string | null; how: NonNullable<Incident['takenHow']>; answer?: 'done' | 'call_back' }

/**
 * A member takes care of an incident: nothing more is escalated, and all who were notified hear who it is. Taken already, it stays
 * with the first.
 * @throws AppError `alert_not_found`
 */
export async function takeIncident(ctx: BusinessContext, id: string, taken: Taken, now: Date): Promise<boolean> {
  return await ctx.db.transaction((tx) => takeIncidentIn(tx, ctx, id, taken, now))
}

/** The same, in a transaction that goes on. */
export async function takeIncidentIn(
  tx: Executor,
  ctx: BusinessContext,
  id: string,
  { by, how, answer = 'done' }: Taken,
  now: Date,
): Promise<boolean> {
  const incident = await lockIncident(tx, ctx, id)
  if (isSettled(incident, now)) return false
  await tx
    .update(alertIncidents)
    .set({
      takenAt: now,
      takenBy: by,
      takenHow: how,
      answer,
      ...(incident.seenAt ? {} : { seenAt: now, seenBy: by }),
    })
    .where(eq(alertIncidents.id, id))
  await skipSteps(tx, id)
  await dropWaiting(tx, id, 'it is taken')
  await tellAgain(tx, ctx, incident, 'taken', now)
  await audit(tx, ctx, { action: 'alert.take', entity: 'alert', entityId: id, data: { how, answer } })
  return true
}

/** A member looked at it: it is not escalated any more. @throws AppError `alert_not_found` */
export async function seeIncident(ctx: BusinessContext, id: string, by: string | null, now: Date): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const incident = await lockIncident(tx, ctx, id)
    if (incident.seenAt) return
    await tx.update(alertIncidents).set({ seenAt: now, seenBy: by }).where(eq(alertIncidents.id, id))
    await skipSteps(tx, id)
    await audit(tx, ctx, { action: 'alert.see', entity: 'alert', entityId: id })
  })
}

/** @throws AppError `alert_not_found` */
export async function lockIncident(tx: Executor, ctx: BusinessContext, id: string): Promise<Incident> {
  const [incident] = await tx
    .select()
    .from(alertIncidents)
    .where(and(eq(alertIncidents.id, id), eq(alertIncidents.businessId, ctx.businessId)))
    .for('update')
  if (!incident) throw new AppError('not_found', 'alert_not_found', 'There is no such alert.')
  return incident
}

/** Whether nothing more is to be sent of it. */
export function isSettled(incident: Incident, now: Date): boolean {
  return incident.state === 'over' || incident.takenAt !== null || incident.expiresAt <= now
}

/** What no one reacted to is over when it is old. @returns how many */
export async function expireIncidents(ctx: DomainContext, now: Date): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const gone = await tx
      .update(alertIncidents)
      .set({ state: 'over', overAt: now })
      .where(and(ne(alertIncidents.state, 'over'), lte(alertIncidents.expiresAt, now)))
      .returning({ id: alertIncidents.id })
    for (const { id } of gone) await skipSteps(tx, id)
    return gone.length
  })
}

/**
 * Does the steps that are due: each reads in its own transaction whether anybody has reacted. Run by several processes at once,
 * or after one died, each step is done once.
 * @returns how many were done
 */
export async function runSteps(ctx: DomainContext, reach: Reach, now: Date): Promise<number> {
  const due = await ctx.db
    .select({ id: alertSteps.id, businessId: alertSteps.businessId, incidentId: alertSteps.incidentId })
    .from(alertSteps)
    .where(and(eq(alertSteps.state, 'pending'), lte(alertSteps.dueAt, now)))
    .orderBy(asc(alertSteps.dueAt))
    .limit(200)
  let done = 0
  for (const { id, businessId, incidentId } of due)
    await ctx.db.transaction(async (tx) => {
      const business = within(ctx, businessId)
      const incident = await lockIncident(tx, business, incidentId)
      const [step] = await tx
        .select()
        .from(alertSteps)
        .where(and(eq(alertSteps.id, id), eq(alertSteps.state, 'pending')))
        .for('update')
      if (!step) return
      const skipped = isSettled(incident, now) || incident.seenAt !== null
      await tx
        .update(alertSteps)
        .set({ state: skipped ? 'skipped' : 'done' })
        .where(eq(alertSteps.id, id))
      if (skipped) return
      await planDeliveries(tx, business, incident, reach, now, 0, step)
      done += 1
    })
  return done
}

async function skipSteps(tx: Executor, incidentId: string): Promise<void> {
  await tx
    .update(alertSteps)
    .set({ state: 'skipped' })
    .where(and(eq(alertSteps.incidentId, incidentId), eq(alertSteps.state, 'pending')))
}

async function dropWaiting(
  tx: Executor,
  incidentId: string,
  why: string,
  purposes: (typeof alertDeliveries.$inferSelect)['purpose'][] = ['alert', 'escalation'],
): Promise<void> {
  await tx
    .update(alertDeliveries)
    .set({ state: 'dropped', error: why })
    .where(
      and(
        eq(alertDeliveries.incidentId, incidentId),
        inArray(alertDeliveries.state, ['pending', 'held']),
        inArray(alertDeliveries.purpose, purposes),
      ),
    )
}

function sameIncident(ctx: BusinessContext, kind: AlertKind, subject: string) {
  return and(
    eq(alertIncidents.businessId, ctx.businessId),
    eq(alertIncidents.kind, kind),
    eq(alertIncidents.subject, subject),
  )
}

/** Conditions that are watched or open in a business, so that the end of those is noticed that are not found any more. */
export async function conditionsOf(ctx: BusinessContext, kind: AlertKind): Promise<string[]> {
  const rows = await ctx.db
    .select({ subject: alertIncidents.subject })
    .from(alertIncidents)
    .where(
      and(
        eq(alertIncidents.businessId, ctx.businessId),
        eq(alertIncidents.kind, kind),
        ne(alertIncidents.state, 'over'),
      ),
    )
  return rows.map(({ subject }) => subject)
}
