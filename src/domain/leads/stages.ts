import { and, asc, eq, notInArray } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { leadStages, leads } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { nameText } from '../../lib/text.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'

export const stageKey = z.string().regex(/^[a-z0-9_]{1,32}$/, 'lower-case letters, digits and _')

export const leadStage = z.object({
  key: stageKey,
  name: nameText(80),
  kind: z.enum(leadStages.kind.enumValues),
})
export type LeadStage = z.infer<typeof leadStage>

/** What a business starts with; `new` is where the receptionist puts a lead. */
const DEFAULT_STAGES: Record<'he' | 'en', LeadStage[]> = {
  he: [
    { key: 'new', name: 'חדש', kind: 'open' },
    { key: 'contacted', name: 'נוצר קשר', kind: 'open' },
    { key: 'qualified', name: 'מתאים', kind: 'open' },
    { key: 'won', name: 'נסגר בהצלחה', kind: 'won' },
    { key: 'lost', name: 'לא נסגר', kind: 'lost' },
  ],
  en: [
    { key: 'new', name: 'New', kind: 'open' },
    { key: 'contacted', name: 'Contacted', kind: 'open' },
    { key: 'qualified', name: 'Qualified', kind: 'open' },
    { key: 'won', name: 'Won', kind: 'won' },
    { key: 'lost', name: 'Lost', kind: 'lost' },
  ],
}

/** The stages of the business in the order of its board; its language's usual ones until it has set its own. */
export async function listStages(ctx: BusinessContext, language: 'he' | 'en'): Promise<LeadStage[]> {
  const rows = await readStages(ctx.db, ctx)
  return rows.length > 0 ? rows : DEFAULT_STAGES[language]
}

export function readStages(db: Executor, ctx: BusinessContext): Promise<LeadStage[]> {
  return db
    .select({ key: leadStages.key, name: leadStages.name, kind: leadStages.kind })
    .from(leadStages)
    .where(eq(leadStages.businessId, ctx.businessId))
    .orderBy(asc(leadStages.position), asc(leadStages.key))
}

/** Sets the stages and their order. @throws AppError `stage_new_missing`, `stage_twice`, `stage_in_use` */
export async function saveStages(ctx: BusinessContext, stages: LeadStage[]): Promise<LeadStage[]> {
  const keys = stages.map((stage) => stage.key)
  if (new Set(keys).size !== keys.length)
    throw new AppError('invalid', 'stage_twice', 'Two stages have the same key.', { field: 'stages' })
  if (!keys.includes('new'))
    throw new AppError('invalid', 'stage_new_missing', 'A stage with the key `new` must stay: new leads go there.', {
      field: 'stages',
    })
  return await ctx.db.transaction(async (tx) => {
    // Moves of leads wait here, so that none goes into a stage that is being removed.
    await lockStages(tx, ctx)
    const [used] = await tx
      .select({ stage: leads.stage })
      .from(leads)
      .where(and(eq(leads.businessId, ctx.businessId), notInArray(leads.stage, keys)))
      .limit(1)
    if (used)
      throw new AppError('conflict', 'stage_in_use', `Leads stand in the stage ${used.stage}; move them first.`, {
        field: 'stages',
      })
    await tx.delete(leadStages).where(eq(leadStages.businessId, ctx.businessId))
    await tx
      .insert(leadStages)
      .values(stages.map((stage, position) => ({ ...stage, position, businessId: ctx.businessId })))
    await audit(tx, ctx, { action: 'lead.stages', entity: 'business', entityId: ctx.businessId, data: { keys } })
    return await readStages(tx, ctx)
  })
}

/** Keeps the set of stages as it is until the transaction ends. */
export async function lockStages(tx: Executor, ctx: BusinessContext): Promise<void> {
  await lock(tx, `stages:${ctx.businessId}`)
}

/** @throws AppError `unknown_stage` */
export async function requireStage(tx: Executor, ctx: BusinessContext, key: string): Promise<void> {
  const own = await readStages(tx, ctx)
  const known = own.length > 0 ? own : DEFAULT_STAGES.en
  if (!known.some((stage) => stage.key === key))
    throw new AppError('invalid', 'unknown_stage', `There is no stage ${key}.`, { field: 'stage' })
}
