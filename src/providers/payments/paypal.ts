import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { fromDecimal, toDecimal } from '../../lib/money.ts'
import { callProvider, unexpectedAnswer } from './call.ts'
import type { Charge, CheckoutUpdate, PaymentProvider, PaymentReport, Refund, WebhookPointer } from './port.ts'

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
/** The token is renewed this long before it expires. */
const TOKEN_MARGIN_MS = 60_000
/** PayPal's codes for a refused instrument: this order is closed, another may succeed. */
const REFUSALS = ['INSTRUMENT_DECLINED', 'PAYER_CANNOT_PAY', 'TRANSACTION_REFUSED', 'PAYER_ACCOUNT_RESTRICTED']

const money = z.looseObject({ currency_code: z.string(), value: z.string() })
const link = z.looseObject({ href: z.string(), rel: z.string() })
const captureBody = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: money,
  custom_id: z.string().optional(),
  status_details: z.looseObject({ reason: z.string().optional() }).optional(),
})
const refundBody = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: money.optional(),
  links: z.array(link).default([]),
})
const orderBody = z.looseObject({
  id: z.string(),
  status: z.string(),
  links: z.array(link).default([]),
  purchase_units: z
    .array(
      z.looseObject({
        custom_id: z.string().optional(),
        payments: z
          .looseObject({ captures: z.array(captureBody).default([]), refunds: z.array(refundBody).default([]) })
          .optional(),
      }),
    )
    .default([]),
})
const tokenBody = z.looseObject({ access_token: z.string(), expires_in: z.number() })
const errorBody = z.looseObject({
  name: z.string().default(''),
  details: z.array(z.looseObject({ issue: z.string().default('') })).default([]),
})
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
  const { clientId, clientSecret, webhookId } = options
  const api = options.apiBaseUrl.replace(/\/+$/, '')
  const now = options.now ?? Date.now
  let token: Promise<{ value: string; until: number }> | null = null

  async function fetchToken() {
    const { status, json } = await callProvider('PayPal', `${api}/v1/oauth2/token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: 'grant_type=client_credentials',
    })
    const parsed = tokenBody.safeParse(json)
    if (status !== 200 || !parsed.success)
      throw new AppError('unavailable', 'payment_provider_login', `PayPal refused our credentials (${status}).`)
    return { value: parsed.data.access_token, until: now() + parsed.data.expires_in * 1_000 - TOKEN_MARGIN_MS }
  }

  /** One token for all requests; concurrent callers share one request for it. */
  async function accessToken(): Promise<string> {
    if (token) {
      const known = await token
      if (known.until > now()) return known.value
    }
    const fresh = fetchToken()
    token = fresh
    fresh.catch(() => {
      if (token === fresh) token = null
    })
    return (await fresh).value
  }

  async function call(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
    const send = async () =>
      callProvider('PayPal', api + path, {
        method,
        headers: {
          authorization: `Bearer ${await accessToken()}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          prefer: 'return=representation',
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      })
    const first = await send()
    if (first.status !== 401) return first
    // Revoked early: one more attempt with a new one.
    token = null
    return send()
  }

  async function readOrder(ref: string): Promise<PaymentReport> {
    const { status, json } = await call('GET', `/v2/checkout/orders/${encodeURIComponent(ref)}`)
    if (status === 404) return { checkouts: [{ ref, state: 'closed', reason: null }], charges: [], refunds: [] }
    return reportOf(orderOf(status, json, 'reading an order'))
  }

  return {
    name: 'paypal',
    currencies: ['ILS', 'USD', 'EUR'],
    account: options.account ?? null,

    async check() {
      await fetchToken()
    },

    async createCheckout(request) {
      const { status, json } = await call(
        'POST',
        '/v2/checkout/orders',
        JSON.stringify({
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
        }),
        { 'paypal-request-id': request.requestId },
      )
      const order = orderOf(status, json, 'creating an order')
      const page = order.links.find(({ rel }) => rel === 'payer-action' || rel === 'approve')
      if (!page) throw unexpectedAnswer('PayPal', 'creating an order without a page to approve it', status)
      return { ref: order.id, url: page.href, expiresAt: new Date(now() + ORDER_LIFE_MS) }
    },

    async inspect({ refs }) {
      return merge(await Promise.all(refs.map(readOrder)))
    },

    async capture({ ref, requestId }) {
      const { status, json } = await call('POST', `/v2/checkout/orders/${encodeURIComponent(ref)}/capture`, '{}', {
        'paypal-request-id': requestId,
      })
      if (status === 422) {
        const issue = issueOf(json)
        if (REFUSALS.includes(issue))
          return { checkouts: [{ ref, state: 'closed', reason: issue }], charges: [], refunds: [] }
        // Captured by a call whose answer was lost, or not approved: the order tells which.
        if (issue === 'ORDER_ALREADY_CAPTURED' || issue === 'ORDER_NOT_APPROVED') return readOrder(ref)
      }
      if (status === 404) return { checkouts: [{ ref, state: 'closed', reason: null }], charges: [], refunds: [] }
      return reportOf(orderOf(status, json, 'capturing an order'))
    },

    async refund({ paymentId, transactionId, requestId, amount, currency }) {
      const { status, json } = await call(
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
    },

    peekWebhook: pointerOf,

    async readWebhook({ header, body }) {
      const pointer = pointerOf(body)
      if (!webhookId) return null
      const transmission = {
        auth_algo: header('paypal-auth-algo'),
        cert_url: header('paypal-cert-url'),
        transmission_id: header('paypal-transmission-id'),
        transmission_sig: header('paypal-transmission-sig'),
        transmission_time: header('paypal-transmission-time'),
      }
      if (Object.values(transmission).some((value) => !value)) return null
      // The event is returned byte for byte: serialized again, its checksum would differ.
      const fields = JSON.stringify({ ...transmission, webhook_id: webhookId })
      const { status, json } = await call(
        'POST',
        '/v1/notifications/verify-webhook-signature',
        `${fields.slice(0, -1)},"webhook_event":${body}}`,
      )
      const verdict = z.looseObject({ verification_status: z.string() }).safeParse(json)
      if (status !== 200 || !verdict.success || verdict.data.verification_status !== 'SUCCESS') return null
      return pointer
    },
  }
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

function issueOf(json: unknown): string {
  const parsed = errorBody.safeParse(json)
  return parsed.success ? (parsed.data.details[0]?.issue ?? parsed.data.name) : ''
}

function orderOf(status: number, json: unknown, what: string) {
  const parsed = orderBody.safeParse(json)
  if ((status === 200 || status === 201) && parsed.success) return parsed.data
  if (status >= 400)
    throw new AppError('conflict', 'payment_provider_refused', `PayPal refused ${what} (${status} ${issueOf(json)}).`)
  throw unexpectedAnswer('PayPal', what, status, parsed.error)
}

const CHARGE_STATUS: Record<string, Charge['status']> = {
  COMPLETED: 'completed',
  PARTIALLY_REFUNDED: 'completed',
  REFUNDED: 'completed',
  PENDING: 'pending',
  DECLINED: 'failed',
  FAILED: 'failed',
}

function reportOf(order: z.infer<typeof orderBody>): PaymentReport {
  const units = order.purchase_units
  const charges = units.flatMap((unit) =>
    (unit.payments?.captures ?? []).flatMap((capture): Charge[] => {
      const status = CHARGE_STATUS[capture.status]
      const amount = fromDecimal(capture.amount.value)
      if (!status || amount === null) return []
      return [
        {
          transactionId: capture.id,
          status,
          amount,
          currency: capture.amount.currency_code,
          paymentId: capture.custom_id ?? unit.custom_id ?? null,
          reason: capture.status_details?.reason ?? (status === 'failed' ? capture.status : null),
        },
      ]
    }),
  )
  const refunds = units.flatMap((unit) => refundsOf(unit.payments?.refunds ?? [], null))
  // An order whose every capture failed can no longer be paid; a paid one stays, its refunds still matter.
  const dead = charges.length > 0 && charges.every(({ status }) => status === 'failed')
  const state: CheckoutUpdate['state'] =
    order.status === 'APPROVED' && charges.length === 0
      ? 'approved'
      : order.status === 'VOIDED' || dead
        ? 'closed'
        : 'open'
  return { checkouts: [{ ref: order.id, state, reason: null }], charges, refunds }
}

const REFUND_STATUS: Record<string, Refund['status']> = {
  COMPLETED: 'completed',
  PENDING: 'pending',
  FAILED: 'failed',
  CANCELLED: 'failed',
}

/** @param chargeId the charge when it is given; otherwise the refund's `up` link names it */
function refundsOf(bodies: z.infer<typeof refundBody>[], chargeId: string | null): Refund[] {
  return bodies.flatMap((body): Refund[] => {
    const status = REFUND_STATUS[body.status]
    const amount = body.amount ? fromDecimal(body.amount.value) : null
    const charge = chargeId ?? captureAbove(body.links)
    if (!status || amount === null || !charge || !body.amount) return []
    return [{ transactionId: body.id, chargeId: charge, status, amount, currency: body.amount.currency_code }]
  })
}

/** The capture that a refund's `up` link leads to. */
function captureAbove(links: z.infer<typeof link>[]): string | null {
  const up = links.find(({ rel }) => rel === 'up')
  return /\/v2\/payments\/captures\/([^/?]+)$/.exec(up?.href ?? '')?.[1] ?? null
}

function merge(reports: PaymentReport[]): PaymentReport {
  return {
    checkouts: reports.flatMap((report) => report.checkouts),
    charges: reports.flatMap((report) => report.charges),
    refunds: reports.flatMap((report) => report.refunds),
  }
}
