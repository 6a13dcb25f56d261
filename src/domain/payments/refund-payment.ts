import { and, eq } from 'drizzle-orm'
import { payments, paymentTransactions } from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { PaymentProvider } from '../../providers/payments/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import { applyReport } from './apply-report.ts'
import { chooseProvider, type PaymentDeps, withPaymentLock } from './payment-deps.ts'
import { paymentNotFound } from './queries.ts'
import { requireUnblocked } from './request-payment.ts'
import { checkAfter, settleLocked } from './settle-payment.ts'
import type { PaymentState } from './states.ts'

/**
 * Refunds a payment in full; a repeat answers how it stands: `refunded`, or `paid` while under way. @throws AppError
 * `payment_not_found`, `business_blocked`, `payments_not_configured`, `refund_not_supported` (501), `payment_not_paid`,
 * `refund_partly_done`, `refund_refused`
 */
export async function refundPayment(
  ctx: BusinessContext,
  paymentId: string,
  deps: PaymentDeps,
): Promise<{ id: string; state: PaymentState; refundedAmount: number }> {
  const mine = and(eq(payments.id, paymentId), eq(payments.businessId, ctx.businessId))
  const [known] = await ctx.db.select({ provider: payments.provider }).from(payments).where(mine)
  if (!known) throw paymentNotFound()
  await requireUnblocked(ctx)
  const holderOf = async (account: string | null) => {
    const holder = await deps.accountOf(ctx.businessId, known.provider, account)
    if (holder) return holder
    throw new AppError(
      'not_implemented',
      'payments_not_configured',
      'The keys of this payment’s account are no longer set. Set them, or refund in the provider’s console.',
    )
  }
  // What is impossible is refused before the lock is waited for.
  const paid = await countedCharge(ctx, paymentId)
  refundBy(paid ? await holderOf(paid.account) : chooseProvider(deps.providersOf(ctx.businessId), known.provider))
  return await withPaymentLock(deps, paymentId, async () => {
    let payment = await settleLocked(ctx, paymentId, deps)
    const answer = () => ({ id: paymentId, state: payment.state, refundedAmount: payment.refundedAmount })
    if (payment.state === 'refunded') return answer()
    const charge = await countedCharge(ctx, paymentId)
    if (payment.state !== 'paid' || !charge)
      throw new AppError('conflict', 'payment_not_paid', 'Only a paid payment can be refunded.')
    const refund = refundBy(await holderOf(charge.account))
    if (payment.refundedAmount > 0)
      throw new AppError('conflict', 'refund_partly_done', 'A part was refunded already; refund the rest at PayPal.')
    await ctx.db.transaction(async (tx) => {
      await audit(tx, ctx, { action: 'payment.refund', entity: 'payment', entityId: paymentId })
      // Should the answer be lost with this process, the sweep learns how it ended.
      await tx
        .update(payments)
        .set({ checks: 0, nextCheckAt: checkAfter(0) })
        .where(mine)
    })
    const made = await refund({
      paymentId,
      transactionId: charge.id,
      requestId: `${paymentId}-refund`,
      amount: payment.amount,
      currency: payment.currency,
    })
    if (made)
      payment = (await applyReport(ctx, paymentId, { checkouts: [], charges: [], refunds: [made] }, charge.account))
        .payment
    // Refunded before, by us or in PayPal's console: its books say how.
    else payment = await settleLocked(ctx, paymentId, deps)
    return answer()
  })
}

/** @throws AppError `refund_not_supported` */
function refundBy({ refund }: PaymentProvider): NonNullable<PaymentProvider['refund']> {
  if (refund) return refund
  throw new AppError('not_implemented', 'refund_not_supported', 'Refunds of this provider are made in its own console.')
}

async function countedCharge(
  ctx: BusinessContext,
  paymentId: string,
): Promise<{ id: string; account: string | null } | null> {
  const [row] = await ctx.db
    .select({ id: paymentTransactions.providerTransactionId, account: paymentTransactions.account })
    .from(paymentTransactions)
    .where(
      and(
        eq(paymentTransactions.paymentId, paymentId),
        eq(paymentTransactions.businessId, ctx.businessId),
        eq(paymentTransactions.kind, 'charge'),
        eq(paymentTransactions.counted, true),
      ),
    )
  return row ?? null
}
