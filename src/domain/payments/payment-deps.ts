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
  /** The account, own or (null) the installation's, in which money may move; null when its keys are gone. */
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
 * The named provider; else the business's choice if it takes the currency, its own account, Tranzila for shekels. @throws
 * AppError `unknown_provider`, `payments_not_configured` (501)
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
 * Runs `work` while no other process talks to the provider about the payment: parallel captures could take money twice. The
 * lock dies with its connection. `wait`: for seconds (customer) or not (job). @throws AppError `payment_busy`
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
    const next = waiting.shift()
    if (next) next()
    else held -= 1
  }
}
