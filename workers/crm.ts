import { openAgentLocks, openVoiceNotes } from '../src/composition/agent.ts'
import type { Deps } from '../src/composition/deps.ts'
import { wakeAgent, watchTyping } from '../src/domain/agent/index.ts'
import { noteTextStatus, reachOf, runAlerts, runNotices, sendAlert, takeSmsReply } from '../src/domain/alerts/index.ts'
import { noteNoticeStatus, readReplies, sendNotices, takeNoticeSms } from '../src/domain/appointments/index.ts'
import { queuePushes } from '../src/domain/calendars/index.ts'
import { type DomainContext, within } from '../src/domain/context.ts'
import { failImport, runImport } from '../src/domain/imports/index.ts'
import { sendMail } from '../src/domain/mails/index.ts'
import { applyMessageStatus, takeInbound } from '../src/domain/messages/index.ts'
import { deliverWebhook, queueDeliveries } from '../src/domain/webhooks/index.ts'
import { reviveInbound, storeInbound } from '../src/domain/whatsapp/index.ts'
import type { JobContext, JobHandlers } from '../src/jobs/consumer.ts'
import type { JobPayload } from '../src/jobs/registry.ts'
import { AppError, errorMessage } from '../src/lib/errors.ts'
import { startAlertTimer, watchRound } from './alerts.ts'
import { startEventPump } from './event-pump.ts'
import { AGENT_CONCURRENCY, agentHandlers } from './handlers/agent.ts'
import { calendarHandlers } from './handlers/calendars.ts'
import { callHandlers } from './handlers/calls.ts'
import { paymentHandlers } from './handlers/payments.ts'
import { runSweeps, sweepsOf } from './handlers/sweep.ts'
import { openConsumer, runWorker } from './run-worker.ts'

const SWEEP_EVERY_MS = 30_000
const PAYMENT_SWEEP_EVERY_MS = 10_000
const WATCH_EVERY_MS = 60_000
/** A customer is answered within a second or two, not by the next sweep; most events are of nothing that one waits for. */
const CUSTOMERS_PAUSE_MS = 1_000

async function runImportJob(
  ctx: DomainContext,
  { businessId, importId }: JobPayload<'import.run'>,
  job: JobContext,
): Promise<void> {
  const business = within(ctx, businessId)
  try {
    await runImport(business, importId)
  } catch (error) {
    // Marks the import as failed: nothing else would end it.
    if (job.givesUp(error)) await failImport(business, importId, errorMessage(error).slice(0, 200))
    throw error
  }
}

function crmHandlers(deps: Deps): JobHandlers<'crm'> {
  const { ctx, postOut, payments, mailer, mailBox, webhookBox, alerts, notices } = deps
  return {
    ...callHandlers(deps),
    ...calendarHandlers(deps),
    ...paymentHandlers(ctx, payments),
    'message.receive': async (message) => {
      await takeInbound(within(ctx, message.businessId), message)
    },
    'message.status': async (event, job) => {
      if (!(await applyMessageStatus(ctx, event))) job.logger.info('status of an unknown message dropped')
    },
    'whatsapp.store': ({ businessId, accountId, event }) =>
      storeInbound(within(ctx, businessId), accountId, reviveInbound(event)),
    'webhook.deliver': async ({ businessId, ...ref }) => {
      await deliverWebhook(within(ctx, businessId), ref, { post: postOut, box: webhookBox })
    },
    'mail.send': async ({ mailId }) => {
      await sendMail(ctx, mailId, { mailer, box: mailBox })
    },
    'alert.send': async ({ businessId, deliveryId }) => {
      await sendAlert(within(ctx, businessId), deliveryId, alerts)
    },
    'alert.reply': async (reply) => {
      if (await takeSmsReply(ctx, reply, alerts.now())) await runAlerts(ctx, reachOf(alerts), alerts.now())
      else if (await takeNoticeSms(within(ctx, reply.businessId), reply, alerts.now()))
        await sendNotices(ctx, notices, alerts.now())
    },
    'sms.status': async ({ businessId, of, id, ...report }) => {
      const business = within(ctx, businessId)
      const isKnown =
        of === 'alert'
          ? await noteTextStatus(business, id, report, alerts)
          : await noteNoticeStatus(business, id, report)
      if (!isKnown) throw new AppError('unavailable', 'still_sending', 'The SMS is still being sent.')
      if (of === 'alert') await runNotices(ctx, reachOf(alerts), alerts.now())
    },
    'alert.watch': async () => {
      await watchRound(deps)
    },
    'import.run': (payload, job) => runImportJob(ctx, payload, job),
    'maintenance.sweep': async (_, job) => {
      await runSweeps(sweepsOf(deps), job.logger)
    },
  }
}

async function startCrmWorker(deps: Deps): Promise<() => Promise<void>> {
  await deps.producer.scheduleEvery('maintenance.sweep', {}, SWEEP_EVERY_MS)
  await deps.producer.scheduleEvery('payment.sweep', {}, PAYMENT_SWEEP_EVERY_MS)
  await deps.producer.scheduleEvery('alert.watch', {}, WATCH_EVERY_MS)
  await startEventPump(deps, 'webhooks', () => queueDeliveries(deps.ctx))
  await startEventPump(deps, 'agent', () => wakeAgent(deps.ctx))
  await startEventPump(deps, 'alerts', () => runNotices(deps.ctx, reachOf(deps.alerts), deps.alerts.now()))
  await startEventPump(deps, 'calendars', () => queuePushes(deps.ctx))
  await startEventPump(deps, 'reminder answers', () => readReplies(deps.ctx, deps.notices), CUSTOMERS_PAUSE_MS)
  await startEventPump(deps, 'appointment notices', () => sendNotices(deps.ctx, deps.notices), CUSTOMERS_PAUSE_MS)
  const alerts = startAlertTimer(deps)
  // Of its own: an answer of a model takes seconds, and messages that come in do not wait for it.
  const agent = openAgentLocks(deps.config, AGENT_CONCURRENCY)
  const typing = await watchTyping((channel, onNotice) => deps.database.sql.listen(channel, onNotice))
  const voice = openVoiceNotes()
  const answering = openConsumer(deps, 'agent', AGENT_CONCURRENCY, agentHandlers(deps, agent.sql, typing, voice))
  // A separate consumer: a flood of payment notifications, which anyone can send, must not delay calls or messages.
  const settling = openConsumer(deps, 'payments', 2, paymentHandlers(deps.ctx, deps.payments))
  await Promise.all([settling.ready(), answering.ready()])
  return async () => {
    await alerts.stop()
    await Promise.all([settling.close(), answering.close()])
    await voice.close()
    await agent.close()
  }
}

if (import.meta.main) await runWorker('crm', 8, crmHandlers, startCrmWorker)
