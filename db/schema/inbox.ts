import { customType, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'

const bytes = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' })

/**
 * Events that were acknowledged and are not processed yet: webhooks, and those of live calls. The queue carries the row's id;
 * the row is deleted with its work, and a sweep queues it again when the queue lost it.
 */
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

/** Events that could not be stored after several attempts: a person retries or drops them. */
export const quarantine = pgTable(
  'quarantine',
  {
    id: id(),
    businessId: uuid('business_id').references(() => businesses.id, { onDelete: 'cascade' }),
    /** The job that stores it when it is retried. */
    job: text().notNull(),
    key: text().notNull(),
    /** The job's payload, JSON in UTF-8, as it was refused; its beginning when `cutFrom` is set. */
    content: bytes().notNull(),
    /** How many bytes the payload had, when it was cut: it cannot be retried. */
    cutFrom: integer('cut_from'),
    /** Why, without personal data. */
    reason: text().notNull(),
    attempts: integer().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('quarantine_key').on(t.key), index('quarantine_list').on(t.businessId, t.id)],
)
