import { and, eq, gt, sql } from 'drizzle-orm'
import { callSummaries, calls, heartbeats } from '../../../db/schema/index.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { CONCLUDED } from './end-reasons.ts'

/** What a call left may still be on its way through the queue. */
const DELAY_MS = 30_000

const CONCLUDED_REASONS: ReadonlySet<string> = new Set(CONCLUDED)

/** Queues the summary of a call whose server may be gone; when the job runs, `needsFallbackSummary` decides. */
export async function enqueueFallbackSummary(
  ctx: DomainContext,
  call: { callSid: string; businessId: string },
): Promise<void> {
  await ctx.enqueue(
    'call.summarize',
    { callSid: call.callSid, businessId: call.businessId, fallback: true },
    { jobId: jobId('summarize', `lost-${call.callSid}`), delayMs: DELAY_MS },
  )
}

/**
 * Whether a call has no summary and no living server to report its end, which queues one. The sweep queues lost summaries.
 */
export async function needsFallbackSummary(ctx: BusinessContext, callSid: string): Promise<boolean> {
  const [row] = await ctx.db
    .select({ endReason: calls.endReason, isTest: calls.isTest, summary: callSummaries.callId, server: heartbeats.id })
    .from(calls)
    .leftJoin(callSummaries, eq(callSummaries.callId, calls.id))
    .leftJoin(
      heartbeats,
      and(eq(heartbeats.id, calls.serverId), gt(heartbeats.seenAt, sql`now() - interval '30 seconds'`)),
    )
    .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId)))
  if (!row || row.isTest || row.summary !== null || row.server !== null) return false
  return row.endReason === null || CONCLUDED_REASONS.has(row.endReason)
}
