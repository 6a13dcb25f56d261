import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls, leads, messages } from '../../../db/schema/index.ts'
import { lastClosing } from '../appointments/index.ts'
import { getBusiness } from '../businesses/index.ts'
import type { BusinessContext } from '../context.ts'
import { getProfile } from './content.ts'

export const overnightView = z.object({
  since: z.date(),
  /** Calls that ended since, those of the agent, and those in which a message was left. */
  calls: z.number(),
  answered: z.number(),
  voicemails: z.number(),
  leads: z.number(),
  messages: z.number(),
})

const counts = overnightView.omit({ since: true }).extend({})

/** A business without hours is looked at for this long. */
const DAY_MS = 86_400_000

/** What came in since the business last closed; the last day for one that keeps no hours. */
export async function readOvernight(ctx: BusinessContext, now = new Date()): Promise<z.output<typeof overnightView>> {
  const [{ timezone }, { settings }] = [await getBusiness(ctx), await getProfile(ctx)]
  const since = lastClosing(settings.hours, now, timezone) ?? new Date(now.getTime() - DAY_MS)
  const from = sql`${since.toISOString()}::timestamptz`
  const [row] = await ctx.db.execute(sql`
    select count(*)::int as calls,
      (count(*) filter (where ${calls.answeredBy} = 'agent' and ${calls.streamStartedAt} is not null))::int as answered,
      (count(*) filter (where exists (select from recordings where recordings.call_id = ${calls.id})))::int as voicemails,
      (select count(*)::int from ${leads} where ${leads.businessId} = ${ctx.businessId} and ${leads.createdAt} > ${from}) as leads,
      (select count(*)::int from ${messages} where ${messages.businessId} = ${ctx.businessId}
        and ${messages.direction} = 'in' and ${messages.occurredAt} > ${from}) as messages
    from ${calls} where ${calls.businessId} = ${ctx.businessId} and ${calls.startedAt} > ${from}
      and not ${calls.isTest}`)
  return { since, ...counts.parse(row) }
}
