import type { Carriers, Telephony } from '../providers/telephony/port.ts'
import type { PerBusiness } from './per-business.ts'

/** The installation's carrier account, and those of businesses with keys of their own. */
export function createCarriers(accounts: PerBusiness<Telephony>): Carriers {
  const { installation } = accounts
  return {
    any: () => installation ?? accounts.own()[0]?.adapter ?? null,
    of: accounts.of,
    account(businessId, accountSid) {
      const own = accounts.ownOf(businessId)
      if (own && isSame(own.accountSid, accountSid)) return own
      return installation && isSame(installation.accountSid, accountSid) ? installation : null
    },
    accountsOf: (businessId) => [accounts.ownOf(businessId), installation].filter((account) => account !== null),
    verify(request) {
      const named = [request.params.AccountSid].flat()[0]
      // The installation's account needs the installation's token: a business cannot claim it as its own.
      if (installation && (named === undefined || isSame(named, installation.accountSid)))
        return installation.verifyWebhook(request) ? { telephony: installation, only: null } : null
      if (named === undefined) return null
      // Several businesses may claim one account; the signature shows whose keys are right.
      const [first, ...more] = accounts
        .own()
        .filter(({ adapter }) => isSame(adapter.accountSid, named) && adapter.verifyWebhook(request))
      if (!first) return null
      return { telephony: first.adapter, only: [first, ...more].map(({ businessId }) => businessId) }
    },
    verifyUpgrade(path, signature) {
      if (installation?.verifyUpgrade(path, signature)) return { only: null }
      const only = accounts
        .own()
        .filter(({ adapter }) => adapter.verifyUpgrade(path, signature))
        .map(({ businessId }) => businessId)
      return only.length > 0 ? { only } : null
    },
  }
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
