import type { Deps } from '../src/composition/deps.ts'
import { EVENT_CHANNEL } from '../src/domain/context.ts'
import { queueDeliveries } from '../src/domain/webhooks/index.ts'
import { errorMessage } from '../src/lib/errors.ts'

/** Queues the webhook deliveries of committed events when the database notifies, one round at a time. */
export async function startWebhookPump({ ctx, database, log }: Deps): Promise<void> {
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
        // The next event, or the sweep, queues what is missing.
        log.warn({ error: errorMessage(error) }, 'webhook deliveries not queued')
      }
    } while (again)
    running = false
  }
  await database.sql.listen(EVENT_CHANNEL, pump, pump)
}
