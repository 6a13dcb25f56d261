import { and, asc, eq, gt, isNotNull, isNull, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { calls, callTurns } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { jobId, retryRound } from '../job-ids.ts'
import { callAudioKey, callPeaksKey } from '../storage-keys.ts'

/** The loudness of both sides over time: one value of 0 to 100 for each step. */
const callPeaks = z.object({
  durationMs: z.number(),
  stepMs: z.number(),
  caller: z.array(z.number()),
  agent: z.array(z.number()),
})
export type CallPeaks = z.output<typeof callPeaks>

export const callAudioView = callPeaks.extend({
  /** `rendering`: a worker makes it; `none`: no audio of this call is stored. */
  state: z.enum(['ready', 'rendering', 'none']),
})

const NO_PEAKS: CallPeaks = { durationMs: 0, stepMs: 0, caller: [], agent: [] }

/** Makes a file of a call's turns: caller on the left, agent on the right. */
export type RenderAudio = (
  turns: { role: 'agent' | 'caller'; startMs: number; endMs: number; wav: Uint8Array }[],
) => { wav: Uint8Array; peaks: CallPeaks } | null

const theCall = (ctx: BusinessContext, key: string) =>
  and(
    z.uuid().safeParse(key).success ? eq(calls.id, key) : eq(calls.callSid, key),
    eq(calls.businessId, ctx.businessId),
  )

const noCall = () => new AppError('not_found', 'call_not_found', 'There is no such call.')

const turnsWithAudio = (ctx: BusinessContext, callId: string) =>
  and(eq(callTurns.callId, callId), eq(callTurns.businessId, ctx.businessId), isNotNull(callTurns.audioKey))

/**
 * The state and peaks of a call's audio, by our id or the call SID; missing audio is requested. @throws AppError
 * `call_not_found`
 */
export async function getCallAudio(
  ctx: BusinessContext,
  key: string,
  storage: Pick<ObjectStorage, 'get'>,
): Promise<z.output<typeof callAudioView>> {
  const [call] = await ctx.db
    .select({ id: calls.id, callSid: calls.callSid, state: calls.state, audioKey: calls.audioKey })
    .from(calls)
    .where(theCall(ctx, key))
  if (!call) throw noCall()
  if (call.audioKey) {
    const stored = await storage.get(callPeaksKey(ctx.businessId, call.callSid))
    if (stored) return { state: 'ready', ...callPeaks.parse(await stored.body.json()) }
  }
  const [turn] = await ctx.db.select({ id: callTurns.id }).from(callTurns).where(turnsWithAudio(ctx, call.id)).limit(1)
  if (!turn) return { state: 'none', ...NO_PEAKS }
  if (call.state === 'ended') await enqueueCallAudio(ctx, call.callSid)
  return { state: 'rendering', ...NO_PEAKS }
}

/** Where the audio of a whole call is stored. @throws AppError `call_not_found`, `audio_not_found` */
export async function getCallAudioKey(ctx: BusinessContext, key: string): Promise<string> {
  const [call] = await ctx.db.select({ audioKey: calls.audioKey }).from(calls).where(theCall(ctx, key))
  if (!call) throw noCall()
  if (!call.audioKey) throw new AppError('not_found', 'audio_not_found', 'There is no audio of this call, or none yet.')
  return call.audioKey
}

export async function enqueueCallAudio(ctx: BusinessContext, callSid: string): Promise<void> {
  await ctx.enqueue('call.render_audio', { callSid, businessId: ctx.businessId }, { jobId: jobId('audio', callSid) })
}

/** Stores the audio of a call and its peaks. Run again, both are made anew. @returns whether there is audio */
export async function renderCallAudio(
  ctx: BusinessContext,
  callSid: string,
  storage: ObjectStorage,
  render: RenderAudio,
): Promise<boolean> {
  const [call] = await ctx.db
    .select({ id: calls.id })
    .from(calls)
    .where(and(eq(calls.callSid, callSid), eq(calls.businessId, ctx.businessId), eq(calls.state, 'ended')))
  if (!call) return false
  const turns = await readTurns(ctx, call.id, storage)
  const rendered = render(turns)
  if (!rendered) return false
  const audioKey = callAudioKey(ctx.businessId, callSid)
  const peaksKey = callPeaksKey(ctx.businessId, callSid)
  await storage.put(audioKey, rendered.wav, 'audio/wav')
  await storage.put(peaksKey, new TextEncoder().encode(JSON.stringify(rendered.peaks)), 'application/json')
  if (await attachAudio(ctx, call.id, audioKey)) return true
  await storage.delete(audioKey)
  await storage.delete(peaksKey)
  return false
}

async function readTurns(ctx: BusinessContext, callId: string, storage: Pick<ObjectStorage, 'get'>) {
  const rows = await ctx.db
    .select({
      role: callTurns.role,
      startMs: callTurns.startMs,
      endMs: callTurns.endMs,
      audioKey: callTurns.audioKey,
    })
    .from(callTurns)
    .where(turnsWithAudio(ctx, callId))
    .orderBy(asc(callTurns.startMs))
  const turns: Parameters<RenderAudio>[0] = []
  for (const { audioKey, ...turn } of rows) {
    const object = audioKey ? await storage.get(audioKey) : null
    if (object) turns.push({ ...turn, wav: new Uint8Array(await object.body.arrayBuffer()) })
  }
  return turns
}

/** @returns false when the call, or the audio of its turns, was deleted meanwhile */
async function attachAudio(ctx: BusinessContext, callId: string, audioKey: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    // Locked, as an erasure locks it: it finds this file, or this finds no call.
    const mine = and(eq(calls.id, callId), eq(calls.businessId, ctx.businessId))
    const [call] = await tx.select({ id: calls.id }).from(calls).where(mine).for('update')
    const [turn] = await tx.select({ id: callTurns.id }).from(callTurns).where(turnsWithAudio(ctx, callId)).limit(1)
    if (!call || !turn) return false
    await tx.update(calls).set({ audioKey }).where(mine)
    await audit(tx, ctx, { action: 'call.audio', entity: 'call', entityId: callId })
    return true
  })
}

const LOST_AFTER_MS = 5 * 60_000
const DAY_MS = 86_400_000
const SWEEP_BATCH = 200

/** Queues again the audio of calls of the last day that ended and have none. @returns how many */
export async function requeueCallAudio(ctx: DomainContext, lostAfterMs = LOST_AFTER_MS): Promise<number> {
  const rows = await ctx.db
    .select({ callSid: calls.callSid, businessId: calls.businessId, endedAt: calls.endedAt })
    .from(calls)
    .where(
      and(
        eq(calls.state, 'ended'),
        isNotNull(calls.streamSid),
        isNull(calls.audioKey),
        gt(calls.endedAt, new Date(Date.now() - DAY_MS)),
        lt(calls.endedAt, new Date(Date.now() - lostAfterMs)),
        sql`exists (select from ${callTurns} where ${callTurns.callId} = ${calls.id} and ${callTurns.audioKey} is not null)`,
      ),
    )
    .limit(SWEEP_BATCH)
  for (const { callSid, businessId, endedAt } of rows)
    await ctx.enqueue(
      'call.render_audio',
      { callSid, businessId },
      { jobId: jobId('audio', callSid, retryRound(endedAt)) },
    )
  return rows.length
}
