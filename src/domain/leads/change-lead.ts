import { and, asc, eq, gt, ne, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { leadHistory, leads, memberships } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { nameText, requiredText } from '../../lib/text.ts'
import { lockContact, phoneOf, resolveContact } from '../contacts/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { lock } from '../locks.ts'
import { earlierChanges, withPresentNames } from './earlier-names.ts'
import { getLead, LEAD_SOURCES, noLead } from './queries.ts'
import { lockStages, requireStage, stageKey } from './stages.ts'

export const leadChanges = z.object({
  name: nameText(200).nullish(),
  inquiry: requiredText(4_000).nullish(),
  ...earlierChanges,
  callbackTime: requiredText(200).nullish(),
  valueAgorot: z.int().nonnegative().nullish(),
  ownerId: z.string().min(1).max(64).nullish(),
})
export type LeadChanges = z.infer<typeof leadChanges>

export const newLead = leadChanges.extend({
  id: z.uuid().optional(),
  contactId: z.uuid().optional(),
  phone: z.string().max(64).optional(),
  stage: stageKey.default('new'),
  source: z.enum(LEAD_SOURCES).default('manual'),
})

type NewLead = ReturnType<typeof withPresentNames<z.output<typeof newLead>>>

/** @throws AppError `contact_not_found`, `invalid_number`, `unknown_stage`, `not_a_member` */
export async function createLead(ctx: BusinessContext, input: z.input<typeof newLead>) {
  const fields = withPresentNames(newLead.parse(input))
  const id = fields.id ?? newId()
  await ctx.db.transaction((tx) => insertLead(tx, ctx, id, fields))
  return await getLead(ctx, id)
}

/** @returns false when there was one with this id already */
export async function insertLead(tx: Executor, ctx: BusinessContext, id: string, fields: NewLead): Promise<boolean> {
  // Requests with the same id wait for each other, so that the later one finds the lead.
  if (fields.id) await lock(tx, `lead:${id}`)
  const [earlier] = await tx.select({ businessId: leads.businessId }).from(leads).where(eq(leads.id, id))
  if (earlier && earlier.businessId !== ctx.businessId)
    throw new AppError('conflict', 'id_taken', 'This id is taken; choose another.', { field: 'id' })
  if (earlier) return false
  await lockStages(tx, ctx)
  await requireStage(tx, ctx, fields.stage)
  if (fields.ownerId) await requireMember(tx, ctx, fields.ownerId)
  const phone = phoneOf(fields.phone)
  let contactId = fields.contactId ?? null
  if (contactId) await lockContact(tx, ctx, contactId)
  else if (phone) contactId = await resolveContact(tx, ctx, { phone, name: fields.name ?? null })
  await tx.insert(leads).values({
    id,
    businessId: ctx.businessId,
    contactId,
    stage: fields.stage,
    source: fields.source,
    name: fields.name ?? null,
    inquiry: fields.inquiry ?? null,
    callbackTime: fields.callbackTime ?? null,
    valueAgorot: fields.valueAgorot ?? null,
    ownerId: fields.ownerId ?? null,
  })
  await audit(tx, ctx, { action: 'lead.create', entity: 'lead', entityId: id, data: { stage: fields.stage } })
  return true
}

/** Fields that are not given stay. @throws AppError `lead_not_found`, `not_a_member` */
export async function updateLead(ctx: BusinessContext, id: string, input: LeadChanges) {
  const changes = withPresentNames(leadChanges.parse(input))
  await ctx.db.transaction(async (tx) => {
    const lead = await lockLead(tx, ctx, id)
    if (changes.ownerId) await requireMember(tx, ctx, changes.ownerId)
    const fields = (Object.keys(changes) as (keyof typeof changes)[]).filter(
      (field) => changes[field] !== undefined && changes[field] !== lead[field],
    )
    if (fields.length === 0) return
    await tx
      .update(leads)
      .set(Object.fromEntries(fields.map((field) => [field, changes[field]])))
      .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
    for (const field of fields) await writeHistory(tx, ctx, id, field, lead[field], changes[field])
    await audit(tx, ctx, { action: 'lead.update', entity: 'lead', entityId: id, data: { fields } })
  })
  return await getLead(ctx, id)
}

/**
 * Moves a lead below `to.afterId` (null: to the top; absent: to the end). @throws AppError `lead_not_found`, `unknown_stage`
 */
export async function moveLead(ctx: BusinessContext, id: string, to: { stage: string; afterId?: string | null }) {
  await ctx.db.transaction(async (tx) => {
    await lockStages(tx, ctx)
    await requireStage(tx, ctx, to.stage)
    const lead = await lockLead(tx, ctx, id)
    const position = await placeAfter(tx, ctx, id, to)
    await tx
      .update(leads)
      .set({ stage: to.stage, position })
      .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
    if (lead.stage === to.stage) {
      await audit(tx, ctx, { action: 'lead.reorder', entity: 'lead', entityId: id, data: { stage: to.stage } })
      return
    }
    await writeHistory(tx, ctx, id, 'stage', lead.stage, to.stage)
    await audit(tx, ctx, {
      action: 'lead.move',
      entity: 'lead',
      entityId: id,
      data: { from: lead.stage, to: to.stage },
    })
  })
  return await getLead(ctx, id)
}

/** The middle between the two neighbours of the new place; a stage that has become too tight is spread out first. */
async function placeAfter(
  tx: Executor,
  ctx: BusinessContext,
  id: string,
  to: { stage: string; afterId?: string | null },
): Promise<number> {
  const column = and(eq(leads.businessId, ctx.businessId), eq(leads.stage, to.stage), ne(leads.id, id))
  const edge = async (order: 'first' | 'last') => {
    const [row] = await tx
      .select({ position: leads.position })
      .from(leads)
      .where(column)
      .orderBy(order === 'first' ? asc(leads.position) : sql`${leads.position} desc`)
      .limit(1)
    return row?.position
  }
  if (to.afterId === undefined) return ((await edge('last')) ?? 0) + 1
  if (to.afterId === null) return ((await edge('first')) ?? 0) - 1
  for (let spread = false; ; spread = true) {
    const [above] = await tx
      .select({ position: leads.position })
      .from(leads)
      .where(and(column, eq(leads.id, to.afterId)))
    if (!above)
      throw new AppError('invalid', 'unknown_neighbour', 'The lead above does not stand in this stage.', {
        field: 'afterId',
      })
    const [below] = await tx
      .select({ position: leads.position })
      .from(leads)
      .where(and(column, gt(leads.position, above.position)))
      .orderBy(asc(leads.position))
      .limit(1)
    if (!below) return above.position + 1
    const middle = (above.position + below.position) / 2
    if (middle > above.position && middle < below.position) return middle
    if (spread) throw new Error('The stage could not be spread out.')
    await tx.execute(sql`
      update leads set position = ordered.place from (
        select id, row_number() over (order by position, id) as place from leads
        where business_id = ${ctx.businessId} and stage = ${to.stage}
      ) ordered where leads.id = ordered.id`)
  }
}

/** @throws AppError `lead_not_found` */
export async function removeLead(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await lockLead(tx, ctx, id)
    await tx.delete(leads).where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
    await audit(tx, ctx, { action: 'lead.remove', entity: 'lead', entityId: id })
  })
}

async function lockLead(tx: Executor, ctx: BusinessContext, id: string) {
  const [row] = await tx
    .select()
    .from(leads)
    .where(and(eq(leads.id, id), eq(leads.businessId, ctx.businessId)))
    .for('update')
  if (!row) throw noLead()
  return row
}

async function requireMember(tx: Executor, ctx: BusinessContext, userId: string) {
  const [member] = await tx
    .select({ id: memberships.id })
    .from(memberships)
    .where(and(eq(memberships.businessId, ctx.businessId), eq(memberships.userId, userId)))
  if (!member)
    throw new AppError('invalid', 'not_a_member', 'This person is no member of the business.', { field: 'ownerId' })
}

async function writeHistory(
  tx: Executor,
  ctx: BusinessContext,
  leadId: string,
  field: string,
  before: unknown,
  after: unknown,
) {
  const textOf = (value: unknown) => (value === null || value === undefined ? null : String(value))
  await tx.insert(leadHistory).values({
    businessId: ctx.businessId,
    leadId,
    actorKind: ctx.actor.kind,
    actorId: ctx.actor.id,
    field,
    before: textOf(before),
    after: textOf(after),
  })
}
