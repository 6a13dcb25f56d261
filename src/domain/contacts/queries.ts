import { and, eq, exists, inArray, isNotNull, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { contacts, contactTags, conversations } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { limitedText, requiredText } from '../../lib/text.ts'
import type { BusinessContext } from '../context.ts'
import { isContactShownSql } from '../conversations/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'

const flag = z.union([z.boolean(), z.enum(['true', 'false'])]).transform((value) => value === true || value === 'true')

export const tag = requiredText(64)

export const contactFilters = pageInput.extend({ tag: tag.optional(), optedOut: flag.optional() })

export const customFields = z.record(
  limitedText(64).min(1),
  z.union([limitedText(2_000), z.number(), z.boolean(), z.null()]),
)

export const contactView = z.object({
  id: z.uuid(),
  phone: z.string().nullable(),
  name: z.string().nullable(),
  email: z.string().nullable(),
  tags: z.array(z.string()),
  custom: customFields,
  optedOutAt: z.date().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type ContactView = z.infer<typeof contactView>

const columns = {
  id: contacts.id,
  phone: contacts.phone,
  name: contacts.name,
  email: contacts.email,
  custom: contacts.custom,
  optedOutAt: contacts.optedOutAt,
  createdAt: contacts.createdAt,
  updatedAt: contacts.updatedAt,
}

export async function listContacts(ctx: BusinessContext, input: z.input<typeof contactFilters>) {
  const page = contactFilters.parse(input)
  const query = pageQuery(
    contacts.id,
    page,
    eq(contacts.businessId, ctx.businessId),
    isContactShownSql,
    page.optedOut === undefined
      ? undefined
      : page.optedOut
        ? isNotNull(contacts.optedOutAt)
        : isNull(contacts.optedOutAt),
    page.tag === undefined
      ? undefined
      : exists(
          ctx.db
            .select({ one: sql`1` })
            .from(contactTags)
            .where(
              and(
                eq(contactTags.businessId, ctx.businessId),
                eq(contactTags.tag, page.tag),
                eq(contactTags.contactId, contacts.id),
              ),
            ),
        ),
  )
  const rows = await ctx.db.select(columns).from(contacts).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(await withTags(ctx.db, ctx, rows), page.limit)
}

/** @throws AppError `contact_not_found` */
export async function getContact(ctx: BusinessContext, id: string): Promise<ContactView> {
  const [row] = await ctx.db
    .select(columns)
    .from(contacts)
    .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
  const [contact] = await withTags(ctx.db, ctx, row ? [row] : [])
  if (!contact) throw noContact()
  return contact
}

/** Contacts by id, in the order of the ids. */
export async function getContacts(ctx: BusinessContext, ids: string[]): Promise<ContactView[]> {
  if (ids.length === 0) return []
  const rows = await ctx.db
    .select(columns)
    .from(contacts)
    .where(and(eq(contacts.businessId, ctx.businessId), inArray(contacts.id, ids)))
  const found = new Map((await withTags(ctx.db, ctx, rows)).map((row) => [row.id, row]))
  return ids.flatMap((id) => found.get(id) ?? [])
}

/** Holds a contact of the business until the transaction ends. @throws AppError `contact_not_found` */
export async function lockContact(tx: Executor, ctx: BusinessContext, id: string) {
  const [row] = await tx
    .select()
    .from(contacts)
    .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
    .for('update')
  if (!row) throw noContact()
  return row
}

/** Locks a contact and its conversation in a message's order, against deadlock. @throws AppError `contact_not_found` */
export async function lockContactWhole(tx: Executor, ctx: BusinessContext, id: string) {
  await tx
    .select({ id: conversations.id })
    .from(conversations)
    .where(and(eq(conversations.contactId, id), eq(conversations.businessId, ctx.businessId)))
    .for('update')
  return await lockContact(tx, ctx, id)
}

export async function listTags(ctx: BusinessContext) {
  return await ctx.db
    .select({ tag: contactTags.tag, contacts: sql<number>`count(*)::int` })
    .from(contactTags)
    .where(eq(contactTags.businessId, ctx.businessId))
    .groupBy(contactTags.tag)
    .orderBy(contactTags.tag)
    .limit(1_000)
}

async function withTags<Row extends { id: string }>(db: Executor, ctx: BusinessContext, rows: Row[]) {
  const tags = new Map<string, string[]>()
  if (rows.length > 0)
    for (const row of await db
      .select({ contactId: contactTags.contactId, tag: contactTags.tag })
      .from(contactTags)
      .where(
        and(
          eq(contactTags.businessId, ctx.businessId),
          inArray(
            contactTags.contactId,
            rows.map((contact) => contact.id),
          ),
        ),
      )
      .orderBy(contactTags.tag))
      tags.set(row.contactId, [...(tags.get(row.contactId) ?? []), row.tag])
  return rows.map((row) => ({ ...row, tags: tags.get(row.id) ?? [] }))
}

export function noContact() {
  return new AppError('not_found', 'contact_not_found', 'There is no such contact.')
}
