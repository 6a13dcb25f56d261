import type { Deps } from '../src/composition/deps.ts'
import {
  callEndReason,
  endAbandonedCalls,
  finishCall,
  needsFallbackSummary,
  recordCallStatus,
  recordStreamEvent,
  registerCall,
  registerPending,
  rejectStream,
  requeueSummaries,
  requeueTranscripts,
  saveTurn,
  summarizeCall,
} from '../src/domain/calls/index.ts'
import { repairAllContacts } from '../src/domain/contacts/index.ts'
import { type DomainContext, EVENT_CHANNEL, within } from '../src/domain/context.ts'
import { wakeConversations } from '../src/domain/conversations/index.ts'
import { pruneEvents } from '../src/domain/events/index.ts'
import { failImport, pruneRejects, requeueImports, runImport } from '../src/domain/imports/index.ts'
import { forgetQuarantined, requeueEvents } from '../src/domain/inbox/index.ts'
import { saveLead } from '../src/domain/leads/index.ts'
import { requeueMails, sendMail } from '../src/domain/mails/index.ts'
import { pruneAttempts } from '../src/domain/members/index.ts'
import {
  applyMessageStatus,
  pruneEarlyDeletions,
  requeueLostMessages,
  requeueMedia,
  requeueUnprocessedMedia,
  takeInbound,
} from '../src/domain/messages/index.ts'
import { forgetMentions, pruneTombstones, requeueDeletions, sweepRetention } from '../src/domain/privacy/index.ts'
import { sendFollowUp } from '../src/domain/receptionist/index.ts'
import { requeueRemoteDeletions } from '../src/domain/recordings/index.ts'
import { deliverWebhook, queueDeliveries } from '../src/domain/webhooks/index.ts'
import { reviveInbound, storeInbound } from '../src/domain/whatsapp/index.ts'
import { DelayJob, type JobContext } from '../src/jobs/consumer.ts'
import { forgetJobs } from '../src/jobs/inspect.ts'
import { isDurable } from '../src/jobs/registry.ts'
import { AppError, errorMessage } from '../src/lib/errors.ts'
import { paymentHandlers } from './payment-handlers.ts'
import { runSweeps } from './run-sweeps.ts'
import { openConsumer, runWorker } from './run-worker.ts'

const SWEEP_EVERY_MS = 30_000
const PAYMENT_SWEEP_EVERY_MS = 10_000
/** A delivery that was left alone for longer than its job's longest pause has lost its job. */
const LONGEST_WEBHOOK_PAUSE_MS = 8 * 3_600_000

/** Queues the webhook deliveries of what was just committed; told by the database, one round at a time. */
async function startWebhookPump({ ctx, database, log }: Deps): Promise<void> {
  let running = false
  let again = false
  const pump = async () => {
    if (running) {
      again = true
      return
    }
    running = true
    do {
      again = false
      try {
        await queueDeliveries(ctx)
      } catch (error) {
        // What is not queued now is queued with the next event, or by the sweep.
        log.warn({ error: errorMessage(error) }, 'webhook deliveries could not be queued')
      }
    } while (again)
    running = false
  }
  await database.sql.listen(EVENT_CHANNEL, pump, pump)
}

/** A call's registration may come through the queue alone, while the database is away; its news waits this long for it. */
const NEWS_WAITS_MS = 3_600_000
/** What a business's own carrier account tells of calls that are not there it may have made up: such news waits for less. */
const OWN_NEWS_WAITS_MS = 300_000

/**
 * What is told of a call can overtake the call itself: then the call is registered first, from its own event, and where there is
 * none yet it is waited for.
 */
async function ofCall<T>(
  ctx: DomainContext,
  callSid: string,
  job: JobContext,
  apply: () => Promise<T | null | false>,
  waitsMs = NEWS_WAITS_MS,
): Promise<T> {
  const isThere = (found: T | null | false): found is T => found !== null && found !== false
  const first = await apply()
  if (isThere(first)) return first
  await registerPending(ctx, callSid)
  const second = await apply()
  if (isThere(second)) return second
  const age = Date.now() - job.enqueuedAt.getTime()
  if (age < waitsMs) throw new DelayJob(Math.min(60_000, Math.max(500, age)), 'the call is not registered yet')
  throw new AppError('unavailable', 'call_not_registered', 'The call is not registered yet.')
}

/** News of the carrier's about a call that never came here, such as one to a number that no business has, is nobody's. */
export async function ofExistingCall(
  ctx: DomainContext,
  { callSid, onlyFor }: { callSid: string; onlyFor?: string[] | undefined },
  job: JobContext,
  apply: () => Promise<unknown>,
): Promise<void> {
  try {
    await ofCall(ctx, callSid, job, apply, onlyFor ? OWN_NEWS_WAITS_MS : NEWS_WAITS_MS)
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'call_not_registered')) throw error
    job.logger.info({ callSid }, 'news of a call that is not ours')
  }
}

if (import.meta.main)
  await runWorker(
    'crm',
    8,
    ({ ctx, model, transcriber, sendSettings, postOut, payments, producer, mailer, mailBox, webhookBox }) => ({
      ...paymentHandlers(ctx, payments),
      'call.register': async ({ businessId, at, ...call }) => {
        await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
      },
      'call.stream_event': (news, job) => ofExistingCall(ctx, news, job, () => recordStreamEvent(ctx, news)),
      'call.refuse_stream': ({ at, ...refused }, job) =>
        ofExistingCall(ctx, refused, job, () => rejectStream(ctx, { ...refused, at: new Date(at) })),
      'call.status': (news, job) => ofExistingCall(ctx, news, job, () => recordCallStatus(ctx, news)),
      'call.turn': async (turn, job) => {
        const saved = await ofCall(ctx, turn.callSid, job, () => saveTurn(within(ctx, turn.businessId), turn))
        if (saved.untranscribed)
          await ctx.enqueue(
            'call.transcribe',
            { businessId: turn.businessId, turnId: saved.id },
            { jobId: `transcribe-${saved.id}` },
          )
      },
      'call.finish': async ({ businessId, at, reason, ...end }) => {
        await finishCall(within(ctx, businessId), {
          ...end,
          reason: callEndReason.parse(reason),
          from: '',
          to: '',
          at: new Date(at),
        })
      },
      'call.summarize': async ({ businessId, callSid, fallback }, job) => {
        const business = within(ctx, businessId)
        if (fallback && !(await needsFallbackSummary(business, callSid))) return
        const own = model(businessId)
        const sumUp = async (by: typeof own) => {
          const call = await ofCall(ctx, callSid, job, () => summarizeCall(business, callSid, by))
          await sendFollowUp(business, { ...call, callSid }, sendSettings)
        }
        try {
          await sumUp(own)
        } catch (error) {
          // The caller's message does not wait for a model that is away; the summary by it is tried again.
          if (own) await sumUp(null)
          throw error
        }
      },
      'lead.save': async ({ businessId, at, ...lead }, job) => {
        await ofCall(ctx, lead.callSid, job, () =>
          saveLead(within(ctx, businessId), { ...lead, source: 'call', at: new Date(at) }),
        )
      },
      'message.receive': async (message) => {
        await takeInbound(within(ctx, message.businessId), message)
      },
      'message.status': async (news, job) => {
        if (!(await applyMessageStatus(ctx, news))) job.logger.info('news of a message that is not ours')
      },
      'webhook.deliver': async ({ businessId, ...ref }) => {
        await deliverWebhook(within(ctx, businessId), ref, { post: postOut, box: webhookBox })
      },
      'mail.send': async ({ mailId }) => {
        await sendMail(ctx, mailId, { mailer, box: mailBox })
      },
      'import.run': async ({ businessId, importId }, job) => {
        const business = within(ctx, businessId)
        try {
          await runImport(business, importId)
        } catch (error) {
          // Its row says so: nothing else would ever end it.
          if (job.givesUp(error)) await failImport(business, importId, errorMessage(error).slice(0, 200))
          throw error
        }
      },
      'whatsapp.store': ({ businessId, accountId, event }) =>
        storeInbound(within(ctx, businessId), accountId, reviveInbound(event)),
      'maintenance.sweep': async (_, job) => {
        await runSweeps(
          {
            events: () =>
              requeueEvents(ctx, async ({ id, job }) => {
                if (isDurable(job)) await producer.requeueEvent(job, id)
              }),
            requeued: () => requeueLostMessages(ctx),
            files: () => requeueMedia(ctx),
            summaries: () => requeueSummaries(ctx),
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
            attempts: () => pruneAttempts(ctx),
            history: () => pruneEvents(ctx),
            earlyDeletions: () => pruneEarlyDeletions(ctx),
          },
          job.logger,
        )
      },
    }),
    async (deps) => {
      await deps.producer.scheduleEvery('maintenance.sweep', {}, SWEEP_EVERY_MS)
      await deps.producer.scheduleEvery('payment.sweep', {}, PAYMENT_SWEEP_EVERY_MS)
      await startWebhookPump(deps)
      // Beside the others: a flood of payments' notifications, which anybody can send, holds up no call and no message.
      const settling = openConsumer(deps, 'payments', 2, paymentHandlers(deps.ctx, deps.payments))
      await settling.ready()
      return async () => {
        await settling.close()
      }
    },
  )
