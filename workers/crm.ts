import type { Deps } from '../src/composition/deps.ts'
import { type DomainContext, within } from '../src/domain/context.ts'
import { failImport, runImport } from '../src/domain/imports/index.ts'
import { sendMail } from '../src/domain/mails/index.ts'
import { applyMessageStatus, takeInbound } from '../src/domain/messages/index.ts'
import { deliverPush, queuePushes } from '../src/domain/push/index.ts'
import { deliverWebhook, queueDeliveries } from '../src/domain/webhooks/index.ts'
import { reviveInbound, storeInbound } from '../src/domain/whatsapp/index.ts'
import type { JobContext, JobHandlers } from '../src/jobs/consumer.ts'
import type { JobPayload } from '../src/jobs/registry.ts'
import { errorMessage } from '../src/lib/errors.ts'
import { startEventPump } from './event-pump.ts'
import { callHandlers } from './handlers/calls.ts'
import { paymentHandlers } from './handlers/payments.ts'
import { runSweeps, sweepsOf } from './handlers/sweep.ts'
import { openConsumer, runWorker } from './run-worker.ts'

const SWEEP_EVERY_MS = 30_000
const PAYMENT_SWEEP_EVERY_MS = 10_000

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
  const { ctx, postOut, payments, mailer, mailBox, webhookBox, push } = deps
  return {
    ...callHandlers(deps),
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
    'push.send': async ({ businessId, deliveryId }) => {
      await deliverPush(within(ctx, businessId), deliveryId, push)
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
  await startEventPump(deps, 'webhooks', () => queueDeliveries(deps.ctx))
  await startEventPump(deps, 'notifications', () => queuePushes(deps.ctx))
  // A separate consumer: a flood of payment notifications, which anyone can send, must not delay calls or messages.
  const settling = openConsumer(deps, 'payments', 2, paymentHandlers(deps.ctx, deps.payments))
  await settling.ready()
  return async () => {
    await settling.close()
  }
}

if (import.meta.main) await runWorker('crm', 8, crmHandlers, startCrmWorker)
