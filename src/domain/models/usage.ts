import { and, asc, desc, eq, gt, gte, lte, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Executor } from '../../../db/client.ts'
import { modelReservations, modelSubjectUses, modelTroubles, modelUses } from '../../../db/schema/index.ts'
import type { BusinessContext } from '../context.ts'
import { getModelSettings } from './settings.ts'

const count = z.number().int().nonnegative()
const amounts = {
  requests: count,
  /** Of them, those whose tokens were estimated. */
  estimatedRequests: count,
  inputTokens: count,
  /** Part of the input. */
  cachedTokens: count,
  outputTokens: count,
  /** Millionths of a dollar, without the tokens whose price is not known. */
  costMicros: count,
  /** Tokens whose price is not known; they are not free. */
  unpricedTokens: count,
}
const purpose = z.enum(modelUses.purpose.enumValues)

export const modelUseView = z.object({ day: z.iso.date(), model: z.string(), purpose, ...amounts })
export const modelMonthView = z.object({ month: z.string().regex(/^\d{4}-\d\d$/), ...amounts })
export const modelSubjectView = z.object({ model: z.string(), ...amounts })

export const modelBudgetView = z.object({
  month: z.string().regex(/^\d{4}-\d\d$/),
  costMicros: count,
  unpricedTokens: count,
  /** Of requests that are under way. */
  reservedMicros: count,
  reservedTokens: count,
  limitMicros: count,
  limitUnpricedTokens: count,
  /** Of the limit that is nearer. */
  percent: z.number().nonnegative(),
  state: z.enum(['ok', 'nearly_used_up', 'used_up']),
})

const WARN_PERCENT = 80

const sums = {
  requests: sql<number>`coalesce(sum(requests), 0)::float8`,
  estimatedRequests: sql<number>`coalesce(sum(estimated), 0)::float8`,
  inputTokens: sql<number>`coalesce(sum(input), 0)::float8`,
  cachedTokens: sql<number>`coalesce(sum(cached), 0)::float8`,
  outputTokens: sql<number>`coalesce(sum(output), 0)::float8`,
  costMicros: sql<number>`coalesce(sum(cost_micros), 0)::float8`,
  unpricedTokens: sql<number>`coalesce(sum(unpriced), 0)::float8`,
}

/** What was used and is reserved since the month began, in the business's time zone. */
export async function monthToDate(db: Executor, businessId: string) {
  const [row] = await db.execute<{
    month: string
    costMicros: number
    unpricedTokens: number
    reservedMicros: number
    reservedTokens: number
  }>(sql`
    with month as (
      select date_trunc('month', now() at time zone timezone)::date as first from businesses where id = ${businessId}::uuid
    )
    select to_char(month.first, 'YYYY-MM') as month,
      used.cost as "costMicros", used.unpriced as "unpricedTokens",
      reserved.cost as "reservedMicros", reserved.unpriced as "reservedTokens"
    from month
    cross join lateral (
      select coalesce(sum(cost_micros), 0)::float8 as cost, coalesce(sum(unpriced), 0)::float8 as unpriced
      from ${modelUses} where business_id = ${businessId}::uuid and day >= month.first
    ) used
    cross join lateral (
      select coalesce(sum(cost_micros), 0)::float8 as cost,
        coalesce(sum(input + output) filter (where cost_micros is null), 0)::float8 as unpriced
      from ${modelReservations} where business_id = ${businessId}::uuid
    ) reserved`)
  return row ?? { month: '1970-01', costMicros: 0, unpricedTokens: 0, reservedMicros: 0, reservedTokens: 0 }
}

/** How much of the month's budget is used. */
export async function modelBudget(ctx: BusinessContext): Promise<z.output<typeof modelBudgetView>> {
  const settings = await getModelSettings(ctx)
  const month = await monthToDate(ctx.db, ctx.businessId)
  const shareOf = (used: number, limit: number) => (limit > 0 ? (used / limit) * 100 : used > 0 ? 100 : 0)
  const share = Math.max(
    shareOf(month.costMicros, settings.monthlyMicros),
    shareOf(month.unpricedTokens, settings.monthlyUnpricedTokens),
  )
  const percent = Math.round(share * 10) / 10
  return {
    ...month,
    limitMicros: settings.monthlyMicros,
    limitUnpricedTokens: settings.monthlyUnpricedTokens,
    percent,
    state: percent >= 100 ? 'used_up' : percent >= WARN_PERCENT ? 'nearly_used_up' : 'ok',
  }
}

/** The uses of days, newest first, by day, model and purpose. */
export async function listModelUses(ctx: BusinessContext, { from, to }: { from: string; to: string }) {
  return await ctx.db
    .select({ day: modelUses.day, model: modelUses.model, purpose: modelUses.purpose, ...sums })
    .from(modelUses)
    .where(and(eq(modelUses.businessId, ctx.businessId), gte(modelUses.day, from), lte(modelUses.day, to)))
    .groupBy(modelUses.day, modelUses.model, modelUses.purpose)
    .orderBy(desc(modelUses.day), asc(modelUses.model), asc(modelUses.purpose))
}

/** The months with uses, the latest first. */
export async function modelUsesByMonth(ctx: BusinessContext, months: number) {
  const month = sql<string>`to_char(${modelUses.day}, 'YYYY-MM')`
  return await ctx.db
    .select({ month, ...sums })
    .from(modelUses)
    .where(eq(modelUses.businessId, ctx.businessId))
    .groupBy(sql`1`)
    .orderBy(sql`1 desc`)
    .limit(months)
}

/** What a conversation or a call cost, by model. */
export async function modelUsesOf(ctx: BusinessContext, subject: { conversationId: string } | { callId: string }) {
  const isIt =
    'callId' in subject
      ? eq(modelSubjectUses.callId, subject.callId)
      : eq(modelSubjectUses.conversationId, subject.conversationId)
  return await ctx.db
    .select({ model: modelSubjectUses.model, ...sums })
    .from(modelSubjectUses)
    .where(and(eq(modelSubjectUses.businessId, ctx.businessId), isIt))
    .groupBy(modelSubjectUses.model)
    .orderBy(asc(modelSubjectUses.model))
}

const TROUBLE_MS = 24 * 3_600_000

/** The models whose provider refused the key, or has no credit left, and that did not work since. */
export async function failingModels(ctx: BusinessContext, now: Date) {
  return await ctx.db
    .select({ model: modelTroubles.model, trouble: modelTroubles.trouble })
    .from(modelTroubles)
    .where(
      and(
        eq(modelTroubles.businessId, ctx.businessId),
        gt(modelTroubles.failedAt, new Date(now.getTime() - TROUBLE_MS)),
      ),
    )
    .orderBy(asc(modelTroubles.model))
}
