import { and, eq, getTableColumns, isNotNull, isNull } from 'drizzle-orm'
import { z } from 'zod'
import { calls, contacts, recordings } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'
import { pageInput, pageQuery, toPage } from '../paging.ts'

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
  heardAt: z.date().nullable(),
  from: z.string(),
  contactId: z.uuid().nullable(),
  contactName: z.string().nullable(),
  createdAt: z.date(),
})

export const recordingFilters = pageInput.extend({
  heard: z
    .union([z.boolean(), z.enum(['true', 'false'])])
    .transform((value) => value === true || value === 'true')
    .optional(),
})

/** The recordings of the business, newest first. */
export async function listRecordings(ctx: BusinessContext, input: z.input<typeof recordingFilters>) {
  const page = recordingFilters.parse(input)
  const query = pageQuery(
    recordings.id,
    page,
    eq(recordings.businessId, ctx.businessId),
    page.heard === undefined ? undefined : page.heard ? isNotNull(recordings.heardAt) : isNull(recordings.heardAt),
  )
  const { peaks: _, ...columns } = getTableColumns(recordings)
  const rows = await ctx.db
    .select({
      ...columns,
      from: calls.fromNumber,
      contactId: calls.contactId,
      contactName: contacts.name,
    })
    .from(recordings)
    .innerJoin(calls, eq(calls.id, recordings.callId))
    .leftJoin(contacts, eq(contacts.id, calls.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  return toPage(rows, page.limit)
}

export const recordingPeaksView = z.object({
  durationMs: z.number(),
  stepMs: z.number(),
  /** The loudest sample of each step, 0 to 100; empty for one that was stored before there were any, or cannot be read. */
  values: z.array(z.number()),
})

/** What is drawn of a recording. @throws AppError `recording_not_found` */
export async function getRecordingPeaks(
  ctx: BusinessContext,
  id: string,
): Promise<z.output<typeof recordingPeaksView>> {
  const { durationMs, peaks } = await getRecording(ctx, id)
  return { durationMs: durationMs ?? 0, stepMs: peaks?.stepMs ?? 0, values: peaks?.values ?? [] }
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
