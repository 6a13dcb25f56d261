import { and, asc, eq, exists, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import {
  businesses,
  contacts,
  PAYMENT_PROVIDERS,
  PAYMENT_STATES,
  paymentCheckouts,
  paymentEvents,
  payments,
  paymentTransactions,
} from '../../../db/schema/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { BusinessContext, DomainContext } from '../context.ts'
import { type Page, pageInput, pageQuery, toPage } from '../paging.ts'
import type { PaymentDeps } from './payment-deps.ts'
import { AMOUNT_MISMATCH, type PaymentState } from './states.ts'

export const paymentFilters = pageInput.extend({
  contactId: z.uuid().optional(),
  state: z.enum(PAYMENT_STATES).optional(),
  provider: z.enum(PAYMENT_PROVIDERS).optional(),
})

const view = {
  id: payments.id,
  contactId: payments.contactId,
  contactName: contacts.name,
  phone: contacts.phone,
  amount: payments.amount,
  currency: payments.currency,
  description: payments.description,
  provider: payments.provider,
  state: payments.state,
  reason: payments.reason,
  refundedAmount: payments.refundedAmount,
  receipt: payments.receipt,
  expiresAt: payments.expiresAt,
  paidAt: payments.paidAt,
  refundedAt: payments.refundedAt,
  createdAt: payments.createdAt,
}

export async function listPayments(ctx: BusinessContext, input: z.input<typeof paymentFilters>, deps: PaymentDeps) {
  const page = paymentFilters.parse(input)
  const query = pageQuery(
    payments.id,
    page,
    eq(payments.businessId, ctx.businessId),
    page.contactId ? eq(payments.contactId, page.contactId) : undefined,
    page.state ? eq(payments.state, page.state) : undefined,
    page.provider ? eq(payments.provider, page.provider) : undefined,
  )
  const rows = await ctx.db
    .select(view)
    .from(payments)
    .leftJoin(contacts, eq(contacts.id, payments.contactId))
    .where(query.where)
    .orderBy(query.orderBy)
    .limit(query.limit)
  const withUrls = rows.map((row) => ({ ...row, url: deps.urls.page(row.id) }))
  return toPage(withUrls, page.limit) satisfies Page<(typeof withUrls)[number]>
}

/** A payment with its history and transactions. @throws AppError `payment_not_found` */
export async function getPayment(ctx: BusinessContext, id: string, deps: PaymentDeps) {
  const [row] = await ctx.db
    .select(view)
    .from(payments)
    .leftJoin(contacts, eq(contacts.id, payments.contactId))
    .where(and(eq(payments.id, id), eq(payments.businessId, ctx.businessId)))
  if (!row) throw paymentNotFound()
  const transactions = await ctx.db
    .select({
      kind: paymentTransactions.kind,
      transactionId: paymentTransactions.providerTransactionId,
      status: paymentTransactions.status,
      amount: paymentTransactions.amount,
      currency: paymentTransactions.currency,
      reason: paymentTransactions.reason,
      counted: paymentTransactions.counted,
      createdAt: paymentTransactions.createdAt,
    })
    .from(paymentTransactions)
    .where(and(eq(paymentTransactions.paymentId, id), eq(paymentTransactions.businessId, ctx.businessId)))
    .orderBy(asc(paymentTransactions.id))
  const events = await ctx.db
    .select({
      kind: paymentEvents.kind,
      from: paymentEvents.fromState,
      to: paymentEvents.toState,
      data: paymentEvents.data,
      at: paymentEvents.createdAt,
    })
    .from(paymentEvents)
    .where(and(eq(paymentEvents.paymentId, id), eq(paymentEvents.businessId, ctx.businessId)))
    .orderBy(asc(paymentEvents.id))
  return { ...row, url: deps.urls.page(row.id), transactions, events }
}

/** What the page of a payment shows to whoever holds its link: nothing of the person. */
export type PublicPayment = {
  id: string
  amount: number
  currency: string
  description: string
  provider: 'paypal' | 'tranzila'
  /** `processing`: money is under way, paying again would be wrong. `unavailable`: the business takes no payments now. */
  status: 'payable' | 'processing' | 'paid' | 'failed' | 'expired' | 'refunded' | 'unavailable'
  /** Whether the customer was sent to the provider and nothing is known of it yet. */
  attemptOpen: boolean
  business: { name: string; language: 'he' | 'en' }
  paidAt: Date | null
}

/** A payment as its public page shows it. @throws AppError `payment_not_found` */
export async function getPublicPayment(ctx: DomainContext, id: string, deps: PaymentDeps): Promise<PublicPayment> {
  // One statement sees one moment: asked one after the other, the payment of before and its attempts of after the provider's
  // answer would look like one that never began.
  const underWay = ctx.db
    .select({ id: paymentTransactions.id })
    .from(paymentTransactions)
    .where(and(eq(paymentTransactions.paymentId, payments.id), eq(paymentTransactions.status, 'pending')))
  const attempt = ctx.db
    .select({ id: paymentCheckouts.id })
    .from(paymentCheckouts)
    .where(and(eq(paymentCheckouts.paymentId, payments.id), isNull(paymentCheckouts.closedAt)))
  const [row] = await ctx.db
    .select({
      payment: payments,
      name: businesses.name,
      language: businesses.language,
      blockedAt: businesses.blockedAt,
      underWay: sql<boolean>`${exists(underWay)}`,
      attemptOpen: sql<boolean>`${exists(attempt)}`,
    })
    .from(payments)
    .innerJoin(businesses, eq(businesses.id, payments.businessId))
    .where(eq(payments.id, id))
  if (!row) throw paymentNotFound()
  const { payment } = row
  return {
    id: payment.id,
    amount: payment.amount,
    currency: payment.currency,
    description: payment.description,
    provider: payment.provider,
    status: statusOf(payment.state, {
      underWay: row.underWay || payment.reason === AMOUNT_MISMATCH,
      over: payment.expiresAt.getTime() <= Date.now(),
      closed: row.blockedAt !== null || deps.providersOf(payment.businessId)[payment.provider] === null,
    }),
    attemptOpen: row.attemptOpen,
    business: { name: row.name, language: row.language },
    paidAt: payment.paidAt,
  }
}

function statusOf(
  state: PaymentState,
  seen: { underWay: boolean; over: boolean; closed: boolean },
): PublicPayment['status'] {
  if (state === 'paid' || state === 'refunded') return state
  if (seen.underWay) return 'processing'
  if (state === 'expired' || seen.over) return 'expired'
  if (seen.closed) return 'unavailable'
  return state === 'failed' ? 'failed' : 'payable'
}

export function paymentNotFound(): AppError {
  return new AppError('not_found', 'payment_not_found', 'There is no such payment.')
}
