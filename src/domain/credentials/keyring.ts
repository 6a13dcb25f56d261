import type { Database } from '../../../db/client.ts'
import { businessCredentials } from '../../../db/schema/index.ts'
import { errorMessage } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { SecretBox } from '../../lib/secret-box.ts'
import { createPolling, type Polling } from '../polling-cache.ts'
import { CREDENTIAL_KINDS, type CredentialProvider, type Credentials } from './kinds.ts'

/** What a business has of a provider: nothing of its own, its keys, or keys that cannot be opened any more. */
export type Held<P extends CredentialProvider> =
  | { kind: 'none' }
  | { kind: 'own'; keys: Credentials<P> }
  /** Not read yet, or sealed under another session secret: where there may be an account, nothing stands in for it. */
  | { kind: 'unreadable' }

/**
 * The businesses' own keys in memory, polled: needs no query. Unchanged keys are the same object, so caches can key on it.
 */
export type Keyring = Polling & {
  held<P extends CredentialProvider>(businessId: string, provider: P): Held<P>
  holders<P extends CredentialProvider>(provider: P): { businessId: string; keys: Credentials<P> }[]
  seal<P extends CredentialProvider>(businessId: string, provider: P, keys: Credentials<P>): string
}

type Entry<P extends CredentialProvider> = { sealed: string; keys: Credentials<P> | null }
type Rings = { [P in CredentialProvider]: Map<string, Entry<P>> }

/** @param box opens what `seal` closed; made of a key of its own */
export function createKeyring(db: Database, box: SecretBox, log: Logger, refreshMs = 3_000): Keyring {
  let rings = emptyRings()
  let known = false

  async function read() {
    const rows = await db
      .select({
        businessId: businessCredentials.businessId,
        provider: businessCredentials.provider,
        sealed: businessCredentials.sealed,
      })
      .from(businessCredentials)
    const fresh = emptyRings()
    for (const { businessId, provider, sealed } of rows) take(fresh, provider, businessId, sealed)
    rings = fresh
    known = true
  }

  function take<P extends CredentialProvider>(fresh: Rings, provider: P, businessId: string, sealed: string) {
    const before: Entry<P> | undefined = rings[provider].get(businessId)
    const ring: Map<string, Entry<P>> = fresh[provider]
    ring.set(businessId, before?.sealed === sealed ? before : { sealed, keys: open(businessId, provider, sealed) })
  }

  function open<P extends CredentialProvider>(businessId: string, provider: P, sealed: string): Credentials<P> | null {
    try {
      return parseKeys(provider, JSON.parse(box.open(sealed, placeOf(businessId, provider))))
    } catch (error) {
      // No cause: what a parser quotes of keys is the keys.
      log.error(
        { businessId, provider, reason: error instanceof SyntaxError ? 'no JSON' : errorMessage(error) },
        'a business’s own keys cannot be opened; they have to be set again',
      )
      return null
    }
  }

  return {
    ...createPolling('credentials', read, log, refreshMs),
    held(businessId, provider) {
      const entry = rings[provider].get(businessId)
      if (!known) return { kind: 'unreadable' }
      if (!entry) return { kind: 'none' }
      return entry.keys ? { kind: 'own', keys: entry.keys } : { kind: 'unreadable' }
    },
    holders(provider) {
      return [...rings[provider]].flatMap(([businessId, { keys }]) => (keys ? [{ businessId, keys }] : []))
    },
    seal: (businessId, provider, keys) => box.seal(JSON.stringify(keys), placeOf(businessId, provider)),
  }
}

function emptyRings(): Rings {
  return {
    twilio: new Map(),
    openai: new Map(),
    anthropic: new Map(),
    google: new Map(),
    compatible: new Map(),
    paypal: new Map(),
    tranzila: new Map(),
  }
}

function parseKeys<P extends CredentialProvider>(provider: P, value: unknown): Credentials<P> {
  const kind: { parse(value: unknown): unknown } = CREDENTIAL_KINDS[provider]
  return kind.parse(value) as Credentials<P>
}

/** Where sealed keys belong: moved to another row they do not open. */
function placeOf(businessId: string, provider: CredentialProvider): string {
  return `${businessId}:${provider}`
}
