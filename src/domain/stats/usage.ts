import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { businesses, calls, messages, whatsappAccounts } from '../../../db/schema/index.ts'
import { firstIdAt } from '../../lib/ids.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { lastMonths } from './period.ts'

const count = z.coerce.number()
const amounts = { calls: count, callSeconds: count, messagesIn: count, messagesOut: count, costMicroUsd: count }

export const monthUsage = z.object({ month: z.string().regex(/^\d{4}-\d\d$/), ...amounts })
export const businessUsage = z.object({
  businessId: z.uuid(),
  ...amounts,
  accounts: count,
  accountsWorking: count,
})

type Span = { from: Date; to: Date }

/** What a business used in each of the last months, this one first. The cost is the speech engine's, as it reported its use. */
export async function usageByMonth(ctx: BusinessContext, months: number, now = new Date()) {
  const { timezone } = await getBusiness(ctx)
  const spans = lastMonths(timezone, months, now).reverse()
  const rows = await ctx.db.execute(sql`
    select span.month, ${AMOUNTS}
    from (values ${sql.join(
      spans.map(({ month, from, to }) => sql`(${month}::text, ${ctx.businessId}::uuid, ${bounds({ from, to })})`),
      sql`, `,
    )}) as span (month, business_id, since, until, first_id, last_id)
    ${COUNTED}
    order by span.month desc`)
  return z.array(monthUsage).parse([...rows])
}

/** What each business of the installation used since the month began, in UTC. */
export async function usageOfBusinesses(ctx: DomainContext, now = new Date()) {
  const [span] = lastMonths('UTC', 1, now)
  if (!span) return []
  const rows = await ctx.db.execute(sql`
    select span.business_id as "businessId", ${AMOUNTS},
      linked.accounts, linked.working as "accountsWorking"
    from (select id, ${bounds(span)} from ${businesses}) as span (business_id, since, until, first_id, last_id)
    ${COUNTED}
    cross join lateral (
      select count(*) as accounts, count(*) filter (where ${whatsappAccounts.state} = 'working') as working
      from ${whatsappAccounts} where ${whatsappAccounts.businessId} = span.business_id
    ) as linked`)
  return z.array(businessUsage).parse([...rows])
}

function bounds({ from, to }: Span) {
  return sql`${from.toISOString()}::timestamptz, ${to.toISOString()}::timestamptz, ${firstIdAt(from)}::uuid, ${firstIdAt(to)}::uuid`
}

const AMOUNTS = sql`voice.calls, voice.seconds as "callSeconds", voice.cost as "costMicroUsd",
  received.count as "messagesIn", written.count - received.count as "messagesOut"`

/** Messages are counted by their ids, which begin with the time, so that the counts read an index alone. */
const COUNTED = sql`
  cross join lateral (
    select count(*) as calls, round(coalesce(sum(${calls.durationMs}), 0) / 1000.0) as seconds,
      round(coalesce(sum((${calls.metrics} ->> 'costMicroUsd')::numeric), 0)) as cost
    from ${calls}
    where ${calls.businessId} = span.business_id and ${calls.startedAt} >= span.since and ${calls.startedAt} < span.until
  ) as voice
  cross join lateral (
    select count(*) from ${messages} where ${messages.businessId} = span.business_id
      and ${messages.status} = 'received' and ${messages.id} >= span.first_id and ${messages.id} < span.last_id
  ) as received
  cross join lateral (
    select count(*) from ${messages} where ${messages.businessId} = span.business_id
      and ${messages.id} >= span.first_id and ${messages.id} < span.last_id
  ) as written`
