import { and, asc, eq, sql } from 'drizzle-orm'
import { paymentCheckouts, payments, paymentTransactions } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { PaymentProvider, PaymentProviderName, PaymentReport } from '../../providers/payments/port.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { applyReport } from './apply-report.ts'
import { ofPayment, type PaymentDeps, withPaymentLock } from './payment-deps.ts'
import { AMOUNT_MISMATCH, moveTo, type PaymentRow } from './states.ts'

const FIRST_CHECK_MS = 15_000
const MAX_CHECK_MS = 30 * 60_000
/** Money can come in after the end: a page that stood open, a notify that was late. */
const WATCH_AFTER_END_MS = 24 * 3_600_000

/** When the provider is asked again: soon at first, ever more rarely later. */
export function checkAfter(checks: number): Date {
  return new Date(Date.now() + Math.min(FIRST_CHECK_MS * 2 ** checks, MAX_CHECK_MS))
}

/**
 * Asks the provider, captures an approved order and writes the result. Callers only point at the payment; it settles once,
 * however often it runs. `transactionId`: named by a notify. @returns the payment, or null @throws AppError `unavailable`
 * when the provider cannot tell, `payment_busy` when another process holds it
 */
export async function settlePayment(
  ctx: DomainContext,
  paymentId: string,
  deps: PaymentDeps,
  transactionId: string | null = null,
): Promise<PaymentRow | null> {
  const [known] = await ctx.db
    .select({ businessId: payments.businessId })
    .from(payments)
    .where(eq(payments.id, paymentId))
  if (!known) return null
  return await withPaymentLock(
    deps,
    paymentId,
    () => settleLocked(ofPayment(ctx, known), paymentId, deps, transactionId),
    { wait: false },
  )
}

/** The payment that a transaction we know of belongs to, or null. */
export async function findPaymentOf(
  ctx: DomainContext,
  provider: PaymentProviderName,
  transactionId: string,
): Promise<string | null> {
  const [row] = await ctx.db
    .select({ paymentId: paymentTransactions.paymentId })
    .from(paymentTransactions)
    .where(
      and(eq(paymentTransactions.provider, provider), eq(paymentTransactions.providerTransactionId, transactionId)),
    )
  return row?.paymentId ?? null
}

/** Whose keys check a notification: the payment's accounts, begun or possible; null when it names no payment of ours. */
export async function findNotifiers(
  ctx: DomainContext,
  deps: PaymentDeps,
  provider: PaymentProviderName,
  pointer: { paymentId: string | null; transactionId: string | null },
): Promise<PaymentProvider[] | null> {
  const id =
    pointer.paymentId ?? (pointer.transactionId ? await findPaymentOf(ctx, provider, pointer.transactionId) : null)
  if (!id) return null
  const rows = await ctx.db
    .selectDistinct({
      businessId: payments.businessId,
      begun: sql<boolean>`${paymentCheckouts.id} is not null`,
      account: paymentCheckouts.account,
    })
    .from(payments)
    .leftJoin(paymentCheckouts, eq(paymentCheckouts.paymentId, payments.id))
    .where(and(eq(payments.id, id), eq(payments.provider, provider)))
  const [first] = rows
  if (!first) return null
  const found = first.begun
    ? await Promise.all(rows.map(({ businessId, account }) => deps.accountOf(businessId, provider, account)))
    : [deps.providersOf(first.businessId)[provider]]
  return found.filter((each) => each !== null)
}

/** `settlePayment` for who holds the payment's lock. */
export async function settleLocked(
  ctx: BusinessContext,
  paymentId: string,
  deps: PaymentDeps,
  transactionId: string | null = null,
): Promise<PaymentRow> {
  const payment = await loadPayment(ctx, paymentId)
  const checkouts = await ctx.db
    .select()
    .from(paymentCheckouts)
    .where(and(eq(paymentCheckouts.paymentId, paymentId), eq(paymentCheckouts.businessId, ctx.businessId)))
    .orderBy(asc(paymentCheckouts.attempt))
  let now = payment
  let becamePaid = false
  // The account may have changed between two attempts: about each one it was made in is asked.
  for (const account of new Set(checkouts.map((checkout) => checkout.account))) {
    const provider = await deps.accountOf(ctx.businessId, payment.provider, account)
    if (!provider) {
      ctx.log.warn(
        { paymentId, provider: payment.provider },
        'payment not settled: no account of its provider is configured',
      )
      continue
    }
    const inAccount = checkouts.filter((checkout) => checkout.account === account)
    const result = await settleInAccount(ctx, now, provider, inAccount, transactionId)
    now = result.payment
    becamePaid ||= result.becamePaid
  }
  if (becamePaid) await enqueueReceipt(ctx, paymentId)
  return await concludeSettling(ctx, now, checkouts.length > 0)
}

type CheckoutRow = typeof paymentCheckouts.$inferSelect

/** What one account has of a payment, and the money of what was approved there. @param checkouts those made in it */
async function settleInAccount(
  ctx: BusinessContext,
  payment: PaymentRow,
  provider: PaymentProvider,
  checkouts: CheckoutRow[],
  transactionId: string | null,
) {
  const { id: paymentId } = payment
  // Closed attempts are final, but for refunds of the paid one, which stays open.
  const open = checkouts.filter(({ closedAt }) => closedAt === null)
  const account = checkouts[0]?.account ?? null
  const inspect = (pointedAt: string | null) =>
    provider.inspect({
      paymentId,
      refs: open.map((checkout) => checkout.providerRef),
      transactionId: pointedAt,
      since: checkouts[0]?.createdAt ?? payment.createdAt,
    })
  let report = await inspect(transactionId)
  // A pointer that leads nowhere may be forged: then the books are asked without it.
  if (transactionId !== null && report.charges.length === 0) report = await inspect(null)
  const applied = await applyReport(ctx, paymentId, report, account)
  const approved = report.checkouts.find(({ state }) => state === 'approved')
  const checkout = open.find(({ providerRef }) => providerRef === approved?.ref)
  if (!checkout || !(await mayCapture(ctx, applied.payment))) return applied
  const captured = await applyReport(ctx, paymentId, await captureOrder(provider, checkout), account)
  return { payment: captured.payment, becamePaid: applied.becamePaid || captured.becamePaid }
}

/** Whether another attempt may follow. Money of another amount that was taken already is for a person to sort out. */
export function isPayable(payment: PaymentRow): boolean {
  if (payment.reason === AMOUNT_MISMATCH) return false
  return payment.state === 'created' || payment.state === 'pending' || payment.state === 'failed'
}

/** Money is taken while the payment waits for it, within its time, and never while other money is under way. */
async function mayCapture(ctx: BusinessContext, payment: PaymentRow): Promise<boolean> {
  return isPayable(payment) && payment.expiresAt.getTime() > Date.now() && !(await moneyUnderWay(ctx, payment.id))
}

async function captureOrder(
  provider: PaymentProvider,
  checkout: { paymentId: string; attempt: number; providerRef: string },
): Promise<PaymentReport> {
  if (!provider.capture) return { checkouts: [], charges: [], refunds: [] }
  return await provider.capture({ ref: checkout.providerRef, requestId: `${checkout.paymentId}-${checkout.attempt}` })
}

export async function moneyUnderWay(ctx: BusinessContext, paymentId: string): Promise<boolean> {
  const [row] = await ctx.db
    .select({ id: paymentTransactions.id })
    .from(paymentTransactions)
    .where(
      and(
        eq(paymentTransactions.paymentId, paymentId),
        eq(paymentTransactions.businessId, ctx.businessId),
        eq(paymentTransactions.status, 'pending'),
      ),
    )
    .limit(1)
  return row !== undefined
}

/** Ends a payment whose time is over, and says when the sweep looks again. @param started whether anybody began to pay */
async function concludeSettling(ctx: BusinessContext, payment: PaymentRow, started: boolean): Promise<PaymentRow> {
  const underWay = await moneyUnderWay(ctx, payment.id)
  const over = payment.expiresAt.getTime() <= Date.now()
  return await ctx.db.transaction(async (tx) => {
    if (over && !underWay) await moveTo(tx, ctx, payment, 'expired')
    const checks = payment.checks + 1
    let nextCheckAt: Date | null = null
    if (underWay) nextCheckAt = checkAfter(checks)
    else if (payment.state === 'paid' || payment.state === 'refunded') nextCheckAt = null
    else if (!over) nextCheckAt = started ? earlier(checkAfter(checks), payment.expiresAt) : payment.expiresAt
    else if (started && Date.now() - payment.expiresAt.getTime() < WATCH_AFTER_END_MS) nextCheckAt = checkAfter(checks)
    const [row] = await tx
      .update(payments)
      .set({ nextCheckAt, checks })
      .where(and(eq(payments.id, payment.id), eq(payments.businessId, ctx.businessId)))
      .returning()
    return row ?? payment
  })
}

export function earlier(a: Date, b: Date): Date {
  return new Date(Math.min(a.getTime(), b.getTime()))
}

export async function loadPayment(ctx: BusinessContext, paymentId: string): Promise<PaymentRow> {
  const [row] = await ctx.db
    .select()
    .from(payments)
    .where(and(eq(payments.id, paymentId), eq(payments.businessId, ctx.businessId)))
  if (!row) throw new Error('The payment was there a moment ago.')
  return row
}

async function enqueueReceipt(ctx: BusinessContext, paymentId: string) {
  try {
    await ctx.enqueue(
      'payment.receipt',
      { businessId: ctx.businessId, paymentId },
      { jobId: jobId('receipt', paymentId) },
    )
  } catch (error) {
    // It is marked as due: the sweep finds it.
    ctx.log.warn({ paymentId, error: errorMessage(error) }, 'the receipt could not be queued; the sweep will')
  }
}
