import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Executor } from '../../../db/client.ts'
import { paymentCheckouts, payments, paymentTransactions } from '../../../db/schema/index.ts'
import type { Charge, PaymentReport, Refund } from '../../providers/payments/port.ts'
import { audit, type BusinessContext } from '../context.ts'
import { AMOUNT_MISMATCH, moveTo, type PaymentRow, recordEvent } from './states.ts'

/**
 * Writes what the provider's `account` reports, in any order: a charge counts when id, amount and currency match, no other
 * payment has it and none was counted. @returns the payment, and whether this made it paid
 */
export async function applyReport(
  ctx: BusinessContext,
  paymentId: string,
  report: PaymentReport,
  account: string | null,
) {
  return await ctx.db.transaction(async (tx) => {
    const [before] = await tx
      .select()
      .from(payments)
      .where(and(eq(payments.id, paymentId), eq(payments.businessId, ctx.businessId)))
      .for('update')
    if (!before) throw new Error('The payment was there a moment ago.')
    let payment = before
    const reload = async () => {
      const [row] = await tx.select().from(payments).where(eq(payments.id, paymentId))
      if (row) payment = row
    }
    for (const charge of report.charges) {
      await applyCharge(tx, ctx, payment, charge, account)
      await reload()
    }
    for (const refund of report.refunds) {
      await applyRefund(tx, ctx, payment, refund, account)
      await reload()
    }
    for (const { ref, reason } of report.checkouts.filter(({ state }) => state === 'closed')) {
      await closeCheckouts(tx, ctx, paymentId, ref)
      if (reason && (await moveTo(tx, ctx, payment, 'failed', { reason }, { reason }))) await reload()
    }
    return { payment, becamePaid: before.paidAt === null && payment.paidAt !== null }
  })
}

async function applyCharge(
  tx: Executor,
  ctx: BusinessContext,
  payment: PaymentRow,
  charge: Charge,
  account: string | null,
) {
  const name = { transactionId: charge.transactionId }
  if (charge.paymentId !== payment.id) {
    ctx.log.warn({ paymentId: payment.id, ...name }, 'a charge that is not of this payment')
    return
  }
  const row = await writeTransaction(tx, ctx, payment, 'charge', charge, account)
  if (row === 'unchanged') return
  if (row === 'taken') {
    ctx.log.error({ paymentId: payment.id, ...name }, 'a charge that already belongs to another payment')
    await recordEvent(tx, ctx, payment.id, { kind: 'charge.reused', data: name })
    return
  }
  const data = { ...name, amount: charge.amount, currency: charge.currency }
  if (charge.status === 'pending') {
    if (!(await moveTo(tx, ctx, payment, 'pending', {}, { ...data, reason: charge.reason })))
      await recordEvent(tx, ctx, payment.id, { kind: 'charge.pending', data: { ...data, reason: charge.reason } })
    return
  }
  if (charge.status === 'failed') {
    const reason = charge.reason ?? 'declined'
    if (!(await moveTo(tx, ctx, payment, 'failed', { reason }, { ...data, reason })))
      await recordEvent(tx, ctx, payment.id, { kind: 'charge.failed', data: { ...data, reason } })
    await closeCheckouts(tx, ctx, payment.id)
    return
  }
  if (charge.amount !== payment.amount || charge.currency !== payment.currency) {
    // Money moved, but not what was asked for: a person has to look, and nothing is called paid.
    ctx.log.error({ paymentId: payment.id, ...data }, 'a charge of another amount or currency')
    await recordEvent(tx, ctx, payment.id, { kind: 'charge.mismatch', data })
    await audit(tx, ctx, { action: 'payment.mismatch', entity: 'payment', entityId: payment.id, data })
    await moveTo(tx, ctx, payment, 'failed', { reason: AMOUNT_MISMATCH }, data)
    await closeCheckouts(tx, ctx, payment.id)
    return
  }
  const paid = await moveTo(tx, ctx, payment, 'paid', { paidAt: new Date(), reason: null, receipt: 'due' }, data)
  if (!paid) {
    ctx.log.error({ paymentId: payment.id, ...data }, 'a second charge for a payment that is paid')
    await recordEvent(tx, ctx, payment.id, { kind: 'charge.duplicate', data })
    await audit(tx, ctx, { action: 'payment.duplicate', entity: 'payment', entityId: payment.id, data })
    return
  }
  await tx.update(paymentTransactions).set({ counted: true }).where(eq(paymentTransactions.id, row.id))
}

async function applyRefund(
  tx: Executor,
  ctx: BusinessContext,
  payment: PaymentRow,
  refund: Refund,
  account: string | null,
) {
  const [charge] = await tx
    .select({ id: paymentTransactions.id })
    .from(paymentTransactions)
    .where(
      and(
        eq(paymentTransactions.paymentId, payment.id),
        eq(paymentTransactions.providerTransactionId, refund.chargeId),
        eq(paymentTransactions.kind, 'charge'),
        eq(paymentTransactions.counted, true),
      ),
    )
  const row = await writeTransaction(tx, ctx, payment, 'refund', { ...refund, reason: null }, account)
  if (row === 'unchanged' || row === 'taken') return
  const data = { transactionId: refund.transactionId, amount: refund.amount, currency: refund.currency }
  const total = payment.refundedAmount + refund.amount
  const counts = charge && refund.currency === payment.currency && total <= payment.amount
  if (refund.status !== 'completed' || !counts) {
    await recordEvent(tx, ctx, payment.id, { kind: `refund.${counts ? refund.status : 'uncounted'}`, data })
    return
  }
  await tx.update(paymentTransactions).set({ counted: true }).where(eq(paymentTransactions.id, row.id))
  if (total === payment.amount) {
    await moveTo(tx, ctx, payment, 'refunded', { refundedAmount: total, refundedAt: new Date() }, data)
    return
  }
  await tx.update(payments).set({ refundedAmount: total }).where(eq(payments.id, payment.id))
  await recordEvent(tx, ctx, payment.id, { kind: 'refund.partial', data })
  await audit(tx, ctx, { action: 'payment.refund_partial', entity: 'payment', entityId: payment.id, data })
}

async function writeTransaction(
  tx: Executor,
  ctx: BusinessContext,
  payment: PaymentRow,
  kind: 'charge' | 'refund',
  report: Pick<Charge, 'transactionId' | 'status' | 'amount' | 'currency' | 'reason'>,
  account: string | null,
): Promise<{ id: string } | 'unchanged' | 'taken'> {
  const { transactionId: providerTransactionId, ...rest } = report
  const [made] = await tx
    .insert(paymentTransactions)
    .values({
      businessId: ctx.businessId,
      paymentId: payment.id,
      provider: payment.provider,
      kind,
      providerTransactionId,
      ...rest,
      account,
    })
    .onConflictDoNothing()
    .returning({ id: paymentTransactions.id })
  if (made) return made
  const [known] = await tx
    .select()
    .from(paymentTransactions)
    .where(
      and(
        eq(paymentTransactions.provider, payment.provider),
        eq(paymentTransactions.providerTransactionId, providerTransactionId),
      ),
    )
  if (known?.paymentId !== payment.id) return 'taken'
  if (known.status !== 'pending' || report.status === 'pending') return 'unchanged'
  await tx.update(paymentTransactions).set(rest).where(eq(paymentTransactions.id, known.id))
  return { id: known.id }
}

/** From now on nothing is captured through them. @param ref one of them; all when absent */
async function closeCheckouts(tx: Executor, ctx: BusinessContext, paymentId: string, ref?: string) {
  await tx
    .update(paymentCheckouts)
    .set({ closedAt: sql`now()` })
    .where(
      and(
        eq(paymentCheckouts.businessId, ctx.businessId),
        eq(paymentCheckouts.paymentId, paymentId),
        isNull(paymentCheckouts.closedAt),
        ref === undefined ? undefined : inArray(paymentCheckouts.providerRef, [ref]),
      ),
    )
}
