import { and, eq } from 'drizzle-orm'
import { contacts } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { type PageInput, pageInput, pageQuery, toPage } from '../paging.ts'

/** The contacts of the business, newest first. */
export async function listContacts(ctx: BusinessContext, input: PageInput) {
  const page = pageInput.parse(input)
  const query = pageQuery(contacts.id, page, eq(contacts.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(contacts).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `contact_not_found` */
export async function getContact(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select()
    .from(contacts)
    .where(and(eq(contacts.id, id), eq(contacts.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'contact_not_found', 'There is no such contact.')
  return row
}
