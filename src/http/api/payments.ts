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

/** The payments API: request, list, look at, refund. */
export function createPaymentsApi({ means }: { means: PaymentDeps }) {
  const app = new Hono<BusinessEnv>()

  app.post('/', async (c) => {
    const business = c.get('business')
    requireJson(c.req.raw)
    const text = await readText(c.req.raw)
    // Whether this can be done here at all (403, then 501) comes before how well it was asked for (400).
    const named = namedProvider(text)
    await checkPayments(business, means, named.provider, named.currency)
    const request = parseInput(paymentRequest, text)
    const idempotencyKey = request.idempotencyKey ?? c.req.header('idempotency-key')
    const payment = await requestPayment(business, { ...request, ...(idempotencyKey ? { idempotencyKey } : {}) }, means)
    return c.json({ success: true, ...payment }, 201)
  })

  app.get('/', async (c) => {
    const page = await listPayments(c.get('business'), paymentFilters.parse(c.req.query()), means)
    return c.json({ success: true, ...page })
  })

  app.get('/:id', async (c) => {
    const { id } = idParameter.parse(c.req.param())
    return c.json({ success: true, payment: await getPayment(c.get('business'), id, means) })
  })

  app.post('/:id/refund', async (c) => {
    const { id } = idParameter.parse(c.req.param())
    return c.json({ success: true, ...(await refundPayment(c.get('business'), id, means)) })
  })

  return app
}

const named = z.looseObject({
  provider: z.string().optional().catch(undefined),
  currency: z.string().optional().catch(undefined),
})

/** Provider and currency of a body that may be anything. */
function namedProvider(text: string): { provider?: string; currency?: string } {
  try {
    const { provider, currency } = named.parse(JSON.parse(text))
    return { ...(provider ? { provider } : {}), ...(currency ? { currency } : {}) }
  } catch {
    // No JSON object: it names none, and is refused as what it is a moment later.
    return {}
  }
}
