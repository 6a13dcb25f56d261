import type { Deps } from '../../src/composition/deps.ts'
import { loadConfig } from '../../src/config.ts'
import { type BusinessContext, within } from '../../src/domain/context.ts'
import { getPayment, type PaymentRequest, requestPayment, settlePayment } from '../../src/domain/payments/index.ts'
import type { Consumer } from '../../src/jobs/consumer.ts'
import { createLogger } from '../../src/lib/log.ts'
import { findFreePort } from '../../src/lib/net.ts'
import { setUp } from '../../src/processes/setup.ts'
import { prepareServer } from '../../src/processes/web-server.ts'
import { SANDBOX_PAYMENTS } from '../../src/sandbox/payments/accounts.ts'
import { startPayments } from '../../src/sandbox/payments/start.ts'
import { paymentHandlers } from '../../workers/handlers/payments.ts'
import { openConsumer } from '../../workers/run-worker.ts'
import { crmHandlers } from '../jobs/handlers.ts'
import { temporaryDirectory } from './cleanup.ts'
import { createTestDatabase } from './postgres.ts'

const SECRET = 'a-secret-of-the-sandbox'

export type PaymentFixture = Awaited<ReturnType<typeof startPaymentFixture>>

export function paymentEnvironment(fixture: {
  port: number
  databaseUrl: string
  paypalUrl: string
  tranzilaUrl: string
  language?: 'he' | 'en'
}): Record<string, string> {
  return {
    NODE_ENV: 'test',
    LOG_LEVEL: 'silent',
    HOST: '127.0.0.1',
    PORT: String(fixture.port),
    PUBLIC_BASE_URL: `http://127.0.0.1:${fixture.port}`,
    DATA_DIR: temporaryDirectory('payments'),
    DATABASE_URL: fixture.databaseUrl,
    SANDBOX: '1',
    BUSINESS_NAME: 'המכולת של דנה',
    BUSINESS_LANGUAGE: fixture.language ?? 'he',
    ADMIN_EMAIL: 'owner@example.com',
    ADMIN_PASSWORD: 'correct horse',
    API_KEY: 'the-key-of-the-payment-tests',
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'token',
    TWILIO_API_BASE_URL: 'http://127.0.0.1:9',
    TWILIO_WHATSAPP_FROM: 'whatsapp:+14155238886',
    PAYPAL_CLIENT_ID: SANDBOX_PAYMENTS.clientId,
    PAYPAL_CLIENT_SECRET: SECRET,
    PAYPAL_WEBHOOK_ID: SANDBOX_PAYMENTS.webhookId,
    PAYPAL_API_BASE_URL: fixture.paypalUrl,
    TRANZILA_TERMINAL: SANDBOX_PAYMENTS.terminal,
    TRANZILA_APP_KEY: SANDBOX_PAYMENTS.appKey,
    TRANZILA_SECRET: SECRET,
    TRANZILA_API_BASE_URL: fixture.tranzilaUrl,
    TRANZILA_REPORT_BASE_URL: fixture.tranzilaUrl,
    TRANZILA_PAY_BASE_URL: fixture.tranzilaUrl,
  }
}

export function startPaymentServers(paypalWebhookUrl: string | null) {
  return startPayments({
    host: '127.0.0.1',
    paypalPort: 0,
    tranzilaPort: 0,
    secret: SECRET,
    paypalWebhookUrl,
    rules: [],
    logger: createLogger('silent'),
  })
}

/** The product in this process, without its other workers, beside both payment servers. */
export async function startPaymentFixture(options: { language?: 'he' | 'en'; keyless?: boolean } = {}) {
  const database = await createTestDatabase()
  const port = await findFreePort('127.0.0.1')
  const url = `http://127.0.0.1:${port}`
  const { paypal, tranzila, close: closeServers } = startPaymentServers(`${url}/webhook/paypal`)
  const { keyless = false, ...language } = options
  const environment = paymentEnvironment({
    port,
    databaseUrl: database.url,
    paypalUrl: paypal.url,
    tranzilaUrl: tranzila.url,
    ...language,
  })
  // The addresses stay: they are the vendors', with any keys.
  if (keyless)
    for (const name of Object.keys(environment))
      if (/^(PAYPAL|TRANZILA)_/.test(name) && !name.endsWith('_BASE_URL')) delete environment[name]
  const config = loadConfig(environment)
  await setUp(config)
  const web = await prepareServer(config)
  await web.listen()
  const { deps } = web
  const [business] = await deps.database.sql<{ id: string }[]>`select id from businesses`
  const businessId = business?.id ?? ''
  let consumers: Consumer[] = []

  return {
    url,
    environment,
    paypal,
    tranzila,
    deps,
    sql: deps.database.sql,
    means: deps.payments,
    ctx: within(deps.ctx, businessId) satisfies BusinessContext,
    key: environment.API_KEY ?? '',
    /** Starts the job worker; without it jobs wait. */
    startWorker() {
      if (consumers.length === 0) consumers = openConsumers(deps)
    },
    async stop() {
      for (const consumer of consumers) await consumer.close()
      await web.stop()
      await closeServers()
      await database.drop()
    },
  }
}

function openConsumers(deps: Deps): Consumer[] {
  const handlers = paymentHandlers(deps.ctx, deps.payments)
  return [openConsumer(deps, 'crm', 8, crmHandlers(handlers)), openConsumer(deps, 'payments', 2, handlers)]
}

let counter = 0

/** A payment of a new payer. */
export async function askFor(fixture: PaymentFixture, request: Partial<PaymentRequest> = {}): Promise<string> {
  counter += 1
  const { id } = await requestPayment(
    fixture.ctx,
    {
      contact: `+9725010${String(10_000 + counter)}`,
      amount: 7_990,
      description: 'תיקון מזגן',
      provider: 'paypal',
      ...request,
    },
    fixture.means,
  )
  return id
}

/** Presses the page's button; answers where it leads. */
export async function pressPay(fixture: PaymentFixture, id: string): Promise<string> {
  const response = await fetch(`${fixture.url}/pay/${id}/checkout`, { method: 'POST', body: '', redirect: 'manual' })
  await response.text()
  if (response.status !== 303) throw new Error(`The checkout answered ${response.status}.`)
  return new URL(response.headers.get('location') ?? '', fixture.url).href
}

/** The buyer at the provider's page: `approve|cancel` at PayPal, `pay|decline` at Tranzila. */
export async function decideAt(page: string, decision: 'approve' | 'cancel' | 'pay' | 'decline'): Promise<void> {
  const response = await fetch(page, {
    method: 'POST',
    body: new URLSearchParams({ decision }),
    redirect: 'manual',
  })
  await response.text()
}

export function stateOf(fixture: PaymentFixture, id: string) {
  return getPayment(fixture.ctx, id, fixture.means)
}

/** Asks the provider now, as a job would, after any concurrent settlement. */
export async function settleNow(fixture: PaymentFixture, id: string, transactionId: string | null = null) {
  return settlePayment(fixture.ctx, id, fixture.means, transactionId)
}

export async function until<T>(read: () => Promise<T | false | null | undefined>, ms = 10_000): Promise<T> {
  for (const deadline = Date.now() + ms; ; await Bun.sleep(50)) {
    const found = await read()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`It did not happen within ${ms} ms.`)
  }
}

/** The sums of our books, in agorot. */
export async function ourBooks(fixture: PaymentFixture) {
  const [row] = await fixture.sql<{ charged: string; refunded: string }[]>`
    select coalesce(sum(amount) filter (where kind = 'charge'), 0)::text as charged,
           coalesce(sum(amount) filter (where kind = 'refund'), 0)::text as refunded
    from payment_transactions where counted`
  const [paid] = await fixture.sql<{ amount: string }[]>`
    select coalesce(sum(amount), 0)::text as amount from payments where state in ('paid', 'refunded')`
  return { charged: Number(row?.charged), refunded: Number(row?.refunded), paid: Number(paid?.amount) }
}
