import { and, eq } from 'drizzle-orm'
import { calls, callTurns } from '../../../db/schema/index.ts'
import type { CallTurn } from '../../jobs/registry.ts'
import { isErased } from '../../lib/errors.ts'
import { type BusinessContext, emit } from '../context.ts'
import { deleteLeftovers, refuseErasedCall } from '../erasures/index.ts'
import { enqueueCallAudio } from './call-audio.ts'

/**
 * Writes one turn of a call. The same turn written again (a correction, a retried job) replaces itself.
 * @throws AppError `person_erased` for a call that was erased; its audio is deleted
 * @returns the turn's id and whether its audio waits for a transcriber, or null when there is no such call yet
 */
export async function saveTurn(
  ctx: BusinessContext,
  turn: CallTurn,
): Promise<{ id: string; untranscribed: boolean } | null> {
  const [call] = await ctx.db
    .select({ id: calls.id, isTest: calls.isTest, audioKey: calls.audioKey })
    .from(calls)
    .where(and(eq(calls.callSid, turn.callSid), eq(calls.businessId, ctx.businessId)))
  if (!call) return await refuseTurn(ctx, turn)
  const untranscribed = turn.role === 'caller' && turn.text === null && !!turn.audioKey
  const values = {
    role: turn.role,
    text: turn.text,
    transcript:
      turn.role === 'agent' ? ('none' as const) : untranscribed ? ('untranscribed' as const) : ('transcribed' as const),
    question: turn.question ?? null,
    startMs: Math.round(turn.startMs),
    endMs: Math.round(turn.endMs),
    heardMs: turn.heardMs == null ? null : Math.round(turn.heardMs),
    interrupted: turn.interrupted,
    audioKey: turn.audioKey ?? null,
  }
  const row = await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .insert(callTurns)
      .values({ businessId: ctx.businessId, callId: call.id, index: turn.index, ...values })
      .onConflictDoUpdate({ target: [callTurns.callId, callTurns.index], set: values })
      .returning({ id: callTurns.id })
    if (row)
      await emit(tx, ctx, {
        action: call.isTest ? 'test_call.turn' : 'call.turn',
        entity: 'call',
        entityId: call.id,
        data: { turnId: row.id, index: turn.index, role: turn.role },
      })
    return row
  })
  if (!row) throw new Error('The turn upsert answered no row.')
  // It comes after the audio of the whole call was made, and belongs into it.
  if (call.audioKey && values.audioKey) await enqueueCallAudio(ctx, turn.callSid)
  return { id: row.id, untranscribed }
}

/** The call is not registered yet, or it was erased. */
async function refuseTurn(ctx: BusinessContext, turn: CallTurn): Promise<null> {
  try {
    await refuseErasedCall(ctx.db, turn.callSid)
    return null
  } catch (error) {
    if (isErased(error) && turn.audioKey) await deleteLeftovers(ctx, [{ kind: 'file', ref: turn.audioKey }])
    throw error
  }
}
