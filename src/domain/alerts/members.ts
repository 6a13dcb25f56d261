import { and, asc, eq, isNull } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { alertLadder, alertMembers, alertSettings, memberships, pushDevices } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { parsePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { lock } from '../locks.ts'
import { ROLES } from '../members/index.ts'
import { ALERT_GROUPS, ALERT_KINDS, type AlertKind, defaultWays, isAlertKind, KINDS, MEMBER_WAYS } from './kinds.ts'
import { type AlertMember, alertMembersOf, type Reach, waysOf, zoneOf } from './plan.ts'
import { nextAt } from './quiet.ts'
import { TITLES } from './texts.ts'

const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'a time such as 22:30')
const way = z.enum(MEMBER_WAYS)
/** When the week's summary comes, where none of the day says a time. */
const WEEKLY_AT = '08:00'

const rules = z
  .record(z.string(), z.array(way).max(MEMBER_WAYS.length))
  .refine((given) => Object.keys(given).every(isAlertKind), 'names a kind of alert that does not exist')

export const alertKindView = z.object({
  kind: z.string(),
  group: z.enum(ALERT_GROUPS),
  level: z.enum(['normal', 'important', 'critical']),
  title: z.object({ he: z.string(), en: z.string() }),
})

export const memberAlertSettings = z
  .object({
    language: z.enum(['he', 'en']),
    /** As it is dialled; stored in E.164. */
    phone: z.string().max(40).nullable(),
    /** Ways by kind; a kind that is missing has the defaults. */
    rules,
    quietFrom: clock.nullable(),
    quietTo: clock.nullable(),
    quietRestDays: z.boolean(),
    dailyAt: clock.nullable(),
    weeklyOn: z.int().min(0).max(6).nullable(),
    /** False: no mail at all. */
    mail: z.boolean(),
  })
  .partial()

export const memberAlertView = z.object({
  userId: z.string().nullable(),
  name: z.string().nullable(),
  role: z.enum(ROLES),
  language: z.enum(['he', 'en']),
  phone: z.string().nullable(),
  /** Whether the member proved that the number is theirs; until then no alert goes there. */
  phoneVerified: z.boolean(),
  rules: z.record(z.string(), z.array(way)),
  /** What holds at present, defaults included. */
  ways: z.record(z.string(), z.array(way)),
  /** By which the member can be notified now. */
  reachable: z.array(way),
  quietFrom: z.string().nullable(),
  quietTo: z.string().nullable(),
  quietRestDays: z.boolean(),
  dailyAt: z.string().nullable(),
  weeklyOn: z.number().nullable(),
  mail: z.boolean(),
})

export function listAlertKinds(): z.infer<typeof alertKindView>[] {
  return ALERT_KINDS.map((kind) => ({
    kind,
    group: KINDS[kind].group,
    level: KINDS[kind].level,
    title: { he: TITLES.he[kind], en: TITLES.en[kind] },
  }))
}

/** Whom an API key is for: no one. Null is the sandbox's own machine. @throws AppError `member_required` */
export function memberWhoAsks({ actor }: BusinessContext): string | null {
  if (actor.kind === 'user') return actor.id
  if (actor.kind === 'system') return null
  throw new AppError('forbidden', 'member_required', 'Alerts reach members. Log in to the console.')
}

/** Another number is another person's until it is verified. */
const UNVERIFIED = { phoneVerifiedAt: null, phoneCode: null, phoneCodeAt: null, phoneCodeTries: 0 }

type Defaults = { language: 'he' | 'en' }

/** How every member is notified. */
export async function listMemberAlerts(ctx: BusinessContext, reach: Reach, defaults: Defaults) {
  const members = await alertMembersOf(ctx.db, ctx)
  const withDevice = await devicesOf(ctx)
  return members.map((member) => toView(ctx, member, withDevice.has(member.userId), reach, defaults))
}

/** How one member is notified. @throws AppError `member_not_found` */
export async function getMemberAlerts(ctx: BusinessContext, userId: string | null, reach: Reach, defaults: Defaults) {
  const members = await alertMembersOf(ctx.db, ctx)
  const machine: AlertMember = { userId: null, role: 'owner', name: null, email: null, settings: null }
  const member = members.find((each) => each.userId === userId) ?? (userId === null ? machine : null)
  if (!member) throw noMember()
  return toView(ctx, member, (await devicesOf(ctx)).has(userId), reach, defaults)
}

async function devicesOf(ctx: BusinessContext): Promise<Set<string | null>> {
  const devices = await ctx.db
    .selectDistinct({ userId: pushDevices.userId })
    .from(pushDevices)
    .where(eq(pushDevices.businessId, ctx.businessId))
  return new Set(devices.map(({ userId }) => userId))
}

function toView(
  ctx: BusinessContext,
  member: AlertMember,
  hasDevice: boolean,
  reach: Reach,
  { language }: Defaults,
): z.infer<typeof memberAlertView> {
  const { userId, name, role, settings } = member
  const ways = ALERT_KINDS.map((kind) => [kind, settings?.rules[kind] ?? defaultWays(kind, role)] as const)
  return {
    userId,
    name,
    role,
    language: settings?.language ?? language,
    phone: settings?.phone ?? null,
    phoneVerified: Boolean(settings?.phoneVerifiedAt),
    rules: settings?.rules ?? {},
    ways: Object.fromEntries(ways),
    reachable: [...waysOf(ctx, member, hasDevice, reach)],
    quietFrom: settings?.quietFrom ?? null,
    quietTo: settings?.quietTo ?? null,
    quietRestDays: settings?.quietRestDays ?? false,
    dailyAt: settings?.dailyAt ?? null,
    weeklyOn: settings?.weeklyOn ?? null,
    mail: !settings?.mailOffAt,
  }
}

/**
 * Sets how a member is notified; what is not given stays.
 * @throws AppError `member_not_found`, `invalid_number`, `quiet_incomplete`
 */
export async function saveMemberAlerts(
  ctx: BusinessContext,
  userId: string | null,
  input: z.output<typeof memberAlertSettings>,
  defaults: Defaults,
  now: Date,
): Promise<void> {
  const { phone, mail, ...rest } = input
  const number = phone == null ? phone : parsePhone(phone)
  if (phone != null && !number)
    throw new AppError('invalid', 'invalid_number', 'This is no phone number; write it as +972… or 05x-….', {
      field: 'phone',
    })
  await ctx.db.transaction(async (tx) => {
    await lock(tx, `alert-member:${ctx.businessId}:${userId ?? ''}`)
    await requireMember(tx, ctx, userId)
    const [earlier] = await tx.select().from(alertMembers).where(thisMember(ctx, userId))
    const { id: _, ...kept } = earlier ?? { id: '', language: defaults.language }
    const next = {
      ...kept,
      ...rest,
      ...(number === undefined || number === earlier?.phone ? {} : { ...UNVERIFIED, phone: number }),
      ...(mail === undefined ? {} : { mailOffAt: mail ? null : now }),
    }
    if (((next.quietFrom ?? null) === null) !== ((next.quietTo ?? null) === null))
      throw new AppError('invalid', 'quiet_incomplete', 'A quiet time needs a beginning and an end.', {
        field: 'quietTo',
      })
    const zone = await zoneOf(tx, ctx)
    const times = {
      nextDailyAt: next.dailyAt ? nextAt(now, next.dailyAt, zone) : null,
      nextWeeklyAt: next.weeklyOn == null ? null : nextAt(now, next.dailyAt ?? WEEKLY_AT, zone, next.weeklyOn),
    }
    const values = { ...next, ...times, businessId: ctx.businessId, userId, updatedAt: now }
    if (earlier) await tx.update(alertMembers).set(values).where(eq(alertMembers.id, earlier.id))
    else await tx.insert(alertMembers).values(values)
    const data = { fields: Object.keys(input), member: userId }
    await audit(tx, ctx, { action: 'alert.settings', entity: 'alert_member', entityId: userId ?? 'machine', data })
  })
}

async function requireMember(tx: Executor, ctx: BusinessContext, userId: string | null): Promise<void> {
  if (userId === null) return
  const [row] = await tx
    .select({ id: memberships.id })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, userId)))
  if (!row) throw noMember()
}

function thisMember(ctx: BusinessContext, userId: string | null) {
  return and(
    eq(alertMembers.businessId, ctx.businessId),
    userId === null ? isNull(alertMembers.userId) : eq(alertMembers.userId, userId),
  )
}

/** A member gets no mail any more, by the link in one: the link is the permission. @throws AppError `member_not_found` */
export async function unsubscribeMail(
  ctx: DomainContext,
  { businessId, userId }: { businessId: string; userId: string },
  defaults: Defaults,
  now: Date,
): Promise<void> {
  const business = within(ctx, businessId, { kind: 'user', id: userId })
  await saveMemberAlerts(business, userId, { mail: false }, defaults, now)
}

export const ladderStep = z.object({
  /** Null is the sandbox's own machine. */
  userId: z.string().max(64).nullable(),
  ways: z.array(way).min(1).max(MEMBER_WAYS.length),
  afterMinutes: z.int().min(1).max(1_440),
})
export const escalationSettings = z.object({
  steps: z.array(ladderStep).max(10),
  /** Kinds that are escalated; null is the critical ones. */
  kinds: z.array(z.enum(ALERT_KINDS)).max(100).nullable(),
  /** A WhatsApp template: its variables are 1 title, 2 text, 3 link. */
  whatsappTemplate: z
    .string()
    .regex(/^HX[0-9a-f]{32}$/i, 'HX followed by 32 hex digits')
    .nullable()
    .default(null),
})

export async function getEscalation(ctx: BusinessContext): Promise<z.infer<typeof escalationSettings>> {
  const steps = await ctx.db
    .select({ userId: alertLadder.userId, ways: alertLadder.ways, afterMinutes: alertLadder.afterMinutes })
    .from(alertLadder)
    .where(eq(alertLadder.businessId, ctx.businessId))
    .orderBy(asc(alertLadder.position))
  const [row] = await ctx.db.select().from(alertSettings).where(eq(alertSettings.businessId, ctx.businessId))
  const kinds = row?.escalated?.filter((kind): kind is AlertKind => isAlertKind(kind)) ?? null
  return { steps, kinds, whatsappTemplate: row?.whatsappTemplate ?? null }
}

/** @throws AppError `member_not_found`, `steps_out_of_order` */
export async function saveEscalation(ctx: BusinessContext, input: z.output<typeof escalationSettings>) {
  const { steps, kinds, whatsappTemplate } = input
  if (steps.some(({ afterMinutes }, at) => afterMinutes <= (steps[at - 1]?.afterMinutes ?? 0)))
    throw new AppError('invalid', 'steps_out_of_order', 'Each step comes later than the one before it.', {
      field: 'steps',
    })
  await ctx.db.transaction(async (tx) => {
    await lock(tx, `alert-ladder:${ctx.businessId}`)
    for (const { userId } of steps) await requireMember(tx, ctx, userId)
    await tx.delete(alertLadder).where(eq(alertLadder.businessId, ctx.businessId))
    if (steps.length > 0)
      await tx
        .insert(alertLadder)
        .values(steps.map((step, position) => ({ ...step, position, businessId: ctx.businessId })))
    const settings = { escalated: kinds, whatsappTemplate }
    await tx
      .insert(alertSettings)
      .values({ businessId: ctx.businessId, ...settings })
      .onConflictDoUpdate({ target: alertSettings.businessId, set: settings })
    await audit(tx, ctx, {
      action: 'alert.escalation',
      entity: 'business',
      entityId: ctx.businessId,
      data: { steps: steps.length },
    })
  })
  return await getEscalation(ctx)
}

function noMember(): AppError {
  return new AppError('not_found', 'member_not_found', 'There is no such member.')
}
