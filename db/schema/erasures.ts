import { sql } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

/** Fingerprints of erased people and their calls: late or queued events about them are recognized and not written again. */
export const erasedIdentities = pgTable(
  'erased_identities',
  {
    kind: text({ enum: ['phone', 'lid', 'external', 'contact', 'call'] }).notNull(),
    fingerprint: text().notNull(),
    businessId: businessId(),
    /** What happened later belongs to a person who came back. A call stays erased. */
    erasedAt: at('erased_at').notNull(),
    mention: text(),
  },
  (t) => [
    primaryKey({ columns: [t.kind, t.fingerprint, t.businessId] }),
    index('erased_identities_business').on(t.businessId),
    index('erased_identities_named').on(t.businessId).where(sql`${t.mention} is not null`),
    index('erased_identities_age').on(t.erasedAt),
    ...enumChecks(t),
  ],
)

/** Files and the carrier's copies to delete: written with the erasure, removed when they are deleted. */
export const pendingDeletions = pgTable(
  'pending_deletions',
  {
    id: id(),
    businessId: businessId(),
    kind: text({ enum: ['file', 'carrier_recording'] }).notNull(),
    ref: text().notNull(),
    attempts: integer().notNull().default(0),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('pending_deletions_ref').on(t.kind, t.ref),
    index('pending_deletions_business').on(t.businessId),
    ...enumChecks(t),
  ],
)
