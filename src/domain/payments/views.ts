import { z } from 'zod'
import {
  PAYMENT_CURRENCIES,
  PAYMENT_PROVIDERS,
  PAYMENT_STATES,
  payments,
  paymentTransactions,
} from '../../../db/schema/index.ts'

export const paymentView = z.object({
  id: z.uuid(),
  contactId: z.uuid().nullable(),
  contactName: z.string().nullable(),
  phone: z.string().nullable(),
  amount: z.number(),
  currency: z.enum(PAYMENT_CURRENCIES),
  description: z.string(),
  provider: z.enum(PAYMENT_PROVIDERS),
  state: z.enum(PAYMENT_STATES),
  reason: z.string().nullable(),
  refundedAmount: z.number(),
  receipt: z.enum(payments.receipt.enumValues),
  expiresAt: z.date(),
  paidAt: z.date().nullable(),
  refundedAt: z.date().nullable(),
  createdAt: z.date(),
  url: z.string(),
})

export const paymentDetail = paymentView.extend({
  transactions: z.array(
    z.object({
      kind: z.enum(paymentTransactions.kind.enumValues),
      transactionId: z.string(),
      status: z.enum(paymentTransactions.status.enumValues),
      amount: z.number(),
      currency: z.string(),
      reason: z.string().nullable(),
      counted: z.boolean(),
      createdAt: z.date(),
    }),
  ),
  events: z.array(
    z.object({
      kind: z.string(),
      from: z.enum(PAYMENT_STATES).nullable(),
      to: z.enum(PAYMENT_STATES).nullable(),
      data: z.record(z.string(), z.unknown()).nullable(),
      at: z.date(),
    }),
  ),
})

export const refundResult = z.object({ id: z.uuid(), state: z.enum(PAYMENT_STATES), refundedAmount: z.number() })

export const paymentRequested = z.object({
  id: z.uuid(),
  url: z.string(),
  state: z.enum(PAYMENT_STATES),
  provider: z.enum(PAYMENT_PROVIDERS),
  messageId: z.uuid().nullable(),
})
