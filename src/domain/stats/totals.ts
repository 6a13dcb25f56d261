import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { leads, MESSAGE_STATUSES, messages } from '../../../db/schema/index.ts'
import { firstIdAt } from '../../lib/ids.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { listStages } from '../leads/index.ts'
import { lastDays } from './period.ts'

const count = z.coerce.number()

export const leadTotalsView = z.object({
  since: z.date(),
  total: count,
  stages: z.array(
    z.object({
      key: z.string(),
      name: z.string(),
      kind: z.enum(['open', 'won', 'lost']),
      leads: count,
      valueAgorot: count,
    }),
  ),
})

export const messageTotalsView = z.object({
  since: z.date(),
  total: count,
  statuses: z.array(z.object({ status: z.enum(MESSAGE_STATUSES), messages: count })),
})

const leadRow = z.object({ stage: z.string(), leads: count, value: count })

/** The leads that were made in the last days, by the stage that they stand in now. */
export async function leadTotals(ctx: BusinessContext, days: number, now = new Date()) {
  const { timezone, language } = await getBusiness(ctx)
  const { since } = lastDays(timezone, days, now)
  const stages = await listStages(ctx, language)
  // By the id, which begins with the time: there is no index of leads by their age.
  const rows = await ctx.db.execute(sql`
    select ${leads.stage} as stage, count(*) as leads, coalesce(sum(${leads.valueAgorot}), 0) as value
    from ${leads} where ${leads.businessId} = ${ctx.businessId} and ${leads.id} >= ${firstIdAt(since)}::uuid
    group by ${leads.stage}`)
  const found = z.array(leadRow).parse([...rows])
  return {
    since,
    total: found.reduce((sum, row) => sum + row.leads, 0),
    stages: stages.map((stage) => {
      const row = found.find((each) => each.stage === stage.key)
      return { ...stage, leads: row?.leads ?? 0, valueAgorot: row?.value ?? 0 }
    }),
  }
}

/** The messages of the last days by their delivery state; `received` are those that came in. */
export async function messageTotals(ctx: BusinessContext, days: number, now = new Date()) {
  const { timezone } = await getBusiness(ctx)
  const { since } = lastDays(timezone, days, now)
  const rows = await ctx.db.execute(sql`
    select state.status, counted.messages
    from unnest(array[${sql.join(
      MESSAGE_STATUSES.map((status) => sql`${status}`),
      sql`, `,
    )}]::text[]) with ordinality as state (status, place)
    cross join lateral (
      select count(*) as messages from ${messages}
      where ${messages.businessId} = ${ctx.businessId} and ${messages.status} = state.status
        and ${messages.id} >= ${firstIdAt(since)}::uuid
    ) as counted
    order by state.place`)
  const statuses = messageTotalsView.shape.statuses.parse([...rows])
  return { since, total: statuses.reduce((sum, row) => sum + row.messages, 0), statuses }
}
