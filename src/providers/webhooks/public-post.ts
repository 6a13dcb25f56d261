import { AppError } from '../../lib/errors.ts'
import { createSafeFetch, SafeFetchError, type SafeFetchSettings } from '../../lib/safe-fetch.ts'

const TIMEOUT_MS = 10_000

export { isPublicAddress } from '../../lib/public-address.ts'

/**
 * Makes a function that posts to addresses that tenants choose. Redirects are not followed, and the answer's body is not read.
 * @param allowPrivate for receivers on this machine or in its network, such as the sandbox's
 * @returns from the function: the HTTP status
 * @throws AppError `private_address`; `webhook_unreachable`
 */
export function createPublicPost(allowPrivate: boolean, settings: Omit<SafeFetchSettings, 'allowPrivate'> = {}) {
  const fetchSafely = createSafeFetch({ ...settings, allowPrivate })
  return async (url: string, body: string, headers: Record<string, string>): Promise<number> => {
    try {
      const request = { method: 'POST', headers, body, maxBytes: null, timeoutMs: TIMEOUT_MS } as const
      return (await fetchSafely(url, request)).status
    } catch (error) {
      if (!(error instanceof SafeFetchError)) throw error
      if (error.problem === 'not_allowed')
        throw new AppError(
          'forbidden',
          'private_address',
          'A webhook may only go to a public address. WEBHOOKS_ALLOW_PRIVATE=1 allows private ones.',
          { cause: error },
        )
      const why = error.problem === 'too_slow' ? `no answer within ${TIMEOUT_MS} ms` : 'it could not be reached'
      throw new AppError('unavailable', 'webhook_unreachable', why, { cause: error })
    }
  }
}
