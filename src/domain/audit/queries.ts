import { and, eq, gte, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { ACTOR_KINDS, apiKeys, auditLog, users } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { pageInput, pageQuery, timeFilter, toPage } from '../paging.ts'

export const AUDIT_ENTITIES = [
  'api_key',
  'appointment',
  'business',
  'business_text',
  'call',
  'catalogue_item',
  'contact',
  'conversation',
  'credentials',
  'import',
  'invitation',
  'knowledge_source',
  'knowledge_gap',
  'lead',
  'member',
  'message',
  'note',
  'payment',
  'phone_number',
  'receptionist',
  'recording',
  'user',
  'waiting_entry',
  'webhook',
  'whatsapp_account',
] as const

export const auditFilters = pageInput.extend({
  entity: z.enum(AUDIT_ENTITIES).optional(),
  entityId: z.string().min(1).max(100).optional(),
  actorKind: z.enum(ACTOR_KINDS).optional(),
  actorId: z.string().min(1).max(100).optional(),
  since: timeFilter.optional(),
  until: timeFilter.optional(),
})

export const auditView = z.object({
  id: z.uuid(),
  at: z.date(),
  actorKind: z.enum(ACTOR_KINDS),
  actorId: z.string().nullable(),
  /** The name of the user or of the API key; null when it is gone, or when it was neither. */
  actorName: z.string().nullable(),
  action: z.string(),
  entity: z.string(),
  entityId: z.string(),
  data: z.record(z.string(), z.unknown()).nullable(),
})

/** The changes of a business, newest first: who did what to which entity. */
export async function listAudit(ctx: BusinessContext, input: z.input<typeof auditFilters>) {
  const page = auditFilters.parse(input)
  const query = pageQuery(
    auditLog.id,
    page,
    eq(auditLog.businessId, ctx.businessId),
    page.entity ? eq(auditLog.entity, page.entity) : undefined,
    page.entityId ? eq(auditLog.entityId, page.entityId) : undefined,
    page.actorKind ? eq(auditLog.actorKind, page.actorKind) : undefined,
    page.actorId ? eq(auditLog.actorId, page.actorId) : undefined,
    page.since ? gte(auditLog.createdAt, new Date(page.since)) : undefined,
    page.until ? lt(auditLog.createdAt, new Date(page.until)) : undefined,
  )
  const rows = await ctx.db
    .select({
      id: auditLog.id,
      at: auditLog.createdAt,
      actorKind: auditLog.actorKind,
      actorId: auditLog.actorId,
      userName: users.name,
      keyName: apiKeys.name,
      action: auditLog.action,
      entity: auditLog.entity,
      entityId: auditLog.entityId,
      data: auditLog.data,
    })
    .from(auditLog)
    .leftJoin(users, and(eq(auditLog.actorKind, 'user'), eq(users.id, auditLog.actorId)))
    // The column also holds words, such as `cli`: the key's id is compared as text.
    .leftJoin(
      apiKeys,
      and(
        eq(auditLog.actorKind, 'api_key'),
        eq(apiKeys.businessId, ctx.businessId),
        sql`${apiKeys.id}::text = ${auditLog.actorId}`,
      ),
    )
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(
    rows.map(({ userName, keyName, ...row }) => ({ ...row, actorName: userName || keyName || null })),
    page.limit,
  )
}
