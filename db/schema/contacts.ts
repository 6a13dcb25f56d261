import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { ACTOR_KINDS } from './audit.ts'
import { businesses } from './businesses.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const contacts = pgTable(
  'contacts',
  {
    id: id(),
    businessId: businessId(),
    /** E.164; null while only a LID or an external id is known. */
    phone: text(),
    name: text(),
    email: text(),
    custom: jsonb().$type<Record<string, string | number | boolean | null>>().notNull().default({}),
    /** When the person opted out of messages; none is sent afterwards. */
    optedOutAt: at('opted_out_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('contacts_phone').on(t.businessId, t.phone),
    uniqueIndex('contacts_tenant').on(t.businessId, t.id),
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
    businessId: businessId(),
    /** `phone`: a further number of theirs. `whatsapp`: the number in the id that WhatsApp answered for `phone`. */
    kind: text({ enum: ['lid', 'external', 'phone', 'whatsapp'] }).notNull(),
    value: text().notNull(),
    /** Of kind `whatsapp`: the canonical number that was looked up. */
    phone: text(),
    contactId: uuid('contact_id').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.kind, t.value] }),
    index('contact_identities_contact').on(t.contactId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)

export const contactTags = pgTable(
  'contact_tags',
  { businessId: businessId(), contactId: uuid('contact_id').notNull(), tag: text().notNull(), createdAt: createdAt() },
  (t) => [
    primaryKey({ columns: [t.contactId, t.tag] }),
    index('contact_tags_tag').on(t.businessId, t.tag, t.contactId),
    check('contact_tags_form', sql`length(${t.tag}) between 1 and 64`),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)

export const notes = pgTable(
  'notes',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').notNull(),
    authorKind: text('author_kind', { enum: ACTOR_KINDS }).notNull(),
    authorId: text('author_id').notNull(),
    body: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('notes_timeline').on(t.contactId, t.createdAt, t.id),
    index('notes_list').on(t.businessId, t.id),
    index('notes_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', ${t.body}))`,
    ),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)

/** Automatic runs of `repairContacts` for a business. */
export const contactRepairs = pgTable('contact_repairs', {
  businessId: uuid('business_id')
    .primaryKey()
    .references(() => businesses.id, { onDelete: 'cascade' }),
  runs: integer().notNull().default(0),
  lastRunAt: at('last_run_at').notNull().defaultNow(),
})
