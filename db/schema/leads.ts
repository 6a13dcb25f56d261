import { sql } from 'drizzle-orm'
import {
  bigint,
  check,
  doublePrecision,
  index,
  integer,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { ACTOR_KINDS } from './audit.ts'
import { users } from './auth.ts'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const leads = pgTable(
  'leads',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id'),
    callId: uuid('call_id').references(() => calls.id, { onDelete: 'set null' }),
    stage: text().notNull().default('new'),
    source: text({ enum: ['call', 'voicemail', 'whatsapp', 'manual', 'import'] }).notNull(),
    name: text(),
    inquiry: text('wish'),
    callbackTime: text('callback_time'),
    /** When the caller last answered something about it: jobs can run in another order. */
    answeredAt: at('answered_at'),
    valueAgorot: bigint('value_agorot', { mode: 'number' }),
    ownerId: text('owner_id').references(() => users.id, { onDelete: 'set null' }),
    /** Order within the stage, smallest first; a move writes the mean of its neighbours. */
    position: doublePrecision().notNull().default(sql`-extract(epoch from now())`),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('leads_call').on(t.callId),
    uniqueIndex('leads_tenant').on(t.businessId, t.id),
    index('leads_board').on(t.businessId, t.stage, t.position, t.id),
    index('leads_owner').on(t.businessId, t.ownerId, t.id),
    index('leads_owner_user').on(t.ownerId).where(sql`${t.ownerId} is not null`),
    index('leads_contact').on(t.contactId),
    index('leads_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', coalesce(${t.name}, '') || ' ' || coalesce(${t.inquiry}, '')))`,
    ),
    check('leads_value', sql`${t.valueAgorot} is null or ${t.valueAgorot} >= 0`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'no action'),
  ],
)

export const leadStages = pgTable(
  'lead_stages',
  {
    businessId: businessId(),
    key: text().notNull(),
    name: text().notNull(),
    kind: text({ enum: ['open', 'won', 'lost'] })
      .notNull()
      .default('open'),
    position: integer().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    primaryKey({ columns: [t.businessId, t.key] }),
    check('lead_stages_key', sql`${t.key} ~ '^[a-z0-9_]{1,32}$'`),
    ...enumChecks(t),
  ],
)

export const leadHistory = pgTable(
  'lead_history',
  {
    id: id(),
    businessId: businessId(),
    leadId: uuid('lead_id').notNull(),
    actorKind: text('actor_kind', { enum: ACTOR_KINDS }).notNull(),
    actorId: text('actor_id'),
    field: text().notNull(),
    before: text(),
    after: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('lead_history_lead').on(t.leadId, t.id),
    index('lead_history_business').on(t.businessId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.leadId, leads, leads.id, 'cascade'),
  ],
)
