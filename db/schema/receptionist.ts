import { integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

/** How a business's receptionist behaves; every change is a new version, the highest one counts. */
export const receptionistProfiles = pgTable(
  'receptionist_profiles',
  {
    id: id(),
    businessId: businessId(),
    version: integer().notNull(),
    settings: jsonb().$type<Record<string, unknown>>().notNull(),
    note: text(),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('receptionist_profiles_version').on(t.businessId, t.version)],
)

/** What a business wants its receptionist to know: prices, addresses, answers to common questions. */
export const businessTexts = pgTable(
  'business_texts',
  {
    id: id(),
    businessId: businessId(),
    title: text().notNull(),
    body: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('business_texts_title').on(t.businessId, t.title)],
)
