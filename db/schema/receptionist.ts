import { integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, id, updatedAt } from './columns.ts'
import { businessId } from './tenant.ts'

/** Settings of a business's receptionist; every change is a new version, the highest is in force. */
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

/** Texts for the receptionist: prices, addresses, answers to common questions. */
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
