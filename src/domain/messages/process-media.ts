import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import { redactCards } from '../../lib/cards.ts'
import { AppError, errorMessage } from '../../lib/errors.ts'
import type { Thumbnailer } from '../../providers/images/port.ts'
import type { VoiceNoteTranscriber } from '../../providers/models/port.ts'
import type { ObjectStorage } from '../../providers/storage/port.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { bareType } from './file-type.ts'
import { describeCards } from './message-content.ts'
import { emitMessage } from './message-event.ts'
import { parseVCards } from './vcard.ts'

export type MediaDeps = { storage: ObjectStorage; thumbnailer: Thumbnailer; voiceNotes: VoiceNoteTranscriber | null }

const PICTURES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif'])
const CARDS = new Set(['text/vcard', 'text/x-vcard'])
/** What OpenAI's transcription takes (API reference, "Create transcription": formats, 25 MB). */
const SPOKEN = /^(audio|video)\/(ogg|opus|mpeg|mp3|mp4|x-m4a|m4a|wav|x-wav|webm|flac|x-flac)$/
const MAX_SPOKEN_BYTES = 25 * 1024 * 1024
const MAX_CARD_BYTES = 1024 * 1024

type Row = { media: typeof messageMedia.$inferSelect; message: typeof messages.$inferSelect }

/** Makes a file's missing thumbnail, transcript or cards, once. @throws AppError of the storage or transcriber, to retry */
export async function processMedia(ctx: BusinessContext, mediaId: string, deps: MediaDeps): Promise<void> {
  const mine = and(eq(messageMedia.id, mediaId), eq(messageMedia.businessId, ctx.businessId))
  const [row] = await ctx.db
    .select({ media: messageMedia, message: messages })
    .from(messageMedia)
    .innerJoin(messages, eq(messages.id, messageMedia.messageId))
    .where(mine)
  if (row?.media.state !== 'stored' || row.media.processedAt || !row.media.storageKey) return
  const type = bareType(row.media.contentType)
  const read = async (maxBytes: number) => {
    const object = (row.media.bytes ?? 0) <= maxBytes ? await deps.storage.get(row.media.storageKey ?? '') : null
    return object && new Uint8Array(await object.body.arrayBuffer())
  }
  if (PICTURES.has(type)) await makeThumbnail(ctx, row, deps.thumbnailer, read)
  else if (CARDS.has(type)) await readCards(ctx, row, read)
  else if (row.media.kind === 'voice' || row.media.kind === 'audio') await transcribe(ctx, row, deps.voiceNotes, read)
  await ctx.db.update(messageMedia).set({ processedAt: new Date() }).where(mine)
}

type Read = (maxBytes: number) => Promise<Uint8Array<ArrayBuffer> | null>

async function makeThumbnail(ctx: BusinessContext, { media }: Row, thumbnailer: Thumbnailer, read: Read) {
  const picture = await read(Number.MAX_SAFE_INTEGER)
  if (!picture) return
  let thumbnail: Uint8Array
  try {
    thumbnail = await thumbnailer.makeThumbnail(picture)
  } catch (error) {
    if (!(error instanceof AppError && error.kind === 'invalid')) throw error
    ctx.log.info({ mediaId: media.id, reason: errorMessage(error) }, 'no thumbnail could be made of a picture')
    return
  }
  await ctx.db.transaction(async (tx) => {
    const made = await tx
      .update(messageMedia)
      .set({ thumbnail: Buffer.from(thumbnail).toString('base64') })
      .where(eq(messageMedia.id, media.id))
      .returning({ messageId: messageMedia.messageId })
    for (const { messageId } of made)
      await emitMessage(tx, ctx, 'message.media', messageId, { mediaId: media.id, state: 'thumbnail' })
  })
}

/** What is not transcribed now is not later: too long, no sound, no budget, no key. */
const STAYS_UNHEARD: ReadonlySet<string> = new Set([
  'model_budget_used_up',
  'model_not_set',
  'voice_note_too_large',
  'voice_note_too_long',
  'voice_note_unreadable',
])

async function transcribe(
  ctx: BusinessContext,
  { media, message }: Row,
  voiceNotes: VoiceNoteTranscriber | null,
  read: Read,
) {
  if (!voiceNotes || media.transcript !== null || !SPOKEN.test(bareType(media.contentType))) return
  const spoken = await read(MAX_SPOKEN_BYTES)
  if (!spoken) return
  const text = await hear(ctx, voiceNotes, { media, message }, spoken)
  if (text === null) return
  await ctx.db.transaction(async (tx) => {
    // Of a message that was erased, or taken back, meanwhile nothing is kept.
    const kept = await tx
      .update(messageMedia)
      .set({ transcript: text })
      .where(eq(messageMedia.id, media.id))
      .returning({ messageId: messageMedia.messageId })
    for (const { messageId } of kept)
      await emitMessage(tx, ctx, 'message.transcript', messageId, { mediaId: media.id, transcript: text })
  })
}

async function hear(
  ctx: BusinessContext,
  voiceNotes: VoiceNoteTranscriber,
  { media, message }: Pick<Row, 'media' | 'message'>,
  audio: Uint8Array,
): Promise<string | null> {
  try {
    const { text } = await voiceNotes.transcribe({
      businessId: ctx.businessId,
      subject: { conversationId: message.conversationId },
      audio,
      mediaType: bareType(media.contentType),
    })
    return redactCards(text)
  } catch (error) {
    if (!(error instanceof AppError && STAYS_UNHEARD.has(error.code))) throw error
    ctx.log.info({ mediaId: media.id, reason: error.code }, 'a voice note is not transcribed')
    return null
  }
}

async function readCards(ctx: BusinessContext, { media, message }: Row, read: Read) {
  const file = await read(MAX_CARD_BYTES)
  const cards = file ? parseVCards(new TextDecoder().decode(file)) : []
  if (cards.length === 0) return
  await ctx.db.transaction(async (tx) => {
    const changed = await tx
      .update(messages)
      .set({
        kind: 'contacts',
        body: sql`case when ${messages.body} = '' then ${describeCards(cards)} else ${messages.body} end`,
        data: sql`coalesce(${messages.data}, '{}'::jsonb) || jsonb_build_object('contacts',
          coalesce(${messages.data}->'contacts', '[]'::jsonb) || ${JSON.stringify(cards)}::text::jsonb)`,
      })
      .where(and(eq(messages.id, message.id), isNull(messages.deletedAt)))
      .returning({ id: messages.id })
    for (const { id } of changed)
      await emitMessage(tx, ctx, 'message.media', id, { mediaId: media.id, state: 'contacts' })
  })
}

/** Queues again files whose job was lost between being stored and being queued. @returns how many */
export async function requeueUnprocessedMedia(ctx: DomainContext, idleMs = 10 * 60_000): Promise<number> {
  const rows = await ctx.db
    .select({ id: messageMedia.id, businessId: messageMedia.businessId })
    .from(messageMedia)
    .where(
      and(
        eq(messageMedia.state, 'stored'),
        isNull(messageMedia.processedAt),
        lt(messageMedia.updatedAt, new Date(Date.now() - idleMs)),
        // What was given up stays so, and is found among the failed jobs.
        gt(messageMedia.updatedAt, new Date(Date.now() - 24 * 3_600_000)),
      ),
    )
    .limit(200)
  for (const { id, businessId } of rows)
    await ctx.enqueue('message.process_media', { businessId, mediaId: id }, { jobId: jobId('process', id) })
  return rows.length
}
