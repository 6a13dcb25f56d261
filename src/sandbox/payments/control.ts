import { z } from 'zod'
import { refuseForeign } from '../guard.ts'
import type { Deliveries } from './deliveries.ts'
import { type PaymentFaults, paymentFaultSchema } from './faults.ts'
import type { Ledger } from './ledger.ts'

export type ControlParts = { faults: PaymentFaults; ledger: Ledger; deliveries: Deliveries }
export type ControlRoute = (body: unknown, id: string) => Promise<Response> | Response

/** `/_control` of both payment servers: GET ledger, webhooks; GET, POST, DELETE faults; own actions as POST name[/id]. */
export async function handlePaymentControl(
  request: Request,
  url: URL,
  parts: ControlParts,
  extra: Readonly<Record<string, ControlRoute>>,
): Promise<Response> {
  const refusal = refuseForeign(request)
  if (refusal) return refusal
  const [name = '', id = ''] = url.pathname.split('/').slice(2)
  const key = `${request.method} ${name}`
  try {
    if (key === 'GET ledger') return Response.json(parts.ledger.toJson())
    if (key === 'GET webhooks') return Response.json({ webhooks: parts.deliveries.log })
    if (key === 'GET faults') return Response.json({ faults: parts.faults.list() })
    if (key === 'DELETE faults') {
      parts.faults.clear()
      return Response.json({ faults: [] })
    }
    const body: unknown = request.method === 'POST' ? JSON.parse((await request.text()) || '{}') : {}
    if (key === 'POST faults') {
      parts.faults.add(paymentFaultSchema.parse(body))
      return Response.json({ faults: parts.faults.list() }, { status: 201 })
    }
    const route = extra[key]
    if (route) return await route(body, id)
    return refuse(404, 'not_found', `There is no ${key} here.`)
  } catch (error) {
    if (error instanceof z.ZodError) return refuse(400, 'invalid', z.prettifyError(error))
    if (error instanceof SyntaxError) return refuse(400, 'invalid_json', 'The body is not JSON.')
    throw error
  }
}

export function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}
