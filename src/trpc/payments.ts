import { z } from 'zod'
import {
  getPayment,
  listPayments,
  paymentDetail,
  paymentFilters,
  paymentRequest,
  paymentRequested,
  paymentView,
  refundPayment,
  refundResult,
  requestPayment,
} from '../domain/payments/index.ts'
import { businessProcedure, pageOf, router } from './trpc.ts'

const byId = z.object({ id: z.uuid() })

export const paymentsRouter = router({
  list: businessProcedure
    .input(paymentFilters.prefault({}))
    .output(pageOf(paymentView))
    .query(({ ctx, input }) => listPayments(ctx.business, input, ctx.payments)),
  /** With the money that moved and the history. */
  get: businessProcedure
    .input(byId)
    .output(paymentDetail)
    .query(({ ctx, input }) => getPayment(ctx.business, input.id, ctx.payments)),
  /** Makes a payment and its link. */
  request: businessProcedure
    .input(paymentRequest)
    .output(paymentRequested)
    .mutation(({ ctx, input }) => requestPayment(ctx.business, input, ctx.payments)),
  /** Gives a paid payment back in full. */
  refund: businessProcedure
    .input(byId)
    .output(refundResult)
    .mutation(({ ctx, input }) => refundPayment(ctx.business, input.id, ctx.payments)),
})
