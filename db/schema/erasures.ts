import { sql } from 'drizzle-orm'
import { index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { at } from './columns.ts'

/**
 * Whose data was erased, and which calls were theirs: by a fingerprint, so that what still lies in a queue or comes late is
 * known for what it is, and never written back.
 */
export const erasedIdentities = pgTable(
  'erased_identities',
  {
    kind: text({ enum: ['phone', 'lid', 'external', 'contact', 'call'] }).notNull(),
    fingerprint: text().notNull(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
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
  ],
)
