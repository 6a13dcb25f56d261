import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { createHmac } from 'node:crypto'
import { createPayPal } from '../../../src/providers/payments/paypal.ts'
import { createTranzila } from '../../../src/providers/payments/tranzila.ts'
import { SANDBOX_PAYMENTS } from '../../../src/sandbox/payments/accounts.ts'
import { decideAt } from '../../support/payments.ts'
import { order, SECRET, startServers } from './servers.ts'

const { paypal, tranzila, close, payPalOptions, tranzilaOptions } = startServers()
afterAll(close)
beforeEach(() => {
  paypal.faults.clear()
  tranzila.faults.clear()
})
const since = new Date()

describe('PayPal', () => {
  test('one token serves many calls, a revoked one is renewed', async () => {
    const provider = createPayPal(payPalOptions)
    paypal.tokens.clear()
    await Promise.all([order(), order(), order()].map((request) => provider.createCheckout(request)))
    expect(paypal.tokens.size).toBe(1)
    paypal.tokens.clear()
    await provider.createCheckout(order())
    expect(paypal.tokens.size).toBe(1)
  })

  test('a request repeated under its id is one order, one capture, one refund', async () => {
    const provider = createPayPal(payPalOptions)
    const request = order()
    const [first, second] = await Promise.all([provider.createCheckout(request), provider.createCheckout(request)])
    expect(first.ref).toBe(second.ref)
    await decideAt(first.url, 'approve')
    const take = () => provider.capture?.({ ref: first.ref, requestId: request.requestId })
    const [one, two] = [await take(), await take()]
    expect(one?.charges).toEqual(two?.charges ?? [])
    const other = await provider.capture?.({ ref: first.ref, requestId: 'another' })
    expect(other?.charges).toHaveLength(1)
    const transactionId = one?.charges[0]?.transactionId ?? ''
    const back = {
      paymentId: request.paymentId,
      transactionId,
      requestId: 'r',
      amount: 12_345,
      currency: 'ILS',
    } as const
    const refund = await provider.refund?.(back)
    expect(refund).toMatchObject({ status: 'completed', amount: 12_345, chargeId: transactionId })
    expect(await provider.refund?.(back)).toEqual(refund ?? null)
    expect(await provider.refund?.({ ...back, requestId: 'other' })).toBeNull()
    const report = await provider.inspect({ ...request, refs: [first.ref], transactionId: null, since })
    expect(report).toMatchObject({ charges: [{ status: 'completed' }], refunds: [refund ?? {}] })
  })

  test('an order not approved is not captured, an unknown one is closed', async () => {
    const provider = createPayPal(payPalOptions)
    const { ref } = await provider.createCheckout(order())
    expect(await provider.capture?.({ ref, requestId: 'x' })).toMatchObject({
      checkouts: [{ state: 'open' }],
      charges: [],
    })
    expect(await provider.capture?.({ ref: 'NONE', requestId: 'x' })).toMatchObject({
      checkouts: [{ state: 'closed' }],
    })
  })

  test('an event is PayPal’s only with its signature over these very bytes', async () => {
    const provider = createPayPal(payPalOptions)
    const paymentId = crypto.randomUUID()
    const event = paypal.eventRequest('PAYMENT.CAPTURE.COMPLETED', 'capture', {
      custom_id: paymentId,
      note: 'שלום é  "',
    })
    const read = (body: string, headers: Record<string, string> = event.headers) =>
      provider.readWebhook({ header: (name) => headers[name], body })
    expect(await read(event.body)).toMatchObject({ paymentId, transactionId: null })
    expect(await read(event.body.replace('שלום', 'שלומ'))).toBeNull()
    expect(await read(JSON.stringify(JSON.parse(event.body), null, 1))).toBeNull()
    expect(await read(event.body, {})).toBeNull()
    expect(
      await read(event.body, { ...event.headers, 'paypal-transmission-time': new Date().toISOString() }),
    ).toBeNull()
    const forged = paypal.eventRequest('PAYMENT.CAPTURE.COMPLETED', 'capture', { custom_id: paymentId }, true)
    expect(await read(forged.body, forged.headers)).toBeNull()
    const ours = createPayPal({ ...payPalOptions, webhookId: null })
    expect(await ours.readWebhook({ header: (name) => event.headers[name], body: event.body })).toBeNull()
    await expect(read('{}').catch((error: unknown) => error)).resolves.toMatchObject({ kind: 'invalid' })
  })
})

describe('Tranzila', () => {
  test('the headers are what its pages say, with a fresh nonce of 80 characters', async () => {
    const seen: Headers[] = []
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch(request) {
        seen.push(request.headers)
        return Response.json({ error_code: 0, thtk: 'token' })
      },
    })
    const provider = createTranzila({ ...tranzilaOptions, apiBaseUrl: server.url.href, now: () => 1_700_000_000_500 })
    await provider.createCheckout(order())
    await provider.createCheckout(order())
    await server.stop(true)
    const nonces = seen.map((headers) => headers.get('x-tranzila-api-nonce') ?? '')
    expect(new Set(nonces).size).toBe(2)
    expect(nonces[0]).toMatch(/^[0-9a-f]{80}$/)
    expect(seen[0]?.get('x-tranzila-api-request-time')).toBe('1700000000')
    expect(seen[0]?.get('x-tranzila-api-access-token')).toBe(
      createHmac('sha256', `${SECRET}1700000000${nonces[0]}`).update(SANDBOX_PAYMENTS.appKey).digest('hex'),
    )
  })

  test('the page’s address carries the locked sum, our id, and where to go', async () => {
    const request = order({ language: 'en', currency: 'USD' })
    const { url, ref } = await createTranzila(tranzilaOptions).createCheckout(request)
    expect(Object.fromEntries(new URL(url).searchParams)).toEqual({
      sum: '123.45',
      currency: '2',
      cred_type: '1',
      tranmode: 'A',
      thtk: ref,
      new_process: '1',
      lang: 'us',
      pdesc: 'תיקון',
      success_url_address: request.returnUrl,
      fail_url_address: request.returnUrl,
      notify_url_address: request.notifyUrl,
      payment_id: request.paymentId,
    })
    const euro = createTranzila(tranzilaOptions).createCheckout(order({ currency: 'EUR' }))
    expect(await euro.catch((error: unknown) => error)).toMatchObject({ code: 'currency_not_supported' })
  })

  test('a sum edited in the address does not pass the handshake', async () => {
    const provider = createTranzila(tranzilaOptions)
    const request = order()
    const { url, ref } = await provider.createCheckout(request)
    await decideAt(url.replace('sum=123.45', 'sum=1.00'), 'pay')
    const { charges } = await provider.inspect({ ...request, refs: [ref], transactionId: null, since })
    expect(charges).toEqual([])
  })

  test('another merchant’s transaction is ignored, found by index or not', async () => {
    const provider = createTranzila(tranzilaOptions)
    const [mine, theirs] = [order(), order()]
    await decideAt((await provider.createCheckout(theirs)).url, 'pay')
    const index = tranzila.ledger.entries.at(-1)?.id.split(':')[1] ?? ''
    const look = (paymentId: string) => provider.inspect({ paymentId, refs: [], transactionId: index, since })
    expect((await look(theirs.paymentId)).charges).toHaveLength(1)
    expect((await look(mine.paymentId)).charges).toEqual([])
  })

  test('more rows than a page holds are all read', async () => {
    const provider = createTranzila(tranzilaOptions)
    const request = order()
    const { url } = await provider.createCheckout(request)
    for (let count = 0; count < 101; count += 1) await decideAt(url, 'decline')
    await decideAt(url, 'pay')
    const { charges } = await provider.inspect({ ...request, refs: [], transactionId: null, since })
    expect(charges).toHaveLength(102)
    expect(charges.filter(({ status }) => status === 'completed')).toHaveLength(1)
  })
})
