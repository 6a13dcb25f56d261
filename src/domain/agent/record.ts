import { and, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import {
  type AGENT_OUTCOMES,
  type AGENT_PAUSES,
  type AgentPicture,
  type AgentSource,
  type AgentToolRun,
  agentAnswers,
  agentRuns,
  agentStates,
} from '../../../db/schema/index.ts'
import { newId } from '../../lib/ids.ts'
import { type Masking, maskDeep, maskPersonalData, type PersonalData } from '../../lib/personal-data.ts'
import { audit, type BusinessContext, emit } from '../context.ts'
import { readMaskedKinds } from '../privacy/index.ts'
import type { Situation } from './situation.ts'

/** What an agent, by rules or by a model, makes of a burst. */
export type AgentReply = {
  text: string
  language: 'he' | 'en'
  engine: 'rules' | 'model'
  /** Why a person takes over from here; null while the agent goes on. */
  handover: string | null
  /** Why a person looks, while the agent goes on. */
  notify: string | null
  tools: AgentToolRun[]
  sources: AgentSource[]
  guard: string[]
  gaps: string[]
  /** Sent with the text. */
  pictures?: AgentPicture[]
  /** What the rules have asked and learnt, for the next turn. */
  dialogue: Record<string, unknown> | null
  model?: string
  inputTokens?: number
  outputTokens?: number
  costMicros?: number | null
}

export type RunResult = {
  outcome: (typeof AGENT_OUTCOMES)[number]
  reason: string | null
  reply: AgentReply | null
  sentMessageId?: string | undefined
  settledMs?: number | undefined
  thinkingMs?: number | undefined
}

/**
 * Writes a run with the messages that it deals with; the key of those refuses a second one. A draft of earlier messages is
 * superseded. @returns its id
 */
export async function writeRun(
  tx: Executor,
  ctx: BusinessContext,
  situation: Situation,
  result: RunResult,
): Promise<string> {
  const { contact, conversation, burst } = situation
  const { outcome, reason } = result
  if (outcome !== 'silent') await supersedeDrafts(tx, ctx, contact)
  const id = await insertRun(tx, ctx, situation, result)
  await tx
    .insert(agentAnswers)
    .values(burst.map(({ id: messageId }) => ({ messageId, businessId: ctx.businessId, runId: id })))
  await emit(tx, ctx, {
    action: 'agent.run',
    entity: 'conversation',
    entityId: conversation.id,
    data: { id, outcome, reason },
  })
  return id
}

/** Writes a run that answers no stored message: one of a test chat. */
export async function keepRun(ctx: BusinessContext, situation: Situation, result: RunResult): Promise<void> {
  await insertRun(ctx.db, ctx, situation, result)
}

type MaskedContact = { id: string; phone: string | null }

/** What of personal data is masked in what is kept of a contact. */
const maskingOf = (kinds: Iterable<PersonalData>, { phone }: Pick<MaskedContact, 'phone'>): Masking => ({
  kinds: new Set(kinds),
  ownPhones: phone ? [phone] : [],
})

async function insertRun(
  tx: Executor,
  ctx: BusinessContext,
  { contact, settings }: Pick<Situation, 'contact' | 'settings'>,
  { outcome, reason, reply, sentMessageId, settledMs, thinkingMs }: RunResult,
): Promise<string> {
  const id = newId()
  const masking = maskingOf(settings.masked, contact)
  // A draft is sent as it stands; it is masked once a member has decided.
  const text = reply && (outcome === 'draft' ? reply.text : maskPersonalData(reply.text, masking))
  await tx.insert(agentRuns).values({
    id,
    businessId: ctx.businessId,
    contactId: contact.id,
    outcome,
    reason: reason === null ? null : maskPersonalData(reason, masking),
    engine: reply?.engine ?? null,
    model: reply?.model ?? null,
    language: reply?.language ?? null,
    text,
    sentMessageId: sentMessageId ?? null,
    tools: maskDeep(reply?.tools ?? [], masking),
    sources: reply?.sources ?? [],
    pictures: reply?.pictures ?? [],
    guard: maskDeep(reply?.guard ?? [], masking),
    gaps: maskDeep(reply?.gaps ?? [], masking),
    settledMs: settledMs ?? null,
    thinkingMs: thinkingMs ?? null,
    inputTokens: reply?.inputTokens ?? null,
    outputTokens: reply?.outputTokens ?? null,
    costMicros: reply?.costMicros ?? null,
  })
  return id
}

/** Replaces the drafts of a contact by what comes after them. */
export async function supersedeDrafts(tx: Executor, ctx: BusinessContext, contact: MaskedContact): Promise<void> {
  const drafts = await tx
    .update(agentRuns)
    .set({ outcome: 'superseded' })
    .where(
      and(
        eq(agentRuns.businessId, ctx.businessId),
        eq(agentRuns.contactId, contact.id),
        eq(agentRuns.outcome, 'draft'),
      ),
    )
    .returning({ id: agentRuns.id, text: agentRuns.text })
  for (const draft of drafts) await maskDraft(tx, ctx, draft, contact)
}

/** Masks the text of a draft that a member has decided on, or that was replaced. */
export async function maskDraft(
  tx: Executor,
  ctx: BusinessContext,
  { id, text }: { id: string; text: string | null },
  contact: Pick<MaskedContact, 'phone'>,
): Promise<void> {
  const masked = maskPersonalData(text ?? '', maskingOf(await readMaskedKinds(tx, ctx), contact))
  if (text === null || masked === text) return
  await tx
    .update(agentRuns)
    .set({ text: masked })
    .where(and(eq(agentRuns.id, id), eq(agentRuns.businessId, ctx.businessId)))
}

export type StateChange = Partial<
  Pick<
    typeof agentStates.$inferInsert,
    'mode' | 'pausedUntil' | 'pausedBecause' | 'resumedAt' | 'contextFrom' | 'dialogue'
  >
>

export async function writeState(
  tx: Executor,
  ctx: BusinessContext,
  conversationId: string,
  change: StateChange,
): Promise<void> {
  await tx
    .insert(agentStates)
    .values({ conversationId, businessId: ctx.businessId, ...change })
    .onConflictDoUpdate({ target: agentStates.conversationId, set: { ...change, updatedAt: new Date() } })
}

/** Pauses the agent and notifies members, who go on: the event is a reason for an alert. */
export async function handOver(
  tx: Executor,
  ctx: BusinessContext,
  { conversation, contact, settings, burst }: Situation,
  why: { because: (typeof AGENT_PAUSES)[number]; reason: string },
  now: Date,
): Promise<void> {
  await writeState(tx, ctx, conversation.id, {
    mode: 'paused',
    pausedBecause: why.because,
    pausedUntil: new Date(now.getTime() + settings.pauseMinutes * 60_000),
    contextFrom: now,
    dialogue: null,
  })
  await notifyPeople(tx, ctx, { conversation, contact, burst }, why.reason)
}

/** Leaves a conversation to people without a pause. */
export async function notifyPeople(
  tx: Executor,
  ctx: BusinessContext,
  { conversation, contact, burst }: Pick<Situation, 'conversation' | 'contact' | 'burst'>,
  reason: string,
): Promise<void> {
  const last = burst.at(-1)
  if (!last) return
  await audit(tx, ctx, {
    action: 'agent.handover',
    entity: 'message',
    entityId: last.id,
    data: { reason, conversationId: conversation.id, contactId: contact.id },
  })
}
