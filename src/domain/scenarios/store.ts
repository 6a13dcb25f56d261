import { and, desc, eq, gt, inArray, lt, notInArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { SCENARIO_RUN_STATES, scenarioRuns, scenarios } from '../../../db/schema/index.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import { typedText } from '../../lib/text.ts'
import { setBusiness } from '../businesses/index.ts'
import { audit, type BusinessContext, type DomainContext, within } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { lock } from '../locks.ts'
import { type PageInput, pageInput, pageQuery, toPage } from '../paging.ts'
import { fingerprintScenarios, getDraft } from '../receptionist/index.ts'
import { readScenarios } from './read-scenarios.ts'
import type { Scenario } from './schema.ts'

const MOST_SCENARIOS = 50
const KEPT_RUNS = 30
const MAX_SOURCE = 50_000

export const scenarioSource = z.object({ source: typedText().trim().min(1).max(MAX_SOURCE) })

export const scenarioView = z.object({
  id: z.uuid(),
  name: z.string(),
  about: z.string().nullable(),
  source: z.string(),
  createdAt: z.date(),
  updatedAt: z.date(),
})

const outcome = z.enum(['passed', 'failed', 'skipped'])
const result = z.object({
  scenario: z.string(),
  outcome,
  reason: z.string().nullable(),
  failures: z.array(z.string()),
  verdicts: z.array(
    z.object({
      criterion: z.string(),
      step: z.number().nullable(),
      verdict: z.enum(['passed', 'failed', 'not_judged']),
      reason: z.string(),
    }),
  ),
  transcript: z.array(
    z.object({
      who: z.enum(['customer', 'agent', 'person']),
      text: z.string(),
      tools: z.array(z.string()).optional(),
    }),
  ),
  turns: z.number(),
  ms: z.number(),
  costUsd: z.number().nullable(),
})

export const scenarioRunView = z.object({
  id: z.uuid(),
  /** Of the draft that was played; null: the version in force. */
  draftRevision: z.number().nullable(),
  /** `broken`: it could not be played to its end; `reason` says why. */
  state: z.enum(SCENARIO_RUN_STATES),
  reason: z.string().nullable(),
  results: z.array(result),
  createdAt: z.date(),
  endedAt: z.date().nullable(),
})

/**
 * The scenario of a text for a business of its own: its texts, hours and services are those that are played.
 * @throws AppError `invalid_scenario`
 */
export function readOwnScenario(source: string): Scenario {
  const [scenario, second] = readScenarios(source, 'scenario')
  const refuse = (path: string, why: string) =>
    new AppError('invalid', 'invalid_scenario', `scenario: ${path}: ${why}`, { field: 'source' })
  if (!scenario || second) throw refuse('name', 'One scenario at a time.')
  const { given, channels } = scenario
  if (!channels.includes('chat')) throw refuse('channels', 'Scenarios of a business are played in the chat.')
  if (given.business) throw refuse('given.business', 'It is played with this business; leave it out.')
  if (given.knowledge.length > 0 || given.catalogue.length > 0)
    throw refuse('given', 'It is played with the texts of this business; leave knowledge and catalogue out.')
  if (given.contact.phone) throw refuse('given.contact.phone', 'It is played as no real customer; leave it out.')
  return scenario
}

/** Keeps a scenario under its name. @throws AppError `invalid_scenario`, `too_many_scenarios` */
export async function saveScenario(ctx: BusinessContext, input: z.input<typeof scenarioSource>): Promise<string> {
  const { source } = scenarioSource.parse(input)
  const { name } = readOwnScenario(source)
  return await ctx.db.transaction(async (tx) => {
    await lock(tx, `scenarios:${ctx.businessId}`)
    const present = await tx
      .select({ name: scenarios.name })
      .from(scenarios)
      .where(eq(scenarios.businessId, ctx.businessId))
    if (present.length >= MOST_SCENARIOS && !present.some((each) => each.name === name))
      throw new AppError('invalid', 'too_many_scenarios', `There can be ${MOST_SCENARIOS} scenarios. Remove some.`)
    const [row] = await tx
      .insert(scenarios)
      .values({ id: newId(), businessId: ctx.businessId, name, source })
      .onConflictDoUpdate({ target: [scenarios.businessId, scenarios.name], set: { source, updatedAt: new Date() } })
      .returning({ id: scenarios.id })
    if (!row) throw new Error('The scenario upsert answered no row.')
    await audit(tx, ctx, { action: 'scenario.save', entity: 'scenario', entityId: row.id, data: { name } })
    return row.id
  })
}

/** @throws AppError `scenario_not_found` */
export async function removeScenario(ctx: BusinessContext, id: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .delete(scenarios)
      .where(and(eq(scenarios.id, id), eq(scenarios.businessId, ctx.businessId)))
      .returning({ name: scenarios.name })
    if (!row) throw new AppError('not_found', 'scenario_not_found', 'There is no such scenario.')
    await audit(tx, ctx, { action: 'scenario.remove', entity: 'scenario', entityId: id, data: { name: row.name } })
  })
}

export async function listScenarios(ctx: BusinessContext): Promise<z.output<typeof scenarioView>[]> {
  const rows = await ctx.db
    .select()
    .from(scenarios)
    .where(eq(scenarios.businessId, ctx.businessId))
    .orderBy(scenarios.name)
    .limit(MOST_SCENARIOS)
  return rows.map(({ businessId: _, ...row }) => ({ ...row, about: aboutOf(row.source) }))
}

/** Null also where a later version reads it no more: it is listed, so that it can be corrected. */
function aboutOf(source: string): string | null {
  try {
    return readOwnScenario(source).about ?? null
  } catch (error) {
    if (error instanceof AppError) return null
    throw error
  }
}

/** Whether a new version waits until the scenarios have passed with it. */
export async function setScenariosRequired(ctx: BusinessContext, required: boolean): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await setBusiness(tx, ctx, { scenariosRequired: required })
    await audit(tx, ctx, {
      action: 'scenario.require',
      entity: 'business',
      entityId: ctx.businessId,
      data: { required },
    })
  })
}

const runColumns = {
  id: scenarioRuns.id,
  draftRevision: scenarioRuns.draftRevision,
  state: scenarioRuns.state,
  reason: scenarioRuns.reason,
  results: scenarioRuns.results,
  createdAt: scenarioRuns.createdAt,
  endedAt: scenarioRuns.endedAt,
}

/** The plays of the scenarios, newest first. */
export async function listScenarioRuns(ctx: BusinessContext, input: PageInput) {
  const page = pageInput.parse(input)
  const query = pageQuery(scenarioRuns.id, page, eq(scenarioRuns.businessId, ctx.businessId))
  const rows = await ctx.db
    .select(runColumns)
    .from(scenarioRuns)
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

/**
 * Has a worker play the scenarios, with the draft or the version in force. One that waits already is answered in its place.
 * @throws AppError `no_scenarios`, `no_draft`
 */
export async function runScenarios(ctx: BusinessContext, { draft }: { draft: boolean }): Promise<{ id: string }> {
  const { revision, exists } = await getDraft(ctx)
  if (draft && !exists) throw new AppError('not_found', 'no_draft', 'There is no draft. Change something first.')
  const draftRevision = draft ? revision : null
  const id = await ctx.db.transaction(async (tx) => {
    await lock(tx, `scenarios:${ctx.businessId}`)
    const fingerprint = await fingerprintScenarios(tx, ctx)
    if (fingerprint === null) throw new AppError('not_found', 'no_scenarios', 'There are no scenarios. Save one first.')
    const waiting = await tx
      .select({ id: scenarioRuns.id, of: scenarioRuns.fingerprint, draftRevision: scenarioRuns.draftRevision })
      .from(scenarioRuns)
      .where(and(eq(scenarioRuns.businessId, ctx.businessId), inArray(scenarioRuns.state, ['queued', 'running'])))
    const same = waiting.find((each) => each.of === fingerprint && each.draftRevision === draftRevision)
    if (same) return same.id
    const made = newId()
    const { kind, id: actorId } = ctx.actor
    const row = { id: made, businessId: ctx.businessId, draftRevision, fingerprint, actorKind: kind, actorId }
    await tx.insert(scenarioRuns).values(row)
    const kept = tx
      .select({ id: scenarioRuns.id })
      .from(scenarioRuns)
      .where(eq(scenarioRuns.businessId, ctx.businessId))
      .orderBy(desc(scenarioRuns.id))
      .limit(KEPT_RUNS)
    await tx
      .delete(scenarioRuns)
      .where(and(eq(scenarioRuns.businessId, ctx.businessId), notInArray(scenarioRuns.id, kept)))
    await audit(tx, ctx, { action: 'scenario.run', entity: 'scenario_run', entityId: made, data: { draftRevision } })
    return made
  })
  try {
    await ctx.enqueue('scenario.run', { businessId: ctx.businessId, runId: id }, { jobId: jobId('scenario', id) })
  } catch (error) {
    // The row is committed: the sweep finds it.
    ctx.log.warn({ runId: id, error: errorMessage(error) }, 'scenarios could not be queued; the sweep will')
  }
  return { id }
}

/** Queues plays again whose job was lost. */
export async function requeueScenarioRuns(ctx: DomainContext, idleMs = 600_000): Promise<number> {
  const rows = await ctx.db
    .select({ id: scenarioRuns.id, businessId: scenarioRuns.businessId, attempts: scenarioRuns.attempts })
    .from(scenarioRuns)
    .where(
      and(
        inArray(scenarioRuns.state, ['queued', 'running']),
        lt(scenarioRuns.updatedAt, new Date(Date.now() - idleMs)),
        gt(scenarioRuns.createdAt, sql`now() - interval '7 days'`),
      ),
    )
    .limit(100)
  for (const { id, businessId, attempts } of rows)
    await within(ctx, businessId).enqueue(
      'scenario.run',
      { businessId, runId: id },
      { jobId: jobId('scenario', id, attempts, Math.floor(Date.now() / idleMs)) },
    )
  return rows.length
}
