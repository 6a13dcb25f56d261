import { sql } from 'drizzle-orm'
import { boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { conversations } from './conversations.ts'
import { businessId, sameBusiness } from './tenant.ts'
import { whatsappAccounts } from './whatsapp.ts'

export const MESSAGE_STATUSES = [
  'queued',
  'sending',
  'sent',
  'delivered',
  'read',
  'failed',
  'unknown',
  'received',
] as const

/** Who wrote an outbound message: a member or the business's own phone, an API key, the agent, the product itself. */
export const MESSAGE_WRITERS = ['person', 'integration', 'agent', 'system'] as const

export const MEDIA_KINDS = ['image', 'video', 'audio', 'voice', 'document', 'sticker'] as const

export type MessageTemplate = { contentSid: string; variables: Record<string, string> }
export type OutboundMediaRow = { url: string; contentType?: string; fileName?: string; voice?: boolean }

export const messages = pgTable(
  'messages',
  {
    id: id(),
    businessId: businessId(),
    conversationId: uuid('conversation_id').notNull(),
    contactId: uuid('contact_id').notNull(),
    direction: text({ enum: ['in', 'out'] }).notNull(),
    provider: text({ enum: ['twilio', 'baileys'] }).notNull(),
    accountId: uuid('account_id').references(() => whatsappAccounts.id, { onDelete: 'set null' }),
    kind: text().notNull().default('text'),
    status: text({ enum: MESSAGE_STATUSES }).notNull(),
    body: text().notNull().default(''),
    template: jsonb().$type<MessageTemplate>(),
    outboundMedia: jsonb('outbound_media').$type<OutboundMediaRow[]>(),
    data: jsonb().$type<Record<string, unknown>>(),
    /** Null for inbound messages, and for those of before this was kept. */
    writtenBy: text('written_by', { enum: MESSAGE_WRITERS }),
    /** The provider's id of the message that is answered, or that a reaction, a vote, an edit or a deletion is about. */
    replyTo: text('reply_to'),
    /** Outbound: the number it goes to, when that is a further one of the contact's. */
    toPhone: text('to_phone'),
    editedAt: at('edited_at'),
    /** When its writer deleted it; its text and files are deleted too. */
    deletedAt: at('deleted_at'),
    /** The first part of a message that was split; null for a whole one. */
    partOf: uuid('part_of'),
    /** Its place among the parts, from 0: a part is sent after those before it. */
    part: integer().notNull().default(0),
    providerMessageId: text('provider_message_id'),
    /** Identifies an inbound message: delivered twice, it is one row. */
    dedupeKey: text('dedupe_key'),
    /** The client's key: requested twice, it is one message. */
    idempotencyKey: text('idempotency_key'),
    /** Fingerprint of the request behind the idempotency key: another request under the same key is refused. */
    requestHash: text('request_hash'),
    errorCode: text('error_code'),
    errorMessage: text('error_message'),
    /** Send attempts begun: after one, a lost response is reconciled before the next. */
    attempts: integer().notNull().default(0),
    lastAttemptAt: at('last_attempt_at'),
    nextAttemptAt: at('next_attempt_at'),
    /** The first message to a contact that never wrote: these are limited per day. */
    opensChat: boolean('opens_chat').notNull().default(false),
    /** The key that encrypts answers to the message (votes, edits), sealed. No view shows it. */
    secret: text(),
    requeues: integer().notNull().default(0),
    sentAt: at('sent_at'),
    deliveredAt: at('delivered_at'),
    readAt: at('read_at'),
    failedAt: at('failed_at'),
    handledAt: at('handled_at'),
    occurredAt: at('occurred_at').notNull().defaultNow(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    // The query behind each index stands beside it; every index is paid for by each insert and each change of status.
    // receive-message: an inbound message that is delivered twice is one row. Inbound rows only.
    uniqueIndex('messages_dedupe_key').on(t.businessId, t.dedupeKey).where(sql`${t.dedupeKey} is not null`),
    // request-message: a request that is repeated is one row. Rows with a key only.
    uniqueIndex('messages_idempotency_key')
      .on(t.businessId, t.idempotencyKey)
      .where(sql`${t.idempotencyKey} is not null`),
    // listMessages; also the target of the foreign keys that keep businesses apart.
    uniqueIndex('messages_tenant').on(t.businessId, t.id),
    // listMessages of a conversation or a contact, call-messages; the foreign key to conversations.
    index('messages_conversation').on(t.conversationId, t.id),
    // applyStatus, findMessage, relatedSql: by the provider's id. An outbound row enters once it has one.
    index('messages_provider_ref').on(t.provider, t.providerMessageId).where(sql`${t.providerMessageId} is not null`),
    // relatedSql: what is said about a message, looked up when it is shown.
    index('messages_about').on(t.businessId, t.replyTo).where(sql`${t.kind} in ('reaction', 'poll_vote', 'edit')`),
    // deliver-message, fallback: the other parts of a split message.
    index('messages_parts').on(t.partOf).where(sql`${t.partOf} is not null`),
    // read-timeline, choose-sender; the foreign key to contacts.
    index('messages_timeline').on(t.contactId, t.occurredAt, t.id),
    // listMessages of a status or of direction `in`, which is status `received`.
    index('messages_status').on(t.businessId, t.status, t.id),
    // listMessages of direction `out`.
    index('messages_outbound').on(t.businessId, t.id).where(sql`${t.direction} = 'out'`),
    // listMessages of a provider.
    index('messages_provider').on(t.businessId, t.provider, t.id),
    // privacy: the messages that are older than their business keeps them.
    index('messages_age').on(t.businessId, t.occurredAt),
    // search.
    index('messages_search').using(
      'gin',
      sql`(array_to_tsvector(array[${t.businessId}::text]) || to_tsvector('simple', ${t.body}))`,
    ),
    // sweep: messages whose job was lost.
    index('messages_unsent').on(t.updatedAt).where(sql`${t.status} in ('queued', 'sending')`),
    // outbox of a linked account, in order.
    index('messages_outbox').on(t.accountId, t.id).where(sql`${t.status} in ('queued', 'sending')`),
    // outbox: first messages to people who never wrote, which are limited per day.
    index('messages_opening').on(t.accountId, t.lastAttemptAt).where(sql`${t.opensChat}`),
    // The foreign key to accounts, when one is deleted.
    index('messages_account').on(t.accountId).where(sql`${t.accountId} is not null`),
    check('messages_direction_status', sql`(${t.direction} = 'in') = (${t.status} = 'received')`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'cascade'),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
    sameBusiness(t.businessId, t.accountId, whatsappAccounts, whatsappAccounts.id, 'no action'),
  ],
)

export const messageMedia = pgTable(
  'message_media',
  {
    id: id(),
    businessId: businessId(),
    messageId: uuid('message_id').notNull(),
    index: integer().notNull(),
    kind: text({ enum: MEDIA_KINDS }).notNull().default('document'),
    /** Null when the file is unavailable. */
    sourceUrl: text('source_url'),
    contentType: text('content_type').notNull(),
    fileName: text('file_name'),
    seconds: integer(),
    /** A small JPEG in base64: first the one inside the message, then ours. */
    thumbnail: text(),
    transcript: text(),
    processedAt: at('processed_at'),
    state: text({ enum: ['pending', 'stored', 'failed', 'unavailable'] })
      .notNull()
      .default('pending'),
    storageKey: text('storage_key'),
    bytes: integer(),
    sha256: text(),
    error: text(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('message_media_index').on(t.messageId, t.index),
    index('message_media_business').on(t.businessId),
    index('message_media_pending').on(t.createdAt).where(sql`${t.state} = 'pending'`),
    index('message_media_unprocessed').on(t.updatedAt).where(sql`${t.state} = 'stored' and ${t.processedAt} is null`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.messageId, messages, messages.id, 'cascade'),
  ],
)

/** Deletions that came before their message, without personal data: fingerprints tell another writer's message apart. */
export const earlyDeletions = pgTable(
  'early_deletions',
  {
    id: id(),
    businessId: businessId(),
    provider: text({ enum: ['twilio', 'baileys'] }).notNull(),
    accountId: uuid('account_id'),
    direction: text({ enum: ['in', 'out'] }).notNull(),
    providerMessageId: text('provider_message_id').notNull(),
    /** SHA-256 of each identity (`kind:value`) of the writer. */
    writers: text().array().notNull(),
    deletedAt: at('deleted_at').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('early_deletions_message').on(t.businessId, t.providerMessageId),
    index('early_deletions_account').on(t.accountId).where(sql`${t.accountId} is not null`),
    index('early_deletions_age').on(t.createdAt),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.accountId, whatsappAccounts, whatsappAccounts.id, 'cascade'),
  ],
)
