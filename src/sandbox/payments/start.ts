import type { Logger } from '../../lib/log.ts'
import type { ConnectRule } from '../carrier/webhook-client.ts'
import { SANDBOX_PAYMENTS } from './accounts.ts'
import { startPayPal } from './paypal.ts'
import { startTranzila } from './tranzila.ts'

export type StartPayments = {
  host: '127.0.0.1' | '::1' | 'localhost'
  /** 0 = any free port. */
  paypalPort: number
  tranzilaPort: number
  secret: string
  /** Where PayPal's events go; a Tranzila payment names its own address. */
  paypalWebhookUrl: string | null
  rules: readonly ConnectRule[]
  logger: Logger
}

export function startPayments(options: StartPayments) {
  const { host: hostname, secret, rules, logger } = options
  const { clientId, webhookId, terminal, appKey } = SANDBOX_PAYMENTS
  const paypal = startPayPal({
    port: options.paypalPort,
    hostname,
    clientId,
    clientSecret: secret,
    webhookId,
    webhookUrl: options.paypalWebhookUrl,
    rules,
    logger,
  })
  const tranzila = startTranzila({ port: options.tranzilaPort, hostname, terminal, appKey, secret, rules, logger })
  return {
    paypal,
    tranzila,
    async close() {
      await paypal.close()
      await tranzila.close()
    },
  }
}
