import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'

/** A transaction's id (xid8): orders by when it began, never wraps. */
const transactionId = customType<{ data: string }>({ dataType: () => 'xid8' })

/**
 * What happened, written in the transaction in which it happened. Sequence numbers are handed out before commit, so a later
 * number may be seen first: readers go by (xid, seq) and stop before the oldest transaction still under way.
 */
export const events = pgTable(
  'events',
  {
    seq: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    xid: transactionId().notNull().default(sql`pg_current_xact_id()`),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    type: text().notNull(),
    entity: text().notNull(),
    entityId: text('entity_id').notNull(),
    actorKind: text('actor_kind').notNull(),
    data: jsonb().$type<Record<string, unknown>>(),
    createdAt: createdAt(),
  },
  (t) => [
    index('events_order').on(t.xid, t.seq),
    index('events_business').on(t.businessId, t.xid, t.seq),
    index('events_entity').on(t.entity, t.entityId),
    index('events_age').on(t.createdAt),
  ],
)

/** Where a business wants to be told of its events. */
export const webhookEndpoints = pgTable(
  'webhook_endpoints',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    url: text().notNull(),
    description: text(),
    /** Event types, `call.*` style prefixes included; null is all. */
    types: text().array(),
    /** Signs the deliveries; shown once, sealed for this endpoint. */
    secret: text().notNull(),
    enabled: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [index('webhook_endpoints_business').on(t.businessId, t.id)],
)

export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    endpointId: uuid('endpoint_id')
      .notNull()
      .references(() => webhookEndpoints.id, { onDelete: 'cascade' }),
    eventSeq: bigint('event_seq', { mode: 'bigint' })
      .notNull()
      .references(() => events.seq, { onDelete: 'cascade' }),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    state: text({ enum: ['pending', 'delivered', 'failed'] })
      .notNull()
      .default('pending'),
    attempts: integer().notNull().default(0),
    /** How often somebody asked for it again. */
    replays: integer().notNull().default(0),
    status: integer(),
    error: text(),
    deliveredAt: at('delivered_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    primaryKey({ columns: [t.endpointId, t.eventSeq] }),
    index('webhook_deliveries_event').on(t.eventSeq),
    index('webhook_deliveries_business').on(t.businessId, t.eventSeq),
    index('webhook_deliveries_pending').on(t.updatedAt).where(sql`${t.state} = 'pending'`),
  ],
)
