import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { getPublicPayment, refundPayment } from '../../../src/domain/payments/index.ts'
import {
  askFor,
  decideAt,
  ourBooks,
  type PaymentFixture,
  pressPay,
  settleNow,
  startPaymentFixture,
  stateOf,
  until,
} from '../../support/payments.ts'

let world: PaymentFixture

beforeAll(async () => {
  world = await startPaymentFixture()
  world.startWorker()
}, 60_000)
afterAll(() => world.stop())
beforeEach(() => {
  world.paypal.faults.clear()
  world.tranzila.faults.clear()
})

const reached = (id: string, state: string) =>
  until(async () => {
    const payment = await stateOf(world, id)
    return payment.state === state && payment
  })
const charges = (id: string) => world.paypal.ledger.entries.filter((entry) => entry.reference === id)
const kinds = (payment: Awaited<ReturnType<typeof stateOf>>) => payment.events.map((event) => event.kind)
/** Long enough for a wrong change to show. */
const settleDown = () => Bun.sleep(400)

test('PayPal: pressed, approved, captured, thanked, once', async () => {
  const id = await askFor(world)
  const page = await pressPay(world, id)
  expect(page).toStartWith(`${world.paypal.url}/checkoutnow?token=`)
  expect((await stateOf(world, id)).state).toBe('pending')
  await decideAt(page, 'approve')
  const payment = await reached(id, 'paid')
  expect(charges(id)).toMatchObject([{ amount: 7_990, currency: 'ILS', status: 'completed' }])
  expect(payment.transactions).toMatchObject([{ kind: 'charge', amount: 7_990, counted: true }])

  const thanked = await until(async () => {
    const now = await stateOf(world, id)
    return now.receipt === 'sent' && now
  })
  expect(kinds(thanked)).toEqual(['payment.requested', 'payment.pending', 'payment.paid', 'receipt.sent'])
  await world.deps.producer.enqueue('payment.receipt', { businessId: world.ctx.businessId, paymentId: id })
  await settleNow(world, id)
  await settleDown()
  const receipts = await world.sql`select body from messages where idempotency_key = ${`payment-receipt-${id}`}`
  expect(receipts).toHaveLength(1)
  expect(String(receipts[0]?.body)).toContain('79.90')
  const audits = await world.sql<{ action: string }[]>`select action from audit_log where entity_id = ${id} order by id`
  expect(audits.map((row) => row.action)).toEqual([
    'payment.request',
    'payment.pending',
    'payment.checkout',
    'payment.paid',
  ])
})

test('Tranzila: pressed, paid, reported by an unsigned notify, re-queried', async () => {
  const id = await askFor(world, { provider: 'tranzila', amount: 12_345 })
  const page = await pressPay(world, id)
  expect(page).toStartWith(`${world.tranzila.url}/sandbox/iframenew.php?sum=123.45&currency=1`)
  await decideAt(page, 'pay')
  const payment = await reached(id, 'paid')
  expect(payment.transactions).toMatchObject([{ amount: 12_345, currency: 'ILS', counted: true, status: 'completed' }])
})

test('a create whose answer is lost leads to the same order at the next press', async () => {
  world.paypal.faults.add({ operation: 'orders.create', times: 1, effect: { kind: 'response_lost' } })
  const id = await askFor(world)
  const trouble = await fetch(`${world.url}/pay/${id}/checkout`, { method: 'POST', body: '', redirect: 'manual' })
  expect(trouble.status).toBe(503)
  expect(await trouble.text()).toContain('לא חויבת')
  const page = await pressPay(world, id)
  expect([...world.paypal.orders.values()].filter((order) => order.reference === id)).toHaveLength(1)
  await decideAt(page, 'approve')
  await reached(id, 'paid')
})

test('a capture whose answer is lost is found in the books, and taken once', async () => {
  world.paypal.faults.add({ operation: 'orders.capture', times: 1, effect: { kind: 'response_lost' } })
  world.paypal.faults.add({ operation: 'webhook', effect: { kind: 'webhook_lost' } })
  const id = await askFor(world)
  await decideAt(await pressPay(world, id), 'approve')
  expect(await settleNow(world, id).catch((error: unknown) => error)).toMatchObject({ kind: 'unavailable' })
  expect((await stateOf(world, id)).state).toBe('pending')
  await settleNow(world, id)
  expect((await stateOf(world, id)).state).toBe('paid')
  expect(charges(id)).toHaveLength(1)
})

test('webhooks that come five times each count once', async () => {
  world.paypal.faults.add({ operation: 'webhook', effect: { kind: 'webhook_duplicated', times: 5 } })
  world.tranzila.faults.add({ operation: 'webhook', effect: { kind: 'webhook_duplicated', times: 5 } })
  const first = await askFor(world)
  const second = await askFor(world, { provider: 'tranzila' })
  await decideAt(await pressPay(world, first), 'approve')
  await decideAt(await pressPay(world, second), 'pay')
  for (const id of [first, second]) {
    await reached(id, 'paid')
    await settleDown()
    const payment = await stateOf(world, id)
    expect(payment.transactions).toHaveLength(1)
    expect(kinds(payment).filter((kind) => kind === 'payment.paid')).toHaveLength(1)
    const [receipts] = await world.sql`
      select count(*)::int as n from messages where idempotency_key = ${`payment-receipt-${id}`}`
    expect(receipts?.n).toBe(1)
  }
})

test('a press of the button ten times at once makes one order', async () => {
  const id = await askFor(world)
  const pages = await Promise.all(Array.from({ length: 10 }, () => pressPay(world, id)))
  expect(new Set(pages).size).toBe(1)
  expect([...world.paypal.orders.values()].filter((order) => order.reference === id)).toHaveLength(1)
}, 30_000)

test('a forged PayPal event changes nothing and queues nothing', async () => {
  const id = await askFor(world)
  await pressPay(world, id)
  const before = await stateOf(world, id)
  const forged = await fetch(`${world.paypal.url}/_control/forge`, {
    method: 'POST',
    body: JSON.stringify({
      type: 'PAYMENT.CAPTURE.COMPLETED',
      resource: { id: 'X', status: 'COMPLETED', custom_id: id, amount: { currency_code: 'ILS', value: '79.90' } },
    }),
  })
  expect(await forged.json()).toMatchObject({ status: 403 })
  const unsigned = await fetch(`${world.url}/webhook/paypal`, {
    method: 'POST',
    body: JSON.stringify({ id: 'WH-1', event_type: 'PAYMENT.CAPTURE.COMPLETED', resource: { custom_id: id } }),
  })
  expect(unsigned.status).toBe(403)
  await settleDown()
  expect(await stateOf(world, id)).toEqual(before)
})

test('a true event with other bytes, replayed for another payment, is refused', async () => {
  const id = await askFor(world)
  const event = world.paypal.eventRequest('PAYMENT.CAPTURE.COMPLETED', 'capture', { custom_id: id })
  const send = (body: string) => fetch(event.url, { method: 'POST', headers: event.headers, body })
  expect((await send(event.body.replace(id, crypto.randomUUID()))).status).toBe(403)
  // The right one is taken, and since no money moved nothing is paid.
  expect((await send(event.body)).status).toBe(200)
  await settleDown()
  expect((await stateOf(world, id)).state).toBe('created')
})

test('a forged Tranzila notify changes nothing: no index, an index of another payment, an early one', async () => {
  const paid = await askFor(world, { provider: 'tranzila' })
  await decideAt(await pressPay(world, paid), 'pay')
  await reached(paid, 'paid')
  const index = (await stateOf(world, paid)).transactions[0]?.transactionId.split(':')[1] ?? ''

  const victim = await askFor(world, { provider: 'tranzila' })
  const page = await pressPay(world, victim)
  const forge = (fields: Record<string, string>) =>
    fetch(`${world.url}/webhook/tranzila`, { method: 'POST', body: new URLSearchParams(fields) })
  const next = String(Number(index) + 1)
  for (const forged of [index, '999999', next])
    expect((await forge({ payment_id: victim, index: forged, Response: '000', sum: '79.90' })).status).toBe(200)
  expect((await forge({ payment_id: 'nonsense', index })).status).toBe(400)
  expect((await forge({ payment_id: crypto.randomUUID(), index })).status).toBe(200)
  await settleDown()
  const after = await stateOf(world, victim)
  expect(after.state).toBe('pending')
  expect(after.transactions).toEqual([])

  // The forged early notify of the right index does not keep the true one from counting.
  await decideAt(page, 'pay')
  expect((await reached(victim, 'paid')).transactions).toHaveLength(1)
})

test('another payment’s charge of the same amount cannot be claimed by naming its index first', async () => {
  world.tranzila.faults.add({ operation: 'webhook', effect: { kind: 'webhook_lost' } })
  const honest = await askFor(world, { provider: 'tranzila' })
  const thief = await askFor(world, { provider: 'tranzila' })
  await pressPay(world, thief)
  await decideAt(await pressPay(world, honest), 'pay')
  const index = world.tranzila.ledger.entries.at(-1)?.id.split(':')[1] ?? ''
  await settleNow(world, thief, index)
  expect(await stateOf(world, thief)).toMatchObject({ state: 'pending', transactions: [] })
  // And a wrong index does not keep the honest one from being found.
  await settleNow(world, honest, '999999')
  expect((await stateOf(world, honest)).state).toBe('paid')
})

test('another amount or currency is never called paid, is kept, and is for a person to sort out', async () => {
  world.paypal.faults.add({ operation: 'orders.capture', times: 1, effect: { kind: 'wrong_amount', amount: 790 } })
  const first = await askFor(world)
  await decideAt(await pressPay(world, first), 'approve')
  const short = await reached(first, 'failed')
  expect(short).toMatchObject({ reason: 'amount_mismatch', transactions: [{ amount: 790, counted: false }] })
  expect(kinds(short)).toContain('charge.mismatch')

  world.tranzila.faults.add({ operation: 'charge', times: 1, effect: { kind: 'wrong_amount', currency: 'USD' } })
  const second = await askFor(world, { provider: 'tranzila' })
  await decideAt(await pressPay(world, second), 'pay')
  expect(await reached(second, 'failed')).toMatchObject({ reason: 'amount_mismatch', paidAt: null })

  // No second payment on top of money that moved already.
  const page = await pressPay(world, first)
  expect(page).toBe(`${world.url}/pay/${first}`)
  const html = await (await fetch(page)).text()
  expect(html).toContain('התשלום בבדיקה')
  expect(html).not.toContain('<form')
})

test('a hold on the card (the page’s address edited) is no payment', async () => {
  const id = await askFor(world, { provider: 'tranzila' })
  const page = (await pressPay(world, id)).replace('tranmode=A', 'tranmode=V')
  await decideAt(page, 'pay')
  await settleDown()
  await settleNow(world, id)
  expect(await stateOf(world, id)).toMatchObject({ state: 'pending', transactions: [] })
})

test('money that comes after the end counts; an approval after the end takes none', async () => {
  const expire = (id: string) =>
    world.sql`update payments set expires_at = now() - interval '1 minute' where id = ${id}`
  world.tranzila.faults.add({ operation: 'webhook', times: 1, effect: { kind: 'webhook_delayed', ms: 600 } })
  const late = await askFor(world, { provider: 'tranzila' })
  const page = await pressPay(world, late)
  await expire(late)
  await settleNow(world, late)
  expect((await stateOf(world, late)).state).toBe('expired')
  await decideAt(page, 'pay')
  const paid = await reached(late, 'paid')
  expect(kinds(paid)).toEqual(expect.arrayContaining(['payment.expired', 'payment.paid']))

  const over = await askFor(world)
  const order = await pressPay(world, over)
  await expire(over)
  await decideAt(order, 'approve')
  await reached(over, 'expired')
  await settleDown()
  expect(charges(over)).toEqual([])
  expect(await pressPay(world, over)).toBe(`${world.url}/pay/${over}`)
})

test('a capture that waits is not paid; then completed it is, denied it failed and may be tried again', async () => {
  const wait = () =>
    world.paypal.faults.add({ operation: 'orders.capture', times: 1, effect: { kind: 'capture_pending' } })
  const pendingCharge = (id: string) =>
    until(async () => (await stateOf(world, id)).transactions.some(({ status }) => status === 'pending'))
  const decide = (page: string, outcome: string) =>
    fetch(`${world.paypal.url}/_control/decide/${new URL(page).searchParams.get('token')}`, {
      method: 'POST',
      body: JSON.stringify({ outcome }),
    })

  wait()
  const good = await askFor(world)
  const goodPage = await pressPay(world, good)
  await decideAt(goodPage, 'approve')
  await pendingCharge(good)
  expect((await stateOf(world, good)).state).toBe('pending')
  expect(await pressPay(world, good)).toBe(`${world.url}/pay/${good}`)
  await decide(goodPage, 'completed')
  expect((await reached(good, 'paid')).transactions).toHaveLength(1)

  wait()
  const bad = await askFor(world)
  const badPage = await pressPay(world, bad)
  await decideAt(badPage, 'approve')
  await pendingCharge(bad)
  await decide(badPage, 'denied')
  expect(await reached(bad, 'failed')).toMatchObject({ paidAt: null, reason: 'DECLINED' })
  const again = await pressPay(world, bad)
  expect(again).not.toBe(badPage)
  await decideAt(again, 'approve')
  expect((await reached(bad, 'paid')).transactions.map(({ status }) => status).sort()).toEqual(['completed', 'failed'])
})

test('a refused instrument fails the attempt, and the old order is never captured after a new one was made', async () => {
  world.paypal.faults.add({ operation: 'orders.capture', times: 1, effect: { kind: 'declined' } })
  const id = await askFor(world)
  const old = await pressPay(world, id)
  await decideAt(old, 'approve')
  expect(await reached(id, 'failed')).toMatchObject({ reason: 'INSTRUMENT_DECLINED' })
  const fresh = await pressPay(world, id)
  expect(fresh).not.toBe(old)
  await decideAt(old, 'approve')
  await decideAt(fresh, 'approve')
  await reached(id, 'paid')
  await settleDown()
  expect(charges(id)).toHaveLength(1)
})

test('a refused card at Tranzila fails, the next one pays', async () => {
  const id = await askFor(world, { provider: 'tranzila' })
  const old = await pressPay(world, id)
  await decideAt(old, 'decline')
  expect(await reached(id, 'failed')).toMatchObject({ reason: '033' })
  const fresh = await pressPay(world, id)
  expect(fresh).not.toBe(old)
  await decideAt(fresh, 'pay')
  await reached(id, 'paid')
})

test('two cards charged at two open pages: one counts, the other is shouted about', async () => {
  const id = await askFor(world, { provider: 'tranzila' })
  const page = await pressPay(world, id)
  await decideAt(page, 'pay')
  await reached(id, 'paid')
  await decideAt(page, 'pay')
  const twice = await until(async () => {
    const payment = await stateOf(world, id)
    return payment.transactions.length === 2 && payment
  })
  expect(twice.transactions.map(({ counted }) => counted)).toEqual([true, false])
  expect(kinds(twice)).toContain('charge.duplicate')
})

test('what no notify came for is settled by the sweep', async () => {
  world.paypal.faults.add({ operation: 'webhook', effect: { kind: 'webhook_lost' } })
  world.tranzila.faults.add({ operation: 'webhook', effect: { kind: 'webhook_lost' } })
  const first = await askFor(world)
  const second = await askFor(world, { provider: 'tranzila' })
  await decideAt(await pressPay(world, first), 'approve')
  await decideAt(await pressPay(world, second), 'pay')
  await settleDown()
  expect((await stateOf(world, first)).state).toBe('pending')
  await world.sql`update payments set next_check_at = now() where id in ${world.sql([first, second])}`
  await world.deps.producer.enqueue('payment.sweep', {})
  await reached(first, 'paid')
  await reached(second, 'paid')
})

test('the sweep settles every attempt of a payment, not the first alone', async () => {
  world.tranzila.faults.add({ operation: 'webhook', effect: { kind: 'webhook_lost' } })
  const id = await askFor(world, { provider: 'tranzila' })
  const sweep = async () => {
    await world.sql`update payments set next_check_at = now() where id = ${id}`
    await world.deps.producer.enqueue('payment.sweep', {})
  }
  await decideAt(await pressPay(world, id), 'decline')
  await sweep()
  await reached(id, 'failed')
  await decideAt(await pressPay(world, id), 'pay')
  await sweep()
  await reached(id, 'paid')
})

test('an unpaid payment ends with its time, and then has nothing to be asked about', async () => {
  const id = await askFor(world)
  await world.sql`update payments set expires_at = now(), next_check_at = now() where id = ${id}`
  await world.deps.producer.enqueue('payment.sweep', {})
  await reached(id, 'expired')
  const row = await until(async () => {
    const [found] = await world.sql<
      { next: Date | null }[]
    >`select next_check_at as next from payments where id = ${id}`
    return found?.next === null && found
  })
  expect(row.next).toBeNull()
})

test('the database itself refuses a second counted charge, a used transaction, a state without its facts', async () => {
  const id = await askFor(world)
  const charge = (transaction: string) => world.sql`
    insert into payment_transactions
      (id, business_id, payment_id, provider, kind, provider_transaction_id, status, amount, currency, counted)
    values (gen_random_uuid(), ${world.ctx.businessId}, ${id}, 'paypal', 'charge', ${transaction}, 'completed', 1, 'ILS', true)`
  await charge('T1')
  const refused = (work: PromiseLike<unknown>) =>
    Promise.resolve(work).then(
      () => 'taken',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    )
  expect(await refused(charge('T2'))).toBe('23505')
  expect(await refused(world.sql`update payments set state = 'paid' where id = ${id}`)).toBe('23514')
  expect(await refused(world.sql`update payments set amount = 0 where id = ${id}`)).toBe('23514')
  expect(await refused(world.sql`update payments set refunded_amount = amount where id = ${id}`)).toBe('23514')
  await world.sql`delete from payments where id = ${id}`
})

test('a refund is given once, also when its answer is lost', async () => {
  world.paypal.faults.add({ operation: 'captures.refund', times: 1, effect: { kind: 'response_lost' } })
  const id = await askFor(world)
  await decideAt(await pressPay(world, id), 'approve')
  await reached(id, 'paid')
  const first = await refundPayment(world.ctx, id, world.means).catch((error: unknown) => error)
  expect(first).toMatchObject({ kind: 'unavailable' })
  const answers = await Promise.all([1, 2, 3].map(() => refundPayment(world.ctx, id, world.means)))
  for (const answer of answers) expect(answer).toEqual({ id, state: 'refunded', refundedAmount: 7_990 })
  await settleDown()
  expect(world.paypal.ledger.entries.filter((entry) => entry.kind === 'refund' && entry.reference === id)).toHaveLength(
    1,
  )
  const payment = await stateOf(world, id)
  expect(payment.refundedAmount).toBe(7_990)
  expect(kinds(payment).filter((kind) => kind === 'payment.refunded')).toHaveLength(1)
})

test('refunds made in PayPal’s own console are learnt of, in part and in full', async () => {
  const id = await askFor(world)
  const page = await pressPay(world, id)
  await decideAt(page, 'approve')
  await reached(id, 'paid')
  const giveBack = (amount: number) =>
    fetch(`${world.paypal.url}/_control/refund/${new URL(page).searchParams.get('token')}`, {
      method: 'POST',
      body: JSON.stringify({ amount }),
    })
  await giveBack(1_000)
  await until(async () => (await stateOf(world, id)).refundedAmount === 1_000)
  expect((await stateOf(world, id)).state).toBe('paid')
  await giveBack(6_990)
  expect((await reached(id, 'refunded')).refundedAmount).toBe(7_990)
})

test('the page sees one moment of a payment, also while the refusal is being written', async () => {
  const id = await askFor(world, { provider: 'tranzila' })
  await pressPay(world, id)
  let turning = true
  const turn = (async () => {
    for (let refused = true; turning; refused = !refused)
      await world.sql.begin(async (sql) => {
        await sql`update payments set state = ${refused ? 'failed' : 'pending'}, reason = ${refused ? '033' : null} where id = ${id}`
        await sql`update payment_checkouts set closed_at = case when ${refused} then now() end where payment_id = ${id}`
      })
  })()
  const seen = new Set<string>()
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let look = 0; look < 300; look += 1) {
        const { status, attemptOpen } = await getPublicPayment(world.ctx, id, world.means)
        seen.add(`${status} ${attemptOpen ? 'open' : 'closed'}`)
      }
    }),
  )
  turning = false
  await turn
  expect([...seen].sort()).toEqual(['failed closed', 'payable open'])
})

test('after all of this the books agree to the agora', async () => {
  const books = await ourBooks(world)
  const provider = [...world.paypal.ledger.entries, ...world.tranzila.ledger.entries]
  const sum = (kind: string) =>
    provider.filter((e) => e.kind === kind && e.status === 'completed').reduce((total, e) => total + e.amount, 0)
  // What was taken but not counted: two of another amount or currency, and one charge too many.
  const uncounted = await world.sql<{ amount: string }[]>`
    select amount::text from payment_transactions where kind = 'charge' and status = 'completed' and not counted`
  expect(uncounted).toHaveLength(3)
  const left = uncounted.reduce((total, row) => total + Number(row.amount), 0)
  expect(books).toEqual({ charged: sum('charge') - left, refunded: sum('refund'), paid: sum('charge') - left })
})
