import type { Deps } from '../../src/composition/deps.ts'
import {
  endAbandonedCalls,
  requeueCallAudio,
  requeueSummaries,
  requeueTranscripts,
} from '../../src/domain/calls/index.ts'
import { repairAllContacts } from '../../src/domain/contacts/index.ts'
import { wakeConversations } from '../../src/domain/conversations/index.ts'
import { pruneEvents } from '../../src/domain/events/index.ts'
import { pruneRejects, requeueImports } from '../../src/domain/imports/index.ts'
import { forgetQuarantined, requeueEvents } from '../../src/domain/inbox/index.ts'
import { requeueMails } from '../../src/domain/mails/index.ts'
import { pruneAttempts } from '../../src/domain/members/index.ts'
import {
  pruneEarlyDeletions,
  requeueLostMessages,
  requeueMedia,
  requeueUnprocessedMedia,
} from '../../src/domain/messages/index.ts'
import { forgetMentions, pruneTombstones, requeueDeletions, sweepRetention } from '../../src/domain/privacy/index.ts'
import { prunePushes, queuePushes } from '../../src/domain/push/index.ts'
import { requeueRemoteDeletions } from '../../src/domain/recordings/index.ts'
import { queueDeliveries } from '../../src/domain/webhooks/index.ts'
import { forgetJobs } from '../../src/jobs/inspect.ts'
import { isDurable } from '../../src/jobs/registry.ts'
import { AppError, errorMessage } from '../../src/lib/errors.ts'
import type { Logger } from '../../src/lib/log.ts'

/** A delivery untouched for longer than its job's longest pause has lost its job. */
const LONGEST_WEBHOOK_PAUSE_MS = 8 * 3_600_000

type Sweeps = Record<string, () => Promise<number>>

/** Every repair of the maintenance sweep, by its name in the log. */
export function sweepsOf({ ctx, producer, transcriber }: Pick<Deps, 'ctx' | 'producer' | 'transcriber'>): Sweeps {
  return {
    events: () =>
      requeueEvents(ctx, async ({ id, job }) => {
        if (isDurable(job)) await producer.requeueEvent(job, id)
      }),
    requeued: () => requeueLostMessages(ctx),
    files: () => requeueMedia(ctx),
    summaries: () => requeueSummaries(ctx),
    callAudio: () => requeueCallAudio(ctx),
    transcripts: () => requeueTranscripts(ctx, (businessId) => transcriber(businessId) !== null),
    carrierCopies: () => requeueRemoteDeletions(ctx),
    unprocessed: () => requeueUnprocessedMedia(ctx),
    ended: () => endAbandonedCalls(ctx),
    woken: () => wakeConversations(ctx),
    imports: () => requeueImports(ctx),
    rejects: () => pruneRejects(ctx),
    deletions: () => requeueDeletions(ctx),
    contacts: () => repairAllContacts(ctx),
    hooks: () => queueDeliveries(ctx, LONGEST_WEBHOOK_PAUSE_MS),
    expired: () => sweepRetention(ctx),
    forgotten: () =>
      forgetMentions(ctx, async (...asked) => {
        await forgetJobs(producer.queues, ...asked)
        await forgetQuarantined(ctx, ...asked)
      }),
    tombstones: () => pruneTombstones(ctx),
    mails: () => requeueMails(ctx),
    pushes: () => queuePushes(ctx),
    pushHistory: () => prunePushes(ctx),
    attempts: () => pruneAttempts(ctx),
    history: () => pruneEvents(ctx),
    earlyDeletions: () => pruneEarlyDeletions(ctx),
  }
}

/**
 * Runs sweeps one after the other; a failure does not stop the others.
 * @returns how many items each of them repaired
 * @throws AppError `sweep_failed` (unavailable) naming those that failed, after all have run
 */
export async function runSweeps(sweeps: Sweeps, log: Logger): Promise<Record<string, number>> {
  const done: Record<string, number> = {}
  const failed: string[] = []
  for (const [name, sweep] of Object.entries(sweeps))
    try {
      done[name] = await sweep()
    } catch (error) {
      done[name] = 0
      failed.push(name)
      log.error({ sweep: name, error: errorMessage(error) }, 'sweep failed')
    }
  if (Object.values(done).some((count) => count > 0)) log.info(done, 'sweep repaired items')
  if (failed.length > 0) throw new AppError('unavailable', 'sweep_failed', `These sweeps failed: ${failed.join(', ')}.`)
  return done
}
