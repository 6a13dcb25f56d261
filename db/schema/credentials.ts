import { pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

export const CREDENTIAL_PROVIDERS = [
  'twilio',
  'openai',
  'anthropic',
  'google',
  'compatible',
  'paypal',
  'tranzila',
] as const

export const businessCredentials = pgTable(
  'business_credentials',
  {
    id: id(),
    businessId: businessId(),
    provider: text({ enum: CREDENTIAL_PROVIDERS }).notNull(),
    /** The keys as JSON, sealed for this business and provider. */
    sealed: text().notNull(),
    /** What its owner recognizes them by; no secret. */
    hint: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('business_credentials_provider').on(t.businessId, t.provider), ...enumChecks(t)],
)
