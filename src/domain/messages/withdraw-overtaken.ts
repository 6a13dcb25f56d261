import { and, eq, sql } from 'drizzle-orm'
import { agentRuns, messages } from '../../../db/schema/index.ts'
import { type BusinessContext, emit } from '../context.ts'

/** What a person does beside writing: it answers nothing. */
const NO_ANSWERS = sql`('reaction', 'poll_vote', 'edit', 'deletion')`

/**
 * Fails a queued answer of the agent when a person of the business has written to the same conversation since: pacing, a daily
 * limit or an account that is down can hold a message back for long. What a member has sent of it is theirs. @returns whether it did
 */
export async function withdrawOvertaken(ctx: BusinessContext, messageId: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const withdrawn = await tx
      .update(messages)
      .set({
        status: 'failed',
        failedAt: new Date(),
        errorCode: 'person_wrote',
        errorMessage: 'A person of the business wrote before this answer could be sent.',
      })
      .where(
        and(
          eq(messages.id, messageId),
          eq(messages.businessId, ctx.businessId),
          eq(messages.status, 'queued'),
          eq(messages.writtenBy, 'agent'),
          sql`exists (select from ${messages} as later where later.conversation_id = ${messages.conversationId}
            and later.direction = 'out' and later.written_by = 'person' and later.kind not in ${NO_ANSWERS}
            and later.id > ${messages.id} and later.occurred_at > ${messages.occurredAt})`,
          sql`not exists (select from ${agentRuns} as run where run.business_id = ${messages.businessId}
            and run.contact_id = ${messages.contactId} and run.decided_by is not null
            and run.sent_message_id in (${messages.id}, ${messages.partOf}))`,
        ),
      )
      .returning({ id: messages.id })
    for (const { id } of withdrawn)
      await emit(tx, ctx, { action: 'message.status', entity: 'message', entityId: id, data: { status: 'failed' } })
    return withdrawn.length > 0
  })
}
