import { and, eq, isNull } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import type { JobPayload } from '../../jobs/registry.ts'
import type { DomainContext } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'

/**
 * Takes a stream event; `stream-error` is the only sign of a failed handshake (Twilio, TwiML <Stream> statusCallback).
 * @returns false when the call has no row yet: try again @throws AppError `person_erased`
 */
export async function recordStreamEvent(ctx: DomainContext, update: JobPayload<'call.stream_event'>): Promise<boolean> {
  const [row] = await ctx.db
    .select({ id: calls.id, businessId: calls.businessId })
    .from(calls)
    .where(eq(calls.callSid, update.callSid))
  if (!row) {
    await refuseErasedCall(ctx.db, update.callSid)
    return false
  }
  if (update.onlyFor && !update.onlyFor.includes(row.businessId)) {
    ctx.log.warn({ callSid: update.callSid }, 'stream event rejected: the call belongs to another business')
    return true
  }
  if (update.event === 'stream-error')
    await ctx.db
      .update(calls)
      .set({ streamError: update.error ?? 'stream-error' })
      .where(and(eq(calls.id, row.id), eq(calls.businessId, row.businessId)))
  if (update.event === 'stream-started')
    await ctx.db
      .update(calls)
      .set({ streamStartedAt: new Date(update.at) })
      .where(and(eq(calls.id, row.id), eq(calls.businessId, row.businessId), isNull(calls.streamStartedAt)))
  return true
}
