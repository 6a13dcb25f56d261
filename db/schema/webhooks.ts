import { sql } from 'drizzle-orm'
import { bigint, boolean, index, integer, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { events } from './events.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const webhookEndpoints = pgTable(
  'webhook_endpoints',
  {
    id: id(),
    businessId: businessId(),
    url: text().notNull(),
    description: text(),
    /** Event types or prefixes such as `call.*`; null is all. */
    types: text().array(),
    /** Signs the deliveries; shown once, sealed for this endpoint. */
    secret: text().notNull(),
    enabled: boolean().notNull().default(true),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('webhook_endpoints_tenant').on(t.businessId, t.id)],
)

export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    endpointId: uuid('endpoint_id').notNull(),
    eventSeq: bigint('event_seq', { mode: 'bigint' }).notNull(),
    businessId: businessId(),
    state: text({ enum: ['pending', 'delivered', 'failed'] })
      .notNull()
      .default('pending'),
    attempts: integer().notNull().default(0),
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
    ...enumChecks(t),
    sameBusiness(t.businessId, t.endpointId, webhookEndpoints, webhookEndpoints.id, 'cascade'),
    sameBusiness(t.businessId, t.eventSeq, events, events.seq, 'cascade'),
  ],
)
