import { type Context, Hono } from 'hono'
import type { DomainContext } from '../../domain/context.ts'
import { findNotifiers, type PaymentMeans } from '../../domain/payments/index.ts'
import type { Producer } from '../../jobs/producer.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { PaymentProviderName, WebhookPointer } from '../../providers/payments/port.ts'
import { readText } from '../form.ts'
import { WEBHOOKS } from '../urls.ts'

/** PayPal's events carry whole orders. */
const MAX_BYTES = 256 * 1024

export type PaymentWebhookDeps = {
  ctx: DomainContext
  means: PaymentMeans
  producer: Pick<Producer, 'enqueue'>
  log: Logger
}

/**
 * The payment providers' webhooks: 200 once the news is durably queued, 503 when it cannot be, so that it is sent again. What
 * they say of money is not read: the queued job asks the provider itself.
 */
export function createPaymentWebhooks({ ctx, means, producer, log }: PaymentWebhookDeps): Hono {
  const app = new Hono()
  const notConfigured = (name: PaymentProviderName) =>
    new AppError('not_implemented', 'payments_not_configured', `${name} is not configured on this installation.`)

  const receive = (name: PaymentProviderName) => async (c: Context) => {
    const own = means.ownAccounts(name)
    const installation = means.installation[name]
    const reader = installation ?? own[0]
    if (!reader) throw notConfigured(name)
    const body = await readText(c.req.raw, MAX_BYTES)
    const said = reader.peekWebhook(body)
    // Where there is one account alone, nobody has to be looked for.
    const notifiers = own.length > 0 ? await findNotifiers(ctx, means, name, said) : null
    if (notifiers?.length === 0) throw notConfigured(name)
    for (const provider of notifiers ?? (installation ? [installation] : [])) {
      const pointer = await provider.readWebhook({ header: (header) => c.req.header(header), body })
      if (!pointer) continue
      await follow(name, pointer)
      return c.body(null, 200)
    }
    if (notifiers !== null || own.length === 0)
      throw new AppError('forbidden', 'invalid_signature', 'The webhook’s signature is missing or wrong.')
    // Of another sale in a business's own account, or of nobody: it changes nothing, and need not come again.
    log.info({ provider: name }, 'a webhook that points at no payment')
    return c.body(null, 200)
  }

  async function follow(name: PaymentProviderName, { eventId, paymentId, transactionId }: WebhookPointer) {
    if (!paymentId && !transactionId) {
      log.info({ provider: name }, 'a webhook that points at no payment')
      return
    }
    await producer.enqueue(
      'payment.settle',
      { provider: name, paymentId, transactionId },
      // Without a signature an id of the sender's choice could make us overlook the real one: every notify is a job.
      eventId ? { jobId: `${name}-${eventId.replace(/[^A-Za-z0-9_.-]/g, '_')}` } : {},
    )
  }

  app.post(WEBHOOKS.paypal, receive('paypal'))
  app.post(WEBHOOKS.tranzila, receive('tranzila'))
  return app
}
