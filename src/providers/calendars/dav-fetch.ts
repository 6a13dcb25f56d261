import { type SafeFetch, SafeFetchError } from '../../lib/safe-fetch.ts'
import { CalendarError } from './port.ts'

const TIMEOUT_MS = 20_000
const MAX_BYTES = 20 * 1024 * 1024
const NO_BODY = new Set([101, 103, 204, 205, 304])

/**
 * `fetch` for CalDAV by the one client for addresses that users name. The password goes to the server that the user named, and
 * within iCloud to the server that holds the account; a link to another host is asked without it.
 */
export function createDavFetch(safeFetch: SafeFetch, serverUrl: string) {
  const home = new URL(serverUrl)
  return async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input)
    const headers = new Headers(input instanceof Request ? input.headers : init.headers)
    if (!isTrusted(url, home)) headers.delete('authorization')
    const { body } = init
    if (body !== undefined && body !== null && typeof body !== 'string') throw new Error('The body must be text.')
    try {
      const answer = await safeFetch(url.href, {
        method: init.method ?? 'GET',
        headers: Object.fromEntries(headers),
        ...(body ? { body } : {}),
        maxBytes: MAX_BYTES,
        timeoutMs: TIMEOUT_MS,
      })
      const answered = new Headers()
      for (const name of ['etag', 'location', 'content-type', 'dav']) {
        const value = answer.headers[name]
        if (value !== undefined) answered.set(name, String(value))
      }
      return new Response(NO_BODY.has(answer.status) ? null : new Uint8Array(answer.data), {
        status: answer.status,
        headers: answered,
      })
    } catch (error) {
      throw toCalendarError(error)
    }
  }
}

function isTrusted(url: URL, home: URL): boolean {
  if (url.origin === home.origin) return true
  const inICloud = ({ hostname }: URL) => hostname === 'icloud.com' || hostname.endsWith('.icloud.com')
  return url.protocol === 'https:' && inICloud(url) && inICloud(home)
}

export function toCalendarError(error: unknown): unknown {
  if (!(error instanceof SafeFetchError)) return error
  if (error.problem === 'not_allowed')
    return new CalendarError('not_allowed', 'The address of the calendar may not be reached.', { cause: error })
  return new CalendarError('unavailable', `The calendar could not be read: ${error.problem}.`, { cause: error })
}
