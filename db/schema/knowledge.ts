import { sql } from 'drizzle-orm'
import { check, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { calls } from './calls.ts'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { conversations } from './conversations.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const SOURCE_KINDS = ['file', 'site'] as const
export const SOURCE_STATES = ['waiting', 'reading', 'ready', 'unreadable'] as const
export const PAGE_CHANGES = ['new', 'changed', 'gone'] as const
export const GAP_STATES = ['open', 'answered', 'dismissed'] as const
export const GAP_CHANNELS = ['call', 'whatsapp', 'chat'] as const

/** A file or a site that the agent answers from; the business's own texts are `business_texts`. */
export const knowledgeSources = pgTable(
  'knowledge_sources',
  {
    id: id(),
    businessId: businessId(),
    kind: text({ enum: SOURCE_KINDS }).notNull(),
    title: text().notNull(),
    state: text({ enum: SOURCE_STATES }).notNull().default('waiting'),
    /** A code of why it is unreadable, or of why it was not renewed. */
    reason: text(),
    /** Of a site. */
    url: text(),
    /** Of a file. */
    fileName: text('file_name'),
    contentType: text('content_type'),
    bytes: integer(),
    sha256: text(),
    storageKey: text('storage_key'),
    /** Grows with every change of its chunks; what is in memory is compared with it. */
    revision: integer().notNull().default(0),
    /** Readings begun since the last one that ended. */
    attempts: integer().notNull().default(0),
    /** When it is to be read; null: not again. */
    nextReadAt: at('next_read_at'),
    readAt: at('read_at'),
    /** Pages of a document or of a site. */
    pages: integer(),
    characters: integer(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('knowledge_sources_tenant').on(t.businessId, t.id),
    uniqueIndex('knowledge_sources_url').on(t.businessId, t.url).where(sql`${t.url} is not null`),
    index('knowledge_sources_due').on(t.nextReadAt).where(sql`${t.nextReadAt} is not null`),
    check('knowledge_sources_place', sql`(${t.kind} = 'site') = (${t.url} is not null)`),
    ...enumChecks(t),
  ],
)

/** A page of a site as it was read last, and before that. */
export const knowledgePages = pgTable(
  'knowledge_pages',
  {
    id: id(),
    businessId: businessId(),
    sourceId: uuid('source_id').notNull(),
    url: text().notNull(),
    title: text().notNull(),
    body: text().notNull(),
    /** Of the text; an unchanged page is not written again. */
    hash: text().notNull(),
    etag: text(),
    /** What happened to it when it last changed, and the text it had before. */
    change: text({ enum: PAGE_CHANGES }).notNull(),
    before: text(),
    changedAt: at('changed_at').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('knowledge_pages_tenant').on(t.businessId, t.id),
    uniqueIndex('knowledge_pages_url').on(t.sourceId, t.url),
    index('knowledge_pages_source').on(t.businessId, t.sourceId, t.changedAt),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.sourceId, knowledgeSources, knowledgeSources.id, 'cascade'),
  ],
)

/** A part of a source that is found and quoted as one. */
export const knowledgeChunks = pgTable(
  'knowledge_chunks',
  {
    id: id(),
    businessId: businessId(),
    sourceId: uuid('source_id').notNull(),
    /** Of a site. */
    pageId: uuid('page_id'),
    position: integer().notNull(),
    title: text().notNull(),
    body: text().notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('knowledge_chunks_source').on(t.businessId, t.sourceId, t.position),
    index('knowledge_chunks_page').on(t.businessId, t.pageId),
    sameBusiness(t.businessId, t.sourceId, knowledgeSources, knowledgeSources.id, 'cascade'),
    sameBusiness(t.businessId, t.pageId, knowledgePages, knowledgePages.id, 'cascade'),
  ],
)

/** Questions of one meaning that nothing answered. What was asked is in the examples, which go with the person. */
export const knowledgeGaps = pgTable(
  'knowledge_gaps',
  {
    id: id(),
    businessId: businessId(),
    /** The stems of the question. */
    key: text().notNull(),
    state: text({ enum: GAP_STATES }).notNull().default('open'),
    /** The title of the text that answers it. */
    answer: text(),
    decidedAt: at('decided_at'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('knowledge_gaps_tenant').on(t.businessId, t.id),
    uniqueIndex('knowledge_gaps_key').on(t.businessId, t.key),
    ...enumChecks(t),
  ],
)

/** A question as it was asked, without numbers and addresses; one a call or conversation. */
export const knowledgeGapExamples = pgTable(
  'knowledge_gap_examples',
  {
    id: id(),
    businessId: businessId(),
    gapId: uuid('gap_id').notNull(),
    question: text().notNull(),
    channel: text({ enum: GAP_CHANNELS }).notNull(),
    conversationId: uuid('conversation_id'),
    callId: uuid('call_id'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('knowledge_gap_examples_conversation_once')
      .on(t.gapId, t.conversationId)
      .where(sql`${t.conversationId} is not null`),
    uniqueIndex('knowledge_gap_examples_call_once').on(t.gapId, t.callId).where(sql`${t.callId} is not null`),
    index('knowledge_gap_examples_gap').on(t.businessId, t.gapId, t.createdAt),
    index('knowledge_gap_examples_conversation').on(t.businessId, t.conversationId),
    index('knowledge_gap_examples_call').on(t.businessId, t.callId),
    index('knowledge_gap_examples_age').on(t.createdAt),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.gapId, knowledgeGaps, knowledgeGaps.id, 'cascade'),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'cascade'),
    sameBusiness(t.businessId, t.callId, calls, calls.id, 'cascade'),
  ],
)
