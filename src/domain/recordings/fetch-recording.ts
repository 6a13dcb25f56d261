import { and, eq, isNull } from 'drizzle-orm'
import { businesses, type RecordingPeaks, recordings } from '../../../db/schema/index.ts'
import type { JobPayload } from '../../jobs/registry.ts'
import { AppError, errorMessage, isErased } from '../../lib/errors.ts'
import { sha256Hex } from '../../lib/ids.ts'
import { cleanDeep } from '../../lib/text.ts'
import type { Transcriber } from '../../providers/speech/port.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { endCallWithMessage, upsertCall } from '../calls/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { deleteLeftovers, personErased } from '../erasures/index.ts'
import { jobId } from '../job-ids.ts'
import { saveLead } from '../leads/index.ts'
import { recordingKey } from '../storage-keys.ts'

export type RecordingSource = {
  downloadRecording(recordingSid: string): Promise<{ data: Uint8Array; contentType: string }>
  deleteRecording(recordingSid: string): Promise<void>
}

/**
 * Fetches and stores a recording, once; only then is the carrier's copy deleted, if wanted. A failed transcript holds up
 * nothing. @throws AppError `recording_not_ready`: try again; `person_erased`: neither copy stays
 */
export async function fetchRecording(
  ctx: BusinessContext,
  job: JobPayload<'recording.fetch'>,
  source: RecordingSource,
  storage: ObjectStorage,
  measure: (wav: Uint8Array) => { durationMs: number; peaks: RecordingPeaks } | null,
  transcriber: Transcriber | null = null,
): Promise<void> {
  const at = new Date(job.at)
  const storageKey = recordingKey(ctx.businessId, job.recordingSid)
  const row = await insertRecording(ctx, job, at).catch(async (error: unknown) => {
    // The erasure knew nothing of this one yet, or an earlier try of this job stored it and died.
    if (isErased(error))
      await deleteLeftovers(ctx, [
        { kind: 'file', ref: storageKey },
        { kind: 'carrier_recording', ref: job.recordingSid },
      ])
    throw error
  })
  if (row.state === 'pending') {
    try {
      const { data, contentType } = await source.downloadRecording(job.recordingSid)
      await storage.put(storageKey, data, contentType)
      const measured = measure(data)
      const file = {
        storageKey,
        contentType,
        bytes: data.byteLength,
        sha256: sha256Hex(data),
        durationMs: measured?.durationMs ?? row.durationMs,
        peaks: measured?.peaks ?? null,
        // Whoever tells members of it waits for the words only where there will be some.
        transcript: transcriber ? null : '',
      }
      if (!(await markStored(ctx, row, file, at))) {
        // Erased, or past its retention, while it was fetched; the deletion of the carrier's copy is queued with that.
        await storage.delete(storageKey)
        throw personErased()
      }
      if (transcriber) await transcribe(ctx, row, { wav: data, contentType }, transcriber)
    } catch (error) {
      if (isErased(error) || !(error instanceof AppError && error.kind === 'gone')) throw error
      await ctx.db.update(recordings).set({ state: 'failed', error: error.code }).where(thisRow(ctx, row))
      return
    }
    await saveLead(ctx, { callSid: job.callSid, source: 'voicemail', at })
  }
  const [business] = await ctx.db
    .select({ deleteRemote: businesses.deleteRemoteRecordings })
    .from(businesses)
    .where(eq(businesses.id, ctx.businessId))
  if (business?.deleteRemote && row.state !== 'failed')
    await ctx.enqueue(
      'recording.delete_remote',
      { businessId: ctx.businessId, recordingId: row.id },
      { jobId: jobId('delete', row.id) },
    )
}

type Recording = typeof recordings.$inferSelect

const thisRow = (ctx: BusinessContext, row: Recording) =>
  and(eq(recordings.id, row.id), eq(recordings.businessId, ctx.businessId))

/** The recording's row, made when there is none. @throws AppError `recording_of_another_business`, `person_erased` */
async function insertRecording(ctx: BusinessContext, job: JobPayload<'recording.fetch'>, at: Date): Promise<Recording> {
  return await ctx.db.transaction(async (tx) => {
    const call = await upsertCall(tx, ctx, { callSid: job.callSid, from: '', to: '', at })
    await tx
      .insert(recordings)
      .values({
        businessId: ctx.businessId,
        callId: call.id,
        recordingSid: job.recordingSid,
        channels: job.channels ?? null,
        durationMs: job.durationSeconds == null ? null : job.durationSeconds * 1000,
        recordedAt: at,
      })
      .onConflictDoNothing()
    const [found] = await tx
      .select()
      .from(recordings)
      .where(and(eq(recordings.recordingSid, job.recordingSid), eq(recordings.businessId, ctx.businessId)))
    if (!found)
      throw new AppError('conflict', 'recording_of_another_business', 'The recording belongs to another business.')
    return found
  })
}

async function transcribe(
  ctx: BusinessContext,
  row: Recording,
  audio: { wav: Uint8Array; contentType: string },
  transcriber: Transcriber,
): Promise<void> {
  let transcript = ''
  try {
    const [business] = await ctx.db
      .select({ language: businesses.language })
      .from(businesses)
      .where(eq(businesses.id, ctx.businessId))
    transcript = cleanDeep(await transcriber.transcribe({ ...audio, language: business?.language ?? 'he' })).text.trim()
  } catch (error) {
    ctx.log.warn({ recordingId: row.id, error: errorMessage(error) }, 'voicemail not transcribed')
  }
  await ctx.db.update(recordings).set({ transcript }).where(thisRow(ctx, row))
}

/** @returns false when the row is gone */
async function markStored(
  ctx: BusinessContext,
  row: Recording,
  file: Pick<Recording, 'storageKey' | 'contentType' | 'bytes' | 'sha256' | 'durationMs' | 'peaks' | 'transcript'>,
  at: Date,
): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const stored = await tx
      .update(recordings)
      .set({ ...file, state: 'stored', error: null })
      .where(thisRow(ctx, row))
      .returning({ id: recordings.id })
    if (stored.length === 0) return false
    await endCallWithMessage(tx, ctx, row.callId, at)
    await audit(tx, ctx, { action: 'recording.store', entity: 'recording', entityId: row.id })
    return true
  })
}

/** Deletes the carrier's copy of a recording that is safely ours. */
export async function deleteRemoteRecording(
  ctx: BusinessContext,
  recordingId: string,
  deleteFromCarrier: RecordingSource['deleteRecording'],
): Promise<void> {
  const mine = and(
    eq(recordings.id, recordingId),
    eq(recordings.businessId, ctx.businessId),
    eq(recordings.state, 'stored'),
    isNull(recordings.deletedRemotelyAt),
  )
  const [row] = await ctx.db.select({ sid: recordings.recordingSid }).from(recordings).where(mine)
  if (!row) return
  await deleteFromCarrier(row.sid)
  await ctx.db.transaction(async (tx) => {
    await tx.update(recordings).set({ deletedRemotelyAt: new Date() }).where(mine)
    await audit(tx, ctx, { action: 'recording.delete_remote', entity: 'recording', entityId: recordingId })
  })
}
