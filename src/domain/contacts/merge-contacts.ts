import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calls, contactIdentities, contacts, contactTags, conversations, messages } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { canonicalPhone, isSamePhone } from '../../lib/phone.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type ContactView, getContact, lockContactWhole } from './queries.ts'

/** Makes two contacts one: everything of `goneId` moves to `keepId`, a second number as a further one. @throws AppError `contact_not_found`, `same_contact` */
export async function mergeContacts(ctx: BusinessContext, keepId: string, goneId: string): Promise<ContactView> {
  if (keepId === goneId)
    throw new AppError('invalid', 'same_contact', 'A contact cannot be merged with itself.', { field: 'goneId' })
  await ctx.db.transaction(async (tx) => {
    // One order for all callers, so that two merges of the same pair do not lock each other out.
    for (const id of [keepId, goneId].sort()) await lockContactWhole(tx, ctx, id)
    await mergeInto(tx, ctx, keepId, goneId)
  })
  return await getContact(ctx, keepId)
}

/** Moves everything of one contact to another and removes it. */
export async function mergeInto(tx: Executor, ctx: BusinessContext, keep: string, gone: string) {
  const [old] = await tx
    .select()
    .from(contacts)
    .where(and(eq(contacts.id, gone), eq(contacts.businessId, ctx.businessId)))
  if (!old) return
  const threads = await tx
    .select()
    .from(conversations)
    .where(and(eq(conversations.businessId, ctx.businessId), inArray(conversations.contactId, [keep, gone])))
  const thread = threads.find((row) => row.contactId === keep)
  const moved = threads.find((row) => row.contactId === gone)
  if (moved && thread) {
    await tx.update(messages).set({ conversationId: thread.id }).where(eq(messages.conversationId, moved.id))
    await tx.update(calls).set({ conversationId: thread.id }).where(eq(calls.conversationId, moved.id))
    await keepAgentSilent(tx, thread.id, moved.id)
    await tx.delete(conversations).where(eq(conversations.id, moved.id))
    await tx
      .update(conversations)
      .set({
        unread: thread.unread + moved.unread,
        lastEventAt: later(thread.lastEventAt, moved.lastEventAt) ?? thread.lastEventAt,
        lastInboundAt: later(thread.lastInboundAt, moved.lastInboundAt),
        status: thread.status === 'open' || moved.status === 'open' ? 'open' : thread.status,
      })
      .where(eq(conversations.id, thread.id))
  }
  await tx.execute(sql`
    delete from ${contactTags} gone using ${contactTags} kept
    where gone.contact_id = ${gone} and kept.contact_id = ${keep} and gone.tag = kept.tag`)
  for (const { table, column } of await tablesOfContacts(tx))
    await tx.execute(
      sql`update ${sql.identifier(table)} set ${sql.identifier(column)} = ${keep} where ${sql.identifier(column)} = ${gone}`,
    )
  await tx.delete(contacts).where(eq(contacts.id, gone))
  const [kept] = await tx.select({ phone: contacts.phone }).from(contacts).where(eq(contacts.id, keep))
  if (kept?.phone && old.phone && !isSamePhone(kept.phone, old.phone))
    await tx
      .insert(contactIdentities)
      .values({ businessId: ctx.businessId, kind: 'phone', value: canonicalPhone(old.phone), contactId: keep })
      .onConflictDoUpdate({
        target: [contactIdentities.businessId, contactIdentities.kind, contactIdentities.value],
        set: { contactId: keep },
      })
  await tx
    .update(contacts)
    .set({
      phone: sql`coalesce(${contacts.phone}, ${old.phone})`,
      name: sql`coalesce(${contacts.name}, ${old.name})`,
      email: sql`coalesce(${contacts.email}, ${old.email})`,
      custom: sql`${JSON.stringify(old.custom)}::jsonb || ${contacts.custom}`,
      // Whoever asked once not to be written to is not written to.
      optedOutAt: sql`coalesce(${contacts.optedOutAt}, ${old.optedOutAt?.toISOString() ?? null}::timestamptz)`,
    })
    .where(eq(contacts.id, keep))
  await audit(tx, ctx, { action: 'contact.merge', entity: 'contact', entityId: keep, data: { merged: gone } })
}

/** Where the agent was off or paused for one of two, it is for both: the stricter of the two states is kept. */
async function keepAgentSilent(tx: Executor, kept: string, gone: string): Promise<void> {
  await tx.execute(sql`
    insert into agent_states as own (conversation_id, business_id, mode, paused_until, paused_because)
    select ${kept}, business_id, mode, paused_until, paused_because from agent_states where conversation_id = ${gone}
    on conflict (conversation_id) do update set
      mode = excluded.mode, paused_until = excluded.paused_until, paused_because = excluded.paused_because, updated_at = now()
    where (array_position(array['on', 'paused', 'off'], excluded.mode), coalesce(excluded.paused_until, 'infinity'))
      > (array_position(array['on', 'paused', 'off'], own.mode), coalesce(own.paused_until, 'infinity'))`)
}

/** Every column that refers to a contact: asked of the database, so that a new table is never forgotten. */
export async function tablesOfContacts(tx: Executor): Promise<{ table: string; column: string }[]> {
  const rows = await tx.execute<{ table: string; column: string }>(sql`
    select distinct child.relname as "table", attribute.attname as "column"
    from pg_constraint reference
    join pg_class child on child.oid = reference.conrelid
    join pg_attribute attribute on attribute.attrelid = child.oid and attribute.attnum = any(reference.conkey)
    where reference.contype = 'f' and reference.confrelid = 'contacts'::regclass and attribute.attname <> 'business_id'
    order by 1, 2`)
  return [...rows]
}

function later(a: Date | null, b: Date | null): Date | null {
  if (!a || !b) return a ?? b
  return a > b ? a : b
}
