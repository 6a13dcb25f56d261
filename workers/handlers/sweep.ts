import type { Deps } from '../../src/composition/deps.ts'
import { pruneAgentRuns, wakeAgent } from '../../src/domain/agent/index.ts'
import { pruneAlerts, reachOf, runAlerts } from '../../src/domain/alerts/index.ts'
import { offerAllWaiting, readReplies, sendNotices, settleHolds } from '../../src/domain/appointments/index.ts'
import { pruneOutside, queuePushes, queueSyncs } from '../../src/domain/calendars/index.ts'
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
import { pruneGaps, queueSources } from '../../src/domain/knowledge/index.ts'
import { requeueMails } from '../../src/domain/mails/index.ts'
import { pruneAttempts } from '../../src/domain/members/index.ts'
import {
  pruneEarlyDeletions,
  requeueLostMessages,
  requeueMedia,
  requeueUnprocessedMedia,
} from '../../src/domain/messages/index.ts'
import { forgetMentions, pruneTombstones, requeueDeletions, sweepRetention } from '../../src/domain/privacy/index.ts'
import { requeueRemoteDeletions } from '../../src/domain/recordings/index.ts'
import { requeueScenarioRuns } from '../../src/domain/scenarios/index.ts'
import { queueDeliveries } from '../../src/domain/webhooks/index.ts'
import { forgetJobs } from '../../src/jobs/inspect.ts'
import { isDurable } from '../../src/jobs/registry.ts'
import { AppError, errorMessage } from '../../src/lib/errors.ts'
import type { Logger } from '../../src/lib/log.ts'

/** A delivery untouched for longer than its job's longest pause has lost its job. */
const LONGEST_WEBHOOK_PAUSE_MS = 8 * 3_600_000

type Sweeps = Record<string, () => Promise<number>>

/** Every repair of the maintenance sweep, by its name in the log. */
export function sweepsOf({
  ctx,
  producer,
  transcriber,
  notices,
  alerts,
}: Pick<Deps, 'ctx' | 'producer' | 'transcriber' | 'notices' | 'alerts'>): Sweeps {
  return {
    events: () =>
      requeueEvents(ctx, async ({ id, job }) => {
        if (isDurable(job)) await producer.requeueEvent(job, id)
      }),
    requeued: () => requeueLostMessages(ctx),
    unanswered: () => wakeAgent(ctx, { sweep: true }),
    agentRuns: () => pruneAgentRuns(ctx),
    scenarioRuns: () => requeueScenarioRuns(ctx),
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
    gaps: () => pruneGaps(ctx),
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
    holds: () => settleHolds(ctx),
    waiting: () => offerAllWaiting(ctx),
    reminderAnswers: () => readReplies(ctx, notices),
    reminders: () => sendNotices(ctx, notices),
    calendars: () => queueSyncs(ctx),
    calendarWrites: () => queuePushes(ctx),
    calendarCopies: () => pruneOutside(ctx),
    sources: () => queueSources(ctx),
    alerts: () => runAlerts(ctx, reachOf(alerts), alerts.now()),
    alertHistory: () => pruneAlerts(ctx, alerts.now()),
    attempts: () => pruneAttempts(ctx),
    history: () => pruneEvents(ctx),
    earlyDeletions: () => pruneEarlyDeletions(ctx),
  }
}

/** Runs all sweeps despite failures; returns repairs by name. @throws AppError `sweep_failed` (unavailable), naming them */
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
