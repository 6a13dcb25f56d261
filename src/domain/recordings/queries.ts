import { and, eq } from 'drizzle-orm'
import { z } from 'zod'
import { recordings } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { type PageInput, pageInput, pageQuery, toPage } from '../paging.ts'

/** Without the storage key, which no client needs. */
export const recordingView = z.object({
  id: z.uuid(),
  callId: z.uuid(),
  recordingSid: z.string(),
  state: z.enum(recordings.state.enumValues),
  durationMs: z.number().nullable(),
  channels: z.number().nullable(),
  bytes: z.number().nullable(),
  sha256: z.string().nullable(),
  contentType: z.string().nullable(),
  error: z.string().nullable(),
  deletedRemotelyAt: z.date().nullable(),
  recordedAt: z.date(),
  createdAt: z.date(),
})

/** The recordings of the business, newest first. */
export async function listRecordings(ctx: BusinessContext, input: PageInput) {
  const page = pageInput.parse(input)
  const query = pageQuery(recordings.id, page, eq(recordings.businessId, ctx.businessId))
  const rows = await ctx.db.select().from(recordings).where(query.where).orderBy(query.orderBy).limit(query.limit)
  return toPage(rows, page.limit)
}

/** @throws AppError `recording_not_found` */
export async function getRecording(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select()
    .from(recordings)
    .where(and(eq(recordings.id, id), eq(recordings.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'recording_not_found', 'There is no such recording.')
  return row
}
