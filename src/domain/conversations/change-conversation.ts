import { and, eq, lte } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { conversations, memberships } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { getConversation, noConversation } from './queries.ts'

type Row = typeof conversations.$inferSelect

/** Assigns a conversation to a member, or unassigns it. @throws AppError `conversation_not_found`, `not_a_member` */
export function assignConversation(ctx: BusinessContext, id: string, assigneeId: string | null) {
  return change(ctx, id, 'conversation.assign', { assigneeId }, async (tx, row) => {
    if (row.assigneeId === assigneeId) return null
    if (assigneeId !== null) {
      const [member] = await tx
        .select({ id: memberships.id })
        .from(memberships)
        .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, assigneeId)))
      if (!member)
        throw new AppError('invalid', 'not_a_member', 'This person is no member of the business.', {
          field: 'assigneeId',
        })
    }
    return { assigneeId }
  })
}

/** Closes a conversation; the contact's next word opens it again. @throws AppError `conversation_not_found` */
export function closeConversation(ctx: BusinessContext, id: string) {
  return change(ctx, id, 'conversation.close', {}, (_, row) =>
    row.status === 'closed' ? null : { status: 'closed', snoozedUntil: null, unread: 0 },
  )
}

/** @throws AppError `conversation_not_found` */
export function reopenConversation(ctx: BusinessContext, id: string) {
  return change(ctx, id, 'conversation.reopen', {}, (_, row) =>
    row.status === 'open' ? null : { status: 'open', snoozedUntil: null },
  )
}

/** Puts a conversation out of sight until a moment. @throws AppError `conversation_not_found`, `not_in_the_future` */
export function snoozeConversation(ctx: BusinessContext, id: string, until: Date) {
  if (until.getTime() <= Date.now())
    throw new AppError('invalid', 'not_in_the_future', 'Choose a moment in the future.', { field: 'until' })
  return change(ctx, id, 'conversation.snooze', { until: until.toISOString() }, () => ({
    status: 'snoozed',
    snoozedUntil: until,
  }))
}

/** Sets how the conversation looks: read to the end, or to be looked at again. @throws AppError `conversation_not_found` */
export function markConversation(ctx: BusinessContext, id: string, unread: boolean) {
  return change(ctx, id, unread ? 'conversation.unread' : 'conversation.read', {}, (_, row) =>
    row.unread > 0 === unread ? null : { unread: unread ? 1 : 0 },
  )
}

/** Opens the conversations whose time has come. @returns how many */
export async function wakeConversations(ctx: DomainContext): Promise<number> {
  return await ctx.db.transaction(async (tx) => {
    const woken = await tx
      .update(conversations)
      .set({ status: 'open', snoozedUntil: null })
      .where(and(eq(conversations.status, 'snoozed'), lte(conversations.snoozedUntil, new Date())))
      .returning({ id: conversations.id, businessId: conversations.businessId })
    for (const row of woken)
      await audit(tx, within(ctx, row.businessId), {
        action: 'conversation.wake',
        entity: 'conversation',
        entityId: row.id,
      })
    return woken.length
  })
}

/** @param decide what to write, or null when it is so already */
async function change(
  ctx: BusinessContext,
  id: string,
  action: string,
  data: Record<string, unknown>,
  decide: (tx: Executor, row: Row) => Promise<Partial<Row> | null> | Partial<Row> | null,
) {
  await ctx.db.transaction(async (tx) => {
    const mine = and(eq(conversations.id, id), eq(conversations.businessId, ctx.businessId))
    const [row] = await tx.select().from(conversations).where(mine).for('update')
    if (!row) throw noConversation()
    const set = await decide(tx, row)
    if (!set) return
    await tx.update(conversations).set(set).where(mine)
    await audit(tx, ctx, { action, entity: 'conversation', entityId: id, data: { ...data, contactId: row.contactId } })
  })
  return await getConversation(ctx, id)
}
