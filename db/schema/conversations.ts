import { sql } from 'drizzle-orm'
import { boolean, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const conversations = pgTable(
  'conversations',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').notNull(),
    status: text({ enum: ['open', 'closed', 'snoozed'] })
      .notNull()
      .default('open'),
    unread: integer().notNull().default(0),
    /** With a member, to whom alerts go: no customer, and in no list until something else is exchanged. */
    alertsOnly: boolean('alerts_only').notNull().default(false),
    assigneeId: text('assignee_id').references(() => users.id, { onDelete: 'set null' }),
    snoozedUntil: at('snoozed_until'),
    /** When the contact last wrote on WhatsApp: opens the 24-hour window in which free text may be sent. */
    lastInboundAt: at('last_inbound_at'),
    lastEventAt: at('last_event_at').notNull().defaultNow(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('conversations_tenant').on(t.businessId, t.id),
    uniqueIndex('conversations_contact').on(t.businessId, t.contactId),
    index('conversations_recent').on(t.businessId, t.lastEventAt, t.id),
    index('conversations_status').on(t.businessId, t.status, t.lastEventAt, t.id),
    index('conversations_assignee').on(t.businessId, t.assigneeId, t.lastEventAt, t.id),
    index('conversations_by_contact').on(t.contactId),
    index('conversations_assigned_user').on(t.assigneeId).where(sql`${t.assigneeId} is not null`),
    index('conversations_snoozed').on(t.snoozedUntil).where(sql`${t.status} = 'snoozed'`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)
