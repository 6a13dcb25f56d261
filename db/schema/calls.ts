import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { conversations } from './conversations.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const calls = pgTable(
  'calls',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    conversationId: uuid('conversation_id').references(() => conversations.id, { onDelete: 'set null' }),
    callSid: text('call_sid').notNull(),
    direction: text({ enum: ['inbound', 'outbound'] })
      .notNull()
      .default('inbound'),
    /** As the carrier gave it: E.164, or a word such as `anonymous`. */
    fromNumber: text('from_number').notNull(),
    toNumber: text('to_number').notNull(),
    forwardedFrom: text('forwarded_from'),
    /** The carrier's attestation of the caller's number (STIR/SHAKEN). */
    stirVerstat: text('stir_verstat'),
    answeredBy: text('answered_by', { enum: ['agent', 'voicemail'] })
      .notNull()
      .default('agent'),
    state: text({ enum: ['ringing', 'live', 'ended'] })
      .notNull()
      .default('ringing'),
    /** Why the agent's part ended; written before the socket closes, so that every replica can read it. */
    endReason: text('end_reason'),
    endDetail: text('end_detail'),
    /** What the caller got after the agent failed. */
    fallback: text({ enum: ['voicemail', 'hangup'] }),
    streamSid: text('stream_sid'),
    /** The process with the call's socket: when its heartbeat stops, the call is lost. */
    serverId: text('server_id'),
    streamError: text('stream_error'),
    carrierStatus: text('carrier_status'),
    carrierSeconds: integer('carrier_seconds'),
    durationMs: integer('duration_ms'),
    /** In milliseconds: greeting after start, response times; and counts of barge-ins. */
    metrics: jsonb().$type<Record<string, number | null>>(),
    /** How it stood last while it was live: the engine, and what it did. */
    liveState: jsonb('live_state').$type<{
      engine: string | null
      phase: 'connecting' | 'talking' | 'transferring' | 'ending'
      followsInstructions: boolean
    }>(),
    isTest: boolean('is_test').notNull().default(false),
    recordKey: text('record_key'),
    /** Both sides as they were heard, in the storage; null until a worker has made it. */
    audioKey: text('audio_key'),
    startedAt: at('started_at').notNull(),
    /** When it began, written by its registration; a call of a withheld number has no contact to show that it is registered. */
    registeredAt: at('registered_at'),
    streamStartedAt: at('stream_started_at'),
    endedAt: at('ended_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('calls_sid').on(t.callSid),
    uniqueIndex('calls_tenant').on(t.businessId, t.id),
    index('calls_contact').on(t.contactId, t.id),
    index('calls_timeline').on(t.contactId, t.startedAt, t.id),
    index('calls_state').on(t.businessId, t.state, t.id),
    index('calls_age').on(t.businessId, t.startedAt),
    index('calls_conversation').on(t.conversationId),
    index('calls_live').on(t.updatedAt).where(sql`${t.state} <> 'ended'`),
    index('calls_ended').on(t.endedAt).where(sql`${t.streamSid} is not null`),
    check('calls_ended', sql`${t.state} <> 'ended' or ${t.endReason} is not null`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'no action'),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'no action'),
  ],
)

/** The turns of a call, in order; times are milliseconds on the media clock of the caller's stream. */
export const callTurns = pgTable(
  'call_turns',
  {
    id: id(),
    businessId: businessId(),
    callId: uuid('call_id').notNull(),
    index: integer().notNull(),
    role: text({ enum: ['agent', 'caller'] }).notNull(),
    text: text(),
    transcript: text({ enum: ['none', 'untranscribed', 'low_confidence', 'transcribed'] })
      .notNull()
      .default('none'),
    question: text(),
    startMs: integer('start_ms').notNull(),
    endMs: integer('end_ms').notNull(),
    /** How much of an agent's turn was played to the caller. */
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
    ...enumChecks(t),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
  ],
)

export const callSummaries = pgTable(
  'call_summaries',
  {
    callId: uuid('call_id').primaryKey(),
    businessId: businessId(),
    summary: text().notNull(),
    sentiment: text({ enum: ['positive', 'neutral', 'negative'] }),
    nextStep: text('next_step'),
    fields: jsonb().$type<Record<string, string>>().notNull().default({}),
    madeBy: text('made_by', { enum: ['rules', 'model', 'member'] }).notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('call_summaries_business').on(t.businessId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
  ],
)
