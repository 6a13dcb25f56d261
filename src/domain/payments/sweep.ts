import { and, asc, eq, inArray, lt, lte } from 'drizzle-orm'
import { payments } from '../../../db/schema/index.ts'
import type { DomainContext } from '../context.ts'
import { jobId } from '../job-ids.ts'
import { checkAfter } from './settle-payment.ts'

const BATCH = 200
const RECEIPT_LOST_AFTER_MS = 60_000

/** Queues jobs for due payments and lost receipts; an extra job is harmless. @returns how many */
export async function sweepPayments(ctx: DomainContext): Promise<number> {
  const due = await ctx.db
    .select({ id: payments.id, checks: payments.checks, dueAt: payments.nextCheckAt })
    .from(payments)
    .where(lte(payments.nextCheckAt, new Date()))
    .orderBy(asc(payments.nextCheckAt))
    .limit(BATCH)
  for (const { id, checks, dueAt } of due) {
    // Two sweeps that meet ask once; the next due moment is another job.
    await ctx.enqueue('payment.settle', { paymentId: id }, { jobId: jobId('settle', id, dueAt?.getTime() ?? 0) })
    // Pushed on even when the job is lost: the next sweep after that asks again.
    await ctx.db
      .update(payments)
      .set({ checks: checks + 1, nextCheckAt: checkAfter(checks + 1) })
      .where(and(eq(payments.id, id), eq(payments.checks, checks)))
  }
  const unthanked = await ctx.db
    .select({ id: payments.id, businessId: payments.businessId })
    .from(payments)
    .where(
      and(
        eq(payments.receipt, 'due'),
        inArray(payments.state, ['paid', 'refunded']),
        lt(payments.updatedAt, new Date(Date.now() - RECEIPT_LOST_AFTER_MS)),
      ),
    )
    .limit(BATCH)
  for (const { id, businessId } of unthanked)
    await ctx.enqueue('payment.receipt', { businessId, paymentId: id }, { jobId: jobId('receipt', id, Date.now()) })
  return due.length + unthanked.length
}
