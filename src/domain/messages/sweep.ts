import { and, eq, inArray, lt, notLike, sql } from 'drizzle-orm'
import { messageMedia, messages } from '../../../db/schema/index.ts'
import { WHATSAPP_MEDIA_SCHEME } from '../../providers/whatsapp/port.ts'
import type { DomainContext } from '../context.ts'
import { jobId, retryRound, sendJobId } from '../job-ids.ts'

/** A job delayed by its provider may be away this long without being lost. */
const LOST_AFTER_MS = 90_000
/** At a time: after a long outage the rest comes with the next rounds, the longest untouched first. */
const BATCH = 500

/** Requeues messages whose job may be lost; an extra job is harmless, as delivery reads the row first. @returns how many */
export async function requeueLostMessages(ctx: DomainContext, lostAfterMs = LOST_AFTER_MS): Promise<number> {
  const lost = await ctx.db
    .update(messages)
    .set({ requeues: sql`${messages.requeues} + 1` })
    .where(
      inArray(
        messages.id,
        ctx.db
          .select({ id: messages.id })
          .from(messages)
          .where(
            and(
              eq(messages.direction, 'out'),
              // A linked account's owner looks at its rows every second.
              eq(messages.provider, 'twilio'),
              inArray(messages.status, ['queued', 'sending']),
              lt(messages.updatedAt, new Date(Date.now() - lostAfterMs)),
            ),
          )
          .orderBy(messages.updatedAt)
          .limit(BATCH),
      ),
    )
    .returning({ id: messages.id, businessId: messages.businessId, requeues: messages.requeues })
  for (const row of lost)
    await ctx.enqueue(
      'whatsapp.send',
      { businessId: row.businessId, messageId: row.id },
      { jobId: sendJobId(row.id, row.requeues) },
    )
  return lost.length
}

const MEDIA_LOST_AFTER_MS = 5 * 60_000
/** Longer than the provider keeps trying to be reached: a file that is not here by then does not come. */
const MEDIA_GIVEN_UP_AFTER_MS = 3 * 86_400_000

/** Queues again the files that messages wait for, and gives up those that do not come. @returns how many of both */
export async function requeueMedia(ctx: DomainContext, lostAfterMs = MEDIA_LOST_AFTER_MS): Promise<number> {
  const ofJobs = and(
    eq(messageMedia.state, 'pending'),
    // A linked account's files are fetched by its owner, which looks at the rows.
    notLike(messageMedia.sourceUrl, `${WHATSAPP_MEDIA_SCHEME}%`),
  )
  const over = await ctx.db
    .update(messageMedia)
    .set({ state: 'failed', error: 'given_up' })
    .where(and(ofJobs, lt(messageMedia.createdAt, new Date(Date.now() - MEDIA_GIVEN_UP_AFTER_MS))))
    .returning({ id: messageMedia.id })
  const rows = await ctx.db
    .select({ id: messageMedia.id, businessId: messageMedia.businessId, createdAt: messageMedia.createdAt })
    .from(messageMedia)
    .where(and(ofJobs, lt(messageMedia.createdAt, new Date(Date.now() - lostAfterMs))))
    .limit(BATCH)
  for (const { id, businessId, createdAt } of rows)
    await ctx.enqueue(
      'message.fetch_media',
      { businessId, mediaId: id },
      { jobId: jobId('media', id, retryRound(createdAt)) },
    )
  return rows.length + over.length
}
