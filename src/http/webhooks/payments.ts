import { type Context, Hono } from 'hono'
import type { PaymentMeans } from '../../domain/payments/index.ts'
import type { Producer } from '../../jobs/producer.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { PaymentProviderName } from '../../providers/payments/port.ts'
import { readText } from '../form.ts'
import { WEBHOOKS } from '../urls.ts'

/** PayPal's events carry whole orders. */
const MAX_BYTES = 256 * 1024

export type PaymentWebhookDeps = { means: PaymentMeans; producer: Pick<Producer, 'enqueue'>; log: Logger }

/**
 * The payment providers' webhooks: 200 once the news is durably queued, 503 when it cannot be, so that it is sent again. What
 * they say of money is not read: the queued job asks the provider itself.
 */
export function createPaymentWebhooks({ means, producer, log }: PaymentWebhookDeps): Hono {
  const app = new Hono()

  const receive = (name: PaymentProviderName) => async (c: Context) => {
    const provider = means.providers[name]
    if (!provider)
      throw new AppError(
        'not_implemented',
        'payments_not_configured',
        `${name} is not configured on this installation.`,
      )
    const body = await readText(c.req.raw, MAX_BYTES)
    const pointer = await provider.readWebhook({ header: (header) => c.req.header(header), body })
    if (!pointer) throw new AppError('forbidden', 'invalid_signature', 'The webhook’s signature is missing or wrong.')
    const { eventId, paymentId, transactionId } = pointer
    if (!paymentId && !transactionId) {
      log.info({ provider: name }, 'a webhook that points at no payment')
      return c.body(null, 200)
    }
    await producer.enqueue(
      'payment.settle',
      { provider: name, paymentId, transactionId },
      // Without a signature an id of the sender's choice could make us overlook the real one: every notify is a job.
      eventId ? { jobId: `${name}-${eventId.replace(/[^A-Za-z0-9_.-]/g, '_')}` } : {},
    )
    return c.body(null, 200)
  }

  app.post(WEBHOOKS.paypal, receive('paypal'))
  app.post(WEBHOOKS.tranzila, receive('tranzila'))
  return app
}
