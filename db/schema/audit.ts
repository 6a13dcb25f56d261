import { index, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { createdAt, enumChecks, id } from './columns.ts'

export const ACTOR_KINDS = ['user', 'api_key', 'webhook', 'system'] as const

export const auditLog = pgTable(
  'audit_log',
  {
    id: id(),
    businessId: uuid('business_id').references(() => businesses.id, { onDelete: 'cascade' }),
    actorKind: text('actor_kind', { enum: ACTOR_KINDS }).notNull(),
    actorId: text('actor_id'),
    action: text().notNull(),
    entity: text().notNull(),
    entityId: text('entity_id').notNull(),
    data: jsonb().$type<Record<string, unknown>>(),
    createdAt: createdAt(),
  },
  (t) => [
    index('audit_log_business').on(t.businessId, t.id),
    index('audit_log_entity').on(t.entity, t.entityId),
    ...enumChecks(t),
  ],
)
