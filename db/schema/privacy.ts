import { sql } from 'drizzle-orm'
import { check, integer, pgTable, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { updatedAt } from './columns.ts'

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
