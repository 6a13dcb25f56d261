import { and, eq } from 'drizzle-orm'
import { contacts, leads } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { type PageInput, pageInput, pageQuery, toPage } from '../paging.ts'

const view = {
  id: leads.id,
  contactId: leads.contactId,
  phone: contacts.phone,
  callId: leads.callId,
  stage: leads.stage,
  source: leads.source,
  name: leads.name,
  wish: leads.wish,
  callbackTime: leads.callbackTime,
  createdAt: leads.createdAt,
}

/** The leads of the business, newest first. */
export async function listLeads(ctx: BusinessContext, input: PageInput) {
  const page = pageInput.parse(input)
  const query = pageQuery(leads.id, page, eq(leads.businessId, ctx.businessId))
  const rows = await ctx.db
    .select(view)
    .from(leads)
    .leftJoin(contacts, eq(contacts.id, leads.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `lead_not_found` */
export async function getLead(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select(view)
    .from(leads)
    .leftJoin(contacts, eq(contacts.id, leads.contactId))
    .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'lead_not_found', 'There is no such lead.')
  return row
}
