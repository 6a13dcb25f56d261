import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { paymentEvents, payments } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'

/** The reason of a payment for which another amount or currency was taken. */
export const AMOUNT_MISMATCH = 'amount_mismatch'

export type PaymentRow = typeof payments.$inferSelect
export type PaymentState = PaymentRow['state']

/**
 * From where a payment may move: only ever forward. `failed` is the last attempt's end, another one may follow; money that
 * comes after the end of the time is money all the same.
 */
const BEFORE = {
  pending: ['created'],
  failed: ['created', 'pending'],
  expired: ['created', 'pending', 'failed'],
  paid: ['created', 'pending', 'failed', 'expired'],
  refunded: ['paid'],
} as const satisfies Partial<Record<PaymentState, readonly PaymentState[]>>

export async function recordEvent(
  tx: Executor,
  ctx: BusinessContext,
  paymentId: string,
  event: { kind: string; from?: PaymentState; to?: PaymentState; data?: Record<string, unknown> },
) {
  await tx.insert(paymentEvents).values({
    businessId: ctx.businessId,
    paymentId,
    kind: event.kind,
    fromState: event.from ?? null,
    toState: event.to ?? null,
    data: event.data ?? null,
  })
}

/**
 * Moves a payment to a state, with history and audit; where it may not move to from where it is, nothing happens.
 * @returns whether it moved
 */
export async function moveTo(
  tx: Executor,
  ctx: BusinessContext,
  payment: Pick<PaymentRow, 'id' | 'state'>,
  to: keyof typeof BEFORE,
  set: Partial<typeof payments.$inferInsert> = {},
  data: Record<string, unknown> = {},
): Promise<boolean> {
  const moved = await tx
    .update(payments)
    .set({ ...set, state: to })
    .where(
      and(
        eq(payments.id, payment.id),
        eq(payments.businessId, ctx.businessId),
        inArray(payments.state, [...BEFORE[to]]),
      ),
    )
    .returning({ id: payments.id })
  if (moved.length === 0) return false
  await recordEvent(tx, ctx, payment.id, { kind: `payment.${to}`, from: payment.state, to, data })
  await audit(tx, ctx, { action: `payment.${to}`, entity: 'payment', entityId: payment.id, data })
  return true
}
