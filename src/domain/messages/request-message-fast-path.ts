import { sql } from 'drizzle-orm'
import { auditLog, contacts, conversations, messages } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { wakeCall } from '../businesses/index.ts'
import { hasPhoneAlone } from '../contacts/index.ts'
import { type BusinessContext, eventsOf } from '../context.ts'
import { messageEventSql, outboundMediaSql } from './message-event.ts'
import type { MessageStatus } from './status.ts'

export type AskedMessage = Pick<
  typeof messages.$inferInsert,
  | 'provider'
  | 'accountId'
  | 'kind'
  | 'body'
  | 'template'
  | 'outboundMedia'
  | 'writtenBy'
  | 'replyTo'
  | 'idempotencyKey'
  | 'requestHash'
> & { id: string; occurredAt: Date }

/** Writes a message to an existing contact in one statement and wakes a linked account's worker; null: the steps decide. */
export async function requestMessageFastPath(
  ctx: BusinessContext,
  phone: string,
  message: AskedMessage,
): Promise<MessageStatus | null> {
  const { id, provider, accountId } = message
  const at = message.occurredAt.toISOString()
  const json = (value: unknown) => (value == null ? null : JSON.stringify(value))
  const rows = await ctx.db.execute<{ status: MessageStatus }>(sql`
    with who as (
      select id from ${contacts}
      where business_id = ${ctx.businessId} and ${hasPhoneAlone(ctx, sql`${contacts}`, phone)} and opted_out_at is null
    ), talk as (
      insert into ${conversations} as talk (id, business_id, contact_id, last_event_at)
      select ${newId()}::uuid, ${ctx.businessId}::uuid, who.id, ${at}::timestamptz from who
      on conflict (business_id, contact_id) do update set status = 'open', snoozed_until = null,
        last_event_at = greatest(talk.last_event_at, excluded.last_event_at), updated_at = now()
      returning talk.id, talk.contact_id
    ), message as (
      insert into ${messages} (id, business_id, conversation_id, contact_id, direction, provider, account_id, kind, status,
        body, template, outbound_media, written_by, reply_to, idempotency_key, request_hash, occurred_at)
      select ${id}::uuid, ${ctx.businessId}::uuid, talk.id, talk.contact_id, 'out', ${provider}, ${accountId ?? null}::uuid,
        ${message.kind ?? 'text'}, 'queued', ${message.body ?? ''}, ${json(message.template)}::text::jsonb,
        ${json(message.outboundMedia)}::text::jsonb, ${message.writtenBy ?? null}, ${message.replyTo ?? null},
        ${message.idempotencyKey ?? null},
        ${message.requestHash ?? null}, ${at}::timestamptz
      from talk
      on conflict do nothing
      returning *
    ), audited as (
      insert into ${auditLog} (id, business_id, actor_kind, actor_id, action, entity, entity_id, data)
      select ${newId()}::uuid, ${ctx.businessId}::uuid, ${ctx.actor.kind}, ${ctx.actor.id}, 'message.request', 'message',
        id::text, jsonb_build_object('provider', ${provider}::text) from message
    ), ${eventsOf(
      ctx.actor,
      sql`select ${ctx.businessId}::uuid as business_id, 'message.request' as type, 'message' as entity,
        message.id::text as entity_id, ${messageEventSql} || jsonb_build_object('media', ${outboundMediaSql}) as data from message`,
    )}, woken as (
      select ${provider === 'baileys' && accountId ? wakeCall(accountId, 'outbox') : sql`null::text`} as woken from message
    )
    select status, (select count(*) from notified) as notified, (select count(woken::text) from woken) as woken from message`)
  return rows[0]?.status ?? null
}
