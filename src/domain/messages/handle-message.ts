import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'

/** Sets a failed message aside, or undoes that. @throws AppError `message_not_found`, `message_not_failed` */
export async function handleMessage(ctx: BusinessContext, id: string, handled: boolean): Promise<void> {
  const mine = and(eq(messages.id, id), eq(messages.businessId, ctx.businessId))
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx.select({ status: messages.status }).from(messages).where(mine).for('update')
    if (!row) throw new AppError('not_found', 'message_not_found', 'There is no such message.')
    if (row.status !== 'failed' && row.status !== 'unknown')
      throw new AppError('conflict', 'message_not_failed', 'Only a message that failed can be set aside.')
    const changed = await tx
      .update(messages)
      .set({ handledAt: handled ? new Date() : null })
      .where(and(mine, handled ? isNull(messages.handledAt) : isNotNull(messages.handledAt)))
      .returning({ id: messages.id })
    if (changed.length > 0)
      await audit(tx, ctx, { action: 'message.handle', entity: 'message', entityId: id, data: { handled } })
  })
}
