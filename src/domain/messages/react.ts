import { and, desc, eq, ne } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { contacts, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { getBusiness } from '../businesses/index.ts'
import { auditOnly, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { enqueueSend } from './enqueue-send.ts'
import { emitMessage } from './message-event.ts'
import { partyPhone } from './outbound.ts'
import { getMessage } from './queries.ts'
import type { MessageView } from './views.ts'

/** One emoji, as WhatsApp takes it. */
const emoji = z
  .string()
  .max(64)
  .refine((text) => /^\p{RGI_Emoji}$/v.test(text), 'Write one emoji, such as 👍.')

export const reaction = z.object({
  emoji: emoji.nullable(),
})

/** Kinds that take no reaction: each is shown with another message, or not at all. */
const NO_TARGETS = new Set(['reaction', 'poll_vote', 'edit', 'deletion', 'undecryptable'])

/**
 * Reacts to a customer's message or undoes it, once, as a message in its linked account's queue. @throws AppError
 * `message_not_found`, `reaction_not_supported`, `account_not_linked`, `business_blocked`, `contact_opted_out`
 */
export async function reactToMessage(
  ctx: BusinessContext,
  id: string,
  input: z.input<typeof reaction>,
): Promise<MessageView> {
  const wanted = reaction.parse(input).emoji ?? ''
  const { blockedAt } = await getBusiness(ctx)
  if (blockedAt)
    throw new AppError('forbidden', 'business_blocked', 'This business is blocked; nothing is sent for it.')
  const made = await ctx.db.transaction(async (tx) => {
    // Two members, or two presses, at once: the second sees what the first did.
    await lock(tx, `react:${id}`)
    const target = await readTarget(tx, ctx, id)
    if ((await currentReaction(tx, ctx, target)) === wanted) return null
    const row = {
      id: newId(),
      provider: 'baileys',
      accountId: target.accountId,
      kind: 'reaction',
      body: wanted,
      replyTo: target.providerMessageId,
    } as const
    await tx.insert(messages).values({
      ...row,
      businessId: ctx.businessId,
      conversationId: target.conversationId,
      contactId: target.contactId,
      toPhone: target.toPhone,
      direction: 'out',
      status: 'queued',
    })
    await auditOnly(tx, ctx, { action: 'message.react', entity: 'message', entityId: id })
    await emitMessage(tx, ctx, 'message.request', row.id)
    return row
  })
  if (made) await enqueueSend(ctx, made.id, made)
  return await getMessage(ctx, id)
}

async function readTarget(tx: Executor, ctx: BusinessContext, id: string) {
  const [found] = await tx
    .select({ message: messages, phone: partyPhone, optedOutAt: contacts.optedOutAt })
    .from(messages)
    .innerJoin(contacts, eq(contacts.id, messages.contactId))
    .where(and(eq(messages.id, id), eq(messages.businessId, ctx.businessId)))
  if (!found) throw new AppError('not_found', 'message_not_found', 'There is no such message.')
  const { message, phone, optedOutAt } = found
  const { providerMessageId, accountId, data } = message
  const isTheirs = message.provider === 'baileys' && message.direction === 'in' && !message.deletedAt
  // Twilio’s API has no way to react; in a group the reaction would need the number of who wrote.
  if (!isTheirs || !providerMessageId || !phone || NO_TARGETS.has(message.kind) || data?.author)
    throw new AppError('conflict', 'reaction_not_supported', 'There is no way to react to this message.')
  if (!accountId) throw new AppError('conflict', 'account_not_linked', 'The account that this message came to is gone.')
  if (optedOutAt) throw new AppError('forbidden', 'contact_opted_out', 'This person asked not to be written to.')
  return { ...message, providerMessageId, accountId }
}

/** Ours as it stands, or will once what waits has left. */
async function currentReaction(
  tx: Executor,
  ctx: BusinessContext,
  target: { conversationId: string; providerMessageId: string },
): Promise<string> {
  const [last] = await tx
    .select({ body: messages.body })
    .from(messages)
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.replyTo, target.providerMessageId),
        eq(messages.kind, 'reaction'),
        eq(messages.direction, 'out'),
        eq(messages.conversationId, target.conversationId),
        ne(messages.status, 'failed'),
      ),
    )
    .orderBy(desc(messages.occurredAt), desc(messages.id))
    .limit(1)
  return last?.body ?? ''
}
