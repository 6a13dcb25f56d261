import { and, eq, isNull } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'
import { AGENT_FINISHED } from './end-reasons.ts'

export type AfterStream =
  /** The agent finished: hang up. */
  | { next: 'hangup' }
  /** Failed, unknown, crashed or never connected: the caller leaves a message. */
  | { next: 'voicemail'; businessId: string | null }
  /** The call is not one that the asker may ask about. */
  | { next: 'refuse' }

/**
 * What the caller hears after the stream, by our record alone: any server may be asked, any number of times. `onlyFor`:
 * businesses of the asker, else all; `knownReason` spares the query.
 */
export async function decideAfterStream(
  ctx: DomainContext,
  call: { callSid: string; knownReason: string | null; onlyFor?: readonly string[] },
): Promise<AfterStream> {
  if (call.knownReason && AGENT_FINISHED.has(call.knownReason)) return { next: 'hangup' }
  const [row] = await ctx.db
    .select({ id: calls.id, businessId: calls.businessId, endReason: calls.endReason })
    .from(calls)
    .where(eq(calls.callSid, call.callSid))
  if (row && call.onlyFor && !call.onlyFor.includes(row.businessId)) return { next: 'refuse' }
  if (row?.endReason && AGENT_FINISHED.has(row.endReason)) return { next: 'hangup' }
  if (row) {
    await ctx.db
      .update(calls)
      .set({ fallback: 'voicemail' })
      .where(and(eq(calls.id, row.id), eq(calls.businessId, row.businessId), isNull(calls.fallback)))
  }
  return { next: 'voicemail', businessId: row?.businessId ?? null }
}
