import { and, eq, sql } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import type { JobPayload } from '../../jobs/registry.ts'
import { audit, type DomainContext, emit, within } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'
import type { CallEndReason } from './end-reasons.ts'
import { enqueueFallbackSummary } from './fallback-summary.ts'

const TERMINAL = new Set(['completed', 'busy', 'failed', 'no-answer', 'canceled'])

/**
 * Takes a call status in any order; a terminal one stays. An ended call ends here too, its reason inferred if no agent gave
 * one. @returns false without such a call @throws AppError `person_erased`
 */
export async function recordCallStatus(ctx: DomainContext, update: JobPayload<'call.status'>): Promise<boolean> {
  const over = TERMINAL.has(update.status)
  return await ctx.db.transaction(async (tx) => {
    // Held: of two that come at once, the one that was slower must see what the other wrote.
    const [row] = await tx.select().from(calls).where(eq(calls.callSid, update.callSid)).for('update')
    if (!row) {
      await refuseErasedCall(tx, update.callSid)
      return false
    }
    if (update.onlyFor && !update.onlyFor.includes(row.businessId)) {
      ctx.log.warn({ callSid: update.callSid }, 'call status rejected: the call belongs to another business')
      return true
    }
    if (row.carrierStatus && TERMINAL.has(row.carrierStatus)) return true
    await tx
      .update(calls)
      .set({
        carrierStatus: update.status,
        carrierSeconds: update.durationSeconds ?? row.carrierSeconds,
        ...(over
          ? {
              state: 'ended' as const,
              endReason: sql`coalesce(${calls.endReason}, ${concludeReason(row)})`,
              endedAt: sql`coalesce(${calls.endedAt}, ${new Date(update.at).toISOString()}::timestamptz)`,
            }
          : {}),
      })
      .where(and(eq(calls.id, row.id), eq(calls.businessId, row.businessId)))
    await emit(
      tx,
      { ...ctx, businessId: row.businessId },
      { action: 'call.status', entity: 'call', entityId: row.id, data: { status: update.status } },
    )
    // A call without a stream has no server that would tell its end.
    if (over && row.endReason === null && !row.streamSid)
      await audit(tx, within(ctx, row.businessId), {
        action: 'call.end',
        entity: 'call',
        entityId: row.id,
        data: { reason: concludeReason(row) },
      })
    // Its server may be gone, and no other process summarizes it; a live server does so itself.
    if (over && row.endReason === null && row.streamSid) await enqueueFallbackSummary(ctx, row)
    return true
  })
}

function concludeReason(call: typeof calls.$inferSelect): CallEndReason {
  if (call.answeredBy === 'voicemail') return 'voicemail'
  if (call.streamError) return 'stream_failed'
  return call.streamSid ? 'server_lost' : 'abandoned'
}
