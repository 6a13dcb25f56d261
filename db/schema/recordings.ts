import { sql } from 'drizzle-orm'
import { bigint, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const recordings = pgTable(
  'recordings',
  {
    id: id(),
    businessId: businessId(),
    callId: uuid('call_id').notNull(),
    recordingSid: text('recording_sid').notNull(),
    state: text({ enum: ['pending', 'stored', 'failed'] })
      .notNull()
      .default('pending'),
    durationMs: integer('duration_ms'),
    channels: integer(),
    bytes: bigint({ mode: 'number' }),
    sha256: text(),
    contentType: text('content_type'),
    storageKey: text('storage_key'),
    error: text(),
    deletedRemotelyAt: at('deleted_remotely_at'),
    recordedAt: at('recorded_at').notNull(),
    /** When a member listened to it. */
    heardAt: at('heard_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('recordings_sid').on(t.recordingSid),
    index('recordings_call').on(t.callId),
    index('recordings_list').on(t.businessId, t.id),
    index('recordings_at_carrier').on(t.recordedAt).where(sql`${t.deletedRemotelyAt} is null`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
  ],
)
