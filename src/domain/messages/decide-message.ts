import { and, eq } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { enqueueSend } from './enqueue-send.ts'
import { emitMessage } from './message-event.ts'
import { getMessage } from './queries.ts'
import { requeueMessage } from './requeue-message.ts'
import type { MessageView } from './views.ts'

/** Settles a message of unknown outcome by hand. @throws AppError `message_not_found`, `message_not_unknown` */
export async function decideMessage(ctx: BusinessContext, id: string, arrived: boolean): Promise<MessageView> {
  const row = await ctx.db.transaction(async (tx) => {
    const set = arrived
      ? { status: 'sent' as const, sentAt: new Date(), errorCode: null, errorMessage: null }
      : requeueMessage()
    const [decided] = await tx
      .update(messages)
      .set(set)
      .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId), eq(messages.status, 'unknown')))
      .returning()
    if (!decided) return null
    await auditOnly(tx, ctx, { action: 'message.decide', entity: 'message', entityId: id, data: { arrived } })
    await emitMessage(tx, ctx, 'message.status', id, { status: decided.status })
    return decided
  })
  if (!row) {
    const { status } = await getMessage(ctx, id)
    throw new AppError(
      'conflict',
      'message_not_unknown',
      `The message is ${status}: there is nothing to decide about it.`,
    )
  }
  if (!arrived) await enqueueSend(ctx, id, row, 'decided', row.updatedAt.getTime())
  return await getMessage(ctx, id)
}
