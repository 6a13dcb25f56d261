import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calls, contacts, conversations, leads, messages } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

/** The beginning of the idempotency keys of messages that alert members. */
export const ALERT_KEY = 'alert:'

/**
 * Marks a conversation that an alert to a member opens: it is no customer's, and no list shows it until something else is exchanged.
 * In the transaction that writes its message.
 */
export async function hideForAlerts(
  tx: Executor,
  ctx: BusinessContext,
  { conversationId }: { conversationId: string },
): Promise<void> {
  await tx
    .update(conversations)
    .set({ alertsOnly: true })
    .where(
      and(
        eq(conversations.id, conversationId),
        eq(conversations.businessId, ctx.businessId),
        eq(conversations.alertsOnly, false),
        sql`not exists (select from ${messages} where ${messages.conversationId} = ${conversations.id})`,
        sql`not ${isCustomer}`,
      ),
    )
}

/**
 * What is exchanged with them beside alerts. Not by `exists`: Postgres may answer that for many rows by a hash of the whole table,
 * which the first conversation of alerts then makes it read.
 */
const isCustomer = sql`((select true from ${calls} where ${calls.contactId} = ${conversations.contactId}
    and ${calls.businessId} = ${conversations.businessId} limit 1) is not null
  or (select true from ${leads} where ${leads.contactId} = ${conversations.contactId}
    and ${leads.businessId} = ${conversations.businessId} limit 1) is not null)`

/** Whether a conversation is a customer's. Looked into only where a member's alerts opened it. */
export const isShownSql: SQL = sql`(not ${conversations.alertsOnly} or ${isCustomer}
  or (select true from ${messages} where ${messages.conversationId} = ${conversations.id}
    and ${messages.direction} = 'out' and coalesce(${messages.idempotencyKey}, '') not like ${`${ALERT_KEY}%`}
    limit 1) is not null)`

/** Whether a contact is one: an alert to a member made those that are not. */
export const isContactShownSql: SQL = sql`not exists (select from ${conversations}
  where ${conversations.contactId} = ${contacts.id} and ${conversations.businessId} = ${contacts.businessId}
    and ${conversations.alertsOnly} and ${conversations.createdAt} = ${contacts.createdAt} and not ${isShownSql})`

/** A member wrote something that answers no alert: a person has to see it. */
export async function showConversation(tx: Executor, ctx: BusinessContext, id: string): Promise<void> {
  await tx
    .update(conversations)
    .set({ alertsOnly: false })
    .where(and(eq(conversations.id, id), eq(conversations.businessId, ctx.businessId)))
}
