import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createDeps } from '../../src/composition/deps.ts'
import { loadConfig } from '../../src/config.ts'
import { createApiKey, createBusiness } from '../../src/domain/businesses/index.ts'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { type CredentialsInput, removeCredentials, setCredentials } from '../../src/domain/credentials/index.ts'
import { checkPayments, refundPayment } from '../../src/domain/payments/index.ts'
import type { PayPalState } from '../../src/sandbox/payments/paypal-state.ts'
import {
  askFor,
  decideAt,
  type PaymentFixture,
  pressPay,
  settleNow,
  startPaymentFixture,
  stateOf,
  until,
} from '../support/payments.ts'

const LONG = 60_000

let keyless: PaymentFixture
let keyed: PaymentFixture
beforeAll(async () => {
  keyless = await startPaymentFixture({ keyless: true })
  keyed = await startPaymentFixture()
}, LONG)
afterAll(async () => {
  await keyless.stop()
  await keyed.stop()
}, LONG)

type Tenant = PaymentFixture & { key: string; merchant: PayPalState; terminal: string }

/** A business with accounts of its own at both providers, which only they know. */
async function addTenant(world: PaymentFixture, name: string): Promise<Tenant> {
  const businessId = await createBusiness(world.deps.ctx, { name, language: 'en' })
  const ctx = within(world.deps.ctx, businessId)
  const { merchant, terminal } = await giveAccounts(world, ctx, name)
  const { key } = await createApiKey(ctx, { name: 'test' })
  return { ...world, ctx, key, merchant, terminal }
}

async function giveAccounts(world: PaymentFixture, ctx: BusinessContext, name: string) {
  const paypal = { clientId: `client-of-${name}`, clientSecret: `secret-of-${name}`, webhookId: `WH-${name}` }
  const tranzila = { terminal: `terminal-${name}`, appKey: `app-of-${name}`, secret: `tranzila-secret-of-${name}` }
  const merchant = world.paypal.addAccount({ ...paypal, webhookUrl: `${world.url}/webhook/paypal` })
  world.tranzila.addTerminal(tranzila)
  const { keyring } = world.deps
  await setCredentials(ctx, keyring, { provider: 'paypal', keys: paypal })
  await setCredentials(ctx, keyring, { provider: 'tranzila', keys: tranzila })
  return { merchant, terminal: tranzila.terminal }
}

function pay(world: PaymentFixture, body: object, key: string): Promise<Response> {
  return fetch(`${world.url}/api/payments`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ contact: '050-123-4567', description: 'x', ...body }),
  })
}

const paid = (world: PaymentFixture, id: string) =>
  until(async () => (await stateOf(world, id)).state === 'paid', 20_000)
const charges = (state: PayPalState) => state.ledger.entries.filter(({ kind }) => kind === 'charge')

test(
  'each business’s payments reach its own accounts, where the installation has none; one without keys gets 501',
  async () => {
    const { paypal, tranzila, url } = keyless
    const event = { id: 'WH-1', event_type: 'CHECKOUT.ORDER.APPROVED', resource: { custom_id: crypto.randomUUID() } }
    const notify = () => fetch(`${url}/webhook/paypal`, { method: 'POST', body: JSON.stringify(event) })
    expect([(await notify()).status, (await pay(keyless, { amount: 100 }, keyless.key)).status]).toEqual([501, 501])

    keyless.startWorker()
    const dana = await addTenant(keyless, 'dana')
    const noa = await addTenant(keyless, 'noa')
    expect((await pay(keyless, { amount: 100 }, keyless.key)).status).toBe(501)
    // Of another sale in the account of a business: nothing to do, and no reason to send it again.
    expect((await notify()).status).toBe(200)

    const paidBy = async (tenant: Tenant, amount: number) => {
      const made = await pay(keyless, { amount, provider: 'paypal' }, tenant.key)
      expect(made.status).toBe(201)
      const { id } = (await made.json()) as { id: string }
      await decideAt(await pressPay(keyless, id), 'approve')
      await paid(tenant, id)
      const byCard = await askFor(tenant, { provider: 'tranzila', amount })
      await decideAt(await pressPay(keyless, byCard), 'pay')
      await paid(tenant, byCard)
      return { id, byCard }
    }
    const ofDana = await paidBy(dana, 1_100)
    const ofNoa = await paidBy(noa, 2_200)

    expect(charges(dana.merchant)).toMatchObject([{ reference: ofDana.id, amount: 1_100 }])
    expect(charges(noa.merchant)).toMatchObject([{ reference: ofNoa.id, amount: 2_200 }])
    expect([paypal.orders.size, paypal.ledger.entries.length]).toEqual([0, 0])
    expect(tranzila.ledger.entries.map(({ id, reference }) => [id.split(':')[0], reference])).toEqual([
      [dana.terminal, ofDana.byCard],
      [noa.terminal, ofNoa.byCard],
    ])
    // PayPal's own webhook did it, checked with the business's own webhook id.
    for (const { merchant } of [dana, noa])
      expect(merchant.deliveries.log.map(({ status }) => status)).toEqual(merchant.deliveries.log.map(() => 200))

    expect(await refundPayment(noa.ctx, ofNoa.id, noa.means)).toMatchObject({ state: 'refunded' })
    expect(noa.merchant.ledger.toJson().refunded).toBe(2_200)
    expect(dana.merchant.ledger.toJson().refunded).toBe(0)
    await expect(refundPayment(dana.ctx, ofNoa.id, dana.means)).rejects.toMatchObject({ code: 'payment_not_found' })
  },
  LONG,
)

test(
  'a notification signed for another business’s webhook is refused and changes nothing',
  async () => {
    const dana = await addTenant(keyless, 'dana2')
    const noa = await addTenant(keyless, 'noa2')
    const victim = await askFor(noa, { amount: 3_300 })
    const page = await pressPay(keyless, victim)
    const snapshot = async () => [await stateOf(noa, victim), (await keyless.deps.metrics.jobsEnqueued.get()).values]
    const before = await snapshot()
    // Really signed by PayPal, for Dana's webhook: her account says that Noa's customer paid.
    for (const type of ['CHECKOUT.ORDER.APPROVED', 'PAYMENT.CAPTURE.COMPLETED']) {
      const request = dana.merchant.eventRequest(type, 'capture', { id: 'X', custom_id: victim, links: [] })
      const { status } = await dana.merchant.deliveries.sendOnce(request)
      expect(status).toBe(403)
    }
    expect(await snapshot()).toEqual(before)
    // Her own way still works.
    await decideAt(page, 'approve')
    keyless.startWorker()
    await paid(noa, victim)
    expect(dana.merchant.ledger.entries).toEqual([])
  },
  LONG,
)

test(
  'money stays with the account it was begun in, when a business gets keys of its own and loses them again',
  async () => {
    const { paypal, ctx, deps } = keyed
    keyed.startWorker()
    const old = await askFor(keyed, { amount: 4_400 })
    const oldPage = await pressPay(keyed, old)
    const { merchant } = await giveAccounts(keyed, ctx, 'late')
    const young = await askFor(keyed, { amount: 5_500 })
    await decideAt(await pressPay(keyed, young), 'approve')
    await paid(keyed, young)
    // Begun before: the button leads to the same order, and the installation's account is asked.
    expect(await pressPay(keyed, old)).toBe(oldPage)
    await decideAt(oldPage, 'approve')
    await paid(keyed, old)
    expect(charges(paypal)).toMatchObject([{ reference: old, amount: 4_400 }])
    expect(charges(merchant)).toMatchObject([{ reference: young, amount: 5_500 }])
    expect(await refundPayment(ctx, old, keyed.means)).toMatchObject({ state: 'refunded' })

    await removeCredentials(ctx, deps.keyring, 'paypal')
    await expect(refundPayment(ctx, young, keyed.means)).rejects.toMatchObject({ code: 'payments_not_configured' })
    await settleNow(keyed, young)
    expect((await stateOf(keyed, young)).state).toBe('paid')
    // The keys of another account are not the installation's: nothing was asked of that one.
    expect(charges(paypal)).toHaveLength(1)
    const { clientId, clientSecret, webhookId } = merchant.settings
    const again: CredentialsInput = { provider: 'paypal', keys: { clientId, clientSecret, webhookId } }
    await setCredentials(ctx, deps.keyring, again)
    expect(await refundPayment(ctx, young, keyed.means)).toMatchObject({ state: 'refunded' })
    expect(merchant.ledger.toJson().refunded).toBe(5_500)
  },
  LONG,
)

test(
  'another process asks the right account although it read the keys before they were set; keys that cannot be opened are no keys',
  async () => {
    const worker = await createDeps(loadConfig(keyed.environment), 'crm')
    try {
      const tenant = await addTenant(keyed, 'fresh')
      const found = await worker.payments.accountOf(tenant.ctx.businessId, 'paypal', 'client-of-fresh')
      expect(found?.account).toBe('client-of-fresh')
      expect(worker.payments.providersOf(tenant.ctx.businessId).tranzila).toBe(
        worker.payments.providersOf(tenant.ctx.businessId).tranzila,
      )
      await keyed.sql`update business_credentials set sealed = 'v1.broken' where business_id = ${tenant.ctx.businessId}`
      await keyed.deps.keyring.refresh()
      expect(keyed.means.providersOf(tenant.ctx.businessId)).toEqual({ paypal: null, tranzila: null })
      expect((await pay(keyed, { amount: 100 }, tenant.key)).status).toBe(501)
    } finally {
      await worker.close()
    }
  },
  LONG,
)

test(
  'an account of its own goes before the installation’s, where it takes the currency and nothing else is said',
  async () => {
    const tenant = await addTenant(keyed, 'paypal-only')
    const { keyring, payments } = keyed.deps
    const chosen = async (currency: string, provider?: string) => {
      const { provider: found } = await checkPayments(tenant.ctx, payments, provider, currency)
      return [found.name, found.account]
    }
    expect(await chosen('ILS')).toEqual(['tranzila', tenant.terminal])
    expect(await chosen('EUR')).toEqual(['paypal', 'client-of-paypal-only'])
    await removeCredentials(tenant.ctx, keyring, 'tranzila')
    expect(await chosen('ILS')).toEqual(['paypal', 'client-of-paypal-only'])
    expect(await chosen('ILS', 'tranzila')).toEqual(['tranzila', null])
    await removeCredentials(tenant.ctx, keyring, 'paypal')
    expect(await chosen('ILS')).toEqual(['tranzila', null])
  },
  LONG,
)
