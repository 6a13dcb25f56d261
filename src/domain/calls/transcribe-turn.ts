import { and, eq } from 'drizzle-orm'
import { businesses, callTurns } from '../../../db/schema/index.ts'
import { cleanDeep } from '../../lib/text.ts'
import type { Transcriber } from '../../providers/speech/port.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext } from '../context.ts'

/**
 * Transcribes what the caller said in a turn. Without a transcriber the turn stays `untranscribed`, its audio kept: it can
 * be transcribed once there is one.
 * @returns the text, or null when nothing was done
 */
export async function transcribeTurn(
  ctx: BusinessContext,
  turnId: string,
  transcriber: Transcriber | null,
  storage: ObjectStorage,
): Promise<string | null> {
  const [row] = await ctx.db
    .select({ turn: callTurns, language: businesses.language })
    .from(callTurns)
    .innerJoin(businesses, eq(businesses.id, callTurns.businessId))
    .where(and(eq(callTurns.id, turnId), eq(callTurns.businessId, ctx.businessId)))
  if (!transcriber || !row?.turn.audioKey || row.turn.transcript !== 'untranscribed') return null
  const object = await storage.get(row.turn.audioKey)
  if (!object) return null
  const heard = await transcriber.transcribe({
    wav: new Uint8Array(await object.body.arrayBuffer()),
    language: row.language,
  })
  const { text, confidence } = cleanDeep(heard)
  await ctx.db
    .update(callTurns)
    .set({ text, transcript: confidence === 'high' ? 'transcribed' : 'low_confidence' })
    .where(and(eq(callTurns.id, turnId), eq(callTurns.businessId, ctx.businessId)))
  return text
}
