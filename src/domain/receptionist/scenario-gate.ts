import { and, asc, desc, eq } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { businesses, scenarioRuns, scenarios } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { sha256Hex } from '../../lib/ids.ts'
import type { BusinessContext } from '../context.ts'

/** Names of failed scenarios in a message. */
const MOST_NAMES = 10

/** What the scenarios of a business are now; a run counts for those that it played. */
export async function fingerprintScenarios(db: Executor, ctx: BusinessContext): Promise<string | null> {
  const rows = await db
    .select({ name: scenarios.name, source: scenarios.source })
    .from(scenarios)
    .where(eq(scenarios.businessId, ctx.businessId))
    .orderBy(asc(scenarios.name))
  return rows.length > 0 ? sha256Hex(JSON.stringify(rows.map(({ name, source }) => [name, source]))) : null
}

/** Whether new versions of a business wait for its scenarios. */
export async function areScenariosRequired(db: Executor, ctx: BusinessContext): Promise<boolean> {
  const [row] = await db
    .select({ required: businesses.scenariosRequired })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  return (row?.required ?? false) && (await fingerprintScenarios(db, ctx)) !== null
}

/**
 * Where a business wants it: the draft's scenarios have passed, as both are now.
 * @throws AppError `scenarios_not_run`, `scenarios_running`, `scenarios_failed`
 */
export async function requireScenariosPassed(db: Executor, ctx: BusinessContext, revision: number): Promise<void> {
  if (!(await areScenariosRequired(db, ctx))) return
  const fingerprint = (await fingerprintScenarios(db, ctx)) ?? ''
  const [run] = await db
    .select({ state: scenarioRuns.state, results: scenarioRuns.results })
    .from(scenarioRuns)
    .where(
      and(
        eq(scenarioRuns.businessId, ctx.businessId),
        eq(scenarioRuns.draftRevision, revision),
        eq(scenarioRuns.fingerprint, fingerprint),
      ),
    )
    .orderBy(desc(scenarioRuns.id))
    .limit(1)
  if (run?.state === 'passed') return
  if (run?.state === 'queued' || run?.state === 'running')
    throw new AppError(
      'conflict',
      'scenarios_running',
      'The scenarios are being played. Publish when they have passed.',
    )
  if (run?.state === 'failed') {
    const names = run.results.filter(({ outcome }) => outcome === 'failed').map(({ scenario }) => scenario)
    const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : ''
    throw new AppError(
      'conflict',
      'scenarios_failed',
      `These scenarios failed with this draft: ${names.slice(0, MOST_NAMES).join(', ')}${more}. Change the draft, or have an owner publish it anyway.`,
    )
  }
  throw new AppError(
    'conflict',
    'scenarios_not_run',
    'The scenarios were not played with this draft. Play them, then publish.',
  )
}
