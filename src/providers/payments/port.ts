export type PaymentProviderName = 'paypal' | 'tranzila'
export type Currency = 'ILS' | 'USD' | 'EUR'

/** `amount` in the smallest unit of the currency: agorot, cents. */
export type CheckoutRequest = {
  /** Our id; sent to the provider, which returns it with every transaction. */
  paymentId: string
  /** The same for every attempt at one checkout, so that a repetition is not a second order. */
  requestId: string
  amount: number
  currency: Currency
  description: string
  businessName: string
  language: 'he' | 'en'
  /** Where the customer's browser returns to. */
  returnUrl: string
  cancelUrl: string
  /** Where the provider's server posts events. */
  notifyUrl: string
}

export type Checkout = { ref: string; url: string; expiresAt: Date }

/** A charge according to the provider's books. */
export type Charge = {
  transactionId: string
  status: 'pending' | 'completed' | 'failed'
  amount: number
  currency: string
  /** Our id as the provider stored it; null when the charge has none. */
  paymentId: string | null
  /** The provider's code for a failure or a pending state. */
  reason: string | null
}

export type Refund = {
  transactionId: string
  chargeId: string
  status: 'pending' | 'completed' | 'failed'
  amount: number
  currency: string
}

/** `approved` needs `capture`; `closed` can never be paid, with a reason when it was refused. */
export type CheckoutUpdate = { ref: string; state: 'open' | 'approved' | 'closed'; reason: string | null }

/** Everything the provider has about a payment. */
export type PaymentReport = { checkouts: CheckoutUpdate[]; charges: Charge[]; refunds: Refund[] }

/** The payment or transaction that a webhook points to (PayPal: a capture; Tranzila: an index). Its amounts are never used. */
export type WebhookPointer = { eventId: string | null; paymentId: string | null; transactionId: string | null }

/**
 * A payment provider. Every method throws AppError `unavailable` when the provider cannot be reached or has no answer, and may
 * then be called again: nothing is done twice.
 */
export interface PaymentProvider {
  readonly name: PaymentProviderName
  readonly currencies: readonly Currency[]
  /** The business's own account, by its name (client id, terminal); null is the installation's. */
  readonly account: string | null
  /** Checks the account's keys. @throws AppError `unavailable` when they are refused */
  check(): Promise<void>
  createCheckout(request: CheckoutRequest): Promise<Checkout>
  /**
   * Asks the provider's books.
   * @param query.refs our checkouts
   * @param query.transactionId a transaction that a webhook pointed to
   * @param query.since when the first checkout was made
   */
  inspect(query: {
    paymentId: string
    refs: string[]
    transactionId: string | null
    since: Date
  }): Promise<PaymentReport>
  /** Takes the money of an approved checkout; null where the provider does so itself. */
  capture: ((order: { ref: string; requestId: string }) => Promise<PaymentReport>) | null
  /** Refunds a charge in full; null where only the provider's own console can. */
  refund:
    | ((charge: {
        paymentId: string
        transactionId: string
        requestId: string
        amount: number
        currency: Currency
      }) => Promise<Refund | null>)
    | null
  /** The pointer of a webhook, before its sender is verified. @throws AppError `invalid` for a body that is no webhook */
  peekWebhook(body: string): WebhookPointer
  /**
   * The pointer of a webhook. Null: it is not from the provider, or not about a payment.
   * @throws AppError `invalid` for a body that is not a webhook
   */
  readWebhook(request: { header(name: string): string | undefined; body: string }): Promise<WebhookPointer | null>
}
