import type { DatabaseHandle } from '../../../db/client.ts'
import { AppError } from '../../lib/errors.ts'
import type { PaymentProvider, PaymentProviderName } from '../../providers/payments/port.ts'
import { type BusinessContext, type DomainContext, within } from '../context.ts'
import { tryWithLock } from '../locks.ts'
import type { SendSettings } from '../messages/index.ts'
import type { PaymentRow } from './states.ts'

export type PaymentProviders = Record<PaymentProviderName, PaymentProvider | null>

export type PaymentDeps = {
  /** What a business takes payments with: its own account where it has keys, else the installation's; null is none. */
  providersOf(businessId: string): PaymentProviders
  /**
   * Who speaks for the account in which money of a business moved or may move: its own, or with null the installation's.
   * @returns null when this installation no longer has its keys
   */
  accountOf(businessId: string, provider: PaymentProviderName, account: string | null): Promise<PaymentProvider | null>
  installation: PaymentProviders
  ownAccounts(provider: PaymentProviderName): PaymentProvider[]
  urls: {
    page(paymentId: string): string
    returned(paymentId: string): string
    canceled(paymentId: string): string
    notify(provider: PaymentProviderName): string
  }
  messages: SendSettings
  pool: DatabaseHandle['sql']
}

/**
 * The provider by name, or the one to take when none is named: the business's own choice where it is set up and takes the
 * currency; else one at which it has an account of its own; else shekels go to Tranzila where that is set up.
 * @throws AppError `unknown_provider`, `payments_not_configured` (501)
 */
export function chooseProvider(
  providers: PaymentProviders,
  name: string | undefined,
  currency?: string,
  preferred: PaymentProviderName | null = null,
): PaymentProvider {
  const { paypal, tranzila } = providers
  if (name !== undefined && name !== 'paypal' && name !== 'tranzila')
    throw new AppError('invalid', 'unknown_provider', 'The provider must be paypal or tranzila.', { field: 'provider' })
  const shekels = currency === undefined || currency === 'ILS'
  const takes = (provider: PaymentProvider) => provider.currencies.some((each) => each === (currency ?? 'ILS'))
  const own = preferred && providers[preferred]
  if (!name && own && takes(own)) return own
  const usable = (shekels ? [tranzila, paypal] : [paypal, tranzila]).filter((each) => each !== null)
  const chosen = name
    ? providers[name]
    : (usable.find((each) => each.account !== null && takes(each)) ?? usable[0] ?? null)
  if (!chosen)
    throw new AppError(
      'not_implemented',
      'payments_not_configured',
      name
        ? `${name === 'paypal' ? 'PayPal' : 'Tranzila'} is not configured on this installation: set its ${name.toUpperCase()}_… variables, or keys of the business’s own.`
        : 'No payment provider is configured on this installation: set the PAYPAL_… or TRANZILA_… variables, or keys of the business’s own.',
      { field: 'provider' },
    )
  return chosen
}

export function ofPayment(ctx: DomainContext, payment: Pick<PaymentRow, 'businessId'>): BusinessContext {
  return within(ctx, payment.businessId)
}

/** Locks held at once by one process: each holds a connection, and the pool must leave some for other work. */
const MAX_HELD = 4
const WAIT_MS = 12_000
const waiting: (() => void)[] = []
let held = 0

const busy = () =>
  new AppError('unavailable', 'payment_busy', 'This payment is being worked on; try again in a moment.')

export function isPaymentBusy(error: unknown): boolean {
  return error instanceof AppError && error.code === 'payment_busy'
}

/**
 * Runs `work` while no other process talks to the provider about this payment: two captures or two mintings at once could take
 * money twice. The lock dies with its connection.
 * @param options.wait whether to wait for it some seconds, as a customer does, or to come back later, as a job does
 * @throws AppError `payment_busy`
 */
export async function withPaymentLock<T>(
  deps: PaymentDeps,
  paymentId: string,
  work: () => Promise<T>,
  options: { wait: boolean } = { wait: true },
): Promise<T> {
  if (held < MAX_HELD) held += 1
  else if (options.wait) await new Promise<void>((resolve) => waiting.push(resolve))
  else throw busy()
  try {
    const waitMs = options.wait ? WAIT_MS : 0
    const done = await tryWithLock(deps.pool, `payment:${paymentId}`, work, { waitMs })
    if (!done) throw busy()
    return done.value
  } finally {
    // The place goes to who waits longest, or is free again.
    const next = waiting.shift()
    if (next) next()
    else held -= 1
  }
}
