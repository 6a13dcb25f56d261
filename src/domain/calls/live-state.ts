import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { calls } from '../../../db/schema/index.ts'
import { type BusinessContext, emit } from '../context.ts'

export const liveState = z.object({
  engine: z.string().nullable(),
  phase: z.enum(['connecting', 'talking', 'transferring', 'ending']),
  /** Whether it takes instructions during a call; one that only follows its script does not. */
  followsInstructions: z.boolean(),
})
export type LiveState = z.infer<typeof liveState>

/** Writes how a live call stands, for the members who watch it. Without effect once it is over. */
export async function recordLiveState(ctx: BusinessContext, callSid: string, state: LiveState): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const [call] = await tx
      .update(calls)
      .set({ liveState: state })
      .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId), eq(calls.state, 'live')))
      .returning({ id: calls.id })
    if (call)
      await emit(tx, ctx, { action: 'call.state', entity: 'call', entityId: call.id, data: { phase: state.phase } })
  })
}
