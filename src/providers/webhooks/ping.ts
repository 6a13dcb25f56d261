import { createSafeFetch } from '../../lib/safe-fetch.ts'

const TIMEOUT_MS = 10_000

/**
 * Makes a function that requests an address which the operator named; it may be in the operator's own network.
 * @throws SafeFetchError, or an error when the answer is no success, from the returned function
 */
export function createPing(url: string, ownPorts: readonly number[]): () => Promise<void> {
  const fetchSafely = createSafeFetch({ allowPrivate: true, ownPorts })
  return async () => {
    const { status } = await fetchSafely(url, { maxBytes: null, timeoutMs: TIMEOUT_MS })
    if (status < 200 || status > 299) throw new Error(`The address of the heartbeat answered ${status}.`)
  }
}
