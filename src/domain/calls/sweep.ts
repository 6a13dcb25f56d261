import { and, lt, ne, sql } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'

/** No call lives this long: the carrier itself ends one after 4 hours. */
const LONGEST_CALL_MS = 4.5 * 60 * 60_000

/** Ends the calls whose end nobody told: their server died and the carrier's status never came. */
export async function endAbandonedCalls(ctx: DomainContext): Promise<number> {
  const ended = await ctx.db
    .update(calls)
    .set({
      state: 'ended',
      endReason: sql`coalesce(${calls.endReason}, case when ${calls.streamSid} is null then 'abandoned' else 'server_lost' end)`,
      endedAt: new Date(),
    })
    .where(and(ne(calls.state, 'ended'), lt(calls.startedAt, new Date(Date.now() - LONGEST_CALL_MS))))
    .returning({ id: calls.id })
  return ended.length
}
