import { type Context, Hono } from 'hono'
import { WEBHOOKS } from '../../access/urls.ts'
import type { DomainContext } from '../../domain/context.ts'
import { findNotifiers, type PaymentDeps } from '../../domain/payments/index.ts'
import type { Inbox } from '../../jobs/inbox.ts'
import { AppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { cleanDeep } from '../../lib/text.ts'
import type { PaymentProviderName, WebhookPointer } from '../../providers/payments/port.ts'
import { createAddressLimit } from '../address-limit.ts'
import { readText } from '../form-body.ts'

const MAX_BYTES = 256 * 1024

/** Useless requests of an address in a minute: random payment ids, wrong signatures. */
const MAX_USELESS = 60
/** Notifications of one payment within this time are one job, which starts after it, so that none is missed. */
const SETTLE_EVERY_MS = 1_000

export type PaymentWebhookDeps = {
  ctx: DomainContext
  payments: PaymentDeps
  inbox: Pick<Inbox, 'accept'>
  addressOf(request: Request): string
  log: Logger
}

/**
 * The webhooks of the payment providers: 200 once the event is stored, 503 when it cannot be stored, so that the provider
 * repeats it. Amounts in them are not trusted: the job asks the provider. Unsigned events are looked up before they are queued.
 */
export function createPaymentWebhooks({ ctx, payments, inbox, addressOf, log }: PaymentWebhookDeps): Hono {
  const app = new Hono()
  const limit = createAddressLimit(MAX_USELESS)
  const notConfigured = (name: PaymentProviderName) =>
    new AppError(
      'not_implemented',
      'payments_not_configured',
      `${name} is not configured on this installation. Set its keys, or remove the webhook there.`,
    )

  const receive = (name: PaymentProviderName) => async (c: Context) => {
    const address = addressOf(c.req.raw)
    limit.check(address)
    try {
      const useful = await read(name, c)
      if (!useful) limit.note(address)
      return c.body(null, 200)
    } catch (error) {
      if (error instanceof AppError && (error.kind === 'invalid' || error.kind === 'forbidden')) limit.note(address)
      throw error
    }
  }

  async function read(name: PaymentProviderName, c: Context): Promise<boolean> {
    const own = payments.ownAccounts(name)
    const installation = payments.installation[name]
    const reader = installation ?? own[0]
    if (!reader) throw notConfigured(name)
    const body = await readText(c.req.raw, MAX_BYTES)
    const peeked = cleanDeep(reader.peekWebhook(body))
    // With one account the signature decides; an unsigned event is always looked up.
    const unsigned = peeked.eventId === null
    const notifiers = own.length > 0 || unsigned ? await findNotifiers(ctx, payments, name, peeked) : null
    if (notifiers?.length === 0) throw notConfigured(name)
    for (const provider of notifiers ?? (installation && !unsigned ? [installation] : [])) {
      const pointer = await provider.readWebhook({ header: (header) => c.req.header(header), body })
      if (!pointer) continue
      return await follow(name, cleanDeep(pointer))
    }
    if (notifiers !== null || (own.length === 0 && !unsigned))
      throw new AppError(
        'forbidden',
        'invalid_signature',
        'The signature of the webhook is missing or wrong. Check the webhook id and keys of the provider.',
      )
    // For example another sale in the business's own account: a retry would not help.
    log.info({ provider: name }, 'payment webhook without a payment ignored')
    return false
  }

  async function follow(name: PaymentProviderName, pointer: WebhookPointer): Promise<boolean> {
    const { eventId, paymentId, transactionId } = pointer
    if (!paymentId && !transactionId) {
      log.info({ provider: name }, 'payment webhook without a payment ignored')
      return false
    }
    const event = { provider: name, paymentId, transactionId }
    if (eventId) await inbox.accept('payment.settle', event, { key: `${name}:${eventId}` })
    else await settleSoon(inbox, event)
    return true
  }

  app.post(WEBHOOKS.paypal, receive('paypal'))
  app.post(WEBHOOKS.tranzila, receive('tranzila'))
  return app
}

/** Queues the settlement of a payment, once a second at most. */
export async function settleSoon(
  inbox: Pick<Inbox, 'accept'>,
  event: { provider: PaymentProviderName; paymentId: string | null; transactionId: string | null },
): Promise<void> {
  const now = Date.now()
  const round = Math.floor(now / SETTLE_EVERY_MS)
  await inbox.accept('payment.settle', event, {
    key: `${event.provider}:${event.paymentId ?? event.transactionId}:${round}`,
    delayMs: (round + 1) * SETTLE_EVERY_MS - now,
  })
}
