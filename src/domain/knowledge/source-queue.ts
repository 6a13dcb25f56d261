import { asc, lte } from 'drizzle-orm'
import { knowledgeSources } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'

const ROUND_MS = 60_000
const BATCH = 200

type Due = { id: string; businessId: string; attempts: number; nextReadAt: Date | null }

/** Queues the sources whose time has come, and those whose reader is lost (its lease is over). @returns how many */
export async function queueSources(ctx: DomainContext, now = new Date()): Promise<number> {
  const { id, businessId, attempts, nextReadAt } = knowledgeSources
  const due = await ctx.db
    .select({ id, businessId, attempts, nextReadAt })
    .from(knowledgeSources)
    .where(lte(nextReadAt, now))
    .orderBy(asc(nextReadAt))
    .limit(BATCH)
  for (const source of due) await queue(ctx, source, Math.floor(now.getTime() / ROUND_MS))
  return due.length
}

/** Queues a source at once, after the commit that made it due. When that fails, the sweep does. */
export async function queueSource(ctx: BusinessContext, source: Due): Promise<void> {
  try {
    await queue(ctx, source, 'now')
  } catch (error) {
    ctx.log.warn({ sourceId: source.id, error: errorMessage(error) }, 'source could not be queued; the sweep will')
  }
}

/** A finished job keeps its id for a while: what was asked at another time has another. */
async function queue(ctx: DomainContext, source: Due, round: number | string): Promise<void> {
  const asked = source.nextReadAt?.getTime() ?? 0
  await ctx.enqueue(
    'knowledge.read',
    { businessId: source.businessId, sourceId: source.id },
    { jobId: jobId('source', source.id, source.attempts, asked, round) },
  )
}
