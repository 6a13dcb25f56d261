import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { toDecimal } from '../../lib/money.ts'
import { unexpectedAnswer } from './call.ts'
import { PayPalClient } from './paypal-client.ts'
import {
  captureAbove,
  issueOf,
  link,
  mergeReports,
  readOrder,
  refundBody,
  refundsOf,
  reportOf,
} from './paypal-orders.ts'
import type { CheckoutRequest, PaymentProvider, PaymentReport, Refund, WebhookPointer } from './port.ts'

export type PayPalOptions = {
  clientId: string
  clientSecret: string
  /** The id of our webhook in PayPal's console; without it webhooks are refused and the sweep settles. */
  webhookId: string | null
  /** `https://api-m.paypal.com`, or the sandbox's. */
  apiBaseUrl: string
  account?: string
  now?: () => number
}

/** PayPal stores an order that was not approved for some hours; an older one is checked before it is offered again. */
const ORDER_LIFE_MS = 3 * 3_600_000
/** PayPal's codes for a refused instrument: this order is closed, another may succeed. */
const REFUSALS = ['INSTRUMENT_DECLINED', 'PAYER_CANNOT_PAY', 'TRANSACTION_REFUSED', 'PAYER_ACCOUNT_RESTRICTED']

const eventBody = z.looseObject({
  id: z.string().min(1).max(128),
  event_type: z.string(),
  resource: z.looseObject({
    id: z.string().optional(),
    custom_id: z.string().optional(),
    purchase_units: z.array(z.looseObject({ custom_id: z.string().optional() })).optional(),
    links: z.array(link).default([]),
  }),
})

/**
 * PayPal Orders v2 and Payments v2 over plain HTTP. Source: PayPal's OpenAPI descriptions of checkout_orders_v2,
 * payments_payment_v2 and notifications_webhooks_v1.
 */
export function createPayPal(options: PayPalOptions): PaymentProvider {
  const { clientId, clientSecret, webhookId, apiBaseUrl } = options
  const now = options.now ?? Date.now
  const client = new PayPalClient({ clientId, clientSecret, apiBaseUrl, now })
  return {
    name: 'paypal',
    currencies: ['ILS', 'USD', 'EUR'],
    account: options.account ?? null,
    async check() {
      await client.fetchToken()
    },
    async createCheckout(request) {
      const { status, json } = await client.call('POST', '/v2/checkout/orders', JSON.stringify(orderFor(request)), {
        'paypal-request-id': request.requestId,
      })
      const order = readOrder(status, json, 'creating an order')
      const page = order.links.find(({ rel }) => rel === 'payer-action' || rel === 'approve')
      if (!page) throw unexpectedAnswer('PayPal', 'creating an order without a page to approve it', status)
      return { ref: order.id, url: page.href, expiresAt: new Date(now() + ORDER_LIFE_MS) }
    },
    async inspect({ refs }) {
      return mergeReports(await Promise.all(refs.map((ref) => inspectOrder(client, ref))))
    },
    capture: (order) => captureOrder(client, order),
    refund: (charge) => refundCapture(client, charge),
    peekWebhook: pointerOf,
    async readWebhook({ header, body }) {
      const pointer = pointerOf(body)
      return webhookId && (await isFromPayPal(client, webhookId, header, body)) ? pointer : null
    },
  }
}

function orderFor(request: CheckoutRequest) {
  return {
    intent: 'CAPTURE',
    purchase_units: [
      {
        custom_id: request.paymentId,
        description: request.description.slice(0, 127),
        amount: { currency_code: request.currency, value: toDecimal(request.amount) },
      },
    ],
    payment_source: {
      paypal: {
        experience_context: {
          brand_name: request.businessName.slice(0, 127),
          locale: request.language === 'he' ? 'he-IL' : 'en-US',
          shipping_preference: 'NO_SHIPPING',
          user_action: 'PAY_NOW',
          return_url: request.returnUrl,
          cancel_url: request.cancelUrl,
        },
      },
    },
  }
}

function closedOrder(ref: string, reason: string | null): PaymentReport {
  return { checkouts: [{ ref, state: 'closed', reason }], charges: [], refunds: [] }
}

async function inspectOrder(client: PayPalClient, ref: string): Promise<PaymentReport> {
  const { status, json } = await client.call('GET', `/v2/checkout/orders/${encodeURIComponent(ref)}`)
  if (status === 404) return closedOrder(ref, null)
  return reportOf(readOrder(status, json, 'reading an order'))
}

async function captureOrder(
  client: PayPalClient,
  { ref, requestId }: { ref: string; requestId: string },
): Promise<PaymentReport> {
  const { status, json } = await client.call('POST', `/v2/checkout/orders/${encodeURIComponent(ref)}/capture`, '{}', {
    'paypal-request-id': requestId,
  })
  if (status === 422) {
    const issue = issueOf(json)
    if (REFUSALS.includes(issue)) return closedOrder(ref, issue)
    // Captured by a call whose answer was lost, or not approved: the order tells which.
    if (issue === 'ORDER_ALREADY_CAPTURED' || issue === 'ORDER_NOT_APPROVED') return inspectOrder(client, ref)
  }
  if (status === 404) return closedOrder(ref, null)
  return reportOf(readOrder(status, json, 'capturing an order'))
}

async function refundCapture(
  client: PayPalClient,
  charge: Parameters<NonNullable<PaymentProvider['refund']>>[0],
): Promise<Refund | null> {
  const { paymentId, transactionId, requestId, amount, currency } = charge
  const { status, json } = await client.call(
    'POST',
    `/v2/payments/captures/${encodeURIComponent(transactionId)}/refund`,
    JSON.stringify({ amount: { currency_code: currency, value: toDecimal(amount) }, custom_id: paymentId }),
    { 'paypal-request-id': requestId },
  )
  if (status === 422 && ['CAPTURE_FULLY_REFUNDED', 'REFUND_AMOUNT_EXCEEDED'].includes(issueOf(json))) return null
  if (status === 422 || status === 403)
    throw new AppError('conflict', 'refund_refused', `PayPal refused the refund (${issueOf(json)}).`)
  const parsed = refundBody.safeParse(json)
  if ((status !== 200 && status !== 201) || !parsed.success)
    throw unexpectedAnswer('PayPal', 'a refund', status, parsed.error)
  const [refund] = refundsOf([parsed.data], transactionId)
  if (!refund) throw unexpectedAnswer('PayPal', 'a refund without an amount', status)
  return refund
}

async function isFromPayPal(
  client: PayPalClient,
  webhookId: string,
  header: (name: string) => string | undefined,
  body: string,
): Promise<boolean> {
  const transmission = {
    auth_algo: header('paypal-auth-algo'),
    cert_url: header('paypal-cert-url'),
    transmission_id: header('paypal-transmission-id'),
    transmission_sig: header('paypal-transmission-sig'),
    transmission_time: header('paypal-transmission-time'),
  }
  if (Object.values(transmission).some((value) => !value)) return false
  // The event is returned byte for byte: serialized again, its checksum would differ.
  const fields = JSON.stringify({ ...transmission, webhook_id: webhookId })
  const { status, json } = await client.call(
    'POST',
    '/v1/notifications/verify-webhook-signature',
    `${fields.slice(0, -1)},"webhook_event":${body}}`,
  )
  const verdict = z.looseObject({ verification_status: z.string() }).safeParse(json)
  return status === 200 && verdict.success && verdict.data.verification_status === 'SUCCESS'
}

function pointerOf(body: string): WebhookPointer {
  const event = eventBody.safeParse(parseJson(body))
  if (!event.success)
    throw new AppError('invalid', 'invalid_webhook', 'The body is not a PayPal event.', { cause: event.error })
  const { resource } = event.data
  const ours = z.uuid().safeParse(resource.custom_id ?? resource.purchase_units?.[0]?.custom_id)
  return { eventId: event.data.id, paymentId: ours.data ?? null, transactionId: captureAbove(resource.links) }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid', 'invalid_json', 'The body is not JSON.', { cause })
  }
}
