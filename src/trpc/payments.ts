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
import { businessProcedure, byId, pageOf, router } from './trpc.ts'

export const paymentsRouter = router({
  list: businessProcedure
    .meta({ openapi: { method: 'GET', path: '/payments', tag: 'Payments', summary: 'List payments' } })
    .input(paymentFilters.prefault({}))
    .output(pageOf(paymentView))
    .query(({ ctx, input }) => listPayments(ctx.business, input, ctx.payments)),
  get: businessProcedure
    .meta({
      openapi: {
        method: 'GET',
        path: '/payments/{id}',
        tag: 'Payments',
        summary: 'Get a payment',
        description: 'With its transactions and its history.',
      },
    })
    .input(byId)
    .output(paymentDetail)
    .query(({ ctx, input }) => getPayment(ctx.business, input.id, ctx.payments)),
  request: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/payments',
        tag: 'Payments',
        summary: 'Request a payment',
        description:
          'Creates a payment link. `amount` is in agorot or cents. A request with the same idempotency key, in the body or in the header `Idempotency-Key`, returns the first payment.',
        example: {
          contact: '+972501234567',
          amount: 7900,
          currency: 'ILS',
          description: 'Bouquet',
          provider: 'tranzila',
          idempotencyKey: 'order-1042',
          send: true,
        },
        status: 201,
      },
    })
    .input(paymentRequest)
    .output(paymentRequested)
    .mutation(({ ctx, input }) => requestPayment(ctx.business, input, ctx.payments)),
  refund: businessProcedure
    .meta({
      openapi: {
        method: 'POST',
        path: '/payments/{id}/refund',
        tag: 'Payments',
        summary: 'Refund a payment',
        description: 'Refunds the whole amount of a paid payment.',
      },
    })
    .input(byId)
    .output(refundResult)
    .mutation(({ ctx, input }) => refundPayment(ctx.business, input.id, ctx.payments)),
})
