import type { DatabaseHandle } from '../../db/client.ts'
import { publicUrl, WEBHOOKS } from '../access/urls.ts'
import type { Config } from '../config.ts'
import type { Keyring } from '../domain/credentials/index.ts'
import type { SendSettings } from '../domain/messages/index.ts'
import type { PaymentDeps } from '../domain/payments/index.ts'
import { createPayPal } from '../providers/payments/paypal.ts'
import { createTranzila } from '../providers/payments/tranzila.ts'
import { perBusiness } from './per-business.ts'

/** Payment providers: the installation's accounts and those of businesses with keys of their own. */
export function createPayments(
  { paypal, tranzila, publicBaseUrl, endpoints }: Config,
  database: DatabaseHandle,
  keyring: Keyring,
  messages: SendSettings,
): PaymentDeps {
  const page = (id: string, rest = '') => publicUrl(publicBaseUrl, `/pay/${id}${rest}`)
  const providers = {
    paypal: perBusiness(keyring, 'paypal', paypal.kind === 'configured' ? createPayPal(paypal) : null, (keys) =>
      createPayPal({ ...keys, apiBaseUrl: endpoints.paypalApi, account: keys.clientId }),
    ),
    tranzila: perBusiness(
      keyring,
      'tranzila',
      tranzila.kind === 'configured' ? createTranzila(tranzila) : null,
      (keys) => createTranzila({ ...keys, ...endpoints.tranzila, account: keys.terminal }),
    ),
  }
  return {
    providersOf: (businessId) => ({
      paypal: providers.paypal.of(businessId),
      tranzila: providers.tranzila.of(businessId),
    }),
    async accountOf(businessId, name, account) {
      const accounts = providers[name]
      if (account === null) return accounts.installation
      const own = accounts.ownOf(businessId)
      if (own?.account === account) return own
      // Another process may have set it a moment ago. An app of the same merchant under a new name sees the same orders.
      await keyring.refresh()
      return accounts.ownOf(businessId)
    },
    installation: { paypal: providers.paypal.installation, tranzila: providers.tranzila.installation },
    ownAccounts: (name) => providers[name].own().map(({ adapter }) => adapter),
    urls: {
      page: (id) => page(id),
      returned: (id) => page(id, '/return'),
      canceled: (id) => page(id, '/cancel'),
      notify: (provider) => publicUrl(publicBaseUrl, WEBHOOKS[provider]),
    },
    messages,
    pool: database.sql,
  }
}
