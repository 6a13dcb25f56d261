import { and, eq, sql } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import { type ContactIdentity, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'

/** A message that its writer changed or took back. */
export type ChangedMessage = {
  provider: 'twilio' | 'baileys'
  accountId: string
  direction: 'in' | 'out'
  providerMessageId: string
  contact: ContactIdentity
  at: Date
  /** The new text; null when the message was taken back. */
  text: string | null
}

/**
 * Applies an edit or a deletion to the message it speaks of, which must be its writer's own. Run twice, it changes nothing.
 * @returns whether the message is there
 */
export async function changeMessage(ctx: BusinessContext, change: ChangedMessage): Promise<boolean> {
  const theMessage = and(
    eq(messages.businessId, ctx.businessId),
    eq(messages.provider, change.provider),
    eq(messages.accountId, change.accountId),
    eq(messages.providerMessageId, change.providerMessageId),
    eq(messages.direction, change.direction),
  )
  return await ctx.db.transaction(async (tx) => {
    // A change to what we do not have, or no longer, makes nobody known.
    const [there] = await tx.select({ id: messages.id }).from(messages).where(theMessage).limit(1)
    if (!there) return false
    const contactId = await resolveContact(tx, ctx, change.contact)
    const note = change.text === null ? { deletedAt: change.at.toISOString() } : { editedAt: change.at.toISOString() }
    const changed = await tx
      .update(messages)
      .set({
        body: change.text ?? '',
        ...(change.text === null ? { kind: 'deleted' } : {}),
        data: sql`coalesce(${messages.data}, '{}'::jsonb) || ${JSON.stringify(note)}::text::jsonb`,
      })
      .where(and(theMessage, eq(messages.contactId, contactId)))
      .returning({ id: messages.id })
    for (const { id } of changed)
      await audit(tx, ctx, {
        action: change.text === null ? 'message.delete' : 'message.edit',
        entity: 'message',
        entityId: id,
      })
    return changed.length > 0
  })
}
