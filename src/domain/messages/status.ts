import { and, eq, inArray, or, sql } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import type { JobPayload } from '../../jobs/registry.ts'
import { type DomainContext, emit } from '../context.ts'

export type MessageStatus = (typeof messages.$inferSelect)['status']

/** Statuses from which an update may move a message: forward only, whatever order updates arrive in. */
const BEFORE = {
  sent: ['queued', 'sending', 'unknown'],
  failed: ['queued', 'sending', 'unknown', 'sent'],
  delivered: ['queued', 'sending', 'unknown', 'sent', 'failed'],
  read: ['queued', 'sending', 'unknown', 'sent', 'failed', 'delivered'],
} as const satisfies Partial<Record<MessageStatus, readonly MessageStatus[]>>

/** The providers' words for it; words that say nothing new (`queued`, `accepted`, `sending`) only link the id. */
const MEANING: Record<string, keyof typeof BEFORE> = {
  sent: 'sent',
  delivered: 'delivered',
  read: 'read',
  failed: 'failed',
  undelivered: 'failed',
}

/** Applies a status update, in any order; a callback with our row's id links a lost provider id. @returns whether found */
export async function applyMessageStatus(ctx: DomainContext, update: JobPayload<'message.status'>): Promise<boolean> {
  const at = new Date(update.at)
  const mine = and(
    eq(messages.direction, 'out'),
    eq(messages.provider, update.provider),
    update.onlyFor ? inArray(messages.businessId, update.onlyFor) : undefined,
    update.accountId ? eq(messages.accountId, update.accountId) : undefined,
    update.messageId
      ? or(
          eq(messages.providerMessageId, update.providerMessageId),
          and(eq(messages.id, update.messageId), sql`${messages.providerMessageId} is null`),
        )
      : eq(messages.providerMessageId, update.providerMessageId),
  )
  // Any callback at all proves that the provider took the message.
  const meaning = MEANING[update.status] ?? 'sent'
  return await ctx.db.transaction(async (tx) => {
    const linked = await tx
      .update(messages)
      .set({ providerMessageId: update.providerMessageId })
      .where(mine)
      .returning({ id: messages.id })
    if (linked.length === 0) return false
    const moved = await tx
      .update(messages)
      .set({
        status: meaning,
        ...(meaning === 'failed'
          ? {
              failedAt: at,
              errorCode: update.errorCode ?? 'failed',
              errorMessage: 'The provider could not deliver it.',
            }
          : { errorCode: null, errorMessage: null, sentAt: sql`coalesce(${messages.sentAt}, ${at.toISOString()})` }),
        ...(meaning === 'delivered' ? { deliveredAt: at } : {}),
        ...(meaning === 'read' ? { readAt: at } : {}),
      })
      .where(and(mine, inArray(messages.status, [...BEFORE[meaning]])))
      .returning({ id: messages.id, businessId: messages.businessId })
    for (const row of moved)
      await emit(
        tx,
        { ...ctx, businessId: row.businessId },
        { action: 'message.status', entity: 'message', entityId: row.id, data: { status: meaning } },
      )
    return true
  })
}
