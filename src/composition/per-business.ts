import type { CredentialProvider, Credentials, Keyring } from '../domain/credentials/index.ts'

/** One vendor's adapters: the installation's, and one for each business with keys of its own. */
export type PerBusiness<Adapter> = {
  /** The business's own, else the installation's; null where there is none, or its own keys cannot be opened. */
  of(businessId: string): Adapter | null
  /** Its own alone. */
  ownOf(businessId: string): Adapter | null
  own(): { businessId: string; adapter: Adapter }[]
  installation: Adapter | null
}

/**
 * Makes an adapter of a business's own keys when it is first asked for, and keeps it as long as the keys stay: its tokens and
 * connections live with it.
 */
export function perBusiness<P extends CredentialProvider, Adapter>(
  keyring: Keyring,
  provider: P,
  installation: Adapter | null,
  make: (keys: Credentials<P>) => Adapter,
): PerBusiness<Adapter> {
  const kept = new WeakMap<Credentials<P>, Adapter>()
  const adapterOf = (keys: Credentials<P>) => {
    const known = kept.get(keys)
    if (known) return known
    const made = make(keys)
    kept.set(keys, made)
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
