import { sql } from 'drizzle-orm'
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const appointments = pgTable(
  'appointments',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    callId: uuid('call_id').references(() => calls.id, { onDelete: 'set null' }),
    startsAt: at('starts_at').notNull(),
    endsAt: at('ends_at').notNull(),
    state: text({ enum: ['booked', 'cancelled'] })
      .notNull()
      .default('booked'),
    /** When a member confirmed it; until then the caller can book no other. */
    confirmedAt: at('confirmed_at'),
    name: text(),
    note: text(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('appointments_start').on(t.businessId, t.startsAt).where(sql`${t.state} = 'booked'`),
    index('appointments_business').on(t.businessId, t.startsAt),
    index('appointments_timeline').on(t.contactId, t.createdAt, t.id),
    index('appointments_call').on(t.callId),
    check('appointments_order', sql`${t.endsAt} > ${t.startsAt}`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'no action'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'no action'),
  ],
)
