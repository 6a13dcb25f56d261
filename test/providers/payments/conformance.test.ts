import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { createPayPal } from '../../../src/providers/payments/paypal.ts'
import type { PaymentProvider } from '../../../src/providers/payments/port.ts'
import { createTranzila } from '../../../src/providers/payments/tranzila.ts'
import { decideAt } from '../../support/payments.ts'
import { order, startServers } from './servers.ts'

const { paypal, tranzila, close, payPalOptions, tranzilaOptions } = startServers()
afterAll(close)
beforeEach(() => {
  paypal.faults.clear()
  tranzila.faults.clear()
})
const since = new Date()

describe.each([
  ['paypal', () => createPayPal(payPalOptions), 'approve', 'orders.create'],
  ['tranzila', () => createTranzila(tranzilaOptions), 'pay', 'handshake'],
] as const)('%s', (name, create, yes, operation) => {
  const server = name === 'paypal' ? paypal : tranzila
  const inspect = (provider: PaymentProvider, paymentId: string, ref: string) =>
    provider.inspect({ paymentId, refs: [ref], transactionId: null, since })

  test('an unpaid checkout has no charge', async () => {
    const provider = create()
    const request = order()
    const checkout = await provider.createCheckout(request)
    expect(checkout.expiresAt.getTime()).toBeGreaterThan(Date.now() + 10 * 60_000)
    const report = await inspect(provider, request.paymentId, checkout.ref)
    expect([report.charges, report.refunds]).toEqual([[], []])
  })

  test('a paid one has exactly one, with our id, amount and currency', async () => {
    const provider = create()
    const request = order()
    const checkout = await provider.createCheckout(request)
    await decideAt(checkout.url, yes)
    if (provider.capture) await provider.capture({ ref: checkout.ref, requestId: request.requestId })
    const report = await inspect(provider, request.paymentId, checkout.ref)
    expect(report.charges).toMatchObject([
      { status: 'completed', amount: 12_345, currency: 'ILS', paymentId: request.paymentId, reason: null },
    ])
    expect(await inspect(provider, request.paymentId, checkout.ref)).toEqual(report)
  })

  test('a server in trouble, a cut answer, one that is not there: unavailable, never a verdict', async () => {
    const trouble = async (provider: PaymentProvider) =>
      expect(await provider.createCheckout(order()).catch((error: unknown) => error)).toMatchObject({
        kind: 'unavailable',
      })
    for (const status of [500, 503, 429]) {
      server.faults.add({ operation, times: 1, effect: { kind: 'http_error', status } })
      await trouble(create())
    }
    server.faults.add({ operation, times: 1, effect: { kind: 'response_lost' } })
    await trouble(create())
    const nowhere = 'http://127.0.0.1:9'
    await trouble(
      name === 'paypal'
        ? createPayPal({ ...payPalOptions, apiBaseUrl: nowhere })
        : createTranzila({ ...tranzilaOptions, apiBaseUrl: nowhere }),
    )
  })

  test('wrong keys are no verdict either', async () => {
    const provider =
      name === 'paypal'
        ? createPayPal({ ...payPalOptions, clientSecret: 'wrong' })
        : createTranzila({ ...tranzilaOptions, secret: 'wrong' })
    expect(await provider.createCheckout(order()).catch((error: unknown) => error)).toMatchObject({
      kind: 'unavailable',
    })
  })
})
