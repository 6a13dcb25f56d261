import { settleDeposits } from '../../src/domain/appointments/index.ts'
import { type DomainContext, within } from '../../src/domain/context.ts'
import {
  findPaymentOf,
  isPaymentBusy,
  type PaymentDeps,
  requestPayment,
  sendReceipt,
  settlePayment,
  sweepPayments,
} from '../../src/domain/payments/index.ts'
import { DelayJob, type JobHandlers } from '../../src/jobs/consumer.ts'

type PaymentHandlers = Pick<JobHandlers<'crm'>, Extract<keyof JobHandlers<'crm'>, `payment.${string}`>> &
  JobHandlers<'payments'>

export function paymentHandlers(ctx: DomainContext, deps: PaymentDeps): PaymentHandlers {
  return {
    'payment.request': async ({ businessId, provider, ...request }, job) => {
      await requestPayment(
        within(ctx, businessId),
        { ...request, ...(provider ? { provider } : {}), send: true },
        deps,
        job.enqueuedAt,
      )
    },
    'payment.settle': async ({ provider, paymentId, transactionId }, job) => {
      const id = paymentId ?? (provider && transactionId ? await findPaymentOf(ctx, provider, transactionId) : null)
      try {
        // The transaction is a hint only when the payment's own notification named it.
        const found = id && (await settlePayment(ctx, id, deps, paymentId ? (transactionId ?? null) : null))
        if (!found) job.logger.info('event of an unknown payment dropped')
        // Who paid for a time sees it booked at once, not after the next sweep.
        else if (id) await settleDeposits(ctx, new Date(), id)
      } catch (error) {
        if (isPaymentBusy(error))
          throw new DelayJob(500 + Math.random() * 1_000, 'another process settles this payment')
        throw error
      }
    },
    'payment.receipt': ({ businessId, paymentId }) => sendReceipt(within(ctx, businessId), paymentId, deps),
    'payment.sweep': async (_, job) => {
      const queued = await sweepPayments(ctx)
      if (queued > 0) job.logger.debug({ queued }, 'payments queued for settlement')
    },
  }
}
