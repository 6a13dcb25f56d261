import { sql } from 'drizzle-orm'
import { bigint, customType, index, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { ACTOR_KINDS } from './audit.ts'
import { createdAt, enumChecks } from './columns.ts'
import { businessId } from './tenant.ts'

/** A transaction's id (xid8): orders by when it began, never wraps. */
const transactionId = customType<{ data: string }>({ dataType: () => 'xid8' })

/** Sequence numbers precede the commit: readers order by (xid, seq) and stop before the oldest open transaction. */
export const events = pgTable(
  'events',
  {
    seq: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId().notNull().default(sql`pg_current_xact_id()`),
    businessId: businessId(),
    type: text().notNull(),
    entity: text().notNull(),
    entityId: text('entity_id').notNull(),
    actorKind: text('actor_kind', { enum: ACTOR_KINDS }).notNull(),
    data: jsonb().$type<Record<string, unknown>>(),
    createdAt: createdAt(),
  },
  (t) => [
    index('events_order').on(t.xid, t.seq),
    index('events_business').on(t.businessId, t.xid, t.seq),
    uniqueIndex('events_tenant').on(t.businessId, t.seq),
    index('events_entity').on(t.entity, t.entityId),
    index('events_age').on(t.createdAt),
    ...enumChecks(t),
  ],
)
