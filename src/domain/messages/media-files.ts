import { and, eq } from 'drizzle-orm'
import { messageMedia } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext } from '../context.ts'

export type MediaFile = {
  id: string
  kind: (typeof messageMedia.$inferSelect)['kind']
  storageKey: string
  contentType: string
  fileName: string | null
  sha256: string | null
}

/** @throws AppError `media_not_found`; `media_pending` (conflict) while it is fetched, `media_unavailable` (gone) */
export async function getMediaFile(ctx: BusinessContext, id: string): Promise<MediaFile> {
  const row = await findMedia(ctx, id)
  const { storageKey, state } = row
  if (state === 'stored' && storageKey) return { ...row, storageKey }
  if (state === 'pending')
    throw new AppError('conflict', 'media_pending', 'The file is being fetched. Ask again in a moment.')
  throw new AppError(
    'gone',
    'media_unavailable',
    'The file could not be fetched from the provider, and cannot any more.',
  )
}

/** The small picture of a file. @throws AppError `media_not_found`, `thumbnail_not_found` */
export async function getMediaThumbnail(ctx: BusinessContext, id: string): Promise<Uint8Array<ArrayBuffer>> {
  const { thumbnail } = await findMedia(ctx, id)
  const picture = Uint8Array.from(Buffer.from(thumbnail ?? '', 'base64'))
  // It may have come inside the message: its sender can write anything there.
  const isJpeg = picture[0] === 0xff && picture[1] === 0xd8 && picture[2] === 0xff
  if (!isJpeg) throw new AppError('not_found', 'thumbnail_not_found', 'This file has no thumbnail.')
  return picture
}

async function findMedia(ctx: BusinessContext, id: string) {
  const [row] = await ctx.db
    .select()
    .from(messageMedia)
    .where(and(eq(messageMedia.id, id), eq(messageMedia.businessId, ctx.businessId)))
  if (!row) throw new AppError('not_found', 'media_not_found', 'There is no such file.')
  return row
}
