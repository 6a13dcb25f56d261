import { and, eq, isNull, or, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contactIdentities, contacts } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { audit, type BusinessContext } from '../context.ts'
import { mergeInto } from './merge-contacts.ts'

/** What a channel knows of a person; at least one of phone, lid and externalId. */
export type ContactIdentity = {
  /** E.164 */
  phone: string | null
  /** WhatsApp's linked identity, never a phone number. */
  lid?: string | null
  /** Another provider's id of the person. */
  externalId?: string | null
  /** A name the channel gave; a name already known is kept. */
  name?: string | null
}

/** All that somebody is known by. */
export function identitiesOf(who: ContactIdentity): { kind: 'phone' | 'lid' | 'external'; value: string }[] {
  return [
    ...(who.phone ? [{ kind: 'phone' as const, value: who.phone }] : []),
    ...(who.lid ? [{ kind: 'lid' as const, value: who.lid }] : []),
    ...(who.externalId ? [{ kind: 'external' as const, value: who.externalId }] : []),
  ]
}

/**
 * The one contact of these identities, made when there is none. Two contacts that turn out to be one person (a LID met
 * before its phone number) are merged. Must run inside a transaction: it locks the identities, so that
 * two processes meeting a person at once still make one contact.
 */
export async function resolveContact(tx: Executor, ctx: BusinessContext, who: ContactIdentity): Promise<string> {
  const all = identitiesOf(who)
  if (all.length === 0) throw new Error('A contact needs a phone number, a LID or an external id.')
  await lockIdentities(tx, ctx, all)
  const identities = all.flatMap(({ kind, value }) => (kind === 'phone' ? [] : [{ kind, value }]))

  const found: { id: string; phone: string | null; name: string | null }[] = []
  const columns = { id: contacts.id, phone: contacts.phone, name: contacts.name }
  if (who.phone) {
    const [row] = await tx
      .select(columns)
      .from(contacts)
      .where(and(eq(contacts.businessId, ctx.businessId), eq(contacts.phone, who.phone)))
    if (row) found.push(row)
  }
  if (identities.length > 0) {
    const rows = await tx
      .selectDistinct(columns)
      .from(contactIdentities)
      .innerJoin(contacts, eq(contacts.id, contactIdentities.contactId))
      .where(
        and(
          eq(contactIdentities.businessId, ctx.businessId),
          or(...identities.map((i) => and(eq(contactIdentities.kind, i.kind), eq(contactIdentities.value, i.value)))),
        ),
      )
    found.push(...rows.filter((row) => row.id !== found[0]?.id).sort((a, b) => (a.id < b.id ? -1 : 1)))
  }

  // The phone number's contact stays. One that has another number is another person: only the identity moves over.
  const [keep, ...others] = found
  const extra = others.filter((other) => other.phone === null)
  let contactId = keep?.id
  if (!keep || !contactId) {
    contactId = newId()
    await tx
      .insert(contacts)
      .values({ id: contactId, businessId: ctx.businessId, phone: who.phone, name: who.name ?? null })
    await audit(tx, ctx, { action: 'contact.create', entity: 'contact', entityId: contactId })
  } else {
    for (const other of extra) await mergeInto(tx, ctx, contactId, other.id)
    if (who.phone && (keep.phone === null || extra.length > 0))
      await tx
        .update(contacts)
        .set({ phone: who.phone })
        .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId), isNull(contacts.phone)))
    if (who.name && (keep.name === null || extra.length > 0))
      await tx
        .update(contacts)
        .set({ name: who.name })
        .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId), isNull(contacts.name)))
  }
  if (identities.length > 0)
    await tx
      .insert(contactIdentities)
      .values(identities.map((i) => ({ ...i, businessId: ctx.businessId, contactId })))
      .onConflictDoUpdate({
        target: [contactIdentities.businessId, contactIdentities.kind, contactIdentities.value],
        set: { contactId },
      })
  return contactId
}

/** Keeps everybody else off these identities until the transaction ends. Held already, they are held. */
export async function lockIdentities(
  tx: Executor,
  ctx: BusinessContext,
  identities: readonly { kind: string; value: string }[],
): Promise<void> {
  for (const key of identities.map(({ kind, value }) => `${kind}:${value}`).sort())
    await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`contact:${ctx.businessId}:${key}`}, 0))`)
}
