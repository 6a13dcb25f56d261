import { index, integer, pgTable, text } from 'drizzle-orm/pg-core'
import { at, enumChecks } from './columns.ts'

export const heartbeats = pgTable(
  'heartbeats',
  {
    /** `kind:host:pid`. */
    id: text().primaryKey(),
    kind: text({ enum: ['web', 'whatsapp', 'crm', 'recordings'] }).notNull(),
    host: text().notNull(),
    pid: integer().notNull(),
    version: text().notNull(),
    startedAt: at('started_at').notNull().defaultNow(),
    seenAt: at('seen_at').notNull().defaultNow(),
  },
  (t) => [index('heartbeats_kind').on(t.kind, t.seenAt), ...enumChecks(t)],
)
