import { sql } from 'drizzle-orm'
import { check, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { createdAt, id, updatedAt } from './columns.ts'

export const CREDENTIAL_PROVIDERS = ['twilio', 'openai', 'paypal', 'tranzila'] as const

/** Keys that a business brings along instead of the installation's. */
export const businessCredentials = pgTable(
  'business_credentials',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    provider: text({ enum: CREDENTIAL_PROVIDERS }).notNull(),
    /** The keys as JSON, sealed for this business and provider. */
    sealed: text().notNull(),
    /** What its owner tells them by; no secret. */
    hint: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('business_credentials_provider').on(t.businessId, t.provider),
    check('business_credentials_known', sql`${t.provider} in ('twilio', 'openai', 'paypal', 'tranzila')`),
  ],
)
