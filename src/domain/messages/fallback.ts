import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contacts, messages } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { getBusiness, wakeAccount } from '../businesses/index.ts'
import { audit, auditOnly, type BusinessContext } from '../context.ts'
import { sendJobId } from '../job-ids.ts'
import { assess, type SendSettings } from './choose-sender.ts'
import { enqueueSend } from './enqueue-send.ts'
import { type MessagePart, planParts } from './limits.ts'
import { emitMessage } from './message-event.ts'
import { partyPhone } from './outbound.ts'

/**
 * Gives a message that its provider surely (`from`: states) did not take to the second provider, once; never one of unknown
 * outcome. @returns whether another provider has it now
 */
export async function moveToFallback(
  ctx: BusinessContext,
  messageId: string,
  settings: SendSettings,
  from: readonly ('queued' | 'failed')[] = ['queued'],
): Promise<boolean> {
  const { fallbackWhatsappProvider: provider } = await getBusiness(ctx)
  if (!provider) return false
  const [row] = await ctx.db
    .select({ message: messages, to: partyPhone, optedOutAt: contacts.optedOutAt })
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(
      and(eq(messages.id, messageId), eq(messages.businessId, ctx.businessId), inArray(messages.status, [...from])),
    )
  if (!row?.to || row.message.provider === provider || row.message.data?.fallbackFrom) return false
  // It is about a message that the other provider does not know.
  if (row.message.kind === 'reaction') return false
  // Given up since they asked not to be written to: by no provider.
  if (row.optedOutAt && row.optedOutAt > row.message.occurredAt) return false
  const assessed = await assess(ctx, provider, { to: row.to, free: row.message.template === null }, settings)
  if (assessed.verdict !== 'takes') return false
  const parts = await partsFor(ctx, provider, row.message)
  const [first, ...more] = parts
  if (!first) return false
  const added = more.map((part, index) => ({ ...part, id: newId(), part: index + 1 }))
  const note = JSON.stringify({ fallbackFrom: row.message.provider, fallbackWhy: row.message.errorCode })
  const moved = await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .update(messages)
      .set({
        ...assessed.sender,
        body: first.text,
        outboundMedia: first.media,
        status: 'queued',
        providerMessageId: null,
        attempts: 0,
        nextAttemptAt: null,
        opensChat: false,
        errorCode: null,
        errorMessage: null,
        failedAt: null,
        data: sql`coalesce(${messages.data}, '{}'::jsonb) || ${note}::text::jsonb`,
      })
      .where(
        and(
          eq(messages.id, messageId),
          eq(messages.businessId, ctx.businessId),
          eq(messages.attempts, row.message.attempts),
          inArray(messages.status, [...from]),
        ),
      )
      .returning({ id: messages.id })
    if (rows.length > 0) for (const part of added) await addPart(tx, ctx, row.message, { ...assessed.sender, ...part })
    if (rows.length > 0)
      await audit(tx, ctx, { action: 'message.fallback', entity: 'message', entityId: messageId, data: { provider } })
    return rows.length > 0
  })
  if (!moved) return false
  for (const { id } of added) await enqueueSend(ctx, id, assessed.sender)
  try {
    if (assessed.sender.accountId && provider === 'baileys') await wakeAccount(ctx, assessed.sender.accountId, 'outbox')
    else
      await ctx.enqueue(
        'whatsapp.send',
        { businessId: ctx.businessId, messageId },
        { jobId: sendJobId(messageId, provider) },
      )
  } catch (error) {
    ctx.log.warn({ messageId, error: errorMessage(error) }, 'the send job could not be queued; the sweep will')
  }
  return true
}

/** The message as the other provider takes it, split if it was one part; none when it does not take it. */
async function partsFor(
  ctx: BusinessContext,
  provider: 'twilio' | 'baileys',
  message: typeof messages.$inferSelect,
): Promise<MessagePart[]> {
  let parts: MessagePart[]
  try {
    parts = planParts(
      provider,
      { text: message.body, media: message.outboundMedia, template: message.template },
      'split',
    )
  } catch (error) {
    if (error instanceof AppError) return []
    throw error
  }
  if (parts.length <= 1) return parts
  const [other] = await ctx.db
    .select({ id: messages.id })
    .from(messages)
    .where(and(eq(messages.partOf, message.partOf ?? message.id), eq(messages.businessId, ctx.businessId)))
    .limit(1)
  return message.partOf || other ? [] : parts
}

async function addPart(
  tx: Executor,
  ctx: BusinessContext,
  message: typeof messages.$inferSelect,
  part: MessagePart & { id: string; part: number; provider: 'twilio' | 'baileys'; accountId: string | null },
): Promise<void> {
  const { text, media, template: _, ...columns } = part
  await tx.insert(messages).values({
    ...columns,
    businessId: ctx.businessId,
    conversationId: message.conversationId,
    contactId: message.contactId,
    direction: 'out',
    status: 'queued',
    kind: media ? 'media' : 'text',
    body: text,
    outboundMedia: media,
    partOf: message.id,
    toPhone: message.toPhone,
    writtenBy: message.writtenBy,
    occurredAt: message.occurredAt,
  })
  await auditOnly(tx, ctx, {
    action: 'message.request',
    entity: 'message',
    entityId: part.id,
    data: { provider: part.provider },
  })
  await emitMessage(tx, ctx, 'message.request', part.id)
}

/** What waits for an account that does not come back by itself goes to the second provider, where there is one. */
export async function moveWaitingToFallback(
  ctx: BusinessContext,
  accountId: string,
  settings: SendSettings,
): Promise<number> {
  const { fallbackWhatsappProvider } = await getBusiness(ctx)
  if (!fallbackWhatsappProvider) return 0
  const waiting = await ctx.db
    .select({ id: messages.id })
    .from(messages)
    .where(
      and(eq(messages.accountId, accountId), eq(messages.businessId, ctx.businessId), eq(messages.status, 'queued')),
    )
    .orderBy(messages.id)
  let moved = 0
  for (const { id } of waiting) if (await moveToFallback(ctx, id, settings)) moved += 1
  return moved
}
