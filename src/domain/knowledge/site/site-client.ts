import { type FetchProblem, type SafeFetch, SafeFetchError, type SafeResponse } from '../../../lib/safe-fetch.ts'
import { siteOf } from './site-urls.ts'

/** Named in robots.txt by the first word. */
export const CRAWLER = 'AgentLocatorBot'
const USER_AGENT = `${CRAWLER}/1.0 (reads the site of a business for its own receptionist)`
const MAX_HOPS = 5

export type Fetched =
  | { kind: 'answer'; url: URL; response: SafeResponse }
  /** A redirect to another site, or one that does not end. */
  | { kind: 'left' }
  | { kind: 'failed'; problem: FetchProblem }

export type SiteClient = (
  url: URL,
  limits: { maxBytes: number; timeoutMs: number; etag?: string | null },
) => Promise<Fetched>

/**
 * Fetches from one site: each hop of a redirect is checked to be of the site, and by the safe client, before it is asked for.
 * @param mayVisit asked for each hop
 */
export function createSiteClient(
  fetchSafely: SafeFetch,
  site: string,
  mayVisit: (url: URL) => boolean = () => true,
): SiteClient {
  return async (start, { maxBytes, timeoutMs, etag }) => {
    const deadline = Date.now() + timeoutMs
    let url = start
    for (let hops = 0; hops <= MAX_HOPS; hops += 1) {
      if (siteOf(url) !== site || (hops > 0 && !mayVisit(url))) return { kind: 'left' }
      try {
        const response = await fetchSafely(url.href, {
          headers: {
            'User-Agent': USER_AGENT,
            Accept: 'text/html,application/xhtml+xml;q=0.9,*/*;q=0.1',
            'Accept-Encoding': 'gzip',
            'Accept-Language': 'he,en;q=0.5',
            ...(etag && hops === 0 ? conditionOf(etag) : {}),
          },
          maxBytes,
          timeoutMs: Math.max(1, deadline - Date.now()),
        })
        const next = redirectOf(response, url)
        if (!next) return { kind: 'answer', url, response }
        if (url.protocol === 'https:' && next.protocol === 'http:') return { kind: 'left' }
        url = next
      } catch (error) {
        if (error instanceof SafeFetchError) return { kind: 'failed', problem: error.problem }
        throw error
      }
    }
    return { kind: 'left' }
  }
}

/** What is stored of an answer to ask next time whether it changed: its ETag, else its date. */
export function validatorOf({ headers }: SafeResponse): string | null {
  const header = (name: string) => {
    const value = headers[name]
    return typeof value === 'string' && value.length <= 200 && /^[\x20-\x7e]+$/.test(value) ? value : null
  }
  return header('etag') ?? header('last-modified')
}

function conditionOf(validator: string): Record<string, string> {
  return /^(?:W\/)?"/.test(validator) ? { 'If-None-Match': validator } : { 'If-Modified-Since': validator }
}

function redirectOf(response: SafeResponse, from: URL): URL | null {
  const { location } = response.headers
  const redirects = [301, 302, 303, 307, 308].includes(response.status)
  return redirects && typeof location === 'string' ? URL.parse(location, from) : null
}
