import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { businesses } from './businesses.ts'
import { calls } from './calls.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'

/** How a business's receptionist behaves; every change is a new version, the highest one counts. */
export const receptionistProfiles = pgTable(
  'receptionist_profiles',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
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
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    title: text().notNull(),
    body: text().notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [uniqueIndex('business_texts_title').on(t.businessId, t.title)],
)

export const appointments = pgTable(
  'appointments',
  {
    id: id(),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    callId: uuid('call_id').references(() => calls.id, { onDelete: 'set null' }),
    startsAt: at('starts_at').notNull(),
    endsAt: at('ends_at').notNull(),
    state: text({ enum: ['booked', 'cancelled'] })
      .notNull()
      .default('booked'),
    /** When a person of the business said yes to it; until then a caller has no other one. */
    confirmedAt: at('confirmed_at'),
    name: text(),
    note: text(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('appointments_start').on(t.businessId, t.startsAt).where(sql`${t.state} = 'booked'`),
    index('appointments_timeline').on(t.contactId, t.createdAt, t.id),
    index('appointments_call').on(t.callId),
    check('appointments_order', sql`${t.endsAt} > ${t.startsAt}`),
  ],
)

/** What a call came to. */
export const callSummaries = pgTable(
  'call_summaries',
  {
    callId: uuid('call_id')
      .primaryKey()
      .references(() => calls.id, { onDelete: 'cascade' }),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    summary: text().notNull(),
    sentiment: text({ enum: ['positive', 'neutral', 'negative'] }),
    nextStep: text('next_step'),
    fields: jsonb().$type<Record<string, string>>().notNull().default({}),
    madeBy: text('made_by', { enum: ['rules', 'model'] }).notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [index('call_summaries_business').on(t.businessId)],
)
