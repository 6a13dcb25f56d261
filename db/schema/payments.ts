import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { at, createdAt, enumChecks, id, updatedAt } from './columns.ts'
import { contacts } from './contacts.ts'
import { messages } from './messages.ts'
import { businessId, sameBusiness } from './tenant.ts'

export const PAYMENT_STATES = ['created', 'pending', 'paid', 'failed', 'expired', 'refunded'] as const
export const PAYMENT_PROVIDERS = ['paypal', 'tranzila'] as const
export const PAYMENT_CURRENCIES = ['ILS', 'USD', 'EUR'] as const

/** Money in the smallest unit of its currency (agorot, cents); exact up to 2^53. */
const money = (name: string) => bigint(name, { mode: 'number' })

export const payments = pgTable(
  'payments',
  {
    id: id(),
    businessId: businessId(),
    /** Null when the person was erased: the payment stays in the books. */
    contactId: uuid('contact_id').references(() => contacts.id, { onDelete: 'set null' }),
    amount: money('amount').notNull(),
    currency: text({ enum: PAYMENT_CURRENCIES }).notNull(),
    description: text().notNull(),
    provider: text({ enum: PAYMENT_PROVIDERS }).notNull(),
    state: text({ enum: PAYMENT_STATES }).notNull().default('created'),
    /** Why the last attempt failed: the provider's code, or `amount_mismatch`. */
    reason: text(),
    /** The client's key: requested twice, it is one payment. */
    idempotencyKey: text('idempotency_key'),
    /** Fingerprint of the request behind the idempotency key: another request under the same key is refused. */
    requestHash: text('request_hash').notNull(),
    expiresAt: at('expires_at').notNull(),
    paidAt: at('paid_at'),
    refundedAmount: money('refunded_amount').notNull().default(0),
    refundedAt: at('refunded_at'),
    receipt: text({ enum: ['none', 'due', 'sent', 'failed'] })
      .notNull()
      .default('none'),
    receiptMessageId: uuid('receipt_message_id').references(() => messages.id, { onDelete: 'set null' }),
    /** When the sweep asks the provider next; null when the payment is settled. */
    nextCheckAt: at('next_check_at'),
    /** How often the provider was asked: the pauses increase with it. */
    checks: integer().notNull().default(0),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    uniqueIndex('payments_idempotency').on(t.businessId, t.idempotencyKey),
    uniqueIndex('payments_tenant').on(t.businessId, t.id),
    index('payments_contact').on(t.contactId, t.id),
    index('payments_timeline').on(t.contactId, t.createdAt, t.id),
    index('payments_due').on(t.nextCheckAt).where(sql`${t.nextCheckAt} is not null`),
    index('payments_receipt_due').on(t.updatedAt).where(sql`${t.receipt} = 'due'`),
    index('payments_receipt_message').on(t.receiptMessageId).where(sql`${t.receiptMessageId} is not null`),
    check('payments_amount', sql`${t.amount} > 0`),
    check('payments_paid_at', sql`(${t.state} in ('paid', 'refunded')) = (${t.paidAt} is not null)`),
    check('payments_refunded', sql`${t.refundedAmount} between 0 and ${t.amount}`),
    check('payments_refunded_state', sql`(${t.state} = 'refunded') = (${t.refundedAmount} = ${t.amount})`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.contactId, contacts, contacts.id, 'no action'),
    sameBusiness(t.businessId, t.receiptMessageId, messages, messages.id, 'no action'),
  ],
)

/** An order or handshake at the provider; a payment has several when earlier ones were not paid. */
export const paymentCheckouts = pgTable(
  'payment_checkouts',
  {
    id: id(),
    businessId: businessId(),
    paymentId: uuid('payment_id').notNull(),
    /** From 1. */
    attempt: integer().notNull(),
    provider: text({ enum: PAYMENT_PROVIDERS }).notNull(),
    /** PayPal's client id or Tranzila's terminal; null is that of the installation. */
    account: text(),
    providerRef: text('provider_ref').notNull(),
    url: text().notNull(),
    expiresAt: at('expires_at').notNull(),
    /** When it was closed: it is never captured afterwards. */
    closedAt: at('closed_at'),
    createdAt: createdAt(),
  },
  (t) => [
    uniqueIndex('payment_checkouts_attempt').on(t.paymentId, t.attempt),
    uniqueIndex('payment_checkouts_ref').on(t.provider, t.providerRef),
    index('payment_checkouts_business').on(t.businessId),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.paymentId, payments, payments.id, 'cascade'),
  ],
)

export const paymentTransactions = pgTable(
  'payment_transactions',
  {
    id: id(),
    businessId: businessId(),
    paymentId: uuid('payment_id').notNull(),
    provider: text({ enum: PAYMENT_PROVIDERS }).notNull(),
    kind: text({ enum: ['charge', 'refund'] }).notNull(),
    account: text(),
    providerTransactionId: text('provider_transaction_id').notNull(),
    status: text({ enum: ['pending', 'completed', 'failed'] }).notNull(),
    amount: money('amount').notNull(),
    currency: text().notNull(),
    reason: text(),
    counted: boolean().notNull().default(false),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (t) => [
    // A transaction pays for one payment only, and a payment is paid by one charge only.
    uniqueIndex('payment_transactions_provider_id').on(t.provider, t.providerTransactionId),
    uniqueIndex('payment_transactions_counted').on(t.paymentId).where(sql`${t.counted} and ${t.kind} = 'charge'`),
    index('payment_transactions_payment').on(t.paymentId),
    index('payment_transactions_business').on(t.businessId),
    check('payment_transactions_counted_completed', sql`not ${t.counted} or ${t.status} = 'completed'`),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.paymentId, payments, payments.id, 'cascade'),
  ],
)

/** The history of a payment; rows are never changed or deleted. */
export const paymentEvents = pgTable(
  'payment_events',
  {
    id: id(),
    businessId: businessId(),
    paymentId: uuid('payment_id').notNull(),
    kind: text().notNull(),
    fromState: text('from_state', { enum: PAYMENT_STATES }),
    toState: text('to_state', { enum: PAYMENT_STATES }),
    data: jsonb().$type<Record<string, unknown>>(),
    createdAt: createdAt(),
  },
  (t) => [
    index('payment_events_payment').on(t.paymentId, t.id),
    index('payment_events_business').on(t.businessId, t.id),
    ...enumChecks(t),
    sameBusiness(t.businessId, t.paymentId, payments, payments.id, 'cascade'),
  ],
)
