import { Hono } from 'hono'
import { z } from 'zod'
import type { BusinessEnv } from '../../access/authenticate.ts'
import {
  checkPayments,
  getPayment,
  listPayments,
  type PaymentDeps,
  paymentFilters,
  paymentRequest,
  refundPayment,
  requestPayment,
} from '../../domain/payments/index.ts'
import { parseInput } from '../errors.ts'
import { readText } from '../form-body.ts'
import { requireJson } from '../request-body.ts'

const idParameter = z.object({ id: z.uuid('the id of a payment') })

/** Aliases of the procedures of `payments`, at the paths of the field report. */
export function createPaymentsApi(deps: { payments: PaymentDeps }) {
  const app = new Hono<BusinessEnv>()

  app.post('/', async (c) => {
    const business = c.get('business')
    requireJson(c.req.raw)
    const text = await readText(c.req.raw)
    // A blocked business (403) and a missing provider (501) are reported before errors of the input (400).
    const named = namedProvider(text)
    await checkPayments(business, deps.payments, named.provider, named.currency)
    const request = parseInput(paymentRequest, text)
    const idempotencyKey = request.idempotencyKey ?? c.req.header('idempotency-key')
    const payment = await requestPayment(
      business,
      { ...request, ...(idempotencyKey ? { idempotencyKey } : {}) },
      deps.payments,
    )
    return c.json({ success: true, ...payment }, 201)
  })

  app.get('/', async (c) => {
    const page = await listPayments(c.get('business'), paymentFilters.parse(c.req.query()), deps.payments)
    return c.json({ success: true, ...page })
  })

  app.get('/:id', async (c) => {
    const { id } = idParameter.parse(c.req.param())
    return c.json({ success: true, payment: await getPayment(c.get('business'), id, deps.payments) })
  })

  app.post('/:id/refund', async (c) => {
    const { id } = idParameter.parse(c.req.param())
    return c.json({ success: true, ...(await refundPayment(c.get('business'), id, deps.payments)) })
  })

  return app
}

const named = z.looseObject({
  provider: z.string().optional().catch(undefined),
  currency: z.string().optional().catch(undefined),
})

function namedProvider(text: string): { provider?: string; currency?: string } {
  try {
    const { provider, currency } = named.parse(JSON.parse(text))
    return { ...(provider ? { provider } : {}), ...(currency ? { currency } : {}) }
  } catch {
    // Not a JSON object: the parser reports it next.
    return {}
  }
}
