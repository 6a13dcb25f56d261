import { type SQL, sql } from 'drizzle-orm'
import { auditLog, contactIdentities, contacts, conversations, messages } from '../../../db/schema/index.ts'
import type { InboundMessage } from '../../jobs/registry.ts'
import { newId } from '../../lib/ids.ts'
import { hasPhoneAlone, identitiesOf } from '../contacts/index.ts'
import { type BusinessContext, eventsOf } from '../context.ts'
import { isErasedSql } from '../erasures/index.ts'
import { lockSql } from '../locks.ts'
import { changeLockSql, hasEarlyChangesSql } from './change-message.ts'
import { messageEventSql } from './message-event.ts'

/**
 * The steps of `receiveMessage` in one statement, under the same lock, for a contact with all identities. Null, and nothing
 * written, when the steps must decide: something new, a repeat, before an erasure, or changed earlier.
 */
export async function receiveMessageFastPath(
  ctx: BusinessContext,
  input: InboundMessage,
  how: { id?: string | undefined; isNew: boolean; isUnread: boolean },
): Promise<string | null> {
  const { phone, lid, externalId, name } = input.from
  const names = [
    ...(lid ? [{ kind: 'lid', value: lid }] : []),
    ...(externalId ? [{ kind: 'external', value: externalId }] : []),
  ]
  const [first] = names
  const person: SQL | null = phone
    ? hasPhoneAlone(ctx, sql`contact`, phone)
    : first
      ? sql`contact.id = (select contact_id from ${contactIdentities}
          where business_id = ${ctx.businessId} and kind = ${first.kind} and value = ${first.value})`
      : null
  if (!person) return null
  const at = new Date(input.at).toISOString()
  const id = how.id ?? newId()
  const rows = await ctx.db.execute<{ id: string }>(sql`
    with alone as materialized (
      select ${receiveLockSql(ctx, input)},
        ${changeLockSql(ctx, input.providerMessageId)}
    ), who as (
      select contact.id from alone, ${contacts} as contact
      where contact.business_id = ${ctx.businessId} and ${person} and (contact.name is not null or ${!name})
        and not exists (
          select from jsonb_to_recordset(${JSON.stringify(names)}::text::jsonb) as given(kind text, value text)
          where not exists (select from ${contactIdentities} as known where known.business_id = ${ctx.businessId}
            and known.kind = given.kind and known.value = given.value and known.contact_id = contact.id))
        and not exists (select from ${messages} as earlier
          where earlier.business_id = ${ctx.businessId} and earlier.dedupe_key = ${input.dedupeKey})
        and not ${hasEarlyChangesSql(ctx, input.providerMessageId)}
        and not ${isErasedSql(ctx, identitiesOf(input.from), new Date(input.at))}
    ), talk as (
      insert into ${conversations} as talk (id, business_id, contact_id, last_event_at, last_inbound_at, unread)
      select ${newId()}::uuid, ${ctx.businessId}::uuid, who.id, ${at}::timestamptz,
        case when ${how.isNew} then ${at}::timestamptz end, ${how.isUnread}::boolean::int
      from who
      on conflict (business_id, contact_id) do update set status = case when ${how.isNew} then 'open' else talk.status end,
        snoozed_until = case when ${how.isNew} then null else talk.snoozed_until end,
        last_event_at = greatest(talk.last_event_at, excluded.last_event_at), updated_at = now(),
        unread = talk.unread + excluded.unread,
        last_inbound_at = greatest(talk.last_inbound_at, excluded.last_inbound_at)
      returning talk.id, talk.contact_id
    ), message as (
      insert into ${messages} (id, business_id, conversation_id, contact_id, direction, provider, account_id, kind,
        status, body, provider_message_id, dedupe_key, reply_to, data, secret, occurred_at)
      select ${id}::uuid, ${ctx.businessId}::uuid, talk.id, talk.contact_id, 'in', ${input.provider},
        ${input.accountId ?? null}::uuid, ${input.kind}, 'received', ${input.body}, ${input.providerMessageId},
        ${input.dedupeKey}, ${input.replyTo ?? null}, ${input.data ? JSON.stringify(input.data) : null}::text::jsonb,
        ${input.secret ?? null}::text, ${at}::timestamptz
      from talk
      returning *
    ), audited as (
      insert into ${auditLog} (id, business_id, actor_kind, actor_id, action, entity, entity_id)
      select ${newId()}::uuid, ${ctx.businessId}::uuid, ${ctx.actor.kind}, ${ctx.actor.id}, 'message.receive', 'message',
        message.id::text from message
    ), ${eventsOf(
      ctx.actor,
      sql`select ${ctx.businessId}::uuid as business_id, 'message.receive' as type, 'message' as entity,
        message.id::text as entity_id, ${messageEventSql} || '{"media": []}'::jsonb as data from message`,
    )}
    select id, (select count(*) from notified) as notified from message`)
  return rows[0]?.id ?? null
}

/** Under this lock one message is written: whoever brings it a second time finds it. */
export function receiveLockSql(ctx: BusinessContext, { dedupeKey }: Pick<InboundMessage, 'dedupeKey'>): SQL {
  return lockSql(`message:${ctx.businessId}:${dedupeKey}`)
}
