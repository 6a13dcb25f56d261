import { sql } from 'drizzle-orm'
import {
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const whatsappAccounts = pgTable(
  'whatsapp_accounts',
  {
    id: id(),
    businessId: businessId(),
    provider: text({ enum: ['twilio', 'baileys'] }).notNull(),
    /** The sender's number; null while a Baileys account was never linked. */
    phone: text(),
    state: text({ enum: ['stopped', 'starting', 'scan_qr', 'working', 'failed', 'logged_out', 'blocked'] })
      .notNull()
      .default('stopped'),
    stateReason: text('state_reason'),
    stateSince: at('state_since').notNull().defaultNow(),
    /** When it was first linked; null means never, and sends are refused. */
    linkedAt: at('linked_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('whatsapp_accounts_tenant').on(t.businessId, t.id),
    uniqueIndex('whatsapp_accounts_phone').on(t.provider, t.phone).where(sql`${t.phone} is not null`),
    ...enumChecks(t),
  ],
)

/** The link of an account to WhatsApp: the process with its socket, its state, its sending limits. */
export const whatsappLinks = pgTable(
  'whatsapp_links',
  {
    accountId: uuid('account_id').primaryKey(),
    businessId: businessId(),
    /** Whether a process should hold its socket; false while it is logged out, blocked or given up. */
    wanted: boolean().notNull().default(true),
    owner: text(),
    /** Increases with each owner: a write of an earlier owner is refused. */
    epoch: integer().notNull().default(0),
    leaseExpiresAt: at('lease_expires_at').notNull().defaultNow(),
    /** Baileys' credentials, sealed. */
    creds: text(),
    advice: text(),
    qr: text(),
    qrExpiresAt: at('qr_expires_at'),
    pairingCode: text('pairing_code'),
    pairingExpiresAt: at('pairing_expires_at'),
    lid: text(),
    /** The number that was expected when another one linked the account: nothing is sent until a member confirms that one. */
    expectedPhone: text('expected_phone'),
    retryAt: at('retry_at'),
    restrictionCode: text('restriction_code'),
    restrictedAt: at('restricted_at'),
    /** Whether a message is sent again when it is unknown if WhatsApp accepted it. */
    delivery: text({ enum: ['at-least-once', 'at-most-once'] })
      .notNull()
      .default('at-least-once'),
    /** The pause between two messages is `gapMs` and up to `jitterMs` more. */
    gapMs: integer('gap_ms').notNull().default(1_500),
    jitterMs: integer('jitter_ms').notNull().default(2_500),
    typingMsPerChar: integer('typing_ms_per_char').notNull().default(40),
    /** Limit in 24 hours for first messages to contacts that never wrote; null is no limit. */
    newContactsPerDay: integer('new_contacts_per_day').default(30),
    allowGroups: boolean('allow_groups').notNull().default(false),
    historyLimit: integer('history_limit').notNull().default(1_000),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('whatsapp_links_owner').on(t.owner),
    index('whatsapp_links_business').on(t.businessId),
    check('whatsapp_links_pace', sql`${t.gapMs} >= 0 and ${t.jitterMs} >= 0 and ${t.typingMsPerChar} >= 0`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.accountId, whatsappAccounts, whatsappAccounts.id, 'cascade'),
  ],
)

export const whatsappKeys = pgTable(
  'whatsapp_keys',
  {
    accountId: uuid('account_id')
      .notNull()
      .references(() => whatsappAccounts.id, { onDelete: 'cascade' }),
    type: text().notNull(),
    id: text().notNull(),
    value: text().notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountId, t.type, t.id] })],
)

/** Requests to a running account; the process that holds its socket carries them out. */
export const whatsappCommands = pgTable(
  'whatsapp_commands',
  {
    id: id(),
    accountId: uuid('account_id')
      .notNull()
      .references(() => whatsappAccounts.id, { onDelete: 'cascade' }),
    kind: text({ enum: ['restart', 'logout', 'pairing_code'] }).notNull(),
    data: jsonb().$type<{ phone?: string }>(),
    doneAt: at('done_at'),
    error: text(),
    createdAt: createdAt(),
  },
  (t) => [
    index('whatsapp_commands_account').on(t.accountId),
    index('whatsapp_commands_open').on(t.accountId, t.id).where(sql`${t.doneAt} is null`),
    ...enumChecks(t),
  ],
)
