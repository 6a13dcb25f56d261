import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { businesses, whatsappAccounts } from './businesses.ts'
import { at, createdAt, id, updatedAt } from './columns.ts'

/** The link of an account to WhatsApp: who holds its socket, how it stands, and by which rules it sends. */
export const whatsappLinks = pgTable(
  'whatsapp_links',
  {
    accountId: uuid('account_id')
      .primaryKey()
      .references(() => whatsappAccounts.id, { onDelete: 'cascade' }),
    businessId: uuid('business_id')
      .notNull()
      .references(() => businesses.id, { onDelete: 'cascade' }),
    /** Somebody is to hold its socket; false while it is logged out, blocked or given up. */
    wanted: boolean().notNull().default(true),
    /** The process that holds the socket. */
    owner: text(),
    /** Counts owners: what an earlier one still tries to write is refused. */
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
    /** What becomes of a message of which nobody knows whether WhatsApp took it. */
    delivery: text({ enum: ['at-least-once', 'at-most-once'] })
      .notNull()
      .default('at-least-once'),
    /** Between two messages: `gapMs`, and up to `jitterMs` more. */
    gapMs: integer('gap_ms').notNull().default(1_500),
    jitterMs: integer('jitter_ms').notNull().default(2_500),
    typingMsPerChar: integer('typing_ms_per_char').notNull().default(40),
    /** Contacts that never wrote, first written to within 24 hours; null is no limit. */
    newContactsPerDay: integer('new_contacts_per_day').default(30),
    allowGroups: boolean('allow_groups').notNull().default(false),
    /** Messages from before the link that are taken over. */
    historyLimit: integer('history_limit').notNull().default(1_000),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('whatsapp_links_owner').on(t.owner),
    index('whatsapp_links_business').on(t.businessId),
    check('whatsapp_links_pace', sql`${t.gapMs} >= 0 and ${t.jitterMs} >= 0 and ${t.typingMsPerChar} >= 0`),
  ],
)

/** Signal keys and sessions of linked accounts; values are sealed. */
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

/** What somebody wants of a running account; its owner does it. */
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
  (t) => [index('whatsapp_commands_open').on(t.accountId, t.id).where(sql`${t.doneAt} is null`)],
)
