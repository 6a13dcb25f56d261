import { and, desc, eq, gt, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  type AgentToolRun,
  agentAnswers,
  agentStates,
  businesses,
  contacts,
  conversations,
  type MESSAGE_WRITERS,
  messages,
} from '../../../db/schema/index.ts'
import { firstIdAt } from '../../lib/ids.ts'
import { listAccounts, listPhoneNumbers } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { type AgentSettings, readAgentSettings } from './settings.ts'

/** What came earlier is left to a person without a look: WhatsApp's window for free text is over. */
export const LOOK_BACK_MS = 24 * 3_600_000
/** So much of a conversation is read. */
const RECENT_MESSAGES = 200

export type HeardFile = {
  id: string
  kind: string
  contentType: string
  fileName: string | null
  state: string
  storageKey: string | null
  bytes: number | null
  transcript: string | null
  processed: boolean
}

export type ThreadMessage = {
  id: string
  direction: 'in' | 'out'
  writtenBy: (typeof MESSAGE_WRITERS)[number] | null
  kind: string
  body: string
  data: Record<string, unknown> | null
  replyTo: string | null
  provider: 'twilio' | 'baileys'
  accountId: string | null
  status: string
  occurredAt: Date
  createdAt: Date
  deletedAt: Date | null
  /** Inbound: a run has dealt with it. */
  answered: boolean
  quoted: string | null
  files: HeardFile[]
}

/** A conversation as the agent finds it. */
export type Situation = {
  settings: AgentSettings
  business: Pick<typeof businesses.$inferSelect, 'id' | 'name' | 'language' | 'timezone' | 'blockedAt'>
  contact: Pick<typeof contacts.$inferSelect, 'id' | 'name' | 'phone' | 'optedOutAt'>
  conversation: Pick<typeof conversations.$inferSelect, 'id' | 'assigneeId' | 'lastInboundAt'>
  state: typeof agentStates.$inferSelect | null
  /** What no run has dealt with, oldest first. */
  burst: ThreadMessage[]
  /** The conversation of the last hours with `burst`, oldest first. */
  recent: ThreadMessage[]
  /** In tests: called before each tool, which fails with what it throws. */
  beforeTool?(name: string): void
  /** In a dry run. */
  trial?: Trial
}

/** Where changes are made that are never kept. */
export type Trial = {
  /** What tools did in earlier turns. */
  earlier: readonly AgentToolRun[]
  /** In place of the texts of the version in force. */
  texts: readonly { title: string; body: string }[] | null
  /**
   * Runs with the contact, the conversation and what was done so far in place.
   * @param already what tools did in this turn
   */
  run<Value>(
    situation: Situation,
    already: readonly AgentToolRun[],
    work: (ctx: BusinessContext, situation: Situation) => Promise<Value>,
  ): Promise<Value>
}

/** Reads a conversation; null when it is gone. */
export async function readSituation(
  db: Executor,
  ctx: BusinessContext,
  conversationId: string,
  now: Date,
): Promise<Situation | null> {
  const [row] = await db
    .select({
      business: {
        id: businesses.id,
        name: businesses.name,
        language: businesses.language,
        timezone: businesses.timezone,
        blockedAt: businesses.blockedAt,
      },
      contact: { id: contacts.id, name: contacts.name, phone: contacts.phone, optedOutAt: contacts.optedOutAt },
      conversation: {
        id: conversations.id,
        assigneeId: conversations.assigneeId,
        lastInboundAt: conversations.lastInboundAt,
      },
      state: agentStates,
    })
    .from(conversations)
    .innerJoin(contacts, eq(contacts.id, conversations.contactId))
    .innerJoin(businesses, eq(businesses.id, conversations.businessId))
    .leftJoin(agentStates, eq(agentStates.conversationId, conversations.id))
    .where(and(eq(conversations.id, conversationId), eq(conversations.businessId, ctx.businessId)))
  if (!row) return null
  const settings = await readAgentSettings(db, ctx)
  const recent = await readRecent(db, ctx, conversationId, now)
  const since = Math.max(settings.enabledAt?.getTime() ?? Number.POSITIVE_INFINITY, now.getTime() - LOOK_BACK_MS)
  return {
    ...row,
    settings,
    recent,
    burst: recent.filter((each) => each.direction === 'in' && !each.answered && each.createdAt.getTime() > since),
  }
}

const filesSql = sql<HeardFile[]>`coalesce((select jsonb_agg(jsonb_build_object('id', file.id, 'kind', file.kind,
  'contentType', file.content_type, 'fileName', file.file_name, 'state', file.state, 'storageKey', file.storage_key,
  'bytes', file.bytes, 'transcript', file.transcript, 'processed', file.processed_at is not null) order by file.index)
  from message_media as file where file.message_id = messages.id), '[]'::jsonb)`

const quotedSql = sql<string | null>`case when messages.reply_to is not null then (
  select left(target.body, 300) from messages as target where target.provider = messages.provider
    and target.provider_message_id = messages.reply_to and target.conversation_id = messages.conversation_id limit 1) end`

async function readRecent(db: Executor, ctx: BusinessContext, conversationId: string, now: Date) {
  const rows = await db
    .select({
      id: messages.id,
      direction: messages.direction,
      writtenBy: messages.writtenBy,
      kind: messages.kind,
      body: messages.body,
      data: messages.data,
      replyTo: messages.replyTo,
      provider: messages.provider,
      accountId: messages.accountId,
      status: messages.status,
      occurredAt: messages.occurredAt,
      createdAt: messages.createdAt,
      deletedAt: messages.deletedAt,
      answered: sql<boolean>`${agentAnswers.messageId} is not null`,
      quoted: quotedSql,
      files: filesSql,
    })
    .from(messages)
    .leftJoin(agentAnswers, eq(agentAnswers.messageId, messages.id))
    .where(
      and(
        eq(messages.businessId, ctx.businessId),
        eq(messages.conversationId, conversationId),
        gt(messages.id, firstIdAt(new Date(now.getTime() - 14 * LOOK_BACK_MS))),
      ),
    )
    .orderBy(desc(messages.id))
    .limit(RECENT_MESSAGES)
  return rows.reverse()
}

/** The business's own numbers. */
export async function readOwnPhones(ctx: BusinessContext): Promise<string[]> {
  const [lines, accounts] = await Promise.all([listPhoneNumbers(ctx), listAccounts(ctx)])
  return [...lines.map(({ e164 }) => e164), ...accounts.map(({ phone }) => phone)].filter((phone) => phone !== null)
}
