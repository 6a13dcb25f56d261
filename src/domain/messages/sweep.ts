import { and, eq, inArray, lt, sql } from 'drizzle-orm'
import { messages } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'

/** A job delayed by its provider may be away this long without being lost. */
const LOST_AFTER_MS = 90_000
/** At a time: after a long outage the rest comes with the next rounds, the longest untouched first. */
const BATCH = 500

/**
 * Queues again what is queued in the table but perhaps nowhere else: the job was never written, or was lost with the
 * queue. A job too many does no harm, since delivery looks at the row first.
 * @returns how many were queued again
 */
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
      { jobId: `${row.id}-${row.requeues}` },
    )
  return lost.length
}
