import { within } from '../src/domain/context.ts'
import { deliverMessage } from '../src/domain/messages/index.ts'
import { DelayJob } from '../src/jobs/consumer.ts'
import { runWorker } from './run-worker.ts'

if (import.meta.main)
  await runWorker('whatsapp', 8, (deps) => ({
    'whatsapp.send': async ({ businessId, messageId }) => {
      const result = await deliverMessage(within(deps.ctx, businessId), messageId, {
        pool: deps.database.sql,
        senders: deps.senders,
        defaultTwilioSender: deps.defaultTwilioSender,
      })
      if (!result.done) throw new DelayJob(result.retryInMs, result.reason)
    },
  }))
