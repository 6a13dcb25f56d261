import type { Deps } from '../src/deps.ts'
import {
  callEndReason,
  endAbandonedCalls,
  finishCall,
  recordCallStatus,
  recordStreamEvent,
  refuseStream,
  registerCall,
  saveTurn,
  summarizeCall,
} from '../src/domain/calls/index.ts'
import { EVENT_CHANNEL, within } from '../src/domain/context.ts'
import { wakeConversations } from '../src/domain/conversations/index.ts'
import { pruneEvents } from '../src/domain/events/index.ts'
import { requeueImports, runImport } from '../src/domain/imports/index.ts'
import { saveLead } from '../src/domain/leads/index.ts'
import {
  applyMessageStatus,
  pruneEarlyDeletions,
  requeueLostMessages,
  requeueUnprocessedMedia,
  takeInbound,
} from '../src/domain/messages/index.ts'
import { forgetMentions, pruneTombstones, requeueDeletions, sweepRetention } from '../src/domain/privacy/index.ts'
import { sendFollowUp } from '../src/domain/receptionist/index.ts'
import { deliverWebhook, queueDeliveries } from '../src/domain/webhooks/index.ts'
import { forgetJobs } from '../src/jobs/inspect.ts'
import { AppError, errorMessage } from '../src/lib/errors.ts'
import { paymentHandlers } from './payment-handlers.ts'
import { runSweeps } from './run-sweeps.ts'
import { runWorker } from './run-worker.ts'

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

/** News of a call can overtake the call itself: tried again until its row is there. */
function expectCall<T>(found: T | null | false): T {
  if (found === null || found === false)
    throw new AppError('unavailable', 'call_not_registered', 'The call is not registered yet.')
  return found
}

if (import.meta.main)
  await runWorker(
    'crm',
    8,
    ({ ctx, model, sendSettings, postOut, payments, producer }) => ({
      ...paymentHandlers(ctx, payments),
      'call.register': async ({ businessId, at, ...call }) => {
        await registerCall(within(ctx, businessId), { ...call, at: new Date(at) })
      },
      'call.stream_event': async (news) => {
        expectCall(await recordStreamEvent(ctx, news))
      },
      'call.refuse_stream': async ({ at, ...refused }) => {
        expectCall(await refuseStream(ctx, { ...refused, at: new Date(at) }))
      },
      'call.status': async (news) => {
        expectCall(await recordCallStatus(ctx, news))
      },
      'call.turn': async (turn) => {
        const saved = expectCall(await saveTurn(within(ctx, turn.businessId), turn))
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
      'call.summarize': async ({ businessId, callSid }) => {
        const business = within(ctx, businessId)
        const own = model(businessId)
        const sumUp = async (by: typeof own) => {
          const call = expectCall(await summarizeCall(business, callSid, by))
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
      'lead.save': async ({ businessId, at, ...lead }) => {
        expectCall(await saveLead(within(ctx, businessId), { ...lead, source: 'call', at: new Date(at) }))
      },
      'message.receive': async (message) => {
        await takeInbound(within(ctx, message.businessId), message)
      },
      'message.status': async (news, job) => {
        if (!(await applyMessageStatus(ctx, news))) job.logger.info('news of a message that is not ours')
      },
      'webhook.deliver': async ({ businessId, ...ref }) => {
        await deliverWebhook(within(ctx, businessId), ref, postOut)
      },
      'import.run': async ({ businessId, importId }) => {
        await runImport(within(ctx, businessId), importId)
      },
      'maintenance.sweep': async (_, job) => {
        await runSweeps(
          {
            requeued: () => requeueLostMessages(ctx),
            unprocessed: () => requeueUnprocessedMedia(ctx),
            ended: () => endAbandonedCalls(ctx),
            woken: () => wakeConversations(ctx),
            imports: () => requeueImports(ctx),
            deletions: () => requeueDeletions(ctx),
            hooks: () => queueDeliveries(ctx, LONGEST_WEBHOOK_PAUSE_MS),
            expired: () => sweepRetention(ctx),
            forgotten: () => forgetMentions(ctx, forgetJobs.bind(null, producer.queues)),
            tombstones: () => pruneTombstones(ctx),
            earlyDeletions: () => pruneEarlyDeletions(ctx),
            events: () => pruneEvents(ctx),
          },
          job.logger,
        )
      },
    }),
    async (deps) => {
      await deps.producer.scheduleEvery('maintenance.sweep', {}, SWEEP_EVERY_MS)
      await deps.producer.scheduleEvery('payment.sweep', {}, PAYMENT_SWEEP_EVERY_MS)
      await startWebhookPump(deps)
    },
  )
