import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core'
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
    /** Who saved it; null for versions from before this was written down. */
    actorKind: text('actor_kind'),
    actorId: text('actor_id'),
    restoredFrom: integer('restored_from'),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('receptionist_profiles_version').on(t.businessId, t.version)],
)

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

/** The texts of each version: a row counts from its first version until the one that changed or removed it. */
export const businessTextVersions = pgTable(
  'business_text_versions',
  {
    id: id(),
    businessId: businessId(),
    title: text().notNull(),
    body: text().notNull(),
    fromVersion: integer('from_version').notNull(),
    /** The first version without it; null while it is in force. */
    untilVersion: integer('until_version'),
  },
  (t) => [
    uniqueIndex('business_text_versions_from').on(t.businessId, t.title, t.fromVersion),
    index('business_text_versions_until').on(t.businessId, t.untilVersion),
  ],
)

/** What may become the next version, one a business; `content` is null once it is published or discarded. */
export const receptionistDrafts = pgTable('receptionist_drafts', {
  businessId: businessId().primaryKey(),
  /** Grows with every change, also over drafts: an editor who read an older one is refused. */
  revision: integer().notNull(),
  /** The version that was in force when the draft was begun, and its content. */
  basedOn: integer('based_on').notNull(),
  base: jsonb().$type<Record<string, unknown>>(),
  content: jsonb().$type<Record<string, unknown>>(),
  actorKind: text('actor_kind').notNull(),
  actorId: text('actor_id').notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
})
