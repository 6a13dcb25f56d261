import { and, asc, eq, gte, lt, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { contacts, leadHistory, leads } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { firstIdAt } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'
import { pageInput, pageQuery, timeFilter, toPage } from '../paging.ts'
import { earlierColumns, earlierView, presentName } from './earlier-names.ts'
import { type LeadStage, leadStage, listStages, stageKey } from './stages.ts'

export const LEAD_SOURCES = leads.source.enumValues

export const leadFilters = pageInput.extend({
  stage: stageKey.optional(),
  owner: z.string().min(1).max(64).optional(),
  contactId: z.uuid().optional(),
  /** When it was made, from this moment on. */
  since: timeFilter.optional(),
  /** And before this one. */
  until: timeFilter.optional(),
})

export const leadView = z.object({
  id: z.uuid(),
  contactId: z.uuid().nullable(),
  phone: z.string().nullable(),
  /** The lead's own name may not be known yet. */
  contactName: z.string().nullable(),
  callId: z.uuid().nullable(),
  stage: z.string(),
  source: z.enum(LEAD_SOURCES),
  name: z.string().nullable(),
  inquiry: z.string().nullable(),
  ...earlierView,
  callbackTime: z.string().nullable(),
  valueAgorot: z.number().int().nullable(),
  ownerId: z.string().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

export const leadColumns = {
  id: leads.id,
  contactId: leads.contactId,
  phone: contacts.phone,
  contactName: contacts.name,
  callId: leads.callId,
  stage: leads.stage,
  source: leads.source,
  name: leads.name,
  inquiry: leads.inquiry,
  ...earlierColumns,
  callbackTime: leads.callbackTime,
  valueAgorot: leads.valueAgorot,
  ownerId: leads.ownerId,
  createdAt: leads.createdAt,
  updatedAt: leads.updatedAt,
}

export async function listLeads(ctx: BusinessContext, input: z.input<typeof leadFilters>) {
  const page = leadFilters.parse(input)
  const owner = page.owner === 'me' ? ctx.actor.id : page.owner
  const query = pageQuery(
    leads.id,
    page,
    eq(leads.businessId, ctx.businessId),
    page.stage ? eq(leads.stage, page.stage) : undefined,
    owner ? eq(leads.ownerId, owner) : undefined,
    page.contactId ? eq(leads.contactId, page.contactId) : undefined,
    // By the id, which begins with the time, as the statistics count: there is no index of leads by their age.
    page.since ? gte(leads.id, firstIdAt(new Date(page.since))) : undefined,
    page.until ? lt(leads.id, firstIdAt(new Date(page.until))) : undefined,
  )
  const rows = await ctx.db
    .select(leadColumns)
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
    .select(leadColumns)
    .from(leads)
    .leftJoin(contacts, eq(contacts.id, leads.contactId))
    .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
  if (!row) throw noLead()
  return row
}

export const boardColumn = z.object({
  stage: leadStage,
  count: z.number().int(),
  valueAgorot: z.number().int(),
  items: z.array(leadView),
  nextCursor: z.string().nullable(),
})

/** The board: the first `perStage` leads of each stage, in people's order; `readColumn` reads the rest. */
export async function readBoard(ctx: BusinessContext, language: 'he' | 'en', perStage: number) {
  const stages = await listStages(ctx, language)
  const totals = await ctx.db
    .select({
      stage: leads.stage,
      count: sql<number>`count(*)::int`,
      valueAgorot: sql<string>`coalesce(sum(${leads.valueAgorot}), 0)`,
    })
    .from(leads)
    .where(eq(leads.businessId, ctx.businessId))
    .groupBy(leads.stage)
  return await Promise.all(
    stages.map(async (stage: LeadStage) => {
      const total = totals.find((row) => row.stage === stage.key)
      return {
        stage,
        count: total?.count ?? 0,
        valueAgorot: Number(total?.valueAgorot ?? 0),
        ...(await readColumn(ctx, stage.key, { limit: perStage })),
      }
    }),
  )
}

/** The leads of a stage in the order of the board. */
export async function readColumn(ctx: BusinessContext, stage: string, { cursor, limit }: z.output<typeof pageInput>) {
  const mark: SQL | undefined = cursor
    ? sql`(${leads.position}, ${leads.id}) > (select position, id from leads where id = ${cursor} and business_id = ${ctx.businessId})`
    : undefined
  const rows = await ctx.db
    .select(leadColumns)
    .from(leads)
    .leftJoin(contacts, eq(contacts.id, leads.contactId))
    .where(and(eq(leads.businessId, ctx.businessId), eq(leads.stage, stage), mark))
    .orderBy(asc(leads.position), asc(leads.id))
    .limit(limit + 1)
  return toPage(rows, limit)
}

export const leadHistoryEntry = z.object({
  id: z.uuid(),
  actorKind: z.string(),
  actorId: z.string().nullable(),
  field: z.string(),
  before: z.string().nullable(),
  after: z.string().nullable(),
  createdAt: z.date(),
})

/** What was changed in a lead, newest first. @throws AppError `lead_not_found` */
export async function listLeadHistory(ctx: BusinessContext, id: string, page: z.output<typeof pageInput>) {
  await getLead(ctx, id)
  const query = pageQuery(leadHistory.id, page, eq(leadHistory.leadId, id), eq(leadHistory.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(leadHistory).where(query.where).orderBy(query.orderBy).limit(query.limit)
  const { items, nextCursor } = toPage(rows, page.limit)
  return { items: items.map((entry) => ({ ...entry, field: presentName(entry.field) })), nextCursor }
}

export function noLead() {
  return new AppError('not_found', 'lead_not_found', 'There is no such lead.')
}
