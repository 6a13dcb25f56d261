import { and, eq } from 'drizzle-orm'
import { businesses, calls, callTurns } from '../../../db/schema/index.ts'
import { maskPersonalData } from '../../lib/personal-data.ts'
import { cleanDeep } from '../../lib/text.ts'
import type { Transcriber } from '../../providers/speech/port.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext } from '../context.ts'
import { readMaskedKinds } from '../privacy/index.ts'

/** Transcribes a caller's turn; null when nothing was done. Without a transcriber the audio is kept for later. */
export async function transcribeTurn(
  ctx: BusinessContext,
  turnId: string,
  transcriber: Transcriber | null,
  storage: ObjectStorage,
): Promise<string | null> {
  const [row] = await ctx.db
    .select({ turn: callTurns, language: businesses.language, from: calls.fromNumber, to: calls.toNumber })
    .from(callTurns)
    .innerJoin(calls, eq(calls.id, callTurns.callId))
    .innerJoin(businesses, eq(businesses.id, callTurns.businessId))
    .where(and(eq(callTurns.id, turnId), eq(callTurns.businessId, ctx.businessId)))
  if (!transcriber || !row?.turn.audioKey || row.turn.transcript !== 'untranscribed') return null
  const object = await storage.get(row.turn.audioKey)
  if (!object) return null
  const heard = await transcriber.transcribe({
    wav: new Uint8Array(await object.body.arrayBuffer()),
    language: row.language,
  })
  const { text: spoken, confidence } = cleanDeep(heard)
  const kinds = await readMaskedKinds(ctx.db, ctx)
  const text = maskPersonalData(spoken, { kinds, ownPhones: [row.from, row.to] })
  await ctx.db
    .update(callTurns)
    .set({ text, transcript: confidence === 'high' ? 'transcribed' : 'low_confidence' })
    .where(and(eq(callTurns.id, turnId), eq(callTurns.businessId, ctx.businessId)))
  return text
}
