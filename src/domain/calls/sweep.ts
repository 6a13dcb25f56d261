import { and, eq, lt, ne, notExists, sql } from 'drizzle-orm'
import { calls, heartbeats } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'

/** No call lives this long: the carrier itself ends one after 4 hours. */
const LONGEST_CALL_MS = 4.5 * 60 * 60_000
/** What a lost call left may still be on its way through the queue. */
const SUMMARY_DELAY_MS = 30_000

/**
 * Ends the calls whose end nobody told: those of a server whose heartbeat stopped, and those older than any call can be.
 * @returns how many
 */
export async function endAbandonedCalls(ctx: DomainContext): Promise<number> {
  const orphaned = await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .update(calls)
      .set({ state: 'ended', endReason: 'server_lost', endedAt: new Date() })
      .where(
        and(
          eq(calls.state, 'live'),
          notExists(
            ctx.db
              .select({ id: heartbeats.id })
              .from(heartbeats)
              .where(and(eq(heartbeats.id, calls.serverId), sql`${heartbeats.seenAt} > now() - interval '30 seconds'`)),
          ),
        ),
      )
      .returning({ callSid: calls.callSid, businessId: calls.businessId })
    // Within the transaction: without its job a call stays as it is, for the next sweep.
    for (const call of rows)
      await ctx.enqueue('call.summarize', call, { jobId: `summarize-lost-${call.callSid}`, delayMs: SUMMARY_DELAY_MS })
    return rows
  })
  const overdue = await ctx.db
    .update(calls)
    .set({
      state: 'ended',
      endReason: sql`case when ${calls.streamSid} is null then 'abandoned' else 'server_lost' end`,
      endedAt: new Date(),
    })
    .where(and(ne(calls.state, 'ended'), lt(calls.startedAt, new Date(Date.now() - LONGEST_CALL_MS))))
    .returning({ id: calls.id })
  return orphaned.length + overdue.length
}
