import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { businesses } from './businesses.ts'
import { leads } from './calls.ts'
import { createdAt, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'

const ofBusiness = () =>
  uuid('business_id')
    .notNull()
    .references(() => businesses.id, { onDelete: 'cascade' })

const ofContact = () =>
  uuid('contact_id')
    .notNull()
    .references(() => contacts.id, { onDelete: 'cascade' })

export const contactTags = pgTable(
  'contact_tags',
  { businessId: ofBusiness(), contactId: ofContact(), tag: text().notNull(), createdAt: createdAt() },
  (t) => [
    primaryKey({ columns: [t.contactId, t.tag] }),
    index('contact_tags_tag').on(t.businessId, t.tag, t.contactId),
    check('contact_tags_form', sql`length(${t.tag}) between 1 and 64`),
  ],
)

/** What a member wrote about a contact, seen by members alone; a note stands in the contact's timeline. */
export const notes = pgTable(
  'notes',
  {
    id: id(),
    businessId: ofBusiness(),
    contactId: ofContact(),
    authorKind: text('author_kind').notNull(),
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
  ],
)

/** The stages of a business's leads, in the order of the board. */
export const leadStages = pgTable(
  'lead_stages',
  {
    businessId: ofBusiness(),
    /** What `leads.stage` holds. */
    key: text().notNull(),
    name: text().notNull(),
    kind: text({ enum: ['open', 'won', 'lost'] })
      .notNull()
      .default('open'),
    position: integer().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.key] }),
    check('lead_stages_key', sql`${t.key} ~ '^[a-z0-9_]{1,32}$'`),
  ],
)

export const leadHistory = pgTable(
  'lead_history',
  {
    id: id(),
    businessId: ofBusiness(),
    leadId: uuid('lead_id')
      .notNull()
      .references(() => leads.id, { onDelete: 'cascade' }),
    actorKind: text('actor_kind').notNull(),
    actorId: text('actor_id'),
    field: text().notNull(),
    before: text(),
    after: text(),
    createdAt: createdAt(),
  },
  (t) => [index('lead_history_lead').on(t.leadId, t.id), index('lead_history_business').on(t.businessId)],
)

/** See `src/domain/imports`: how amounts and dates are written, and whether there is a heading line. */
export type ImportOptions = { heading: boolean; amounts: string | null; dates: string | null }

export type ImportError = { row: number; column: string | null; message: string }

/** A CSV file being taken in; the text is cleared once it is done. */
export const imports = pgTable(
  'imports',
  {
    id: id(),
    businessId: ofBusiness(),
    kind: text({ enum: ['contacts', 'leads'] }).notNull(),
    state: text({ enum: ['queued', 'running', 'done', 'failed'] })
      .notNull()
      .default('queued'),
    requestHash: text('request_hash').notNull(),
    mapping: jsonb().$type<Record<string, string>>().notNull(),
    csv: text(),
    /** How the file is read where it can be read in several ways; null in imports of earlier versions. */
    options: jsonb().$type<ImportOptions>(),
    /** The headings of the file, for the rows that were refused. */
    columns: jsonb().$type<string[]>(),
    total: integer().notNull(),
    processed: integer().notNull().default(0),
    created: integer().notNull().default(0),
    updated: integer().notNull().default(0),
    /** Leads that an earlier file, or this one, had brought. */
    existing: integer().notNull().default(0),
    rejected: integer().notNull().default(0),
    /** Rows without anything in them. */
    blank: integer().notNull().default(0),
    /** Runs since a row was last taken in: what gets nowhere is given up. */
    attempts: integer().notNull().default(0),
    failure: text(),
    errors: jsonb().$type<ImportError[]>().notNull().default([]),
    createdBy: text('created_by').references(() => users.id, { onDelete: 'set null' }),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('imports_list').on(t.businessId, t.id),
    index('imports_waiting').on(t.updatedAt).where(sql`${t.state} in ('queued', 'running')`),
  ],
)

/** A row that was not taken in, kept for some weeks so that it can be mended and taken in again. */
export const importRejects = pgTable(
  'import_rejects',
  {
    businessId: ofBusiness(),
    importId: uuid('import_id')
      .notNull()
      .references(() => imports.id, { onDelete: 'cascade' }),
    row: integer().notNull(),
    /** As they stand in the file. */
    cells: jsonb().$type<string[]>().notNull(),
    reason: text().notNull(),
    /** E.164, where the row has one: an erasure finds it by this. */
    phone: text(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.importId, t.row] }),
    index('import_rejects_phone').on(t.businessId, t.phone),
    index('import_rejects_age').on(t.createdAt),
  ],
)

/** What a file's row was made into: the same row read again is not made again, as long as that is there. */
export const importKeys = pgTable(
  'import_keys',
  {
    businessId: ofBusiness(),
    /** Fingerprint of what the row says, and of how many like it stood before it in its file. */
    key: text().notNull(),
    leadId: uuid('lead_id').references(() => leads.id, { onDelete: 'cascade' }),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.key] }),
    index('import_keys_lead').on(t.leadId),
    index('import_keys_contact').on(t.contactId),
  ],
)

/** How long a business keeps what; null keeps for ever. */
export const retentionSettings = pgTable(
  'retention_settings',
  {
    businessId: uuid('business_id')
      .primaryKey()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    messageDays: integer('message_days'),
    callDays: integer('call_days'),
    recordingDays: integer('recording_days'),
    updatedAt: updatedAt(),
  },
  (t) => [
    check(
      'retention_settings_days',
      sql`coalesce(${t.messageDays}, 1) > 0 and coalesce(${t.callDays}, 1) > 0 and coalesce(${t.recordingDays}, 1) > 0`,
    ),
  ],
)

/** Files and carrier's copies that must go: written with the erasure, removed from here once they are gone. */
export const pendingDeletions = pgTable(
  'pending_deletions',
  {
    id: id(),
    businessId: ofBusiness(),
    kind: text({ enum: ['file', 'carrier_recording'] }).notNull(),
    ref: text().notNull(),
    attempts: integer().notNull().default(0),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('pending_deletions_ref').on(t.kind, t.ref), index('pending_deletions_business').on(t.businessId)],
)
