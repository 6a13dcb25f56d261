import { and, eq, isNotNull, isNull } from 'drizzle-orm'
import { recordings } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'
import { getRecording } from './queries.ts'

/** Notes that a member listened to a recording, or takes that back. @throws AppError `recording_not_found` */
export async function markHeard(ctx: BusinessContext, id: string, heard: boolean): Promise<void> {
  await getRecording(ctx, id)
  await ctx.db.transaction(async (tx) => {
    const changed = await tx
      .update(recordings)
      .set({ heardAt: heard ? new Date() : null })
      .where(
        and(
          eq(recordings.id, id),
          eq(recordings.businessId, ctx.businessId),
          heard ? isNull(recordings.heardAt) : isNotNull(recordings.heardAt),
        ),
      )
      .returning({ id: recordings.id })
    if (changed.length > 0)
      await audit(tx, ctx, { action: 'recording.heard', entity: 'recording', entityId: id, data: { heard } })
  })
}
