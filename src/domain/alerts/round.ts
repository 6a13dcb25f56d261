import { type DomainContext, within } from '../context.ts'
import { takeEarlierDeliveries } from '../push/index.ts'
import { expireIncidents, raise, runSteps } from './incidents.ts'
import { decideNotices, queueDeliveries } from './notices.ts'
import type { Reach } from './plan.ts'
import { releaseHeld, writeSummaries } from './summaries.ts'

/**
 * Does all that is due: decides events, climbs ladders, releases what was held, writes summaries, and queues what is to be sent.
 * Run by several workers at once, or after one died in the middle, each is done once.
 * @returns how many deliveries were queued
 */
export async function runAlerts(ctx: DomainContext, reach: Reach, now: Date): Promise<number> {
  await adoptEarlier(ctx, reach, now)
  await decideNotices(ctx, reach, now)
  await expireIncidents(ctx, now)
  await runSteps(ctx, reach, now)
  await releaseHeld(ctx, now)
  await writeSummaries(ctx, reach, now)
  return await queueDeliveries(ctx, now)
}

/** What of it cannot wait for its time: decides what just happened. @returns how many deliveries were queued */
export async function runNotices(ctx: DomainContext, reach: Reach, now: Date): Promise<number> {
  await decideNotices(ctx, reach, now)
  return await queueDeliveries(ctx, now)
}

/** After an update: what the version before was about to notify devices of becomes an alert. */
async function adoptEarlier(ctx: DomainContext, reach: Reach, now: Date): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    for (const { businessId, kind, entityId } of await takeEarlierDeliveries(tx))
      await raise(tx, within(ctx, businessId), { kind, subject: entityId }, reach, now)
  })
}
