import { sql } from 'drizzle-orm'
import { bigint, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { conversations } from './conversations.ts'
import { messages } from './messages.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const AGENT_MODES = ['on', 'paused', 'off'] as const
export const AGENT_PAUSES = ['person_wrote', 'handover', 'loop', 'by_hand', 'failed'] as const
export const AGENT_OUTCOMES = ['answered', 'draft', 'superseded', 'discarded', 'silent', 'failed'] as const

/** Whether and how a business's agent answers WhatsApp; a business without a row has it off. */
export const agentSettings = pgTable('agent_settings', {
  businessId: businessId().primaryKey(),
  /** What came before is never answered; null is off. */
  enabledAt: at('enabled_at'),
  settings: jsonb().$type<Record<string, unknown>>().notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
})

/** How the agent stands to a conversation; one without a row is `on`. */
export const agentStates = pgTable(
  'agent_states',
  {
    conversationId: uuid('conversation_id').primaryKey(),
    businessId: businessId(),
    mode: text({ enum: AGENT_MODES }).notNull().default('on'),
    pausedUntil: at('paused_until'),
    pausedBecause: text('paused_because', { enum: AGENT_PAUSES }),
    /** What a person wrote before does not pause the agent any more. */
    resumedAt: at('resumed_at'),
    /** What the agent is shown of the conversation begins here: after the last handover. */
    contextFrom: at('context_from'),
    /** What the agent by rules has asked and learnt. */
    dialogue: jsonb().$type<Record<string, unknown>>(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    index('agent_states_business').on(t.businessId, t.conversationId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.conversationId, conversations, conversations.id, 'cascade'),
  ],
)

export type AgentToolRun = { name: string; input: unknown; output?: unknown; error?: string }
export type AgentSource = { title: string; kind: 'text' | 'file' | 'site' | 'catalogue' | 'hours' | 'tool' | 'memory' }
export type AgentPicture = { itemId: string; url: string }

/** What the agent did with a burst of messages, also when it stayed silent. */
export const agentRuns = pgTable(
  'agent_runs',
  {
    id: id(),
    businessId: businessId(),
    contactId: uuid('contact_id').notNull(),
    outcome: text({ enum: AGENT_OUTCOMES }).notNull(),
    /** Why it stayed silent, handed over or failed. */
    reason: text(),
    engine: text({ enum: ['rules', 'model'] }),
    /** Such as `openai:gpt-5-mini`. */
    model: text(),
    language: text({ enum: ['he', 'en'] }),
    text: text(),
    /** The message that was sent; it may be deleted by age. */
    sentMessageId: uuid('sent_message_id'),
    tools: jsonb().$type<AgentToolRun[]>().notNull().default([]),
    sources: jsonb().$type<AgentSource[]>().notNull().default([]),
    /** Of the catalogue's items that the answer names; sent after it. */
    pictures: jsonb().$type<AgentPicture[]>().notNull().default([]),
    /** What the truth guard found in the answers that were not sent. */
    guard: jsonb().$type<string[]>().notNull().default([]),
    /** Questions that nothing known answers. */
    gaps: jsonb().$type<string[]>().notNull().default([]),
    /** From the last message to the begin of the run. */
    settledMs: integer('settled_ms'),
    thinkingMs: integer('thinking_ms'),
    inputTokens: integer('input_tokens'),
    outputTokens: integer('output_tokens'),
    /** Millionths of a dollar; null when the price is not known. */
    costMicros: bigint('cost_micros', { mode: 'number' }),
    decidedBy: text('decided_by'),
    decidedAt: at('decided_at'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('agent_runs_tenant').on(t.businessId, t.id),
    index('agent_runs_contact').on(t.contactId, t.id),
    index('agent_runs_age').on(t.createdAt),
    index('agent_runs_drafts').on(t.businessId, t.contactId).where(sql`${t.outcome} = 'draft'`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'cascade'),
  ],
)

/** Which run dealt with a message: each message is dealt with once. */
export const agentAnswers = pgTable(
  'agent_answers',
  {
    messageId: uuid('message_id').primaryKey(),
    businessId: businessId(),
    runId: uuid('run_id').notNull(),
    createdAt: createdAt(),
  },
  (t) => [
    index('agent_answers_run').on(t.businessId, t.runId),
    index('agent_answers_message').on(t.businessId, t.messageId),
    sameBusiness(t.businessId, t.messageId, messages, messages.id, 'cascade'),
    sameBusiness(t.businessId, t.runId, agentRuns, agentRuns.id, 'cascade'),
  ],
)
