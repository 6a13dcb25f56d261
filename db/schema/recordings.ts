import { sql } from 'drizzle-orm'
import { bigint, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

/** The loudest sample of each step, 0 to 100. */
export type RecordingPeaks = { stepMs: number; values: number[] }

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
    /** Its loudness over time, to be drawn; null when it was stored before there were any, or cannot be read. */
    peaks: jsonb().$type<RecordingPeaks>(),
    bytes: bigint({ mode: 'number' }),
    sha256: text(),
    contentType: text('content_type'),
    storageKey: text('storage_key'),
    /** What the caller said; null until it is transcribed, empty when nothing can. */
    transcript: text(),
    error: text(),
    deletedRemotelyAt: at('deleted_remotely_at'),
    recordedAt: at('recorded_at').notNull(),
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
