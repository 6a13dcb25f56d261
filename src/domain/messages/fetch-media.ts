import { and, eq } from 'drizzle-orm'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import { AppError, type ErrorKind } from '../../lib/errors.ts'
import { sha256Hex } from '../../lib/ids.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import { WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import type { BusinessContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { mediaKey } from '../storage-keys.ts'
import { trustedType } from './file-type.ts'
import { emitMessage } from './message-event.ts'

/** Where a file is. Credentials go with addresses of the carrier's own webhooks alone; a bridge's are a stranger's. */
export type MediaSource = {
  downloadMedia(
    url: string,
    maxBytes: number,
    provider: 'twilio' | 'baileys',
  ): Promise<{ data: Uint8Array; contentType: string }>
}

/** WhatsApp's own limit for documents is 100 MB; what comes over Twilio is at most 16 MB. */
const MAX_BYTES = 100 * 1024 * 1024

/** What a proxy or an error page is, and no file that WhatsApp carries. */
const PAGE = /^(text\/html|application\/(json|xhtml\+xml))\b/i

const HOPELESS = new Set<ErrorKind>(['gone', 'not_found', 'too_large', 'forbidden', 'invalid'])

/** Fetches and stores a file of an inbound message. Run twice, the second finds it stored; of a message that is gone, nothing stays. */
export async function fetchMessageMedia(
  ctx: BusinessContext,
  mediaId: string,
  source: MediaSource,
  storage: ObjectStorage,
): Promise<void> {
  const mine = and(eq(messageMedia.id, mediaId), eq(messageMedia.businessId, ctx.businessId))
  const [found] = await ctx.db
    .select({ media: messageMedia, provider: messages.provider })
    .from(messageMedia)
    .innerJoin(messages, eq(messages.id, messageMedia.messageId))
    .where(mine)
  const storageKey = mediaKey(ctx.businessId, mediaId)
  if (!found) {
    // Erased, or over its time; an earlier try may have stored the file and died.
    await storage.delete(storageKey)
    return
  }
  const { media: row, provider } = found
  if (row.state !== 'pending' || row.sourceUrl === null) return
  // A linked account's address holds the file's key, which is not needed any longer.
  const spent = row.sourceUrl.startsWith(WHATSAPP_MEDIA_SCHEME) ? { sourceUrl: WHATSAPP_MEDIA_SCHEME } : {}
  try {
    const { data, contentType: said } = await source.downloadMedia(row.sourceUrl, MAX_BYTES, provider)
    if (data.byteLength === 0 || (PAGE.test(said) && !PAGE.test(row.contentType)))
      throw new AppError('unavailable', 'media_garbled', 'What was answered is not the file.')
    const contentType = await trustedType(said, data)
    await storage.put(storageKey, data, contentType)
    const stored = await settle(ctx, mediaId, {
      state: 'stored',
      storageKey,
      bytes: data.byteLength,
      sha256: sha256Hex(data),
      contentType,
      error: null,
      ...spent,
    })
    // Its message went while it was fetched.
    if (!stored) await storage.delete(storageKey)
    else
      await ctx.enqueue(
        'message.process_media',
        { businessId: ctx.businessId, mediaId },
        { jobId: jobId('process', mediaId) },
      )
  } catch (error) {
    if (error instanceof AppError && HOPELESS.has(error.kind)) {
      await settle(ctx, mediaId, { state: 'failed', error: error.code, ...spent })
      return
    }
    throw error
  }
}

/** Writes what became of a file, and tells it. @returns whether its message is still there */
async function settle(
  ctx: BusinessContext,
  mediaId: string,
  set: Partial<typeof messageMedia.$inferInsert> & { state: 'stored' | 'failed' },
): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const [row] = await tx
      .update(messageMedia)
      .set(set)
      .where(and(eq(messageMedia.id, mediaId), eq(messageMedia.businessId, ctx.businessId)))
      .returning({ messageId: messageMedia.messageId })
    if (row) await emitMessage(tx, ctx, 'message.media', row.messageId, { mediaId, state: set.state })
    return row !== undefined
  })
}
