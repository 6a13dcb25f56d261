import { and, eq, inArray } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { paymentEvents, payments } from '../../../db/schema/index.ts'
import { audit, type BusinessContext } from '../context.ts'

export const AMOUNT_MISMATCH = 'amount_mismatch'

export type PaymentRow = typeof payments.$inferSelect
export type PaymentState = PaymentRow['state']

/** States move forward only. After `failed` another attempt may follow; money that comes late still counts. */
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

/** Moves a payment to a state with history and audit, where that is allowed. @returns whether it moved */
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
