import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls } from '../../../db/schema/index.ts'
import { getBusiness } from '../businesses/index.ts'
import { CALL_OUTCOMES, outcomeSql } from '../calls/index.ts'
import type { BusinessContext } from '../context.ts'
import { lastDays } from './period.ts'

const count = z.int().min(0)
const outcomes = z.record(z.enum(CALL_OUTCOMES), count)
const measure = z.number().nullable()

export const callTotalsView = z.object({
  since: z.date(),
  total: count,
  outcomes,
  days: z.array(
    z.object({ day: z.iso.date(), from: z.date(), to: z.date(), outcomes, p50Ms: measure, p95Ms: measure }),
  ),
  hours: z.array(z.object({ hour: z.int().min(0).max(23), outcomes })),
  /** How long callers waited for an answer of the agent: over the calls, the median of their medians and the 95th percentile of their slow answers. */
  latency: z.object({ p50Ms: measure, p95Ms: measure }),
  seconds: count,
  costMicroUsd: count,
})
type CallTotals = z.infer<typeof callTotalsView>

const number = z.coerce.number()
const row = z.object({
  by: z.enum(['day', 'hour', 'all']),
  day: z.string().nullable(),
  hour: number.nullable(),
  outcome: z.enum(CALL_OUTCOMES).nullable(),
  calls: number,
  p50: number.nullable(),
  p95: number.nullable(),
  ms: number,
  cost: number,
})
type Row = z.infer<typeof row>

/** The calls of the last days, today included: counted by day, hour and outcome in one pass over an index range. */
export async function callTotals(ctx: BusinessContext, days: number, now = new Date()): Promise<CallTotals> {
  const { timezone } = await getBusiness(ctx)
  const { since, days: span } = lastDays(timezone, days, now)
  const found = await ctx.db.execute(sql`
    select case when grouping(day) = 0 then 'day' when grouping(hour) = 0 then 'hour' else 'all' end as by,
      day, hour, outcome, count(*) as calls,
      percentile_cont(0.5) within group (order by median) as p50,
      percentile_cont(0.95) within group (order by slow) as p95,
      coalesce(sum(duration), 0) as ms, coalesce(sum(cost), 0) as cost
    from (
      select to_char(${calls.startedAt} at time zone ${timezone}, 'YYYY-MM-DD') as day,
        extract(hour from ${calls.startedAt} at time zone ${timezone})::int as hour,
        ${outcomeSql} as outcome, ${calls.durationMs} as duration,
        (${calls.metrics} ->> 'responseMedianMs')::numeric as median,
        (${calls.metrics} ->> 'responseP95Ms')::numeric as slow,
        (${calls.metrics} ->> 'costMicroUsd')::numeric as cost
      from ${calls}
      where ${calls.businessId} = ${ctx.businessId} and ${calls.startedAt} >= ${since.toISOString()}::timestamptz
        and not ${calls.isTest}
    ) as counted
    group by grouping sets ((day), (day, outcome), (hour, outcome), (outcome), ())`)
  const rows = z.array(row).parse([...found])
  const all = rows.find(({ by, outcome }) => by === 'all' && outcome === null)
  return {
    since,
    total: all?.calls ?? 0,
    outcomes: outcomesOf(rows.filter(({ by }) => by === 'all')),
    days: span.map(({ day, from, to }) => {
      const ofDay = rows.filter((each) => each.by === 'day' && each.day === day)
      const whole = ofDay.find(({ outcome }) => outcome === null)
      return { day, from, to, outcomes: outcomesOf(ofDay), p50Ms: rounded(whole?.p50), p95Ms: rounded(whole?.p95) }
    }),
    hours: Array.from({ length: 24 }, (_, hour) => ({
      hour,
      outcomes: outcomesOf(rows.filter((each) => each.by === 'hour' && each.hour === hour)),
    })),
    latency: { p50Ms: rounded(all?.p50), p95Ms: rounded(all?.p95) },
    seconds: Math.round((all?.ms ?? 0) / 1_000),
    costMicroUsd: Math.round(all?.cost ?? 0),
  }
}

function outcomesOf(rows: Row[]): CallTotals['outcomes'] {
  const sum = (outcome: Row['outcome']) => rows.find((each) => each.outcome === outcome)?.calls ?? 0
  return {
    answered: sum('answered'),
    voicemail: sum('voicemail'),
    transferred: sum('transferred'),
    abandoned: sum('abandoned'),
    failed: sum('failed'),
    live: sum('live'),
  }
}

function rounded(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : Math.round(value)
}
