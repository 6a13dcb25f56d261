import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'

const MEASURED = [
  'greetingMs',
  'responseMedianMs',
  'responseP95Ms',
  'clearP95Ms',
  'relayInP95Us',
  'relayOutP95Us',
] as const

const value = z.coerce.number().nullable()
const row = z.object({ calls: z.coerce.number(), cost: value, barge_ins: value, engine_failures: value })

/** Figures of a business's calls over the last days: each measure's p50 and p95 over its calls. */
export async function callStats(ctx: BusinessContext, days: number) {
  const since = sql`${calls.businessId} = ${ctx.businessId} and ${calls.startedAt} > now() - make_interval(days => ${days}) and ${calls.metrics} is not null
    and not ${calls.isTest}`
  const [totals] = await ctx.db.execute(sql`
    select count(*) as calls, sum((${calls.metrics} ->> 'costMicroUsd')::numeric) as cost,
      sum((${calls.metrics} ->> 'bargeIns')::numeric) as barge_ins,
      sum((${calls.metrics} ->> 'engineFailures')::numeric) as engine_failures
    from ${calls} where ${since}`)
  const sums = row.parse(totals)
  const measures: Record<string, { p50: number | null; p95: number | null }> = {}
  for (const name of MEASURED) {
    const [found] = await ctx.db.execute(sql`
      select percentile_cont(0.5) within group (order by v) as p50, percentile_cont(0.95) within group (order by v) as p95
      from (select (${calls.metrics} ->> ${name})::numeric as v from ${calls} where ${since}) as values
      where v is not null`)
    measures[name] = z.object({ p50: value, p95: value }).parse(found)
  }
  return {
    days,
    calls: sums.calls,
    costMicroUsd: sums.cost,
    bargeIns: sums.barge_ins ?? 0,
    engineFailures: sums.engine_failures ?? 0,
    measures,
  }
}
