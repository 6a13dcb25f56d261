import { sql } from 'drizzle-orm'
import { boolean, check, index, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import type { WEEKDAYS } from '../../src/lib/weekdays.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'

/** Opening hours: spans `[from, to)` of local `HH:MM` times a weekday. */
export type WeekHours = Partial<Record<(typeof WEEKDAYS)[number], [string, string][]>>

export const SPEECH_ENGINES = ['default', 'openai-realtime', 'embedded'] as const

export const businesses = pgTable(
  'businesses',
  {
    id: id(),
    name: text().notNull(),
    language: text({ enum: ['he', 'en'] })
      .notNull()
      .default('he'),
    timezone: text().notNull().default('Asia/Jerusalem'),
    greeting: text(),
    defaultWhatsappProvider: text('default_whatsapp_provider', { enum: ['twilio', 'baileys'] })
      .notNull()
      .default('twilio'),
    /** Sends when the default provider certainly cannot: not linked, restricted, down. */
    fallbackWhatsappProvider: text('fallback_whatsapp_provider', { enum: ['twilio', 'baileys'] }),
    /** What happens to a text that is longer than its provider allows. */
    longText: text('long_text', { enum: ['split', 'refuse'] })
      .notNull()
      .default('split'),
    /** The default for payments; null chooses by currency. */
    paymentProvider: text('payment_provider', { enum: ['paypal', 'tranzila'] }),
    /** `default` is the engine of the business's own key if it has one, else that of the installation. */
    speechEngine: text('speech_engine', { enum: SPEECH_ENGINES }).notNull().default('default'),
    /** Whether the carrier's copy of a recording is deleted after ours is committed. */
    deleteRemoteRecordings: boolean('delete_remote_recordings').notNull().default(false),
    /** Whether owners need a second factor for what only owners may do. */
    ownersNeedSecondFactor: boolean('owners_need_second_factor').notNull().default(false),
    /** Whether a new version of the receptionist waits until its scenarios have passed. */
    scenariosRequired: boolean('scenarios_required').notNull().default(false),
    /** Opening hours in local time; null is unknown. */
    hours: jsonb().$type<WeekHours>(),
    blockedAt: at('blocked_at'),
    blockedReason: text('blocked_reason'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [...enumChecks(t)],
)

export const phoneNumbers = pgTable(
  'phone_numbers',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    e164: text().notNull(),
    label: text(),
    /** The language of this number, when it is not that of the business. */
    language: text({ enum: ['he', 'en'] }),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('phone_numbers_e164').on(t.e164),
    index('phone_numbers_business').on(t.businessId),
    check('phone_numbers_e164_form', sql`${t.e164} ~ '^\\+[0-9]{6,15}$'`),
    ...enumChecks(t),
  ],
)

/** Keys of the REST and tRPC API, scoped to one business; only the hash is stored. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    prefix: text().notNull(),
    hash: text().notNull(),
    scope: text({ enum: ['read', 'write', 'admin'] })
      .notNull()
      .default('admin'),
    operator: boolean().notNull().default(false),
    lastUsedAt: at('last_used_at'),
    revokedAt: at('revoked_at'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('api_keys_hash').on(t.hash),
    index('api_keys_business').on(t.businessId, t.id),
    check('api_keys_operator', sql`not ${t.operator} or ${t.scope} = 'admin'`),
    ...enumChecks(t),
  ],
)
