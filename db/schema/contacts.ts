import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { businesses } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'

/** A person of one business. The phone number is one identity; WhatsApp's LID and external ids stand beside it. */
export const contacts = pgTable(
  'contacts',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    /** E.164; null while only a LID or an external id is known. */
    phone: text(),
    name: text(),
    email: text(),
    /** The business's own fields. */
    custom: jsonb().$type<Record<string, string | number | boolean | null>>().notNull().default({}),
    /** When the person asked not to be written to; no message leaves after it. */
    optedOutAt: at('opted_out_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('contacts_phone').on(t.businessId, t.phone),
    index('contacts_list').on(t.businessId, t.id),
    // A number is found by how it begins and, as people remember it, by how it ends.
    index('contacts_phone_start').on(t.businessId, sql`${t.phone} text_pattern_ops`),
    index('contacts_phone_end').on(t.businessId, sql`reverse(${t.phone}) text_pattern_ops`),
    index('contacts_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', coalesce(${t.name}, '') || ' ' || coalesce(${t.email}, '')))`,
    ),
    check('contacts_phone_form', sql`${t.phone} is null or ${t.phone} ~ '^\\+[0-9]{6,15}$'`),
  ],
)

export const contactIdentities = pgTable(
  'contact_identities',
  {
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    /** `phone`: a further number of theirs. `whatsapp`: the number in the id that WhatsApp answered for `phone`. */
    kind: text({ enum: ['lid', 'external', 'phone', 'whatsapp'] }).notNull(),
    value: text().notNull(),
    /** Of kind `whatsapp`: the number that was looked up, canonical. */
    phone: text(),
    contactId: uuid('contact_id')
      .notNull()
      .references(() => contacts.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.kind, t.value] }),
    index('contact_identities_contact').on(t.contactId),
  ],
)

/** One timeline per contact. */
export const conversations = pgTable(
  'conversations',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    contactId: uuid('contact_id')
      .notNull()
      .references(() => contacts.id, { onDelete: 'cascade' }),
    status: text({ enum: ['open', 'closed', 'snoozed'] })
      .notNull()
      .default('open'),
    unread: integer().notNull().default(0),
    /** The member who looks after it. */
    assigneeId: text('assignee_id').references(() => users.id, { onDelete: 'set null' }),
    snoozedUntil: at('snoozed_until'),
    /** When the contact last wrote on WhatsApp: opens the 24-hour window in which free text may be sent. */
    lastInboundAt: at('last_inbound_at'),
    lastEventAt: at('last_event_at').notNull().defaultNow(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('conversations_contact').on(t.businessId, t.contactId),
    index('conversations_recent').on(t.businessId, t.lastEventAt, t.id),
    index('conversations_status').on(t.businessId, t.status, t.lastEventAt, t.id),
    index('conversations_assignee').on(t.businessId, t.assigneeId, t.lastEventAt, t.id),
    index('conversations_by_contact').on(t.contactId),
    index('conversations_snoozed').on(t.snoozedUntil).where(sql`${t.status} = 'snoozed'`),
  ],
)
