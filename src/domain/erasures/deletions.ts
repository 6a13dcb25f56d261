import { and, eq, inArray, lt, type SQL, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { calls, callTurns, messageMedia, pendingDeletions, recordings } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import { newId } from '../../lib/ids.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { callAudioKey, callPeaksKey, mediaKey, recordingKey } from '../storage-keys.ts'

export type Ref = { kind: 'file' | 'carrier_recording'; ref: string }

export async function deletePending(
  ctx: BusinessContext,
  deletionId: string,
  means: { storage: ObjectStorage; deleteCarrierRecording: ((sid: string) => Promise<void>) | null },
): Promise<void> {
  const mine = and(eq(pendingDeletions.id, deletionId), eq(pendingDeletions.businessId, ctx.businessId))
  const [row] = await ctx.db
    .update(pendingDeletions)
    .set({ attempts: sql`${pendingDeletions.attempts} + 1` })
    .where(mine)
    .returning()
  if (!row) return
  if (row.kind === 'file') await means.storage.delete(row.ref)
  // Without a carrier the deletion cannot be asked for; the row stays until there is one.
  else if (means.deleteCarrierRecording) await means.deleteCarrierRecording(row.ref)
  else return
  await ctx.db.delete(pendingDeletions).where(mine)
}

/** Queues again what should long have been deleted. @returns how many */
export async function requeueDeletions(ctx: DomainContext, idleMs = 10 * 60_000): Promise<number> {
  const rows = await ctx.db
    .select()
    .from(pendingDeletions)
    .where(lt(pendingDeletions.updatedAt, new Date(Date.now() - idleMs)))
    .limit(200)
  for (const row of rows)
    await ctx.enqueue(
      'privacy.delete',
      { businessId: row.businessId, deletionId: row.id },
      { jobId: jobId('erase', row.id, row.attempts) },
    )
  return rows.length
}

/** Notes what locked calls and messages have outside the database; pass the result to `queueDeletions` after the commit. */
export async function noteFiles(
  tx: Executor,
  ctx: BusinessContext,
  callIds: string[],
  messageIds: string[],
): Promise<string[]> {
  const refs = await recordsOfCalls(tx, ctx, callIds)
  refs.push(
    ...(await filesOfRecordings(tx, ctx, inArray(recordings.callId, callIds))),
    ...(await filesOfTurns(tx, ctx, inArray(callTurns.callId, callIds))),
  )
  for (let at = 0; at < messageIds.length; at += 5_000) {
    const rows = await tx
      .select({ id: messageMedia.id, state: messageMedia.state, key: messageMedia.storageKey })
      .from(messageMedia)
      .where(
        and(
          eq(messageMedia.businessId, ctx.businessId),
          inArray(messageMedia.messageId, messageIds.slice(at, at + 5_000)),
        ),
      )
      .for('update')
    refs.push(...fileOf(rows, (row) => mediaKey(ctx.businessId, row.id)))
  }
  return await noteDeletions(tx, ctx, refs)
}

/** The files of rows. One that is pending may have its file already, by a process that died before it could say so. */
function fileOf<Row extends { state: string; key: string | null }>(rows: Row[], keyOf: (row: Row) => string): Ref[] {
  return rows.flatMap((row) => {
    const ref = row.key ?? (row.state === 'pending' ? keyOf(row) : null)
    return ref ? [{ kind: 'file' as const, ref }] : []
  })
}

export async function filesOfRecordings(tx: Executor, ctx: BusinessContext, which: SQL): Promise<Ref[]> {
  const rows = await tx
    .select({
      state: recordings.state,
      key: recordings.storageKey,
      sid: recordings.recordingSid,
      gone: recordings.deletedRemotelyAt,
    })
    .from(recordings)
    .where(and(eq(recordings.businessId, ctx.businessId), which))
    .for('update')
  return [
    ...fileOf(rows, (row) => recordingKey(ctx.businessId, row.sid)),
    ...rows.flatMap((row): Ref[] => (row.gone ? [] : [{ kind: 'carrier_recording', ref: row.sid }])),
  ]
}

export async function filesOfTurns(tx: Executor, ctx: BusinessContext, which: SQL): Promise<Ref[]> {
  const rows = await tx
    .select({ key: callTurns.audioKey })
    .from(callTurns)
    .where(and(eq(callTurns.businessId, ctx.businessId), which))
    .for('update')
  return rows.flatMap((row): Ref[] => (row.key ? [{ kind: 'file', ref: row.key }] : []))
}

/** Locks the calls: a record that is being stored is attached before this, and found, or never; a turn likewise. */
async function recordsOfCalls(tx: Executor, ctx: BusinessContext, callIds: string[]): Promise<Ref[]> {
  if (callIds.length === 0) return []
  const rows = await tx
    .select({ key: calls.recordKey, audio: calls.audioKey, callSid: calls.callSid })
    .from(calls)
    .where(and(eq(calls.businessId, ctx.businessId), inArray(calls.id, callIds)))
    .for('update')
  return rows.flatMap(({ key, audio, callSid }): Ref[] => [
    ...(key ? [{ kind: 'file' as const, ref: key }] : []),
    ...(audio ? filesOfCallAudio(ctx, callSid) : []),
  ])
}

/** The audio of a whole call, and its peaks. */
export function filesOfCallAudio(ctx: BusinessContext, callSid: string): Ref[] {
  return [callAudioKey(ctx.businessId, callSid), callPeaksKey(ctx.businessId, callSid)].map((ref) => ({
    kind: 'file',
    ref,
  }))
}

/** @returns what is to be handed to `queueDeletions` after the commit */
export async function noteDeletions(tx: Executor, ctx: BusinessContext, refs: Ref[]): Promise<string[]> {
  const ids: string[] = []
  for (let at = 0; at < refs.length; at += 1_000) {
    const rows = await tx
      .insert(pendingDeletions)
      .values(refs.slice(at, at + 1_000).map((ref) => ({ id: newId(), businessId: ctx.businessId, ...ref })))
      .onConflictDoNothing()
      .returning({ id: pendingDeletions.id })
    ids.push(...rows.map((row) => row.id))
  }
  return ids
}

/** Has a file deleted at a later moment, unless `keepFiles` takes that back. */
export async function deleteFileAfter(ctx: BusinessContext, ref: string, at: Date): Promise<void> {
  await ctx.db
    .insert(pendingDeletions)
    .values({ id: newId(), businessId: ctx.businessId, kind: 'file', ref, updatedAt: at })
}

/** Takes back deletions, within the transaction that makes the files needed. @returns whether all of them were still to come */
export async function keepFiles(tx: Executor, ctx: BusinessContext, refs: string[]): Promise<boolean> {
  const kept = await tx
    .delete(pendingDeletions)
    .where(
      and(
        eq(pendingDeletions.businessId, ctx.businessId),
        eq(pendingDeletions.kind, 'file'),
        inArray(pendingDeletions.ref, refs),
        // One that was tried is deleted, or about to be.
        eq(pendingDeletions.attempts, 0),
      ),
    )
    .returning({ id: pendingDeletions.id })
  return kept.length === new Set(refs).size
}

export async function queueDeletions(ctx: BusinessContext, ids: string[]): Promise<void> {
  try {
    for (const deletionId of ids)
      await ctx.enqueue(
        'privacy.delete',
        { businessId: ctx.businessId, deletionId },
        { jobId: jobId('erase', deletionId) },
      )
  } catch (error) {
    // They are written down: the sweep queues them.
    ctx.log.warn({ error: errorMessage(error) }, 'deletions could not be queued; the sweep will')
  }
}

/** Has the files of a job that is not to be done deleted, since no other row names them. */
export async function deleteLeftovers(ctx: BusinessContext, refs: Ref[]): Promise<void> {
  if (refs.length > 0) await queueDeletions(ctx, await ctx.db.transaction((tx) => noteDeletions(tx, ctx, refs)))
}
