import { and, eq, isNull } from 'drizzle-orm'
import { z } from 'zod'
import { calls } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import { audit, type BusinessContext } from '../context.ts'

/** Whether there is such a call, whether it is over, and where its trace is stored; null for no such call. */
export async function findCallTrace(
  ctx: BusinessContext,
  callSid: string,
): Promise<{ ended: boolean; recordKey: string | null } | null> {
  const [row] = await ctx.db
    .select({ state: calls.state, recordKey: calls.recordKey })
    .from(calls)
    .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId)))
  return row ? { ended: row.state === 'ended', recordKey: row.recordKey } : null
}

/** Notes, once, that a call's trace is stored; false when the call is gone and the stored trace has no owner. */
export async function attachCallTrace(
  ctx: BusinessContext,
  trace: { callSid: string; key: string; lines: number },
): Promise<boolean> {
  const theCall = and(eq(calls.callSid, trace.callSid), eq(calls.businessId, ctx.businessId))
  return await ctx.db.transaction(async (tx) => {
    const [noted] = await tx
      .update(calls)
      .set({ recordKey: trace.key })
      .where(and(theCall, isNull(calls.recordKey)))
      .returning({ id: calls.id, isTest: calls.isTest })
    if (noted) {
      await audit(tx, ctx, {
        action: noted.isTest ? 'test_call.record' : 'call.record',
        entity: 'call',
        entityId: noted.id,
        data: { lines: trace.lines },
      })
      return true
    }
    // Locked, as an erasure locks it: the trace is either seen by that, or not attached.
    const [known] = await tx.select({ id: calls.id }).from(calls).where(theCall).for('update')
    return known !== undefined
  })
}

/** Where a call's trace is stored, by our id or the call SID. @throws AppError `call_not_found`, `trace_not_found` */
export async function getCallTraceKey(ctx: BusinessContext, key: string): Promise<string> {
  const [row] = await ctx.db
    .select({ recordKey: calls.recordKey })
    .from(calls)
    .where(
      and(
        z.uuid().safeParse(key).success ? eq(calls.id, key) : eq(calls.callSid, key),
        eq(calls.businessId, ctx.businessId),
      ),
    )
  if (!row) throw new AppError('not_found', 'call_not_found', 'There is no such call.')
  if (!row.recordKey) throw new AppError('not_found', 'trace_not_found', 'No trace of this call is stored yet.')
  return row.recordKey
}
