import { and, asc, eq, ne, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { businesses, memberships, users } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { lock } from '../locks.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'
import { endSessions } from './logins.ts'
import { ROLES, type Role } from './roles.ts'

export const memberView = z.object({
  id: z.uuid(),
  userId: z.string(),
  name: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  twoFactorEnabled: z.boolean(),
  createdAt: z.date(),
})

const view = {
  id: memberships.id,
  userId: memberships.userId,
  name: users.name,
  email: users.email,
  role: memberships.role,
  twoFactorEnabled: users.twoFactorEnabled,
  createdAt: memberships.createdAt,
}

export async function listMembers(ctx: BusinessContext, input: z.input<typeof pageInput>) {
  const page = pageInput.parse(input)
  const query = pageQuery(memberships.id, page, eq(memberships.businessId, ctx.businessId))
  const rows = await ctx.db
    .select(view)
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `member_not_found` */
export async function getMember(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(view)
    .from(memberships)
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(and(eq(memberships.id, id), eq(memberships.businessId, ctx.businessId)))
  if (!row) throw noMember()
  return row
}

/** The membership of a user, made or given another role. */
export async function grantMembership(tx: Executor, ctx: BusinessContext, userId: string, role: Role): Promise<string> {
  const [earlier] = await tx
    .select({ id: memberships.id, role: memberships.role })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, userId)))
    .for('update')
  if (earlier) {
    if (earlier.role !== role) await writeRole(tx, ctx, earlier.id, earlier.role, role)
    return earlier.id
  }
  const id = newId()
  await tx.insert(memberships).values({ id, businessId: ctx.businessId, userId, role })
  await audit(tx, ctx, { action: 'member.add', entity: 'member', entityId: id, data: { role } })
  return id
}

/** @throws AppError `member_not_found`, `last_owner` */
export async function setMemberRole(ctx: BusinessContext, id: string, role: Role) {
  await ctx.db.transaction(async (tx) => {
    const member = await lockMember(tx, ctx, id)
    if (member.role !== role) await writeRole(tx, ctx, id, member.role, role)
  })
  return await getMember(ctx, id)
}

/** Ends a membership and, when it was the person's last one, the person's sessions. @throws AppError `member_not_found`, `last_owner` */
export async function removeMember(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const member = await lockMember(tx, ctx, id)
    if (member.role === 'owner') await keepAnOwner(tx, ctx, id)
    await tx.delete(memberships).where(and(eq(memberships.id, id), eq(memberships.businessId, ctx.businessId)))
    const [left] = await tx.select().from(memberships).where(eq(memberships.userId, member.userId)).limit(1)
    if (!left) await endSessions(tx, member.userId)
    await audit(tx, ctx, { action: 'member.remove', entity: 'member', entityId: id })
  })
}

export type MembershipOfUser = { businessId: string; businessName: string; role: Role }

/** The person's businesses, oldest membership first. Where a second factor is needed, an owner without one is a manager. */
export function membershipsOf(ctx: DomainContext, userId: string): Promise<MembershipOfUser[]> {
  const unproven = sql`${memberships.role} = 'owner' and ${businesses.ownersNeedSecondFactor}
    and not ${users.twoFactorEnabled}`
  return ctx.db
    .select({
      businessId: memberships.businessId,
      businessName: businesses.name,
      role: sql<Role>`case when ${unproven} then 'manager' else ${memberships.role} end`,
    })
    .from(memberships)
    .innerJoin(businesses, eq(businesses.id, memberships.businessId))
    .innerJoin(users, eq(users.id, memberships.userId))
    .where(eq(memberships.userId, userId))
    .orderBy(asc(memberships.id))
}

/** Whether owners need a second factor. @throws AppError `second_factor_needed` when no owner could change it back */
export async function requireSecondFactor(ctx: BusinessContext, required: boolean): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const able = await tx
      .select({ id: memberships.id })
      .from(memberships)
      .innerJoin(users, eq(users.id, memberships.userId))
      .where(
        and(
          eq(memberships.businessId, ctx.businessId),
          eq(memberships.role, 'owner'),
          eq(users.twoFactorEnabled, true),
          ctx.actor.kind === 'user' ? eq(users.id, ctx.actor.id) : undefined,
        ),
      )
      .limit(1)
    if (required && able.length === 0)
      throw new AppError('conflict', 'second_factor_needed', 'Switch on your own second factor first.')
    await tx.update(businesses).set({ ownersNeedSecondFactor: required }).where(eq(businesses.id, ctx.businessId))
    await audit(tx, ctx, {
      action: 'business.require_second_factor',
      entity: 'business',
      entityId: ctx.businessId,
      data: { required },
    })
  })
}

export async function getUser(ctx: DomainContext, userId: string) {
  const [row] = await ctx.db
    .select({ id: users.id, name: users.name, email: users.email, twoFactorEnabled: users.twoFactorEnabled })
    .from(users)
    .where(eq(users.id, userId))
  return row ?? null
}

/** Makes the oldest login the owner when there is none. @returns whether there is an owner now */
export async function ensureOwner(ctx: BusinessContext): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, 'members:owner')
    const [owner] = await tx
      .select({ id: memberships.id })
      .from(memberships)
      .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.role, 'owner')))
      .limit(1)
    if (owner) return true
    const [user] = await tx.select({ id: users.id }).from(users).orderBy(asc(users.createdAt), asc(users.id)).limit(1)
    if (!user) return false
    await grantMembership(tx, ctx, user.id, 'owner')
    return true
  })
}

async function lockMember(tx: Executor, ctx: BusinessContext, id: string) {
  const [row] = await tx
    .select()
    .from(memberships)
    .where(and(eq(memberships.id, id), eq(memberships.businessId, ctx.businessId)))
    .for('update')
  if (!row) throw noMember()
  return row
}

async function writeRole(tx: Executor, ctx: BusinessContext, id: string, before: Role, role: Role) {
  if (before === 'owner') await keepAnOwner(tx, ctx, id)
  await tx
    .update(memberships)
    .set({ role })
    .where(and(eq(memberships.id, id), eq(memberships.businessId, ctx.businessId)))
  await audit(tx, ctx, { action: 'member.role', entity: 'member', entityId: id, data: { before, role } })
}

/** A business without an owner could never be given one from inside. */
async function keepAnOwner(tx: Executor, ctx: BusinessContext, leaving: string) {
  const others = await tx
    .select({ id: memberships.id })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.role, 'owner'), ne(memberships.id, leaving)))
    .limit(1)
    .for('update')
  if (others.length === 0)
    throw new AppError(
      'conflict',
      'last_owner',
      'The last owner cannot be removed. Make another member an owner first.',
    )
}

function noMember() {
  return new AppError('not_found', 'member_not_found', 'There is no such member.')
}
