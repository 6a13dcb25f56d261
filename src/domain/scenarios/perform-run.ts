import { and, asc, eq, sql } from 'drizzle-orm'
import { type ScenarioResult, scenarioRuns, scenarios } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { NO_CUSTOMER, openTestChat, type Respond } from '../agent/index.ts'
import { getBusiness } from '../businesses/index.ts'
import { type BusinessContext, emit } from '../context.ts'
import { fingerprintScenarios, getDraft, putSettingsForTrial, type ReceptionistContent } from '../receptionist/index.ts'
import { faultsOf, playChat } from './chat-channel.ts'
import type { Judge } from './judge.ts'
import { observeCustomer } from './observe.ts'
import { type Channel, playScenario } from './play.ts'
import { knownOf, type Prepared, prepareContact } from './prepare.ts'
import type { Scenario, ScenarioEngine } from './schema.ts'
import { readOwnScenario } from './store.ts'

const MOST_ATTEMPTS = 3

export type RunDeps = {
  respond: Respond
  /** Whether a model answers for a business. */
  hasModel(businessId: string): Promise<boolean>
  judge: Judge
}

/** Plays the scenarios of a business in its test chat. One that ended is left; one that was broken off begins anew. */
export async function performScenarioRun(ctx: BusinessContext, runId: string, deps: RunDeps): Promise<void> {
  const run = await beginRun(ctx, runId)
  if (!run) return
  const broken = await whyBroken(ctx, run)
  if (broken) return await endRun(ctx, runId, { state: 'broken', reason: broken, results: [] })
  const { content } = await getDraft(ctx)
  const rows = await ctx.db
    .select({ name: scenarios.name, source: scenarios.source })
    .from(scenarios)
    .where(eq(scenarios.businessId, ctx.businessId))
    .orderBy(asc(scenarios.name))
  const isModel = await deps.hasModel(ctx.businessId)
  const results: ScenarioResult[] = []
  for (const row of rows) {
    const channel = createOwnChannel(ctx, {
      ...{ respond: deps.respond, engine: isModel ? 'model' : 'rules' },
      ...{ content: run.draftRevision === null ? null : content },
    })
    results.push(await playOwn(ctx, row, channel, isModel ? deps.judge : null))
    await ctx.db
      .update(scenarioRuns)
      .set({ results, updatedAt: new Date() })
      .where(and(eq(scenarioRuns.id, runId), eq(scenarioRuns.businessId, ctx.businessId)))
  }
  const has = (outcome: ScenarioResult['outcome']) => results.some((each) => each.outcome === outcome)
  const failed = has('failed')
  // What was changed meanwhile was not played.
  const changed = await whyBroken(ctx, { ...run, attempts: 0 })
  const reason = changed ?? (failed || has('passed') ? null : 'every scenario was left out')
  await endRun(
    ctx,
    runId,
    reason ? { state: 'broken', reason, results } : { state: failed ? 'failed' : 'passed', reason: null, results },
  )
}

/** One that a later version reads no more has failed. */
async function playOwn(
  ctx: BusinessContext,
  { name, source }: { name: string; source: string },
  channel: OwnChannel,
  judge: Judge | null,
): Promise<ScenarioResult> {
  try {
    const { prepare, observe } = channel
    const options = { judge, phone: () => NO_CUSTOMER, prepare, observe }
    const { channel: _, run: __, ...result } = await playScenario(ctx, readOwnScenario(source), channel, 1, options)
    return result
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return {
      ...{ scenario: name, outcome: 'failed', reason: null, failures: [error.message], verdicts: [] },
      ...{ transcript: [], turns: 0, ms: 0, costUsd: 0 },
    }
  }
}

type Run = Pick<typeof scenarioRuns.$inferSelect, 'draftRevision' | 'fingerprint' | 'attempts'>

async function beginRun(ctx: BusinessContext, runId: string): Promise<Run | null> {
  const [run] = await ctx.db
    .update(scenarioRuns)
    .set({ state: 'running', results: [], attempts: sql`${scenarioRuns.attempts} + 1`, updatedAt: new Date() })
    .where(
      and(
        eq(scenarioRuns.id, runId),
        eq(scenarioRuns.businessId, ctx.businessId),
        sql`${scenarioRuns.state} in ('queued', 'running')`,
      ),
    )
    .returning({
      draftRevision: scenarioRuns.draftRevision,
      fingerprint: scenarioRuns.fingerprint,
      attempts: scenarioRuns.attempts,
    })
  return run ?? null
}

async function whyBroken(ctx: BusinessContext, { draftRevision, fingerprint, attempts }: Run): Promise<string | null> {
  if (attempts > MOST_ATTEMPTS) return 'it was begun too often'
  if ((await fingerprintScenarios(ctx.db, ctx)) !== fingerprint) return 'the scenarios were changed'
  if (draftRevision === null) return null
  const { revision, exists } = await getDraft(ctx)
  return exists && revision === draftRevision ? null : 'the draft was changed'
}

type Ended = { state: 'passed' | 'failed' | 'broken'; reason: string | null; results: ScenarioResult[] }

/** Ends a run that cannot be played. */
export async function giveUpScenarioRun(ctx: BusinessContext, runId: string): Promise<void> {
  await endRun(ctx, runId, { state: 'broken', reason: 'it failed', results: [] })
}

async function endRun(ctx: BusinessContext, runId: string, { state, reason, results }: Ended): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    await tx
      .update(scenarioRuns)
      .set({ state, reason, results, endedAt: new Date(), updatedAt: new Date() })
      .where(and(eq(scenarioRuns.id, runId), eq(scenarioRuns.businessId, ctx.businessId)))
    await emit(tx, ctx, { action: 'scenario.ended', entity: 'scenario_run', entityId: runId, data: { state } })
  })
}

type OwnChannel = Channel & Required<Pick<Parameters<typeof playScenario>[4], 'prepare' | 'observe'>>

/** The test chat of a business, with all that a scenario gives written in its dry run. */
function createOwnChannel(
  ctx: BusinessContext,
  { respond, engine, content }: { respond: Respond; engine: ScenarioEngine; content: ReceptionistContent | null },
): OwnChannel {
  let chat: Awaited<ReturnType<typeof openTestChat>> | null = null
  let played: Awaited<ReturnType<typeof playChat>> | null = null
  return {
    ...{ name: 'chat', intake: false, engine },
    refuses: ({ script }) =>
      script.some(({ silence, hangup, interrupt }) => silence ?? hangup ?? interrupt) ? 'a call only' : null,
    async prepare(scenario: Scenario, phone: string): Promise<Prepared> {
      const business = await getBusiness(ctx)
      const now = scenario.given.clock ? new Date(scenario.given.clock) : new Date()
      const prepared = { ctx, timezone: business.timezone, phone, now }
      chat = await openTestChat(ctx, {
        ...{ respond, phone, dryRun: true, beforeTool: faultsOf(scenario.given.faults), texts: content?.texts ?? null },
        async prepare(inner) {
          if (content) await putSettingsForTrial(inner, content.settings)
          await prepareContact({ ...prepared, ctx: inner }, scenario.given.contact)
        },
      })
      const known = await chat.look(async (inner) => knownOf(inner, business.name, content?.texts), now)
      return { ...prepared, known }
    },
    async play(prepared, scenario) {
      if (!chat) throw new Error('The chat of the scenario was not opened.')
      played = await playChat(chat, prepared.now, scenario)
      return played.replies
    },
    async observe({ phone, timezone, now }) {
      if (!chat || !played) throw new Error('The scenario was not played.')
      const seen = await chat.look((inner) => observeCustomer(inner, phone, timezone), now)
      return { ...seen, ...played.observed }
    },
  }
}
