import { and, eq, gt, isNull, lt } from 'drizzle-orm'
import { businesses, recordings } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'
import { jobId, retryRound } from '../job-ids.ts'

const LOST_AFTER_MS = 10 * 60_000
const GIVEN_UP_AFTER_MS = 30 * 86_400_000
const BATCH = 200

/** Queues again the deletions of carriers' copies whose job was lost. @returns how many */
export async function requeueRemoteDeletions(ctx: DomainContext, lostAfterMs = LOST_AFTER_MS): Promise<number> {
  const rows = await ctx.db
    .select({ id: recordings.id, businessId: recordings.businessId, since: recordings.recordedAt })
    .from(recordings)
    .innerJoin(businesses, eq(businesses.id, recordings.businessId))
    .where(
      and(
        eq(recordings.state, 'stored'),
        isNull(recordings.deletedRemotelyAt),
        eq(businesses.deleteRemoteRecordings, true),
        gt(recordings.recordedAt, new Date(Date.now() - GIVEN_UP_AFTER_MS)),
        lt(recordings.recordedAt, new Date(Date.now() - lostAfterMs)),
      ),
    )
    .limit(BATCH)
  for (const { id, businessId, since } of rows)
    await ctx.enqueue(
      'recording.delete_remote',
      { businessId, recordingId: id },
      { jobId: jobId('delete', id, retryRound(since)) },
    )
  return rows.length
}
