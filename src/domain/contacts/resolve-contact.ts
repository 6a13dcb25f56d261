import { and, asc, eq, inArray, isNull, or, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { contactIdentities, contacts } from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { canonicalPhone, isSamePhone, networkPhone, phoneVariants } from '../../lib/phone.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { mergeInto } from './merge-contacts.ts'

/** What a channel knows of a person; at least one of phone, lid and externalId. */
export type ContactIdentity = {
  phone: string | null
  /** WhatsApp's linked identity, never a phone number. */
  lid?: string | null
  externalId?: string | null
  /** A name the channel gave; a name already known is kept. */
  name?: string | null
}

/** All identities of a person; a number in its canonical spelling. */
export function identitiesOf(who: ContactIdentity): { kind: 'phone' | 'lid' | 'external'; value: string }[] {
  return [
    ...(who.phone ? [{ kind: 'phone' as const, value: canonicalPhone(who.phone) }] : []),
    ...(who.lid ? [{ kind: 'lid' as const, value: who.lid }] : []),
    ...(who.externalId ? [{ kind: 'external' as const, value: who.externalId }] : []),
  ]
}

/**
 * The one contact of these identities, made or merged (a LID met before its number). Must run in a transaction: it locks the
 * identities, so that two processes that meet a person make one contact.
 */
export async function resolveContact(tx: Executor, ctx: BusinessContext, who: ContactIdentity): Promise<string> {
  // A channel that knows no name gives the number in its place.
  const name = who.name && who.phone && isSamePhone(networkPhone(who.name) ?? '', who.phone) ? null : who.name
  const all = identitiesOf(who)
  if (all.length === 0) throw new Error('A contact needs a phone number, a LID or an external id.')
  await lockIdentities(tx, ctx, all)
  const identities = all.flatMap(({ kind, value }) => (kind === 'phone' ? [] : [{ kind, value }]))

  const found = await findContacts(tx, ctx, who.phone, identities)

  // The phone number's contact stays. One that has another number is another person: only the identity moves over.
  const [keep, ...others] = found
  const isTheirs = (phone: string | null) => phone === null || (who.phone !== null && isSamePhone(phone, who.phone))
  const extra = others.filter((other) => isTheirs(other.phone))
  let contactId = keep?.id
  if (!keep || !contactId) {
    contactId = newId()
    await tx
      .insert(contacts)
      .values({ id: contactId, businessId: ctx.businessId, phone: who.phone, name: name ?? null })
    await audit(tx, ctx, { action: 'contact.create', entity: 'contact', entityId: contactId })
  } else {
    for (const other of extra) await mergeInto(tx, ctx, contactId, other.id)
    await renewSpelling(tx, ctx, keep, who.phone)
    if (who.phone && (keep.phone === null || extra.length > 0))
      await tx
        .update(contacts)
        .set({ phone: who.phone })
        .where(and(eq(contacts.id, contactId), eq(contacts.businessId, ctx.businessId), isNull(contacts.phone)))
    if (name && (keep.name === null || extra.length > 0))
      await tx
        .update(contacts)
        .set({ name })
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

type Found = { id: string; phone: string | null; name: string | null }

/** The contacts of these identities: first whose number it is, then who has it as a further one, then by other ids. */
async function findContacts(
  tx: Executor,
  ctx: BusinessContext,
  phone: string | null,
  others: { kind: 'lid' | 'external'; value: string }[],
): Promise<Found[]> {
  const columns = { id: contacts.id, phone: contacts.phone, name: contacts.name }
  const found: Found[] = phone
    ? await tx
        .select(columns)
        .from(contacts)
        .where(and(eq(contacts.businessId, ctx.businessId), phoneIs(contacts.phone, phone)))
        .orderBy(sql`${contacts.phone} = ${canonicalPhone(phone)} desc`, asc(contacts.id))
    : []
  const identities = [...(phone ? furtherNumbers(phone) : []), ...others]
  const rows = await tx
    .selectDistinct({ ...columns, kind: contactIdentities.kind })
    .from(contactIdentities)
    .innerJoin(contacts, eq(contacts.id, contactIdentities.contactId))
    .where(
      and(
        eq(contactIdentities.businessId, ctx.businessId),
        or(...identities.map((i) => and(eq(contactIdentities.kind, i.kind), eq(contactIdentities.value, i.value)))),
      ),
    )
  const rank = (row: (typeof rows)[number]) => `${row.kind === 'phone' || row.kind === 'whatsapp' ? 0 : 1}${row.id}`
  for (const { kind: _, ...row } of rows.sort((a, b) => (rank(a) < rank(b) ? -1 : 1)))
    if (!found.some(({ id }) => id === row.id)) found.push(row)
  return found
}

function furtherNumbers(phone: string): { kind: 'phone' | 'whatsapp'; value: string }[] {
  return phoneVariants(phone).flatMap((value) => [
    { kind: 'phone' as const, value },
    { kind: 'whatsapp' as const, value },
  ])
}

/** A condition: the column holds this number, in whichever spelling. */
export function phoneIs(column: typeof contacts.phone, phone: string): SQL {
  return inArray(column, phoneVariants(phone))
}

/** A subquery: the ids of those who have this number, in whichever spelling, as theirs or as a further one. */
export function contactsWithPhone(ctx: Pick<BusinessContext, 'businessId'>, phone: string): SQL {
  const variants = phoneVariants(phone)
  return sql`(select id from ${contacts} where business_id = ${ctx.businessId} and phone in ${variants}
    union all select contact_id from ${contactIdentities}
    where business_id = ${ctx.businessId} and kind in ('phone', 'whatsapp') and value in ${variants})`
}

/** Whether a contact alone has this number, in all spellings, and `resolveContact` would not renew its spelling. */
export function hasPhoneAlone(ctx: Pick<BusinessContext, 'businessId'>, contact: SQL, phone: string): SQL {
  const variants = phoneVariants(phone)
  if (variants.length === 1) return sql`${contact}.phone = ${phone}`
  const settled = phone === canonicalPhone(phone) ? [phone] : variants
  return sql`${contact}.phone in ${settled} and not exists (select from ${contacts} as twin
    where twin.business_id = ${ctx.businessId} and twin.phone in ${variants} and twin.id <> ${contact}.id)`
}

/** The number to write to, where it is not the contact's first one; else null. */
export function furtherNumber(asked: string | null, first: string | null): string | null {
  return asked && first && !isSamePhone(asked, first) ? asked : null
}

/** Who has this number, in whichever spelling, as theirs or as a further one; null when no contact has it. */
export async function findContactByPhone(db: Executor, ctx: BusinessContext, phone: string): Promise<string | null> {
  return (await findContacts(db, ctx, phone, []))[0]?.id ?? null
}

/** A number that is met in the spelling of today is kept in it. */
async function renewSpelling(tx: Executor, ctx: BusinessContext, keep: Found, phone: string | null): Promise<void> {
  if (!phone || !keep.phone || keep.phone === phone || phone !== canonicalPhone(keep.phone)) return
  await tx
    .update(contacts)
    .set({ phone })
    .where(
      and(
        eq(contacts.id, keep.id),
        eq(contacts.businessId, ctx.businessId),
        sql`not exists (select from ${contacts} as other where other.business_id = ${ctx.businessId} and other.phone = ${phone})`,
      ),
    )
}

/** Locks these identities until the transaction ends. Locked already, they stay locked. */
export async function lockIdentities(
  tx: Executor,
  ctx: BusinessContext,
  identities: readonly { kind: string; value: string }[],
): Promise<void> {
  // One lock a person, however the number is spelled.
  const keys = identities.map(({ kind, value }) => `${kind}:${kind === 'phone' ? canonicalPhone(value) : value}`)
  for (const key of [...new Set(keys)].sort()) await lock(tx, `contact:${ctx.businessId}:${key}`)
}
