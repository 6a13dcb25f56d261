import { sql } from 'drizzle-orm'
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { leads } from './leads.ts'
import { businessId, sameBusiness } from './tenant.ts'

/** How amounts and dates are written, and whether there is a heading line; see `src/domain/imports`. */
export type ImportOptions = { heading: boolean; amounts: string | null; dates: string | null }

/** `code`: stable, for words of another language; imports of earlier versions stored none. */
export type ImportError = { row: number; column: string | null; message: string; code?: string }

/** A CSV import; its text is cleared when it is done. */
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
    /** Null in imports of earlier versions. */
    options: jsonb().$type<ImportOptions>(),
    columns: jsonb().$type<string[]>(),
    total: integer().notNull(),
    processed: integer().notNull().default(0),
    created: integer().notNull().default(0),
    updated: integer().notNull().default(0),
    existing: integer().notNull().default(0),
    rejected: integer().notNull().default(0),
    blank: integer().notNull().default(0),
    /** Runs since the last imported row: an import without progress is given up. */
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

/** A rejected row, stored for some weeks so that it can be corrected and imported again. */
export const importRejects = pgTable(
  'import_rejects',
  {
    businessId: businessId(),
    importId: uuid('import_id').notNull(),
    row: integer().notNull(),
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

export const importKeys = pgTable(
  'import_keys',
  {
    businessId: businessId(),
    /** Fingerprint of the row, and of how many equal rows are before it in its file. */
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
