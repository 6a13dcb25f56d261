import type { DAVResponse } from 'tsdav'
import type { SafeFetch } from '../../lib/safe-fetch.ts'
import { createDavFetch } from './dav-fetch.ts'
import { addressOf, editIcs, readIcs, writeIcs } from './ics.ts'
import {
  type CalDavAccess,
  type CalendarAccount,
  CalendarError,
  type OutsideEvent,
  type OwnEvent,
  type SyncResult,
  type Window,
} from './port.ts'

/** Objects that are asked for at once. */
const AT_ONCE = 50

/**
 * Calendars by CalDAV (RFC 4791) with WebDAV sync (RFC 6578): iCloud, Nextcloud, Fastmail, Radicale. A calendar is named by the
 * address of its collection. A server without sync is read as a whole each time.
 */
export function createCalDav(access: CalDavAccess, safeFetch: SafeFetch): CalendarAccount {
  const davFetch = createDavFetch(safeFetch, access.serverUrl) as typeof fetch
  const basic = Buffer.from(`${access.username}:${access.password}`).toString('base64')
  const options = { headers: { authorization: `Basic ${basic}` }, fetch: davFetch }
  let asked: Promise<string[]> | null = null
  const ownAddresses = (remoteId: string) => {
    asked ??= readAddresses(remoteId, options)
    return asked
  }

  const readObjects = async (remoteId: string, answers: DAVResponse[], window: Window, into: SyncResult) => {
    for (const each of answers) {
      const objectId = hrefOf(each, remoteId)
      const text = textOf(each.props?.calendarData)
      if (!objectId || text === null) continue
      const etag = textOf(each.props?.getetag)
      const addresses = /DECLINED/i.test(text) ? [addressOf(access.username), ...(await ownAddresses(remoteId))] : []
      try {
        const { events, skipped } = await readIcs(text, window, () => objectId, { etag, addresses })
        into.skipped += skipped
        if (events.length > 0) into.events.push(...events)
        else into.removed.push(objectId)
      } catch (error) {
        if (!(error instanceof Error)) throw error
        into.skipped += 1
      }
    }
  }

  async function sync(remoteId: string, state: string | null, window: Window): Promise<SyncResult> {
    const { calendarQuery, calendarMultiGet, syncCollection } = await import('tsdav')
    const result: SyncResult = { whole: state === null, events: [], removed: [], state: null, skipped: 0 }
    const props = { 'd:getetag': {} }
    const changes = await syncCollection({
      ...options,
      ...{ url: remoteId, props, syncLevel: 1 },
      ...(state ? { syncToken: state } : {}),
    })
    refuse(changes, state)
    result.state = tokenOf(changes)
    if (state === null) {
      const found = await calendarQuery({
        ...options,
        url: remoteId,
        props: { 'd:getetag': {}, 'c:calendar-data': {} },
        filters: filterOf(window),
        depth: '1',
      })
      refuse(found, null)
      await readObjects(remoteId, found, window, result)
      return result
    }
    const changed: string[] = []
    for (const each of changes) {
      const href = hrefOf(each, remoteId)
      if (!href || href === remoteId) continue
      if (each.status === 404) result.removed.push(href)
      else changed.push(href)
    }
    for (let from = 0; from < changed.length; from += AT_ONCE) {
      const objectUrls = changed.slice(from, from + AT_ONCE).map((href) => new URL(href).pathname)
      const found = await calendarMultiGet({
        ...options,
        ...{ url: remoteId, objectUrls, depth: '1' as const },
        props: { 'd:getetag': {}, 'c:calendar-data': {} },
      })
      refuse(found, null)
      await readObjects(remoteId, found, window, result)
    }
    return result
  }

  return {
    async calendars() {
      const { createDAVClient } = await import('tsdav')
      try {
        const client = await createDAVClient({
          serverUrl: access.serverUrl,
          credentials: { username: access.username, password: access.password },
          authMethod: 'Basic',
          defaultAccountType: 'caldav',
          fetch: davFetch,
        })
        const found = await client.fetchCalendars()
        const events = found.filter(({ components }) => !components || components.includes('VEVENT'))
        return events.map((each, index) => ({
          remoteId: each.url,
          name: textOf(each.displayName) || new URL(each.url).pathname.split('/').filter(Boolean).at(-1) || each.url,
          writable: true,
          primary: index === 0,
        }))
      } catch (error) {
        throw toProblem(error)
      }
    },
    sync: (remoteId, state, window) =>
      sync(remoteId, state, window).catch((error: unknown) => Promise.reject(toProblem(error))),
    write: createWriter(davFetch, options.headers),
    watch: null,
  }
}

/**
 * The addresses by which the account is invited (RFC 6638, section 2.4.1), as `addressOf` writes them: its name is often none, and
 * iCloud has several. None where the server does not tell.
 */
async function readAddresses(
  remoteId: string,
  options: { headers: Record<string, string>; fetch: typeof fetch },
): Promise<string[]> {
  const { propfind } = await import('tsdav')
  const ask = async (url: string, name: string, key: string) => {
    const [answer] = await propfind({ ...options, url, props: { [name]: {} }, depth: '0' })
    const found: unknown = answer?.ok ? Reflect.get(Object(answer.props?.[key]), 'href') : null
    return [found].flat().flatMap((each) => textOf(each) ?? [])
  }
  const [principal] = await ask(remoteId, 'd:current-user-principal', 'currentUserPrincipal')
  const url = principal ? URL.parse(principal, remoteId) : null
  if (!url) return []
  const addresses = await ask(url.href, 'c:calendar-user-address-set', 'calendarUserAddressSet')
  return addresses.map(addressOf).filter((address) => address !== '')
}

/** Writes our events, each an object of its own (RFC 4791, section 5.3.2). */
function createWriter(davFetch: typeof fetch, authorization: { authorization: string }): CalendarAccount['write'] {
  async function readText(url: string): Promise<{ text: string; etag: string | null } | null> {
    const answer = await davFetch(url, { headers: authorization })
    if (answer.status === 404 || answer.status === 410) return null
    if (!answer.ok) throw problemOf(answer.status)
    return { text: await answer.text(), etag: answer.headers.get('etag') }
  }

  async function put(remoteId: string, own: OwnEvent, known: { eventId: string; etag: string | null } | null) {
    const url = known?.eventId ?? objectUrl(remoteId, own.appointmentId)
    const write = async (text: string, condition: Record<string, string>) => {
      const headers = { ...authorization, 'content-type': 'text/calendar; charset=utf-8', ...condition }
      const answer = await davFetch(url, { method: 'PUT', headers, body: text })
      // The answer without an ETag: the server changed what it stored.
      if (answer.ok) return { eventId: url, etag: answer.headers.get('etag') ?? (await readText(url))?.etag ?? null }
      throw problemOf(answer.status)
    }
    if (!known) {
      try {
        return await write(writeIcs([own]), { 'if-none-match': '*' })
      } catch (error) {
        // It is there already: this is the second attempt.
        if (!(error instanceof CalendarError) || error.problem !== 'changed') throw error
      }
    }
    const there = await readText(url)
    if (!there) throw new CalendarError('missing', 'The event is gone.')
    const etag = known?.etag ?? there.etag
    return await write(await editIcs(there.text, own), etag ? { 'if-match': etag } : {})
  }

  return {
    eventIdOf: objectUrl,
    put,
    async read(_, eventId): Promise<OutsideEvent | null> {
      const there = await readText(eventId)
      if (!there) return null
      const window = { from: new Date(0), to: new Date(Date.now() + 10 * 366 * 86_400_000), zone: 'UTC' }
      const { events } = await readIcs(there.text, window, () => eventId, { etag: there.etag })
      return events[0] ?? null
    },
    async remove(_, eventId) {
      const answer = await davFetch(eventId, { method: 'DELETE', headers: authorization })
      if (!answer.ok && answer.status !== 404 && answer.status !== 410) throw problemOf(answer.status)
    },
  }
}

const objectUrl = (remoteId: string, appointmentId: string) =>
  new URL(`${appointmentId}.ics`, remoteId.endsWith('/') ? remoteId : `${remoteId}/`).href

function filterOf({ from, to }: Window) {
  const utc = (at: Date) => at.toISOString().replace(/\.\d{3}|[-:]/g, '')
  const range = { 'c:time-range': { _attributes: { start: utc(from), end: utc(to) } } }
  const events = { 'c:comp-filter': { _attributes: { name: 'VEVENT' }, ...range } }
  return [{ 'c:comp-filter': { _attributes: { name: 'VCALENDAR' }, ...events } }]
}

/** Absolute, and of the same server. */
function hrefOf({ href }: DAVResponse, remoteId: string): string | null {
  const url = href ? URL.parse(href, remoteId) : null
  return url && url.origin === new URL(remoteId).origin ? url.href : null
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return null
  const text: unknown = Reflect.get(value, '_cdata') ?? Reflect.get(value, '_text')
  return typeof text === 'string' ? text : null
}

/** The token of the next round, beside the answers; null where the server has none. */
function tokenOf(answers: DAVResponse[]): string | null {
  const raw: unknown = answers[0]?.raw
  const status: unknown = typeof raw === 'object' && raw !== null ? Reflect.get(raw, 'multistatus') : null
  const token: unknown = typeof status === 'object' && status !== null ? Reflect.get(status, 'syncToken') : null
  return textOf(token) ?? (typeof token === 'string' ? token : null)
}

/** A request that was refused as a whole is one answer without an exception. */
function refuse(answers: DAVResponse[], state: string | null): void {
  const [first] = answers
  if (answers.length !== 1 || !first || first.ok || first.status === 404 || first.status < 400) return
  // RFC 6578: an unknown token is 403 with `valid-sync-token`; a server without sync refuses the report.
  if (state) {
    if ([403, 409, 410, 412, 507].includes(first.status))
      throw new CalendarError('resync', 'The sync token is not valid.')
  } else if ([400, 403, 405, 415, 501].includes(first.status)) return
  throw problemOf(first.status)
}

function problemOf(status: number): CalendarError {
  const message = `The calendar server answered ${status}.`
  if (status === 401) return new CalendarError('reconnect', message)
  if (status === 404 || status === 410) return new CalendarError('missing', message)
  if (status === 409 || status === 412) return new CalendarError('changed', message)
  if (status === 429) return new CalendarError('limited', message)
  return new CalendarError(status >= 500 ? 'unavailable' : 'refused', message)
}

/** tsdav throws plain errors; of a wrong password it says so. */
function toProblem(error: unknown): unknown {
  if (error instanceof CalendarError || !(error instanceof Error)) return error
  if (error.cause instanceof CalendarError) return error.cause
  if (/invalid credentials|\b401\b/i.test(error.message))
    return new CalendarError('reconnect', 'The calendar server does not take the name and password.')
  return new CalendarError('refused', 'There is no calendar server at this address.', { cause: error })
}
