import type { CredentialProvider, Credentials, Keyring } from '../domain/credentials/index.ts'

export type PerBusiness<Adapter> = {
  /** The business's own, else the installation's; null where there is none, or its own keys cannot be opened. */
  of(businessId: string): Adapter | null
  /** The business's own only. */
  ownOf(businessId: string): Adapter | null
  own(): { businessId: string; adapter: Adapter }[]
  installation: Adapter | null
}

/** Makes an adapter of a business's own keys on first use; cached, with tokens and connections, while the keys stay. */
export function perBusiness<P extends CredentialProvider, Adapter>(
  keyring: Keyring,
  provider: P,
  installation: Adapter | null,
  make: (keys: Credentials<P>) => Adapter,
): PerBusiness<Adapter> {
  const adapters = new WeakMap<Credentials<P>, Adapter>()
  const adapterOf = (keys: Credentials<P>) => {
    const existing = adapters.get(keys)
    if (existing) return existing
    const made = make(keys)
    adapters.set(keys, made)
    return made
  }
  const ownOf = (businessId: string) => {
    const held = keyring.held(businessId, provider)
    return held.kind === 'own' ? adapterOf(held.keys) : null
  }
  return {
    installation,
    ownOf,
    of: (businessId) => (keyring.held(businessId, provider).kind === 'none' ? installation : ownOf(businessId)),
    own: () => keyring.holders(provider).map(({ businessId, keys }) => ({ businessId, adapter: adapterOf(keys) })),
  }
}
