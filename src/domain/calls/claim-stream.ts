import { and, eq, isNull, or } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import { isErased } from '../../lib/errors.ts'
import { type BusinessContext, emit } from '../context.ts'
import { upsertCall } from './register-call.ts'

/** Binds a call to the one stream that showed its token; false when the token was used, or the call is over or erased. */
export async function claimStream(
  ctx: BusinessContext,
  stream: { callSid: string; streamSid: string; serverId: string; from: string; to: string; at: Date; test?: boolean },
): Promise<boolean> {
  const claim = ctx.db.transaction(async (tx) => {
    const call = await upsertCall(tx, ctx, stream)
    const claimed = await tx
      .update(calls)
      .set({
        streamSid: stream.streamSid,
        serverId: stream.serverId,
        streamStartedAt: stream.at,
        state: 'live',
      })
      .where(
        and(
          eq(calls.id, call.id),
          eq(calls.businessId, ctx.businessId),
          or(isNull(calls.streamSid), eq(calls.streamSid, stream.streamSid)),
          isNull(calls.endReason),
        ),
      )
      .returning({ id: calls.id })
    const action = call.isTest ? 'test_call.begin' : 'call.live'
    if (claimed.length > 0) await emit(tx, ctx, { action, entity: 'call', entityId: call.id })
    return claimed.length > 0
  })
  return await claim.catch((error: unknown) => {
    if (isErased(error)) return false
    throw error
  })
}
