import { afterAll, beforeAll, expect, test } from 'bun:test'
import { loadConfig } from '../../src/config.ts'
import {
  blockBusiness,
  createApiKey,
  createBusiness,
  unblockBusiness,
  updateBusiness,
} from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { receiveMessage } from '../../src/domain/messages/index.ts'
import { checkPayments } from '../../src/domain/payments/index.ts'
import { createAccount } from '../../src/domain/whatsapp/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { prepareServer } from '../../src/processes/web-server.ts'
import { createClient } from '../../src/trpc/client.ts'
import {
  askFor,
  decideAt,
  type PaymentFixture,
  pressPay,
  startPaymentFixture,
  stateOf,
  until,
} from '../support/payments.ts'

let world: PaymentFixture
let keyless: { url: string; stop(): Promise<void> }

beforeAll(async () => {
  world = await startPaymentFixture()
  // The same installation without any payment keys.
  const port = String(await findFreePort('127.0.0.1'))
  const environment = Object.fromEntries(
    Object.entries(world.environment).filter(([name]) => !/^(PAYPAL|TRANZILA)_/.test(name)),
  )
  const server = await prepareServer(loadConfig({ ...environment, PORT: port }))
  await server.listen()
  keyless = { url: `http://127.0.0.1:${port}`, stop: server.stop }
}, 60_000)
afterAll(async () => {
  await keyless.stop()
  await world.stop()
})

async function linkedAccount(phone: string): Promise<string> {
  const { id } = await createAccount(world.ctx)
  await world.sql`update whatsapp_accounts set phone = ${phone}, linked_at = now(), state = 'working' where id = ${id}`
  return id
}

const request = { contact: '050-123-4567', amount: 7_990, description: 'תיקון', currency: 'ILS' }

async function call(base: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(base + path, {
    method,
    headers: { authorization: `Bearer ${world.key}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    redirect: 'manual',
  })
  const text = await response.text()
  return { status: response.status, json: text.startsWith('{') ? JSON.parse(text) : null, text }
}

test('the old Stripe addresses are gone, whatever the method, and need no key', async () => {
  for (const path of [
    '/api/stripe',
    '/api/stripe/',
    '/api/stripe/checkout/session',
    '/webhook/stripe',
    '/webhook/stripe/',
  ])
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const response = await fetch(world.url + path, { method })
      expect([path, method, response.status]).toEqual([path, method, 410])
      expect(await response.json()).toMatchObject({ success: false, error: { code: 'stripe_removed' } })
    }
})

test('without keys of the provider 501, for a blocked business 403 before that, without a key of ours 401', async () => {
  for (const body of [request, { ...request, provider: 'paypal' }, { ...request, provider: 'tranzila' }, {}, 'no json'])
    expect(await call(keyless.url, 'POST', '/api/payments', body)).toMatchObject({
      status: 501,
      json: { success: false, error: { code: 'payments_not_configured' } },
    })
  expect((await call(keyless.url, 'POST', '/webhook/paypal', {})).status).toBe(501)
  expect((await call(keyless.url, 'POST', '/webhook/tranzila', 'x=1')).status).toBe(501)

  await blockBusiness(world.ctx, 'unpaid')
  for (const base of [keyless.url, world.url])
    for (const body of [request, {}])
      expect(await call(base, 'POST', '/api/payments', body)).toMatchObject({
        status: 403,
        json: { success: false, error: { code: 'business_blocked' } },
      })
  await unblockBusiness(world.ctx)
  expect(await call(world.url, 'POST', '/api/payments', request, { authorization: 'Bearer wrong' })).toMatchObject({
    status: 401,
    json: { error: { code: 'invalid_api_key' } },
  })
})

test('the business’s own choice of provider counts where it takes the currency and no other is named', async () => {
  const { deps, ctx } = world
  const chosen = async (currency: string, provider?: string) =>
    (await checkPayments(ctx, deps.payments, provider, currency)).provider.name
  const dollars = await chosen('USD')
  expect([await chosen('ILS'), dollars]).toEqual(['tranzila', 'paypal'])
  await updateBusiness(ctx, { paymentProvider: 'paypal' })
  expect([await chosen('ILS'), await chosen('ILS', 'tranzila')]).toEqual(['paypal', 'tranzila'])
  await updateBusiness(ctx, { paymentProvider: 'tranzila' })
  const takesDollars = deps.payments.installation.tranzila?.currencies.some((each) => each === 'USD')
  expect(await chosen('USD')).toBe(takesDollars ? 'tranzila' : 'paypal')
  const without = {
    ...deps.payments,
    providersOf: (id: string) => ({ ...deps.payments.providersOf(id), tranzila: null }),
  }
  expect((await checkPayments(ctx, without, undefined, 'ILS')).provider.name).toBe('paypal')
  await updateBusiness(ctx, { paymentProvider: null })
})

test('a bad request says which field, and writes nothing', async () => {
  const count = async () => (await world.sql`select count(*)::int as n from payments`)[0]?.n
  const before = await count()
  const cases: [unknown, string][] = [
    [{ ...request, amount: 79.9 }, 'amount'],
    [{ ...request, amount: 0 }, 'amount'],
    [{ ...request, amount: -100 }, 'amount'],
    [{ ...request, amount: '7990' }, 'amount'],
    [{ ...request, amount: 1e12 }, 'amount'],
    [{ ...request, currency: 'XXX' }, 'currency'],
    [{ ...request, currency: 'EUR', provider: 'tranzila' }, 'currency'],
    [{ ...request, description: '   ' }, 'description'],
    [{ ...request, contact: 'abc' }, 'contact'],
    [{ ...request, provider: 'stripe' }, 'provider'],
  ]
  for (const [body, field] of cases)
    expect(await call(world.url, 'POST', '/api/payments', body)).toMatchObject({
      status: 400,
      json: { error: { field } },
    })
  expect((await call(world.url, 'POST', '/api/payments', 'no json')).json.error.code).toBe('invalid_json')
  expect((await call(world.url, 'POST', '/api/payments', { ...request, contact: crypto.randomUUID() })).status).toBe(
    404,
  )
  expect(await count()).toBe(before)
})

test('asked twice with one key it is one payment; another under the same key is refused', async () => {
  const headers = { 'idempotency-key': 'order-1' }
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => call(world.url, 'POST', '/api/payments', request, headers)),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  expect(new Set(answers.map(({ json }) => json.id)).size).toBe(1)
  expect(answers[0]?.json).toMatchObject({ success: true, state: 'created', provider: 'tranzila' })
  expect(answers[0]?.json.url).toBe(`${world.url}/pay/${answers[0]?.json.id}`)
  const other = await call(world.url, 'POST', '/api/payments', { ...request, amount: 1 }, headers)
  expect(other).toMatchObject({ status: 409, json: { error: { code: 'idempotency_conflict' } } })
})

test('the link goes out by WhatsApp once, in the language of the business', async () => {
  const body = { ...request, contact: '050-765-4321', send: true, idempotencyKey: 'sent-1' }
  const { json } = await call(world.url, 'POST', '/api/payments', body)
  expect((await call(world.url, 'POST', '/api/payments', body)).json.messageId).toBe(json.messageId)
  const rows = await world.sql<{ body: string }[]>`select body from messages where id = ${json.messageId}`
  expect(rows[0]?.body).toContain(json.url)
  expect(rows[0]?.body).toContain('בקשת תשלום')
})

test('the link goes out from the account that the payer wrote to last, and by the default where that one cannot send now', async () => {
  const business = world.ctx
  const [first, second] = [await linkedAccount('+972541110001'), await linkedAccount('+972541110002')]
  const [twilio] = await world.sql`select id from whatsapp_accounts where provider = 'twilio'`
  const write = (accountId: string | null, phone: string, at: Date) =>
    receiveMessage(business, {
      ...{ provider: accountId ? ('baileys' as const) : ('twilio' as const), businessId: business.businessId },
      ...(accountId ? { accountId } : {}),
      ...{ dedupeKey: newId(), providerMessageId: newId(), kind: 'text', body: 'hi', media: [], at: at.toISOString() },
      from: { phone, name: null },
    })
  const sentFrom = async (contact: string) => {
    const made = (await call(world.url, 'POST', '/api/payments', { ...request, contact, send: true })).json
    const [row] = await world.sql`select provider, account_id from messages where id = ${made.messageId}`
    return [row?.provider, row?.account_id]
  }
  const [one, other, both] = ['+972507770001', '+972507770002', '+972507770003']
  await write(first, one, new Date())
  await write(second, other, new Date())
  await write(first, both, new Date(Date.now() - 60_000))
  await write(null, both, new Date())
  expect(await sentFrom(one)).toEqual(['baileys', first])
  expect(await sentFrom(other)).toEqual(['baileys', second])
  expect(await sentFrom(both)).toEqual(['twilio', twilio?.id])
  expect(await sentFrom('+972507770004')).toEqual(['twilio', twilio?.id])
  await world.sql`update whatsapp_accounts set state = 'logged_out' where id = ${first}`
  expect(await sentFrom(one)).toEqual(['baileys', second])
  await world.sql`update whatsapp_accounts set state = 'logged_out' where provider = 'baileys'`
  expect(await sentFrom(one)).toEqual(['twilio', twilio?.id])
})

test('a business sees and refunds its own payments alone', async () => {
  const id = await askFor(world)
  const otherId = await createBusiness(world.deps.ctx, { name: 'Other', language: 'en' })
  const { key } = await createApiKey(within(world.deps.ctx, otherId), { name: 'test' })
  const foreign = { authorization: `Bearer ${key}` }
  expect((await call(world.url, 'GET', `/api/payments/${id}`, undefined, foreign)).status).toBe(404)
  expect((await call(world.url, 'POST', `/api/payments/${id}/refund`, undefined, foreign)).status).toBe(404)
  expect((await call(world.url, 'GET', '/api/payments', undefined, foreign)).json.items).toEqual([])
  expect((await call(world.url, 'GET', '/api/payments?limit=1')).json.items).toMatchObject([{ id }])
  expect((await call(world.url, 'GET', `/api/payments/${id}`)).json.payment).toMatchObject({ id, state: 'created' })
  expect((await call(world.url, 'GET', '/api/payments/none')).status).toBe(400)
})

test('tRPC: request, list, get, refund, with the same errors', async () => {
  world.startWorker()
  const { payments } = createClient({ url: world.url, apiKey: world.key })
  const made = await payments.request.mutate({ ...request, currency: 'ILS', provider: 'paypal' })
  expect(await payments.refund.mutate({ id: made.id }).catch((error: unknown) => error)).toMatchObject({
    data: { error: { code: 'payment_not_paid' } },
  })
  await decideAt(await pressPay(world, made.id), 'approve')
  await until(async () => (await payments.get.query({ id: made.id })).state === 'paid')
  expect(await payments.refund.mutate({ id: made.id })).toMatchObject({ state: 'refunded', refundedAmount: 7_990 })
  expect((await payments.list.query({ state: 'refunded' })).items).toMatchObject([{ id: made.id }])

  const tranzila = await askFor(world, { provider: 'tranzila' })
  await decideAt(await pressPay(world, tranzila), 'pay')
  await until(async () => (await stateOf(world, tranzila)).state === 'paid')
  expect(await payments.refund.mutate({ id: tranzila }).catch((error: unknown) => error)).toMatchObject({
    data: { error: { code: 'refund_not_supported' }, httpStatus: 501 },
  })
})

test('the page tells nothing of the person, is not kept, runs no script, and a wrong link is a page too', async () => {
  const id = await askFor(world, { contact: '+972501239999' })
  const response = await fetch(`${world.url}/pay/${id}`)
  const html = await response.text()
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('referrer-policy')).toBe('no-referrer')
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(html).toContain('<html lang="he" dir="rtl">')
  expect(html).not.toContain('1239999')
  expect(html).not.toContain('<script')
  const english = await (await fetch(`${world.url}/pay/${id}?lang=en`)).text()
  expect(english).toContain('<html lang="en" dir="ltr">')
  for (const wrong of ['nonsense', crypto.randomUUID()]) {
    const missing = await fetch(`${world.url}/pay/${wrong}?lang=en`)
    expect([missing.status, missing.headers.get('content-type')]).toEqual([404, 'text/html; charset=UTF-8'])
    expect((await fetch(`${world.url}/pay/${wrong}/checkout`, { method: 'POST', body: '' })).status).toBe(404)
    expect((await fetch(`${world.url}/pay/${wrong}/return`)).status).toBe(404)
  }
  const markup = await askFor(world, { description: '<script>alert(1)</script>' })
  expect(await (await fetch(`${world.url}/pay/${markup}`)).text()).toContain('&lt;script&gt;')
})

test('a blocked business’s page offers no button, and its button does nothing', async () => {
  const id = await askFor(world)
  await blockBusiness(world.ctx, 'unpaid')
  expect(await (await fetch(`${world.url}/pay/${id}`)).text()).not.toContain('<form')
  expect((await fetch(`${world.url}/pay/${id}/checkout`, { method: 'POST', body: '' })).status).toBe(403)
  await unblockBusiness(world.ctx)
  expect((await stateOf(world, id)).state).toBe('created')
})
