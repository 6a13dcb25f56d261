import { type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { type BusinessContext, eventsOf } from '../context.ts'

/** The event data of rows named `message`, enough to show or answer it; deleted with the message or its retention. */
export const messageEventSql: SQL = sql`jsonb_build_object('id', message.id, 'conversationId', message.conversation_id,
  'contactId', message.contact_id, 'direction', message.direction, 'provider', message.provider, 'kind', message.kind,
  'body', message.body, 'occurredAt', to_char(message.occurred_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'replyTo', case when message.reply_to is not null then jsonb_build_object('providerMessageId', message.reply_to,
    'id', (select target.id from messages as target where target.provider = message.provider
      and target.provider_message_id = message.reply_to and target.conversation_id = message.conversation_id
      and target.id <> message.id limit 1)) end)`

/** Files that a message was asked to be sent with, which lie elsewhere and have no id. */
export const outboundMediaSql: SQL = sql`coalesce((select jsonb_agg(jsonb_build_object('id', null,
  'contentType', file->'contentType', 'fileName', file->'fileName', 'url', file->'url', 'state', 'external'))
  from jsonb_array_elements(message.outbound_media) as file), '[]'::jsonb)`

const mediaSql: SQL = sql`coalesce((select jsonb_agg(jsonb_build_object('id', file.id, 'kind', file.kind,
  'contentType', file.content_type, 'fileName', file.file_name, 'state', file.state) order by file.index)
  from message_media as file where file.message_id = message.id), ${outboundMediaSql})`

/** Writes an event of a message as it stands now, within the transaction that changed it. */
export async function emitMessage(
  tx: Executor,
  ctx: BusinessContext,
  type: string,
  messageId: string,
  more: Record<string, unknown> = {},
): Promise<void> {
  await tx.execute(
    sql`with ${eventsOf(
      ctx.actor,
      sql`select message.business_id, ${type}::text as type, 'message' as entity, message.id::text as entity_id,
      ${messageEventSql} || jsonb_build_object('media', ${mediaSql}) || ${JSON.stringify(more)}::text::jsonb as data
      from messages as message where message.id = ${messageId} and message.business_id = ${ctx.businessId}`,
    )} select notified from notified`,
  )
}
