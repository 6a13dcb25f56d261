import { and, eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import { AGENT_OUTCOMES, agentRuns } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { getConversation } from '../conversations/index.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'

export const agentRunView = z.object({
  id: z.uuid(),
  contactId: z.uuid(),
  outcome: z.enum(AGENT_OUTCOMES),
  /** Why it was silent, handed over or failed. */
  reason: z.string().nullable(),
  engine: z.enum(['rules', 'model']).nullable(),
  model: z.string().nullable(),
  language: z.enum(['he', 'en']).nullable(),
  text: z.string().nullable(),
  /** The messages that it dealt with. */
  messageIds: z.array(z.uuid()),
  sentMessageId: z.uuid().nullable(),
  tools: z.array(
    z.object({ name: z.string(), input: z.unknown(), output: z.unknown().optional(), error: z.string().optional() }),
  ),
  /** Where what was said comes from. */
  sources: z.array(z.object({ title: z.string(), kind: z.string() })),
  /** Of the catalogue's items that the answer names. */
  pictures: z.array(z.object({ itemId: z.string(), url: z.string() })),
  /** What was found in answers that were not sent. */
  guard: z.array(z.string()),
  /** Questions that nothing known answers. */
  gaps: z.array(z.string()),
  settledMs: z.number().nullable(),
  thinkingMs: z.number().nullable(),
  inputTokens: z.number().nullable(),
  outputTokens: z.number().nullable(),
  /** Millionths of a dollar; null when the price is not known. */
  costMicros: z.number().nullable(),
  decidedBy: z.string().nullable(),
  decidedAt: z.date().nullable(),
  createdAt: z.date(),
})

export const agentRunFilters = pageInput.extend({ conversationId: z.uuid() })

/** What the agent did in a conversation, newest first. @throws AppError `conversation_not_found` */
export async function listAgentRuns(ctx: BusinessContext, input: z.input<typeof agentRunFilters>) {
  const page = agentRunFilters.parse(input)
  const { contactId } = await getConversation(ctx, page.conversationId)
  const query = pageQuery(
    agentRuns.id,
    page,
    and(eq(agentRuns.businessId, ctx.businessId), eq(agentRuns.contactId, contactId)),
  )
  const rows = await ctx.db
    .select({
      id: agentRuns.id,
      contactId: agentRuns.contactId,
      outcome: agentRuns.outcome,
      reason: agentRuns.reason,
      engine: agentRuns.engine,
      model: agentRuns.model,
      language: agentRuns.language,
      text: agentRuns.text,
      messageIds: sql<
        string[]
      >`array(select message_id from agent_answers where run_id = "agent_runs"."id" order by 1)`,
      sentMessageId: agentRuns.sentMessageId,
      tools: agentRuns.tools,
      sources: agentRuns.sources,
      pictures: agentRuns.pictures,
      guard: agentRuns.guard,
      gaps: agentRuns.gaps,
      settledMs: agentRuns.settledMs,
      thinkingMs: agentRuns.thinkingMs,
      inputTokens: agentRuns.inputTokens,
      outputTokens: agentRuns.outputTokens,
      costMicros: agentRuns.costMicros,
      decidedBy: agentRuns.decidedBy,
      decidedAt: agentRuns.decidedAt,
      createdAt: agentRuns.createdAt,
    })
    .from(agentRuns)
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}
