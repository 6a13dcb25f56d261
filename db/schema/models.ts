import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  date,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { conversations } from './conversations.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const MODEL_USE_PURPOSES = ['whatsapp', 'chat', 'summary', 'transcription', 'judge'] as const
/** The failures that only a person can end. */
export const MODEL_TROUBLES = ['refused', 'quota'] as const

/** The models and limits of a business that differ from the installation's. */
export const modelSettings = pgTable('model_settings', {
  businessId: businessId().primaryKey(),
  /** `provider:NAME`; null: the installation's. */
  model: text(),
  fallback: text(),
  /** Millionths of a dollar a month. */
  monthlyMicros: bigint('monthly_micros', { mode: 'number' }).notNull(),
  /** Tokens a month of models whose price is not known. */
  unpricedMonthly: bigint('unpriced_monthly', { mode: 'number' }).notNull(),
  conversationHourly: integer('conversation_hourly').notNull(),
  conversationDaily: integer('conversation_daily').notNull(),
  /** Dollars a million tokens by model. */
  prices: jsonb().$type<Record<string, { input: number; cached: number; output: number }>>().notNull().default({}),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
})

const amounts = () => ({
  requests: integer().notNull().default(0),
  /** Of them, those whose tokens were estimated. */
  estimated: integer().notNull().default(0),
  /** Tokens, the cached ones included. */
  input: bigint({ mode: 'number' }).notNull().default(0),
  cached: bigint({ mode: 'number' }).notNull().default(0),
  output: bigint({ mode: 'number' }).notNull().default(0),
  /** Millionths of a dollar. */
  costMicros: bigint('cost_micros', { mode: 'number' }).notNull().default(0),
  /** Tokens whose price was not known, which are in no cost. */
  unpriced: bigint({ mode: 'number' }).notNull().default(0),
})

/** What models cost a business: one row a day of its time zone, model and purpose. */
export const modelUses = pgTable(
  'model_uses',
  {
    businessId: businessId(),
    day: date().notNull(),
    model: text().notNull(),
    purpose: text({ enum: MODEL_USE_PURPOSES }).notNull(),
    ...amounts(),
  },
  (t) => [primaryKey({ columns: [t.businessId, t.day, t.model, t.purpose] }), ...enumChecks(t)],
)

/** The same by conversation or call: one row an hour and model. It goes with what it was for. */
export const modelSubjectUses = pgTable(
  'model_subject_uses',
  {
    id: id(),
    businessId: businessId(),
    conversationId: uuid('conversation_id'),
    callId: uuid('call_id'),
    model: text().notNull(),
    hour: at().notNull(),
    ...amounts(),
  },
  (t) => [
    uniqueIndex('model_subject_uses_conversation').on(t.conversationId, t.hour, t.model),
    uniqueIndex('model_subject_uses_call').on(t.callId, t.hour, t.model),
    index('model_subject_uses_business').on(t.businessId),
    check('model_subject_uses_subject', sql`num_nonnulls(${t.conversationId}, ${t.callId}) = 1`),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'cascade'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
  ],
)

/** What requests that are under way may cost. One that outlived its time is charged as it was estimated. */
export const modelReservations = pgTable(
  'model_reservations',
  {
    id: id(),
    businessId: businessId(),
    purpose: text({ enum: MODEL_USE_PURPOSES }).notNull(),
    model: text().notNull(),
    conversationId: uuid('conversation_id'),
    callId: uuid('call_id'),
    input: integer().notNull(),
    output: integer().notNull(),
    /** Null when the price is not known. */
    costMicros: bigint('cost_micros', { mode: 'number' }),
    expiresAt: at('expires_at').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('model_reservations_business').on(t.businessId, t.expiresAt),
    index('model_reservations_conversation').on(t.conversationId),
    index('model_reservations_call').on(t.callId),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'cascade'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
    ...enumChecks(t),
  ],
)

/** Models that fail until a person does something: for alerts. */
export const modelTroubles = pgTable(
  'model_troubles',
  {
    businessId: businessId(),
    model: text().notNull(),
    trouble: text({ enum: MODEL_TROUBLES }).notNull(),
    failedAt: at('failed_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.businessId, t.model] }), ...enumChecks(t)],
)
