import { z } from 'zod'
import { AppError } from '../../lib/errors.ts'
import { fromDecimal } from '../../lib/money.ts'
import { unexpectedAnswer } from './call.ts'
import type { Charge, CheckoutUpdate, PaymentReport, Refund } from './port.ts'

const money = z.looseObject({ currency_code: z.string(), value: z.string() })
export const link = z.looseObject({ href: z.string(), rel: z.string() })
const captureBody = z.looseObject({
  id: z.string(),
  status: z.string(),
  amount: money,
  custom_id: z.string().optional(),
  status_details: z.looseObject({ reason: z.string().optional() }).optional(),
})
export const refundBody = z.looseObject({
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
const errorBody = z.looseObject({
  name: z.string().default(''),
  details: z.array(z.looseObject({ issue: z.string().default('') })).default([]),
})

export function issueOf(json: unknown): string {
  const parsed = errorBody.safeParse(json)
  return parsed.success ? (parsed.data.details[0]?.issue ?? parsed.data.name) : ''
}

export function readOrder(status: number, json: unknown, what: string) {
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

export function reportOf(order: z.infer<typeof orderBody>): PaymentReport {
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
export function refundsOf(bodies: z.infer<typeof refundBody>[], chargeId: string | null): Refund[] {
  return bodies.flatMap((body): Refund[] => {
    const status = REFUND_STATUS[body.status]
    const amount = body.amount ? fromDecimal(body.amount.value) : null
    const charge = chargeId ?? captureAbove(body.links)
    if (!status || amount === null || !charge || !body.amount) return []
    return [{ transactionId: body.id, chargeId: charge, status, amount, currency: body.amount.currency_code }]
  })
}

/** The capture that a refund's `up` link leads to. */
export function captureAbove(links: z.infer<typeof link>[]): string | null {
  const up = links.find(({ rel }) => rel === 'up')
  return /\/v2\/payments\/captures\/([^/?]+)$/.exec(up?.href ?? '')?.[1] ?? null
}

export function mergeReports(reports: PaymentReport[]): PaymentReport {
  return {
    checkouts: reports.flatMap((report) => report.checkouts),
    charges: reports.flatMap((report) => report.charges),
    refunds: reports.flatMap((report) => report.refunds),
  }
}
