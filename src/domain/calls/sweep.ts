import { and, eq, gt, isNotNull, lt, ne, notExists, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { callSummaries, calls, callTurns, heartbeats } from '../../../db/schema/index.ts'
import { audit, type DomainContext, within } from '../context.ts'
import { jobId, retryRound } from '../job-ids.ts'
import { enqueueFallbackSummary } from './fallback-summary.ts'

/** No call lives this long: the carrier itself ends one after 4 hours. */
const LONGEST_CALL_MS = 4.5 * 60 * 60_000

/** Ends calls of servers whose heartbeat stopped and calls older than any can be. @returns how many */
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
      .returning(ENDED)
    await tellEnds(tx, ctx, rows)
    // Within the transaction: without its job a call stays as it is, for the next sweep.
    for (const call of rows) if (!call.isTest) await enqueueFallbackSummary(ctx, call)
    return rows
  })
  const overdue = await ctx.db.transaction(async (tx) => {
    const rows = await tx
      .update(calls)
      .set({
        state: 'ended',
        endReason: sql`case when ${calls.streamSid} is null then 'abandoned' else 'server_lost' end`,
        endedAt: new Date(),
      })
      .where(and(ne(calls.state, 'ended'), lt(calls.startedAt, new Date(Date.now() - LONGEST_CALL_MS))))
      .returning(ENDED)
    await tellEnds(tx, ctx, rows)
    return rows
  })
  return orphaned.length + overdue.length
}

const ENDED = {
  id: calls.id,
  callSid: calls.callSid,
  businessId: calls.businessId,
  reason: calls.endReason,
  isTest: calls.isTest,
}

/** Whoever listens waits for the end of a call that they saw begin. */
async function tellEnds(
  tx: Executor,
  ctx: DomainContext,
  rows: { id: string; businessId: string; reason: string | null; isTest: boolean }[],
): Promise<void> {
  for (const { id, businessId, reason, isTest } of rows) {
    const action = isTest ? 'test_call.end' : 'call.end'
    await audit(tx, within(ctx, businessId), { action, entity: 'call', entityId: id, data: { reason } })
  }
}

/** A summary's job may be away this long without being lost; and what is older than a day is left as it is. */
const SUMMARY_LOST_AFTER_MS = 5 * 60_000
const TRANSCRIPT_LOST_AFTER_MS = 10 * 60_000
const DAY_MS = 86_400_000
const SWEEP_BATCH = 200

/** Queues again the summaries of calls that ended and have none. @returns how many */
export async function requeueSummaries(ctx: DomainContext, lostAfterMs = SUMMARY_LOST_AFTER_MS): Promise<number> {
  const rows = await ctx.db
    .select({ callSid: calls.callSid, businessId: calls.businessId, endedAt: calls.endedAt })
    .from(calls)
    .where(
      and(
        eq(calls.state, 'ended'),
        eq(calls.isTest, false),
        isNotNull(calls.streamSid),
        gt(calls.endedAt, new Date(Date.now() - DAY_MS)),
        lt(calls.endedAt, new Date(Date.now() - lostAfterMs)),
        notExists(
          ctx.db.select({ id: callSummaries.callId }).from(callSummaries).where(eq(callSummaries.callId, calls.id)),
        ),
      ),
    )
    .limit(SWEEP_BATCH)
  for (const { callSid, businessId, endedAt } of rows)
    await ctx.enqueue(
      'call.summarize',
      { callSid, businessId },
      { jobId: jobId('summarize', callSid, retryRound(endedAt)) },
    )
  return rows.length
}

/** Queues lost transcripts again, only for businesses that have a transcriber (`canTranscribe`). @returns how many */
export async function requeueTranscripts(
  ctx: DomainContext,
  canTranscribe: (businessId: string) => boolean,
  lostAfterMs = TRANSCRIPT_LOST_AFTER_MS,
): Promise<number> {
  const rows = await ctx.db
    .select({ id: callTurns.id, businessId: callTurns.businessId, createdAt: callTurns.createdAt })
    .from(callTurns)
    .where(
      and(
        eq(callTurns.transcript, 'untranscribed'),
        isNotNull(callTurns.audioKey),
        gt(callTurns.createdAt, new Date(Date.now() - DAY_MS)),
        lt(callTurns.createdAt, new Date(Date.now() - lostAfterMs)),
      ),
    )
    .limit(SWEEP_BATCH)
  const theirs = rows.filter(({ businessId }) => canTranscribe(businessId))
  for (const { id, businessId, createdAt } of theirs)
    await ctx.enqueue(
      'call.transcribe',
      { businessId, turnId: id },
      { jobId: jobId('transcribe', id, retryRound(createdAt)) },
    )
  return theirs.length
}
