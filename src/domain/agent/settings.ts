import { eq } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { agentSettings, memberships } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { requiredText } from '../../lib/text.ts'
import { audit, type BusinessContext } from '../context.ts'
import { maskedKinds } from '../privacy/index.ts'

const WEEK_MINUTES = 7 * 1_440

const fields = {
  /** Seconds without another message before what was written is answered. */
  settleSeconds: z.int().min(1).max(30),
  /** How long the agent is silent after a person wrote, or after a handover. */
  pauseMinutes: z.int().min(5).max(WEEK_MINUTES),
  /** A member sees each answer first, and sends it. */
  approveFirst: z.boolean(),
  /** Voice notes are answered by voice note, where what is said suits it. */
  answersByVoice: z.boolean(),
  /** Whether it answers at all times, only in the opening hours, or only outside of them. */
  answers: z.enum(['always', 'open', 'closed']),
  /** Words of matters that only people answer, such as `refund`. */
  handoverTopics: z.array(requiredText(60)).max(50),
  /** The member to whom a conversation is assigned that the agent hands over. */
  assigneeId: z.string().min(1).max(64).nullable(),
  /** Kinds of personal data that are masked in what is kept of calls, and of what the agent did and knows. */
  masked: maskedKinds,
}

/** How a business's agent answers WhatsApp. Everything has a default. */
const agentOptions = z.object({
  settleSeconds: fields.settleSeconds.default(4),
  pauseMinutes: fields.pauseMinutes.default(720),
  approveFirst: fields.approveFirst.default(false),
  answersByVoice: fields.answersByVoice.default(false),
  masked: fields.masked.default([]),
  answers: fields.answers.default('always'),
  handoverTopics: fields.handoverTopics.default([]),
  assigneeId: fields.assigneeId.default(null),
})

export type AgentSettings = z.output<typeof agentOptions> & {
  /** What came before is not answered; null is off. */
  enabledAt: Date | null
}

export const agentSettingsView = z.object({ enabled: z.boolean(), ...fields })
export const agentSettingsChange = agentSettingsView.partial()

export async function readAgentSettings(db: Executor, ctx: BusinessContext): Promise<AgentSettings> {
  const [row] = await db.select().from(agentSettings).where(eq(agentSettings.businessId, ctx.businessId))
  return { ...agentOptions.parse(row?.settings ?? {}), enabledAt: row?.enabledAt ?? null }
}

export async function getAgentSettings(ctx: BusinessContext): Promise<z.output<typeof agentSettingsView>> {
  const { enabledAt, ...options } = await readAgentSettings(ctx.db, ctx)
  return { ...options, enabled: enabledAt !== null }
}

/** Changes what is given. Turned on, the agent answers what comes from now on. @throws AppError `not_a_member` */
export async function saveAgentSettings(
  ctx: BusinessContext,
  input: z.input<typeof agentSettingsChange>,
): Promise<z.output<typeof agentSettingsView>> {
  const { enabled, ...changes } = agentSettingsChange.parse(input)
  await ctx.db.transaction(async (tx) => {
    const { enabledAt, ...before } = await readAgentSettings(tx, ctx)
    if (changes.assigneeId) await requireMember(tx, ctx, changes.assigneeId)
    const settings = { ...before, ...changes }
    const since = enabled === undefined ? enabledAt : enabled ? (enabledAt ?? new Date()) : null
    await tx
      .insert(agentSettings)
      .values({ businessId: ctx.businessId, settings, enabledAt: since })
      .onConflictDoUpdate({
        target: agentSettings.businessId,
        set: { settings, enabledAt: since, updatedAt: new Date() },
      })
    await audit(tx, ctx, {
      action: 'agent.settings',
      entity: 'business',
      entityId: ctx.businessId,
      data: { enabled: since !== null, ...changes },
    })
  })
  return await getAgentSettings(ctx)
}

/** Turns the agent on for a business that was never asked: the one of the sandbox. */
export async function ensureAgentOn(ctx: BusinessContext): Promise<void> {
  await ctx.db
    .insert(agentSettings)
    .values({ businessId: ctx.businessId, settings: {}, enabledAt: new Date() })
    .onConflictDoNothing()
}

async function requireMember(tx: Executor, ctx: BusinessContext, userId: string): Promise<void> {
  const [member] = await tx
    .select({ id: memberships.id, businessId: memberships.businessId })
    .from(memberships)
    .where(eq(memberships.userId, userId))
    .then((rows) => rows.filter((row) => row.businessId === ctx.businessId))
  if (!member)
    throw new AppError('invalid', 'not_a_member', 'This person is no member of the business.', { field: 'assigneeId' })
}
