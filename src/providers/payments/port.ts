export type PaymentProviderName = 'paypal' | 'tranzila'
export type Currency = 'ILS' | 'USD' | 'EUR'

/** `amount` in the smallest unit of the currency: agorot, cents. */
export type CheckoutRequest = {
  /** Our id; travels to the provider and comes back with every transaction. */
  paymentId: string
  /** The same for every try of one minting, so that a repeated one is not a second order. */
  requestId: string
  amount: number
  currency: Currency
  description: string
  businessName: string
  language: 'he' | 'en'
  /** Where the customer's browser comes back to. */
  returnUrl: string
  cancelUrl: string
  /** Where the provider's server tells that something happened. */
  notifyUrl: string
}

/** A page of the provider where this payment can be paid until `expiresAt`. */
export type Checkout = { ref: string; url: string; expiresAt: Date }

/** A charge as the provider's own books have it. */
export type Charge = {
  transactionId: string
  status: 'pending' | 'completed' | 'failed'
  amount: number
  currency: string
  /** Our id as the provider kept it; null when the charge carries none. */
  paymentId: string | null
  /** The provider's code for what went wrong or is awaited. */
  reason: string | null
}

export type Refund = {
  transactionId: string
  /** The charge that was given back. */
  chargeId: string
  status: 'pending' | 'completed' | 'failed'
  amount: number
  currency: string
}

/** How a checkout stands: `approved` wants `capture`, `closed` can never be paid, with a reason when it was refused. */
export type CheckoutUpdate = { ref: string; state: 'open' | 'approved' | 'closed'; reason: string | null }

/** All that the provider knows of a payment. */
export type PaymentReport = { checkouts: CheckoutUpdate[]; charges: Charge[]; refunds: Refund[] }

/** Where a webhook points: our payment, or a transaction (PayPal: a capture; Tranzila: an index). Never more than that: what it says of money is not looked at. */
export type WebhookPointer = { eventId: string | null; paymentId: string | null; transactionId: string | null }

/**
 * A payment provider. Every method throws AppError `unavailable` when the provider cannot be reached or has no answer, and
 * may be called again then: nothing is done twice.
 */
export interface PaymentProvider {
  readonly name: PaymentProviderName
  readonly currencies: readonly Currency[]
  /** The own account of a business that it speaks for, by its name (client id, terminal); null is the installation's. */
  readonly account: string | null
  /** Whether the account's keys are accepted. @throws AppError `unavailable` when they are not */
  check(): Promise<void>
  createCheckout(request: CheckoutRequest): Promise<Checkout>
  /**
   * Asks the provider's books.
   * @param query.refs our checkouts
   * @param query.transactionId a transaction that a notify pointed at
   * @param query.since when the first checkout was made
   */
  inspect(query: {
    paymentId: string
    refs: string[]
    transactionId: string | null
    since: Date
  }): Promise<PaymentReport>
  /** Takes the money of an approved checkout; null where the provider takes it by itself. */
  capture: ((order: { ref: string; requestId: string }) => Promise<PaymentReport>) | null
  /** Gives a charge back in full; null where only the provider's own console can. */
  refund:
    | ((charge: {
        paymentId: string
        transactionId: string
        requestId: string
        amount: number
        currency: Currency
      }) => Promise<Refund | null>)
    | null
  /**
   * Where a webhook says that it points, whoever sent it.
   * @throws AppError `invalid` for a body that is no webhook at all
   */
  peekWebhook(body: string): WebhookPointer
  /**
   * Where a webhook points. Null: it is not from the provider, or nothing a payment could follow.
   * @throws AppError `invalid` for a body that is no webhook at all
   */
  readWebhook(request: { header(name: string): string | undefined; body: string }): Promise<WebhookPointer | null>
}
