import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { users } from './auth.ts'
import { businesses } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'
import { contacts, conversations } from './contacts.ts'

export const calls = pgTable(
  'calls',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    conversationId: uuid('conversation_id').references(() => conversations.id, { onDelete: 'set null' }),
    /** The carrier's id of the call. */
    callSid: text('call_sid').notNull(),
    direction: text({ enum: ['inbound', 'outbound'] })
      .notNull()
      .default('inbound'),
    /** As the carrier gave it: E.164, or a word such as `anonymous`. */
    fromNumber: text('from_number').notNull(),
    toNumber: text('to_number').notNull(),
    forwardedFrom: text('forwarded_from'),
    /** How far the caller's number is vouched for, in the carrier's words (STIR/SHAKEN). */
    stirVerstat: text('stir_verstat'),
    answeredBy: text('answered_by', { enum: ['agent', 'voicemail'] })
      .notNull()
      .default('agent'),
    state: text({ enum: ['ringing', 'live', 'ended'] })
      .notNull()
      .default('ringing'),
    /** Why the agent's part ended; written before the socket closes, so that every replica can tell. */
    endReason: text('end_reason'),
    endDetail: text('end_detail'),
    /** What became of the caller after a failed agent: `voicemail` once the fallback was answered. */
    fallback: text({ enum: ['voicemail', 'hangup'] }),
    streamSid: text('stream_sid'),
    /** The process that has the call's socket, by its heartbeat: when that stops, the call is lost. */
    serverId: text('server_id'),
    streamError: text('stream_error'),
    carrierStatus: text('carrier_status'),
    carrierSeconds: integer('carrier_seconds'),
    durationMs: integer('duration_ms'),
    /** Figures in milliseconds: greeting after start, response times, counts of barge-ins. */
    metrics: jsonb().$type<Record<string, number | null>>(),
    /** What happened in it, line by line, in the storage. */
    recordKey: text('record_key'),
    startedAt: at('started_at').notNull(),
    streamStartedAt: at('stream_started_at'),
    endedAt: at('ended_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('calls_sid').on(t.callSid),
    index('calls_list').on(t.businessId, t.id),
    index('calls_contact').on(t.contactId, t.id),
    index('calls_timeline').on(t.contactId, t.startedAt, t.id),
    index('calls_state').on(t.businessId, t.state, t.id),
    index('calls_age').on(t.businessId, t.startedAt),
    index('calls_conversation').on(t.conversationId),
    index('calls_live').on(t.updatedAt).where(sql`${t.state} <> 'ended'`),
    index('calls_ended').on(t.endedAt).where(sql`${t.streamSid} is not null`),
    check('calls_ended', sql`${t.state} <> 'ended' or ${t.endReason} is not null`),
  ],
)

/** What was said, in order; times are milliseconds on the media clock of the caller's stream. */
export const callTurns = pgTable(
  'call_turns',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    callId: uuid('call_id')
      .notNull()
      .references(() => calls.id, { onDelete: 'cascade' }),
    index: integer().notNull(),
    role: text({ enum: ['agent', 'caller'] }).notNull(),
    text: text(),
    transcript: text({ enum: ['none', 'untranscribed', 'low_confidence', 'transcribed'] })
      .notNull()
      .default('none'),
    question: text(),
    startMs: integer('start_ms').notNull(),
    endMs: integer('end_ms').notNull(),
    /** How much of an agent's turn was really played to the caller. */
    heardMs: integer('heard_ms'),
    interrupted: boolean().notNull().default(false),
    audioKey: text('audio_key'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('call_turns_index').on(t.callId, t.index),
    index('call_turns_business').on(t.businessId),
    index('call_turns_untranscribed').on(t.createdAt).where(sql`${t.transcript} = 'untranscribed'`),
    index('call_turns_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', coalesce(${t.text}, '')))`,
    ),
  ],
)

export const recordings = pgTable(
  'recordings',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    callId: uuid('call_id')
      .notNull()
      .references(() => calls.id, { onDelete: 'cascade' }),
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
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('recordings_sid').on(t.recordingSid),
    index('recordings_call').on(t.callId),
    index('recordings_list').on(t.businessId, t.id),
    index('recordings_at_carrier').on(t.recordedAt).where(sql`${t.deletedRemotelyAt} is null`),
  ],
)

export const leads = pgTable(
  'leads',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'cascade' }),
    callId: uuid('call_id').references(() => calls.id, { onDelete: 'set null' }),
    stage: text().notNull().default('new'),
    source: text({ enum: ['call', 'voicemail', 'whatsapp', 'manual', 'import'] }).notNull(),
    name: text(),
    inquiry: text('wish'),
    callbackTime: text('callback_time'),
    /** When its call last told something of it: jobs may run in another order. */
    answeredAt: at('answered_at'),
    /** What it may be worth, in agorot. */
    valueAgorot: bigint('value_agorot', { mode: 'number' }),
    ownerId: text('owner_id').references(() => users.id, { onDelete: 'set null' }),
    /** Order within the stage on the board, smallest first; a move writes the middle of its neighbours. */
    position: doublePrecision().notNull().default(sql`-extract(epoch from now())`),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('leads_call').on(t.callId),
    index('leads_list').on(t.businessId, t.id),
    index('leads_board').on(t.businessId, t.stage, t.position, t.id),
    index('leads_owner').on(t.businessId, t.ownerId, t.id),
    index('leads_contact').on(t.contactId),
    index('leads_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', coalesce(${t.name}, '') || ' ' || coalesce(${t.inquiry}, '')))`,
    ),
    check('leads_value', sql`${t.valueAgorot} is null or ${t.valueAgorot} >= 0`),
  ],
)
