import { and, desc, eq } from 'drizzle-orm'
import { paymentCheckouts, payments } from '../../../db/schema/index.ts'
import { audit, type BusinessContext, type DomainContext } from '../context.ts'
import { chooseProvider, ofPayment, type PaymentDeps, withPaymentLock } from './payment-deps.ts'
import { paymentNotFound } from './queries.ts'
import { requireUnblocked } from './request-payment.ts'
import { checkAfter, earlier, isPayable, moneyUnderWay, settleLocked } from './settle-payment.ts'
import { moveTo, type PaymentRow, recordEvent } from './states.ts'

export type CheckoutStart = { kind: 'redirect'; url: string } | { kind: 'done'; state: PaymentRow['state'] }

/**
 * Mints an order or handshake, or returns the open one; earlier ones are settled first, so that no customer pays twice.
 * @throws AppError `payment_not_found`, `business_blocked`, `payments_not_configured`, `unavailable`
 */
export async function startCheckout(
  ctx: DomainContext,
  paymentId: string,
  deps: PaymentDeps,
  options: { language?: 'he' | 'en' } = {},
): Promise<CheckoutStart> {
  const [known] = await ctx.db
    .select({ businessId: payments.businessId })
    .from(payments)
    .where(eq(payments.id, paymentId))
  if (!known) throw paymentNotFound()
  const bound = ofPayment(ctx, known)
  const business = await requireUnblocked(bound)
  return await withPaymentLock(deps, paymentId, async () => {
    const payment = await settleLocked(bound, paymentId, deps)
    if (!isPayable(payment) || (await moneyUnderWay(bound, paymentId))) return { kind: 'done', state: payment.state }
    const last = await lastCheckout(bound, paymentId)
    const usable = last && !last.closedAt && last.expiresAt.getTime() > Date.now()
    // One in an account whose keys are gone would take money that this installation cannot see.
    if (usable && (await deps.accountOf(bound.businessId, payment.provider, last.account)))
      return { kind: 'redirect', url: last.url }

    const provider = chooseProvider(deps.providersOf(bound.businessId), payment.provider)
    const attempt = (last?.attempt ?? 0) + 1
    const checkout = await provider.createCheckout({
      paymentId,
      requestId: `${paymentId}-${attempt}`,
      amount: payment.amount,
      currency: payment.currency,
      description: payment.description,
      businessName: business.name,
      language: options.language ?? business.language,
      returnUrl: deps.urls.returned(paymentId),
      cancelUrl: deps.urls.canceled(paymentId),
      notifyUrl: deps.urls.notify(payment.provider),
    })
    await ctx.db.transaction(async (tx) => {
      await tx.insert(paymentCheckouts).values({
        businessId: bound.businessId,
        paymentId,
        attempt,
        provider: payment.provider,
        account: provider.account,
        providerRef: checkout.ref,
        url: checkout.url,
        expiresAt: checkout.expiresAt,
      })
      const data = { attempt, ref: checkout.ref }
      if (!(await moveTo(tx, bound, payment, 'pending', {}, data)))
        await recordEvent(tx, bound, paymentId, { kind: 'checkout.started', data })
      await audit(tx, bound, { action: 'payment.checkout', entity: 'payment', entityId: paymentId, data: { attempt } })
      await tx
        .update(payments)
        .set({ checks: 0, nextCheckAt: earlier(checkAfter(0), payment.expiresAt) })
        .where(and(eq(payments.id, paymentId), eq(payments.businessId, bound.businessId)))
    })
    return { kind: 'redirect', url: checkout.url }
  })
}

async function lastCheckout(ctx: BusinessContext, paymentId: string) {
  const [row] = await ctx.db
    .select()
    .from(paymentCheckouts)
    .where(and(eq(paymentCheckouts.paymentId, paymentId), eq(paymentCheckouts.businessId, ctx.businessId)))
    .orderBy(desc(paymentCheckouts.attempt))
    .limit(1)
  return row
}
