import { sql } from 'drizzle-orm'
import { index, integer, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

/**
 * Whose data was erased, and which calls were theirs: by a fingerprint, so that what still lies in a queue or comes late is
 * known for what it is, and never written back.
 */
export const erasedIdentities = pgTable(
  'erased_identities',
  {
    kind: text({ enum: ['phone', 'lid', 'external', 'contact', 'call'] }).notNull(),
    fingerprint: text().notNull(),
    businessId: businessId(),
    /** What happened later is of somebody who came back. A call stays erased. */
    erasedAt: at('erased_at').notNull(),
    /** The identity itself, until the finished jobs that name it are removed. */
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

/** Files and carrier's copies that must go: written with the erasure, removed from here once they are gone. */
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
