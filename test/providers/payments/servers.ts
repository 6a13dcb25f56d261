import { createLogger } from '../../../src/lib/log.ts'
import type { CheckoutRequest } from '../../../src/providers/payments/port.ts'
import { SANDBOX_PAYMENTS } from '../../../src/sandbox/payments/accounts.ts'
import { startPayments } from '../../../src/sandbox/payments/start.ts'

export const SECRET = 'a-secret-of-the-adapters'

/** Both payment servers, and the adapters' options for them. */
export function startServers() {
  const servers = startPayments({
    host: '127.0.0.1',
    paypalPort: 0,
    tranzilaPort: 0,
    secret: SECRET,
    paypalWebhookUrl: null,
    rules: [],
    logger: createLogger('silent'),
  })
  const { paypal, tranzila } = servers
  return {
    ...servers,
    payPalOptions: {
      clientId: SANDBOX_PAYMENTS.clientId,
      clientSecret: SECRET,
      webhookId: SANDBOX_PAYMENTS.webhookId,
      apiBaseUrl: paypal.url,
    },
    tranzilaOptions: {
      terminal: SANDBOX_PAYMENTS.terminal,
      appKey: SANDBOX_PAYMENTS.appKey,
      secret: SECRET,
      apiBaseUrl: tranzila.url,
      reportBaseUrl: tranzila.url,
      payBaseUrl: tranzila.url,
    },
  }
}

export function order(over: Partial<CheckoutRequest> = {}): CheckoutRequest {
  const paymentId = crypto.randomUUID()
  return {
    paymentId,
    requestId: `${paymentId}-1`,
    amount: 12_345,
    currency: 'ILS',
    description: 'תיקון',
    businessName: 'דנה',
    language: 'he',
    returnUrl: 'http://127.0.0.1:9/return',
    cancelUrl: 'http://127.0.0.1:9/cancel',
    notifyUrl: 'http://127.0.0.1:9/notify',
    ...over,
  }
}
