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

/** PayPal's events carry whole orders. */
const MAX_BYTES = 256 * 1024

/** Requests of an address in a minute that lead nowhere: random payment ids, wrong signatures. */
const MAX_IN_VAIN = 60
/** Notifications of one payment within this time are one job, which begins after it: none of them is overlooked. */
const SETTLE_EVERY_MS = 1_000

export type PaymentWebhookDeps = {
  ctx: DomainContext
  means: PaymentDeps
  inbox: Pick<Inbox, 'accept'>
  addressOf(request: Request): string
  log: Logger
}

/**
 * The payment providers' webhooks: 200 once the news is stored, 503 when it cannot be, so that it is sent again. What they say of
 * money is not read: the job asks the provider itself. What is not signed anybody can send: it is looked up before it is a job.
 */
export function createPaymentWebhooks({ ctx, means, inbox, addressOf, log }: PaymentWebhookDeps): Hono {
  const app = new Hono()
  const limit = createAddressLimit(MAX_IN_VAIN)
  const notConfigured = (name: PaymentProviderName) =>
    new AppError('not_implemented', 'payments_not_configured', `${name} is not configured on this installation.`)

  const receive = (name: PaymentProviderName) => async (c: Context) => {
    const address = addressOf(c.req.raw)
    limit.check(address)
    try {
      const settled = await read(name, c)
      if (!settled) limit.note(address)
      return c.body(null, 200)
    } catch (error) {
      if (error instanceof AppError && (error.kind === 'invalid' || error.kind === 'forbidden')) limit.note(address)
      throw error
    }
  }

  /** @returns whether it was about a payment of ours */
  async function read(name: PaymentProviderName, c: Context): Promise<boolean> {
    const own = means.ownAccounts(name)
    const installation = means.installation[name]
    const reader = installation ?? own[0]
    if (!reader) throw notConfigured(name)
    const body = await readText(c.req.raw, MAX_BYTES)
    const said = cleanDeep(reader.peekWebhook(body))
    // Where there is one account alone, nobody has to be looked for; but what is not signed is looked up in any case.
    const unsigned = said.eventId === null
    const notifiers = own.length > 0 || unsigned ? await findNotifiers(ctx, means, name, said) : null
    if (notifiers?.length === 0) throw notConfigured(name)
    for (const provider of notifiers ?? (installation && !unsigned ? [installation] : [])) {
      const pointer = await provider.readWebhook({ header: (header) => c.req.header(header), body })
      if (!pointer) continue
      return await follow(name, cleanDeep(pointer))
    }
    if (notifiers !== null || (own.length === 0 && !unsigned))
      throw new AppError('forbidden', 'invalid_signature', 'The webhook’s signature is missing or wrong.')
    // Of another sale in a business's own account, or of nobody: it changes nothing, and need not come again.
    log.info({ provider: name }, 'a webhook that points at no payment')
    return false
  }

  async function follow(name: PaymentProviderName, pointer: WebhookPointer): Promise<boolean> {
    const { eventId, paymentId, transactionId } = pointer
    if (!paymentId && !transactionId) {
      log.info({ provider: name }, 'a webhook that points at no payment')
      return false
    }
    const news = { provider: name, paymentId, transactionId }
    if (eventId) await inbox.accept('payment.settle', news, { key: `${name}:${eventId}` })
    else await settleSoon(inbox, news)
    return true
  }

  app.post(WEBHOOKS.paypal, receive('paypal'))
  app.post(WEBHOOKS.tranzila, receive('tranzila'))
  return app
}

/** Has a payment settled within a second, once however often it is asked for in that time. */
export async function settleSoon(
  inbox: Pick<Inbox, 'accept'>,
  news: { provider: PaymentProviderName; paymentId: string | null; transactionId: string | null },
): Promise<void> {
  const now = Date.now()
  const round = Math.floor(now / SETTLE_EVERY_MS)
  await inbox.accept('payment.settle', news, {
    key: `${news.provider}:${news.paymentId ?? news.transactionId}:${round}`,
    delayMs: (round + 1) * SETTLE_EVERY_MS - now,
  })
}
