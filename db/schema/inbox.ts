import { customType, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'

const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' })

/** Acknowledged events that are not processed yet. The queue carries the row's id; a sweep queues a lost one again. */
export const inboundEvents = pgTable(
  'inbound_events',
  {
    id: id(),
    /** The job and the provider's identity of the event: a repetition is the same row. */
    key: text().notNull(),
    job: text().notNull(),
    /** Without a reference: an event is stored before anything about it is looked up. */
    businessId: uuid('business_id'),
    /** The job's payload as JSON text, which can hold any character. */
    payload: text().notNull(),
    requeues: integer().notNull().default(0),
    /** When the sweep checks that the queue still has it. */
    nextCheckAt: at('next_check_at').notNull(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('inbound_events_key').on(t.key), index('inbound_events_check').on(t.nextCheckAt)],
)

export const quarantine = pgTable(
  'quarantine',
  {
    id: id(),
    businessId: uuid('business_id').references(() => businesses.id, { onDelete: 'cascade' }),
    job: text().notNull(),
    key: text().notNull(),
    /** The job's payload, JSON in UTF-8, as it was refused; its beginning when `cutFrom` is set. */
    content: bytes().notNull(),
    /** How many bytes the payload had, when it was cut: it cannot be retried. */
    cutFrom: integer('cut_from'),
    reason: text().notNull(),
    attempts: integer().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('quarantine_key').on(t.key), index('quarantine_list').on(t.businessId, t.id)],
)
