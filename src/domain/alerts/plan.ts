import { and, eq, gt, inArray, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  alertChannels,
  alertDeliveries,
  alertIncidents,
  alertMembers,
  businesses,
  memberships,
  PUSH_KINDS,
  pushDevices,
  users,
} from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { type AlertKind, type AlertWay, brokenWays, defaultWays, isAlertKind, KINDS, type MemberWay } from './kinds.ts'
import { quietUntil } from './quiet.ts'

/** What this installation can tell by, beside web push and channels. */
export type Reach = { mail: boolean; carrier(businessId: string): boolean }

type Incident = typeof alertIncidents.$inferSelect
type NewDelivery = typeof alertDeliveries.$inferInsert

/** How often a member or channel is notified by one way in an hour; what is more comes in a summary. */
const PER_HOUR: Record<AlertWay, number> = {
  push: 60,
  email: 20,
  whatsapp: 15,
  sms: 10,
  call: 4,
  slack: 60,
  telegram: 60,
  webhook: 600,
}
/** Money is spent on each: even what is critical does not go by these beyond their number. */
const COSTLY: readonly AlertWay[] = ['sms', 'call']
const HOUR_MS = 3_600_000
/** How long what was held in a quiet time is still sent after it. */
const AFTER_QUIET_MS = 12 * HOUR_MS
/** In which order a way is chosen in place of one that is broken. */
const INSTEAD: readonly MemberWay[] = ['push', 'email', 'sms', 'whatsapp', 'call']

export type AlertMember = {
  userId: string | null
  role: 'owner' | 'manager' | 'agent' | 'viewer'
  name: string | null
  email: string | null
  settings: typeof alertMembers.$inferSelect | null
}

/** The members of a business with what they chose. In the sandbox its own machine is one, an owner without a login. */
export async function alertMembersOf(tx: Executor, ctx: Pick<BusinessContext, 'businessId'>): Promise<AlertMember[]> {
  const rows: AlertMember[] = await tx
    .select({
      userId: memberships.userId,
      role: memberships.role,
      name: users.name,
      email: users.email,
      settings: alertMembers,
    })
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .leftJoin(
      alertMembers,
      and(eq(alertMembers.businessId, memberships.businessId), eq(alertMembers.userId, memberships.userId)),
    )
    .where(eq(memberships.businessId, ctx.businessId))
  const [settings = null] = await tx
    .select()
    .from(alertMembers)
    .where(and(eq(alertMembers.businessId, ctx.businessId), isNull(alertMembers.userId)))
  const [device] = await tx
    .select({ id: pushDevices.id })
    .from(pushDevices)
    .where(and(eq(pushDevices.businessId, ctx.businessId), isNull(pushDevices.userId)))
    .limit(1)
  if (settings || device) rows.push({ userId: null, role: 'owner', name: null, email: null, settings })
  return rows
}

/** Writes whom an incident is notified by which way, or, for a step of its escalation, the one member of that step. */
export async function planDeliveries(
  tx: Executor,
  ctx: BusinessContext,
  incident: Incident,
  reach: Reach,
  now: Date,
  delayMs = 0,
  step: { position: number; userId: string | null; ways: MemberWay[] } | null = null,
): Promise<void> {
  const { kind } = incident
  if (!isAlertKind(kind)) return
  const members = await alertMembersOf(tx, ctx)
  const devices = await tx
    .select({ id: pushDevices.id, userId: pushDevices.userId, kinds: pushDevices.kinds })
    .from(pushDevices)
    .where(eq(pushDevices.businessId, ctx.businessId))
  const zone = await zoneOf(tx, ctx)
  const at = new Date(now.getTime() + delayMs)
  const base = {
    businessId: ctx.businessId,
    incidentId: incident.id,
    kind,
    purpose: step ? ('escalation' as const) : ('alert' as const),
    expiresAt: incident.expiresAt,
  }
  const round = `${incident.id}:${incident.openedAt?.getTime() ?? 0}:${step ? `step${step.position}` : 'alert'}`
  const rows: NewDelivery[] = []
  for (const member of members) {
    if (step ? member.userId !== step.userId : incident.memberId && member.userId !== incident.memberId) continue
    const own = devices.filter(
      (device) => device.userId === member.userId && (!isDeviceKind(kind) || device.kinds.includes(kind)),
    )
    const can = waysOf(ctx, member, own.length > 0, reach)
    const wanted = step ? step.ways : (member.settings?.rules[kind] ?? defaultWays(kind, member.role))
    // What an API knew before a kind existed, or a way that was taken away, is no way.
    const ways = healthyWays(
      kind,
      incident.subject,
      wanted.filter((way) => can.has(way)),
      can,
    )
    const when = whenFor(kind, member, at, zone)
    for (const way of ways) {
      const to = { ...base, ...when, way, userId: member.userId }
      if (way === 'push') for (const { id } of own) rows.push({ ...to, deviceId: id, key: `${round}:push:${id}` })
      else rows.push({ ...to, address: addressOf(way, member), key: `${round}:${way}:${member.userId ?? 'machine'}` })
    }
  }
  if (!step && !incident.memberId)
    for (const channel of await channelsFor(tx, ctx, kind))
      rows.push({
        ...base,
        state: 'pending',
        notBefore: at,
        way: channel.way,
        channelId: channel.id,
        key: `${round}:${channel.way}:${channel.id}`,
      })
  await limitAndWrite(tx, ctx, await outlivesQuiet(tx, ctx, incident, rows), KINDS[kind].level === 'critical', now)
}

/**
 * What is held until a quiet time is over does not expire in it: a Sabbath or two days of a holiday are longer than an
 * event counts. The incident lives on with it, so that it can be taken then.
 */
export async function outlivesQuiet(tx: Executor, ctx: BusinessContext, incident: Incident, rows: NewDelivery[]) {
  const ends = rows.flatMap(({ state, notBefore }) => (state === 'held' && notBefore ? [notBefore.getTime()] : []))
  const expiresAt = new Date(Math.max(incident.expiresAt.getTime(), ...ends.map((end) => end + AFTER_QUIET_MS)))
  if (expiresAt.getTime() === incident.expiresAt.getTime()) return rows
  await tx
    .update(alertIncidents)
    .set({ expiresAt })
    .where(and(eq(alertIncidents.id, incident.id), eq(alertIncidents.businessId, ctx.businessId)))
  return rows.map((row) => ({ ...row, expiresAt }))
}

/** At once, or when the quiet time of a member is over. */
export function whenFor(kind: AlertKind, { settings }: AlertMember, at: Date, zone: string) {
  const quiet = settings && KINDS[kind].level !== 'critical' ? quietUntil(at, settings, zone) : null
  return quiet ? { state: 'held' as const, notBefore: quiet } : { state: 'pending' as const, notBefore: at }
}

/** By which ways a member can be notified here. */
export function waysOf(
  ctx: Pick<BusinessContext, 'businessId'>,
  member: AlertMember,
  hasDevice: boolean,
  reach: Reach,
): Set<MemberWay> {
  const phone = phoneOf(member)
  const carrier = phone !== null && reach.carrier(ctx.businessId)
  const can: Record<MemberWay, boolean> = {
    push: hasDevice,
    email: reach.mail && member.email !== null && !member.settings?.mailOffAt,
    whatsapp: phone !== null,
    sms: carrier,
    call: carrier,
  }
  return new Set(INSTEAD.filter((way) => can[way]))
}

/** A number that a member proved to be theirs; alerts tell of customers, and no stranger may read them. */
export function phoneOf({ settings }: AlertMember): string | null {
  return settings?.phoneVerifiedAt ? settings.phone : null
}

/** What tells of a broken way goes by another one too. */
function healthyWays(kind: AlertKind, subject: string, ways: MemberWay[], can: ReadonlySet<MemberWay>): MemberWay[] {
  const broken = brokenWays(kind, subject)
  if (ways.length === 0 || ways.some((way) => !broken.includes(way))) return ways
  const other = INSTEAD.find((way) => can.has(way) && !broken.includes(way))
  return other ? [...ways, other] : ways
}

/** A device chooses among the first kinds itself; of the others it gets what its member gets. */
function isDeviceKind(kind: string): boolean {
  return PUSH_KINDS.some((each) => each === kind)
}

function addressOf(way: MemberWay, member: AlertMember): string | null {
  return way === 'whatsapp' || way === 'sms' || way === 'call' ? phoneOf(member) : null
}

async function channelsFor(tx: Executor, ctx: BusinessContext, kind: AlertKind) {
  const channels = await tx
    .select({ id: alertChannels.id, way: alertChannels.way, kinds: alertChannels.kinds })
    .from(alertChannels)
    .where(and(eq(alertChannels.businessId, ctx.businessId), eq(alertChannels.enabled, true)))
    // One that is just being removed is waited for and left out.
    .for('key share')
  return channels.filter(({ kinds }) => (kinds ? kinds.includes(kind) : KINDS[kind].level !== 'normal'))
}

async function limitAndWrite(
  tx: Executor,
  ctx: BusinessContext,
  rows: NewDelivery[],
  critical: boolean,
  now: Date,
): Promise<void> {
  if (rows.length === 0) return
  const recent = await tx
    .select({
      to: sql<string>`${alertDeliveries.way} || ':' || coalesce(${alertDeliveries.deviceId}::text, ${alertDeliveries.channelId}::text, ${alertDeliveries.userId}, '')`,
      count: sql<number>`count(*)::int`,
      first: sql<string>`min(${alertDeliveries.notBefore})`,
    })
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        gt(alertDeliveries.notBefore, new Date(now.getTime() - HOUR_MS)),
        inArray(alertDeliveries.state, ['pending', 'sending', 'sent', 'unknown']),
        inArray(alertDeliveries.purpose, ['alert', 'escalation']),
      ),
    )
    .groupBy(sql`1`)
  const limited = rows.map((row) => {
    const used = recent.find(({ to }) => to === `${row.way}:${row.deviceId ?? row.channelId ?? row.userId ?? ''}`)
    const exempt = critical && !COSTLY.includes(row.way)
    if (!used || used.count < PER_HOUR[row.way] || exempt || row.state === 'held') return row
    return { ...row, state: 'held' as const, notBefore: new Date(new Date(used.first).getTime() + HOUR_MS) }
  })
  await tx.insert(alertDeliveries).values(limited).onConflictDoNothing()
}

/**
 * Tells all who were notified of an incident what became of it, by the ways by which they were; no one is rung up for it, and in
 * the quiet time of a member it comes at once only of what is critical.
 */
export async function tellAgain(
  tx: Executor,
  ctx: BusinessContext,
  incident: Incident,
  purpose: 'taken' | 'all_clear',
  now: Date,
): Promise<void> {
  const notified = await tx
    .select()
    .from(alertDeliveries)
    .where(
      and(
        eq(alertDeliveries.businessId, ctx.businessId),
        eq(alertDeliveries.incidentId, incident.id),
        inArray(alertDeliveries.state, ['sent', 'unknown']),
        inArray(alertDeliveries.purpose, ['alert', 'escalation']),
      ),
    )
  const members = await alertMembersOf(tx, ctx)
  const zone = await zoneOf(tx, ctx)
  const seen = new Set<string>()
  const rows = notified.flatMap(({ way, userId, deviceId, channelId, address, kind }): NewDelivery[] => {
    const to = `${way}:${deviceId ?? channelId ?? userId ?? 'machine'}`
    if (way === 'call' || seen.has(to)) return []
    seen.add(to)
    const key = `${incident.id}:${incident.openedAt?.getTime() ?? 0}:${purpose}:${to}`
    const member = channelId ? undefined : members.find((each) => each.userId === userId)
    const when =
      member && isAlertKind(kind) ? whenFor(kind, member, now, zone) : { state: 'pending' as const, notBefore: now }
    const expiresAt = new Date(when.notBefore.getTime() + 6 * HOUR_MS)
    const base = { businessId: ctx.businessId, incidentId: incident.id, kind, purpose, way, key, ...when }
    return [{ ...base, userId, deviceId, channelId, address, expiresAt }]
  })
  if (rows.length > 0) await tx.insert(alertDeliveries).values(rows).onConflictDoNothing()
}

export async function zoneOf(tx: Executor, ctx: Pick<BusinessContext, 'businessId'>): Promise<string> {
  const [row] = await tx
    .select({ timezone: businesses.timezone })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  return row?.timezone ?? 'UTC'
}
