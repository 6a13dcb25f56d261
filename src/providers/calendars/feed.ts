import type { SafeFetch } from '../../lib/safe-fetch.ts'
import { toCalendarError } from './dav-fetch.ts'
import { readIcs } from './ics.ts'
import { type CalendarAccount, CalendarError, type IcsAccess } from './port.ts'

const MAX_BYTES = 5 * 1024 * 1024
const TIMEOUT_MS = 20_000

/** A calendar that is published at an address (RFC 5545), only to read. Its one calendar has the id `feed`. */
export function createIcsFeed({ url }: IcsAccess, safeFetch: SafeFetch): CalendarAccount {
  const address = url.replace(/^webcals?:/i, 'https:')
  return {
    calendars: () =>
      Promise.resolve([{ remoteId: 'feed', name: new URL(address).hostname, writable: false, primary: true }]),
    async sync(_, state, window) {
      let answer: Awaited<ReturnType<SafeFetch>>
      try {
        answer = await safeFetch(address, {
          headers: { accept: 'text/calendar', ...(state ? { 'if-none-match': state } : {}) },
          maxBytes: MAX_BYTES,
          timeoutMs: TIMEOUT_MS,
          maxRedirects: 5,
        })
      } catch (error) {
        throw toCalendarError(error)
      }
      if (answer.status === 304) return { whole: false, events: [], removed: [], state, skipped: 0 }
      if (answer.status === 401 || answer.status === 403 || answer.status === 404 || answer.status === 410)
        throw new CalendarError('refused', `The feed answered ${answer.status}.`)
      if (answer.status !== 200) throw new CalendarError('unavailable', `The feed answered ${answer.status}.`)
      try {
        const { events, skipped } = await readIcs(answer.data.toString('utf8'), window, (uid) => uid)
        const etag = answer.headers.etag
        return { whole: true, events, removed: [], state: typeof etag === 'string' ? etag : null, skipped }
      } catch (cause) {
        // The copy stays: an error page is no empty calendar.
        throw new CalendarError('unavailable', 'The feed is no calendar.', { cause })
      }
    },
    write: null,
    watch: null,
  }
}
