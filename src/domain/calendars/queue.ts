import type { DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'

/** Requests within this time are one job, which starts after it, so that none is missed. */
const ROUND_MS = 300

/** Queues a round with a connection. A finished job keeps its id for a while: each span of time has an id of its own. */
export async function queueRound(
  ctx: DomainContext,
  name: 'calendar.sync' | 'calendar.push',
  businessId: string,
  connectionId: string,
): Promise<void> {
  const now = Date.now()
  const round = Math.floor(now / ROUND_MS)
  const kind = name === 'calendar.sync' ? 'calendar' : 'calendar-push'
  await ctx.enqueue(
    name,
    { businessId, connectionId },
    { jobId: jobId(kind, connectionId, round), delayMs: (round + 1) * ROUND_MS - now },
  )
}
