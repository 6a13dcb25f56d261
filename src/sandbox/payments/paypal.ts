import { randomBytes } from 'node:crypto'
import { html } from 'hono/html'
import { z } from 'zod'
import { createLogger, type Logger } from '../../lib/log.ts'
import { fromDecimal, toDecimal } from '../../lib/money.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { type ControlRoute, handlePaymentControl, refuse } from './control.ts'
import { answerWith, effectOf, type PaymentEffect } from './faults.ts'
import { sandboxPage } from './page.ts'
import { type PayPalOrder, PayPalState } from './paypal-state.ts'

export type StartPayPal = {
  port: number
  hostname?: '127.0.0.1' | '::1' | 'localhost'
  clientId: string
  clientSecret: string
  webhookId: string
  webhookUrl?: string | null
  rules?: readonly ConnectRule[]
  logger?: Logger
}

export type PayPalSandbox = PayPalState & {
  readonly port: number
  /** Another merchant's account, with its own books and webhooks. `/_control` serves the first one. */
  addAccount(account: Pick<StartPayPal, 'clientId' | 'clientSecret' | 'webhookId' | 'webhookUrl'>): PayPalState
  close(): Promise<void>
}

const moneyInput = z.object({ currency_code: z.string().length(3), value: z.string() })
const orderInput = z.object({
  intent: z.literal('CAPTURE'),
  purchase_units: z
    .array(
      z.object({
        custom_id: z.string().max(255).optional(),
        description: z.string().max(127).default(''),
        amount: moneyInput,
      }),
    )
    .length(1),
  payment_source: z.object({
    paypal: z.object({
      experience_context: z.object({
        brand_name: z.string().max(127).default(''),
        locale: z.string(),
        shipping_preference: z.string(),
        user_action: z.enum(['CONTINUE', 'PAY_NOW']),
        return_url: z.url(),
        cancel_url: z.url(),
      }),
    }),
  }),
})
const refundInput = z.object({ amount: moneyInput.optional(), custom_id: z.string().max(255).optional() })
const verifyInput = z.object({
  auth_algo: z.literal('SHA256withRSA'),
  cert_url: z.url(),
  transmission_id: z.string(),
  transmission_sig: z.string(),
  transmission_time: z.string(),
  webhook_id: z.string(),
  webhook_event: z.looseObject({}),
})

/**
 * Starts the simulated PayPal, on loopback only: OAuth, Orders v2, refunds of Payments v2, webhook verification, the buyer's
 * approval page, signed events, and `/_control`. All state is in memory.
 */
export function startPayPal(options: StartPayPal): PayPalSandbox {
  const hostname = options.hostname ?? '127.0.0.1'
  const state = new PayPalState({
    clientId: options.clientId,
    clientSecret: options.clientSecret,
    webhookId: options.webhookId,
    webhookUrl: options.webhookUrl ?? null,
    rules: options.rules ?? [],
    logger: options.logger ?? createLogger('silent'),
  })
  const accounts: [PayPalState, ...PayPalState[]] = [state]
  const server = Bun.serve({
    port: options.port,
    hostname,
    idleTimeout: 120,
    fetch: (request) => route(accounts, request),
    error: (error) => {
      state.settings.logger.error({ err: error }, 'simulated PayPal failed')
      return paypalError(500, 'INTERNAL_SERVER_ERROR')
    },
  })
  const port = server.port ?? options.port
  state.url = `http://${hostname === '::1' ? '[::1]' : hostname}:${port}`
  return Object.assign(state, {
    port,
    addAccount(account: Parameters<PayPalSandbox['addAccount']>[0]) {
      const made = new PayPalState({ ...state.settings, webhookUrl: null, ...account }, state)
      accounts.push(made)
      return made
    },
    async close() {
      for (const account of accounts) account.deliveries.stop()
      await server.stop(true)
    },
  })
}

async function route(accounts: readonly [PayPalState, ...PayPalState[]], request: Request): Promise<Response> {
  const url = new URL(request.url)
  const { pathname } = url
  const [first] = accounts
  const authorization = request.headers.get('authorization') ?? ''
  if (pathname.startsWith('/_control')) return handlePaymentControl(request, url, first, controlRoutes(first))
  if (pathname === '/checkoutnow') {
    const token = url.searchParams.get('token') ?? ''
    return approvalPage(accounts.find(({ orders }) => orders.has(token)) ?? first, request, url)
  }
  if (pathname.startsWith('/v1/notifications/certs/')) return new Response(first.publicKeyPem)
  if (pathname === '/v1/oauth2/token') {
    const asking = accounts.find((account) => authorization === basicOf(account)) ?? first
    return struck(asking, 'token', () => giveToken(asking, request))
  }
  const token = authorization.replace(/^Bearer /, '')
  // The token's account limits the visible orders: another merchant's are not found.
  const state = accounts.find(({ tokens }) => tokens.has(token)) ?? first
  const until = state.tokens.get(token)
  if (until === undefined || until < Date.now()) return paypalError(401, 'AUTHENTICATION_FAILURE', 'invalid_token')
  const key = `${request.method} ${pathname.replace(/(orders|captures)\/[^/]+/, '$1/:id')}`
  const id = /(?:orders|captures)\/([^/]+)/.exec(pathname)?.[1] ?? ''
  const order = state.orders.get(id)
  const text = request.method === 'POST' ? await request.text() : ''
  const requestId = request.headers.get('paypal-request-id')
  switch (key) {
    case 'POST /v2/checkout/orders':
      return struck(state, 'orders.create', () => createOrder(state, text, requestId))
    case 'GET /v2/checkout/orders/:id':
      return struck(state, 'orders.get', () => (order ? Response.json(state.orderToJson(order)) : missing()))
    case 'POST /v2/checkout/orders/:id/capture':
      return struck(state, 'orders.capture', (effects) =>
        order ? captureOrder(state, order, requestId, effects) : missing(),
      )
    case 'POST /v2/payments/captures/:id/refund':
      return struck(state, 'captures.refund', () => refundCapture(state, id, text, requestId))
    case 'POST /v1/notifications/verify-webhook-signature':
      return verifySignature(state, text)
    default:
      return missing()
  }
}

type Operation = Parameters<PayPalState['faults']['strike']>[0]

async function struck(
  state: PayPalState,
  operation: Operation,
  work: (effects: PaymentEffect[]) => Response | Promise<Response>,
): Promise<Response> {
  const effects = state.faults.strike(operation)
  const refused = effectOf(effects, 'http_error')
  if (refused) return paypalError(refused.status, 'INTERNAL_SERVICE_ERROR')
  return answerWith(await work(effects), effects)
}

function basicOf({ settings }: PayPalState): string {
  return `Basic ${Buffer.from(`${settings.clientId}:${settings.clientSecret}`).toString('base64')}`
}

async function giveToken(state: PayPalState, request: Request): Promise<Response> {
  if (request.headers.get('authorization') !== basicOf(state)) return paypalError(401, 'invalid_client')
  if (new URLSearchParams(await request.text()).get('grant_type') !== 'client_credentials')
    return paypalError(400, 'unsupported_grant_type')
  const token = `A21AA${randomBytes(24).toString('base64url')}`
  state.tokens.set(token, Date.now() + 32_400_000)
  return Response.json({ access_token: token, token_type: 'Bearer', expires_in: 32_400, scope: '' })
}

function createOrder(state: PayPalState, text: string, requestId: string | null): Response {
  const earlier = requestId ? state.orders.get(state.madeBy.get(`order:${requestId}`) ?? '') : undefined
  if (earlier) return Response.json(state.orderToJson(earlier), { status: 200 })
  const parsed = orderInput.safeParse(JSON.parse(text))
  const unit = parsed.data?.purchase_units[0]
  const amount = unit ? fromDecimal(unit.amount.value) : null
  if (!parsed.success || !unit || !amount) return paypalError(400, 'INVALID_REQUEST', 'INVALID_PARAMETER_SYNTAX')
  const context = parsed.data.payment_source.paypal.experience_context
  const order = state.newOrder({
    reference: unit.custom_id ?? null,
    description: unit.description,
    brand: context.brand_name,
    amount,
    currency: unit.amount.currency_code,
    returnUrl: context.return_url,
    cancelUrl: context.cancel_url,
  })
  if (requestId) state.madeBy.set(`order:${requestId}`, order.id)
  return Response.json(state.orderToJson(order), { status: 200 })
}

function captureOrder(
  state: PayPalState,
  order: PayPalOrder,
  requestId: string | null,
  effects: PaymentEffect[],
): Response {
  const answer = (status: number) => Response.json(state.orderToJson(order), { status })
  if (order.capture)
    return requestId !== null && requestId === order.captureRequestId
      ? answer(200)
      : paypalError(422, 'UNPROCESSABLE_ENTITY', 'ORDER_ALREADY_CAPTURED')
  if (order.status !== 'APPROVED') return paypalError(422, 'UNPROCESSABLE_ENTITY', 'ORDER_NOT_APPROVED')
  if (effectOf(effects, 'declined')) {
    order.status = 'PAYER_ACTION_REQUIRED'
    return paypalError(422, 'UNPROCESSABLE_ENTITY', 'INSTRUMENT_DECLINED')
  }
  state.capture(order, requestId, effects)
  return answer(201)
}

function refundCapture(state: PayPalState, captureId: string, text: string, requestId: string | null): Response {
  const order = [...state.orders.values()].find(({ capture }) => capture?.id === captureId)
  if (!order?.capture) return missing()
  const earlier = order.refunds.find(({ id }) => requestId !== null && id === state.madeBy.get(`refund:${requestId}`))
  if (earlier) return Response.json(state.refundToJson(earlier), { status: 200 })
  const input = refundInput.parse(JSON.parse(text || '{}'))
  const amount = input.amount ? fromDecimal(input.amount.value) : order.capture.amount
  const refund = amount === null ? null : state.refund(order, amount, input.custom_id ?? order.reference)
  if (!refund) return paypalError(422, 'UNPROCESSABLE_ENTITY', 'CAPTURE_FULLY_REFUNDED')
  if (requestId) state.madeBy.set(`refund:${requestId}`, refund.id)
  return Response.json(state.refundToJson(refund), { status: 201 })
}

/** The event is verified as the bytes that came, not by its parsed value. */
function verifySignature(state: PayPalState, text: string): Response {
  const input = verifyInput.safeParse(JSON.parse(text))
  if (!input.success) return paypalError(400, 'VALIDATION_ERROR')
  const body = text.slice(text.indexOf('"webhook_event":') + '"webhook_event":'.length, text.lastIndexOf('}'))
  const { transmission_id, transmission_time, transmission_sig, webhook_id } = input.data
  const right = state.verifies({
    id: transmission_id,
    time: transmission_time,
    signature: transmission_sig,
    webhookId: webhook_id,
    body,
  })
  return Response.json({ verification_status: right ? 'SUCCESS' : 'FAILURE' })
}

async function approvalPage(state: PayPalState, request: Request, url: URL): Promise<Response> {
  const order = state.orders.get(url.searchParams.get('token') ?? '')
  if (!order) return sandboxPage('PayPal', 'There is no such order.')
  if (request.method === 'POST') {
    const yes = new URLSearchParams(await request.text()).get('decision') === 'approve'
    if (yes) state.approve(order)
    const back = new URL(yes ? order.returnUrl : order.cancelUrl)
    back.searchParams.set('token', order.id)
    if (yes) back.searchParams.set('PayerID', 'SANDBOXBUYER1')
    return new Response(null, { status: 303, headers: { location: back.href } })
  }
  if (order.status !== 'PAYER_ACTION_REQUIRED') return sandboxPage('PayPal', 'This order no longer needs approval.')
  return sandboxPage(
    'PayPal',
    html`<p>${order.brand}</p><p>${order.description}</p><p class="sum">${toDecimal(order.amount)} ${order.currency}</p>
      <form method="post">
        <button name="decision" value="approve">Pay now</button>
        <button name="decision" value="cancel" class="quiet">Cancel and return</button>
      </form>`,
  )
}

function controlRoutes(state: PayPalState): Readonly<Record<string, ControlRoute>> {
  const known = (id: string, work: (order: PayPalOrder) => Response | Promise<Response>) => {
    const order = state.orders.get(id)
    return order ? work(order) : refuse(404, 'not_found', `There is no order ${id}.`)
  }
  return {
    'GET orders': () => Response.json({ orders: [...state.orders.values()].map((order) => state.orderToJson(order)) }),
    'POST approve': (_, id) =>
      known(id, (order) => {
        state.approve(order)
        return Response.json(state.orderToJson(order))
      }),
    'POST decide': (body, id) =>
      known(id, (order) => {
        state.decide(order, z.object({ outcome: z.enum(['completed', 'denied']) }).parse(body).outcome)
        return Response.json(state.orderToJson(order))
      }),
    'POST refund': (body, id) =>
      known(id, (order) => {
        const { amount } = z.object({ amount: z.int().positive() }).parse(body)
        const refund = state.refund(order, amount, null)
        return refund ? Response.json(state.refundToJson(refund)) : refuse(409, 'no_refund', 'Nothing to refund.')
      }),
    'POST forge': async (body) => {
      const { type, resource } = z.object({ type: z.string(), resource: z.unknown() }).parse(body)
      return Response.json(await state.deliveries.sendOnce(state.eventRequest(type, 'capture', resource, true)))
    },
  }
}

function missing(): Response {
  return paypalError(404, 'RESOURCE_NOT_FOUND', 'INVALID_RESOURCE_ID')
}

function paypalError(status: number, name: string, issue?: string): Response {
  return Response.json(
    { name, message: name, debug_id: randomBytes(6).toString('hex'), details: issue ? [{ issue }] : [] },
    { status },
  )
}
