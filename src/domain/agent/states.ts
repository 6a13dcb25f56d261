import { and, eq, sql } from 'drizzle-orm'
import { z } from 'zod'
import { AGENT_MODES, AGENT_PAUSES, type AgentPicture, agentRuns, conversations } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext, within } from '../context.ts'
import { getConversation } from '../conversations/index.ts'
import { jobId } from '../job-ids.ts'
import { AGENT_ACTOR, lastWrittenTo, requestMessage, type SendSettings } from '../messages/index.ts'
import { maskDraft, type StateChange, supersedeDrafts, writeState } from './record.ts'
import { isPaused, personWroteUntil } from './silence.ts'
import { readSituation } from './situation.ts'

export const agentStateView = z.object({
  conversationId: z.uuid(),
  /** `off`: for the whole business, or for this contact alone. */
  mode: z.enum(AGENT_MODES),
  enabled: z.boolean(),
  /** Null while a pause has no end. */
  pausedUntil: z.date().nullable(),
  pausedBecause: z.enum(AGENT_PAUSES).nullable(),
  /** Messages that the agent has not dealt with. */
  waiting: z.int(),
  /** What it would send, where a member sees it first. */
  draft: z.object({ id: z.uuid(), text: z.string(), createdAt: z.date() }).nullable(),
})
export type AgentStateView = z.output<typeof agentStateView>

export const agentPause = z.object({
  /** Until it is given back when null; as long as the business pauses it when absent. */
  until: z.iso.datetime({ offset: true }).nullable().optional(),
})

/** @throws AppError `conversation_not_found` */
export async function getAgentState(ctx: BusinessContext, conversationId: string): Promise<AgentStateView> {
  const now = new Date()
  await getConversation(ctx, conversationId)
  const situation = await readSituation(ctx.db, ctx, conversationId, now)
  if (!situation) throw new AppError('not_found', 'conversation_not_found', 'There is no such conversation.')
  const { settings, state, contact, burst } = situation
  const byPerson = personWroteUntil(situation, now)
  const paused = isPaused(situation, now)
  const enabled = settings.enabledAt !== null
  const [draft] = await ctx.db
    .select({ id: agentRuns.id, text: agentRuns.text, createdAt: agentRuns.createdAt })
    .from(agentRuns)
    .where(
      and(
        eq(agentRuns.businessId, ctx.businessId),
        eq(agentRuns.contactId, contact.id),
        eq(agentRuns.outcome, 'draft'),
      ),
    )
  return {
    conversationId,
    enabled,
    mode: !enabled || state?.mode === 'off' ? 'off' : paused || byPerson ? 'paused' : 'on',
    pausedUntil: paused ? (state?.pausedUntil ?? null) : byPerson,
    pausedBecause: paused ? (state?.pausedBecause ?? null) : byPerson ? 'person_wrote' : null,
    waiting: enabled ? burst.length : 0,
    draft: draft ? { ...draft, text: draft.text ?? '' } : null,
  }
}

/** @throws AppError `conversation_not_found`, `not_in_the_future` */
export async function pauseAgent(ctx: BusinessContext, conversationId: string, input: z.input<typeof agentPause>) {
  const { until } = agentPause.parse(input)
  const now = Date.now()
  if (until && new Date(until).getTime() <= now)
    throw new AppError('invalid', 'not_in_the_future', 'Choose a moment in the future.', { field: 'until' })
  const situation = await readSituation(ctx.db, ctx, conversationId, new Date(now))
  // Off is until it is given back: a pause would end it.
  if (situation?.state?.mode === 'off') return await getAgentState(ctx, conversationId)
  const minutes = situation?.settings.pauseMinutes ?? 0
  const pausedUntil = until ? new Date(until) : until === null ? null : new Date(now + minutes * 60_000)
  return await changeState(ctx, conversationId, 'agent.pause', {
    mode: 'paused',
    pausedBecause: 'by_hand',
    pausedUntil,
  })
}

/** Gives the conversation back to the agent, whatever paused it: it answers what is written from now on. */
export function resumeAgent(ctx: BusinessContext, conversationId: string) {
  return changeState(ctx, conversationId, 'agent.resume', {
    mode: 'on',
    pausedBecause: null,
    pausedUntil: null,
    resumedAt: new Date(),
  })
}

/** Turns the agent off for a contact, until it is given back. */
export function turnAgentOff(ctx: BusinessContext, conversationId: string) {
  return changeState(ctx, conversationId, 'agent.off', { mode: 'off', pausedBecause: null, pausedUntil: null })
}

async function changeState(ctx: BusinessContext, conversationId: string, action: string, change: StateChange) {
  await getConversation(ctx, conversationId)
  await ctx.db.transaction(async (tx) => {
    await tx
      .select({ id: conversations.id })
      .from(conversations)
      .where(and(eq(conversations.id, conversationId), eq(conversations.businessId, ctx.businessId)))
      .for('update')
    await writeState(tx, ctx, conversationId, change)
    await audit(tx, ctx, { action, entity: 'conversation', entityId: conversationId })
  })
  return await getAgentState(ctx, conversationId)
}

/**
 * Has the agent answer now what no one has answered since the business last wrote, also what it was silent on; it is given the
 * conversation back. @throws AppError `conversation_not_found`, `agent_off`, `nothing_to_answer`
 */
export async function answerNow(ctx: BusinessContext, conversationId: string): Promise<AgentStateView> {
  const now = new Date()
  await getConversation(ctx, conversationId)
  const situation = await readSituation(ctx.db, ctx, conversationId, now)
  if (!situation?.settings.enabledAt)
    throw new AppError('conflict', 'agent_off', 'The agent of this business is off. Turn it on in its settings.')
  // What failed has answered nothing.
  const lastOut = situation.recent.findLast(
    ({ direction, kind, status }) => direction === 'out' && kind !== 'reaction' && status !== 'failed',
  )
  const { enabledAt } = situation.settings
  const open = situation.recent.filter(
    ({ direction, id, createdAt }) => direction === 'in' && createdAt > enabledAt && (!lastOut || id > lastOut.id),
  )
  const last = open.at(-1)
  if (!last)
    throw new AppError(
      'conflict',
      'nothing_to_answer',
      'The last message is the business’s own. There is nothing to answer.',
    )
  await resumeAgent(ctx, conversationId)
  await ctx.db.transaction(async (tx) => {
    await tx.execute(sql`delete from agent_answers where business_id = ${ctx.businessId}
      and message_id in (${sql.join(
        open.map(({ id }) => sql`${id}`),
        sql`, `,
      )})`)
    await supersedeDrafts(tx, ctx, situation.contact)
  })
  await ctx.enqueue(
    'agent.answer',
    { businessId: ctx.businessId, conversationId, messageId: last.id },
    { jobId: jobId('agent', last.id, 'now', now.getTime()) },
  )
  return await getAgentState(ctx, conversationId)
}

const draftDecision = { id: z.uuid(), text: z.string().trim().min(1).max(4_096).optional() }
export const draftSend = z.object(draftDecision)

/**
 * Sends what the agent would send, as it stands or as a member changed it; sent already, it is the same message.
 * @throws AppError `draft_not_found`, `draft_over`, and those of `requestMessage`
 */
export async function sendDraft(
  ctx: BusinessContext,
  input: z.input<typeof draftSend>,
  settings: SendSettings,
): Promise<{ id: string; status: string }> {
  const { id, text } = draftSend.parse(input)
  const draft = await readDraft(ctx, id)
  const media = draft.pictures.length > 0 ? { media: draft.pictures.map(({ url }) => ({ url })) } : {}
  const asAgent = within(ctx, ctx.businessId, { kind: 'system', id: AGENT_ACTOR })
  const sent = await requestMessage(
    asAgent,
    { to: draft.phone, text: text ?? draft.text, idempotencyKey: `agent-draft-${id}`, ...media },
    settings,
    null,
    async (tx, { messageId }) => {
      const [decided] = await tx
        .update(agentRuns)
        .set({
          outcome: 'answered',
          text: text ?? draft.text,
          sentMessageId: messageId,
          decidedBy: ctx.actor.id,
          decidedAt: new Date(),
        })
        .where(and(eq(agentRuns.id, id), eq(agentRuns.businessId, ctx.businessId), eq(agentRuns.outcome, 'draft')))
        .returning({ id: agentRuns.id })
      if (!decided) throw draftOver()
      await maskDraft(tx, ctx, { id, text: text ?? draft.text }, draft)
      await audit(tx, ctx, { action: 'agent.draft_send', entity: 'message', entityId: messageId })
    },
    await lastWrittenTo(ctx, draft.contactId),
  )
  return { id: sent.id, status: sent.status }
}

/** @throws AppError `draft_not_found`, `draft_over` */
export async function discardDraft(ctx: BusinessContext, id: string): Promise<void> {
  const draft = await readDraft(ctx, id)
  await ctx.db.transaction(async (tx) => {
    const [decided] = await tx
      .update(agentRuns)
      .set({ outcome: 'discarded', decidedBy: ctx.actor.id, decidedAt: new Date() })
      .where(and(eq(agentRuns.id, id), eq(agentRuns.businessId, ctx.businessId), eq(agentRuns.outcome, 'draft')))
      .returning({ id: agentRuns.id })
    if (!decided) throw draftOver()
    await maskDraft(tx, ctx, { id, text: draft.text }, draft)
    await audit(tx, ctx, { action: 'agent.draft_discard', entity: 'conversation', entityId: id })
  })
}

function draftOver(): AppError {
  return new AppError('conflict', 'draft_over', 'This draft was sent, discarded, or replaced by a newer one.')
}

async function readDraft(
  ctx: BusinessContext,
  id: string,
): Promise<{ text: string; phone: string; contactId: string; pictures: AgentPicture[] }> {
  type Row = { text: string | null; phone: string | null; contact_id: string; pictures: AgentPicture[] }
  const rows = await ctx.db.execute<Row>(sql`
    select run.text, run.pictures, run.contact_id, contact.phone from agent_runs as run join contacts as contact on contact.id = run.contact_id
    where run.id = ${id} and run.business_id = ${ctx.businessId}`)
  const [row] = rows
  if (!row?.phone) throw new AppError('not_found', 'draft_not_found', 'There is no such draft.')
  return { text: row.text ?? '', phone: row.phone, contactId: row.contact_id, pictures: row.pictures }
}
