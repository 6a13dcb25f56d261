import { sql } from 'drizzle-orm'
import { index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'

export const mails = pgTable(
  'mails',
  {
    id: id(),
    kind: text({ enum: ['invitation', 'password_reset'] }).notNull(),
    subjectId: uuid('subject_id').notNull(),
    /** Address, subject and texts, sealed because they carry links. Empty after it was sent or given up. */
    sealed: text().notNull(),
    expiresAt: at('expires_at').notNull(),
    state: text({ enum: ['pending', 'sent', 'failed'] })
      .notNull()
      .default('pending'),
    attempts: integer().notNull().default(0),
    error: text(),
    sentAt: at('sent_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('mails_subject').on(t.subjectId, t.id),
    index('mails_pending').on(t.updatedAt).where(sql`${t.state} = 'pending'`),
    ...enumChecks(t),
  ],
)
