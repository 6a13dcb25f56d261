import { and, eq, isNull } from 'drizzle-orm'
import { calls } from '../../../db/schema/index.ts'
import { audit, type DomainContext, within } from '../context.ts'
import { refuseErasedCall } from '../erasures/index.ts'

/**
 * Notes that a call got no agent after a bad token, unless a stream has it, it is over, or `onlyFor` lacks its business,
 * which the row names. @returns null when there is no such call yet @throws AppError `person_erased`
 */
export async function rejectStream(
  ctx: DomainContext,
  refused: { callSid: string; detail: string; onlyFor?: readonly string[] | undefined; at: Date },
): Promise<'refused' | 'left_alone' | null> {
  const [row] = await ctx.db
    .select({ id: calls.id, businessId: calls.businessId })
    .from(calls)
    .where(eq(calls.callSid, refused.callSid))
  if (!row) {
    await refuseErasedCall(ctx.db, refused.callSid)
    return null
  }
  if (refused.onlyFor && !refused.onlyFor.includes(row.businessId)) return 'left_alone'
  const business = within(ctx, row.businessId)
  return await ctx.db.transaction(async (tx) => {
    const ended = await tx
      .update(calls)
      .set({ state: 'ended', endReason: 'bad_token', endDetail: refused.detail, endedAt: refused.at })
      .where(
        and(
          eq(calls.id, row.id),
          eq(calls.businessId, row.businessId),
          isNull(calls.streamSid),
          isNull(calls.endReason),
        ),
      )
      .returning({ id: calls.id })
    if (ended.length === 0) return 'left_alone'
    await audit(tx, business, {
      action: 'call.end',
      entity: 'call',
      entityId: row.id,
      data: { reason: 'bad_token' },
    })
    return 'refused'
  })
}
