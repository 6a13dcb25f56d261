import { sql } from 'drizzle-orm'
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { leads } from './leads.ts'
import { businessId, sameBusiness } from './tenant.ts'

/** See `src/domain/imports`: how amounts and dates are written, and whether there is a heading line. */
export type ImportOptions = { heading: boolean; amounts: string | null; dates: string | null }

export type ImportError = { row: number; column: string | null; message: string }

/** A CSV file being taken in; the text is cleared once it is done. */
export const imports = pgTable(
  'imports',
  {
    id: id(),
    businessId: businessId(),
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
    uniqueIndex('imports_tenant').on(t.businessId, t.id),
    index('imports_created_by').on(t.createdBy).where(sql`${t.createdBy} is not null`),
    index('imports_waiting').on(t.updatedAt).where(sql`${t.state} in ('queued', 'running')`),
    ...enumChecks(t),
  ],
)

/** A row that was not taken in, kept for some weeks so that it can be mended and taken in again. */
export const importRejects = pgTable(
  'import_rejects',
  {
    businessId: businessId(),
    importId: uuid('import_id').notNull(),
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
    sameBusiness(t.businessId, t.importId, imports, imports.id, 'cascade'),
  ],
)

/** What a file's row was made into: the same row read again is not made again, as long as that is there. */
export const importKeys = pgTable(
  'import_keys',
  {
    businessId: businessId(),
    /** Fingerprint of what the row says, and of how many like it stood before it in its file. */
    key: text().notNull(),
    leadId: uuid('lead_id'),
    contactId: uuid('contact_id'),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.key] }),
    index('import_keys_lead').on(t.leadId),
    index('import_keys_contact').on(t.contactId),
    sameBusiness(t.businessId, t.leadId, leads, leads.id, 'cascade'),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)
