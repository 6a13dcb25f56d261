import { and, eq, inArray, isNull, or, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calls } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { type CallEndReason, CONCLUDED } from './end-reasons.ts'
import { upsertCall } from './register-call.ts'

/** Writes why the agent's part ended. The first reason stands, but the call's own server corrects what was concluded. */
export async function finishCall(
  ctx: BusinessContext,
  end: {
    callSid: string
    from: string
    to: string
    reason: CallEndReason
    detail?: string | null
    durationMs: number
    metrics: Record<string, number | null>
    at: Date
    test?: boolean
  },
): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const call = await upsertCall(tx, ctx, end)
    const ended = await tx
      .update(calls)
      .set({
        state: 'ended',
        endReason: end.reason,
        endDetail: end.detail ?? null,
        durationMs: Math.round(end.durationMs),
        metrics: end.metrics,
        endedAt: end.at,
      })
      .where(
        and(
          eq(calls.id, call.id),
          eq(calls.businessId, ctx.businessId),
          or(isNull(calls.endReason), inArray(calls.endReason, CONCLUDED)),
        ),
      )
      .returning({ id: calls.id })
    const action = call.isTest ? 'test_call.end' : 'call.end'
    if (ended.length > 0)
      await audit(tx, ctx, { action, entity: 'call', entityId: call.id, data: { reason: end.reason } })
  })
}

/** Ends a call that left a message, also where its number has no status callback. */
export async function endCallWithMessage(tx: Executor, ctx: BusinessContext, callId: string, at: Date): Promise<void> {
  await tx
    .update(calls)
    .set({
      state: 'ended',
      endReason: sql`coalesce(${calls.endReason}, 'voicemail')`,
      endedAt: sql`coalesce(${calls.endedAt}, ${at.toISOString()}::timestamptz)`,
    })
    .where(and(eq(calls.id, callId), eq(calls.businessId, ctx.businessId), eq(calls.state, 'ringing')))
}
