import { z } from 'zod'
import { askForToken, callVendor, readAnswer, type VendorAnswer } from './call.ts'
import {
  type CalendarAccount,
  CalendarError,
  type Channel,
  type OAuthVendor,
  type OutsideEvent,
  type OwnEvent,
  type SyncResult,
} from './port.ts'
import { startOfDay } from './times.ts'

export type GoogleOptions = {
  clientId: string
  clientSecret: string
  /** `null` is Google's own; another serves all of its addresses, for tests. */
  baseUrl: string | null
}

const VENDOR = 'Google'
const SCOPES = [
  'openid',
  'email',
  'https://www.googleapis.com/auth/calendar.calendarlist.readonly',
  'https://www.googleapis.com/auth/calendar.events',
]
const PAGE = 2_500
/** What is read of one calendar at most. */
const MAX_EVENTS = 10_000
/** Of an answer that does not end, the copy would never be whole. */
const MAX_PAGES = 1_000
/** Google's default of a channel; it may give less. */
const CHANNEL_MS = 7 * 86_400_000

const time = z.object({ date: z.iso.date().optional(), dateTime: z.iso.datetime({ offset: true }).optional() })
const event = z.object({
  id: z.string().min(1),
  status: z.string().default('confirmed'),
  etag: z.string().optional(),
  iCalUID: z.string().optional(),
  summary: z.string().optional(),
  transparency: z.string().optional(),
  eventType: z.string().optional(),
  start: time.optional(),
  end: time.optional(),
  attendees: z.array(z.object({ self: z.boolean().optional(), responseStatus: z.string().optional() })).optional(),
  extendedProperties: z.object({ private: z.record(z.string(), z.string()).optional() }).optional(),
})
type GoogleEvent = z.output<typeof event>
const eventsPage = z.object({
  items: z.array(event).default([]),
  timeZone: z.string().optional(),
  nextPageToken: z.string().optional(),
  nextSyncToken: z.string().optional(),
})
const listPage = z.object({
  items: z
    .array(
      z.object({
        id: z.string(),
        summary: z.string().optional(),
        accessRole: z.string(),
        primary: z.boolean().optional(),
      }),
    )
    .default([]),
  nextPageToken: z.string().optional(),
})
const failure = z.object({
  error: z.object({ errors: z.array(z.object({ reason: z.string() })).optional(), message: z.string().optional() }),
})
const channelAnswer = z.object({ id: z.string(), resourceId: z.string(), expiration: z.coerce.number().optional() })

/**
 * Google Calendar v3 and its OAuth. Source: Google's discovery document of calendar v3, the guides "Synchronize resources
 * efficiently" and "Push notifications", and "OAuth 2.0 for web server applications".
 */
export function createGoogle({ clientId, clientSecret, baseUrl }: GoogleOptions): OAuthVendor {
  const base = baseUrl?.replace(/\/+$/, '') ?? null
  const authorize = `${base ?? 'https://accounts.google.com'}/o/oauth2/v2/auth`
  const token = `${base ?? 'https://oauth2.googleapis.com'}/token`
  const api = `${base ?? 'https://www.googleapis.com'}/calendar/v3`
  const client = { client_id: clientId, client_secret: clientSecret }
  return {
    authorizeUrl: ({ redirectUri, state, challenge }) =>
      `${authorize}?${new URLSearchParams({
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: 'code',
        scope: SCOPES.join(' '),
        state,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        // Without both there is no refresh token the second time.
        access_type: 'offline',
        prompt: 'consent',
      })}`,
    async exchange({ code, redirectUri, verifier }) {
      const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
      const { refreshToken, ...tokens } = await askForToken(VENDOR, token, { ...client, ...form })
      if (!refreshToken) throw new CalendarError('refused', 'Google gave no refresh token.')
      const calendars = await createGoogleAccount(api, tokens.accessToken).calendars()
      // The id of the primary calendar is the address of the account.
      return { ...tokens, refreshToken, account: calendars.find(({ primary }) => primary)?.remoteId ?? 'Google' }
    },
    async refresh(refreshToken) {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
      const tokens = await askForToken(VENDOR, token, { ...client, ...form })
      return { ...tokens, refreshToken: tokens.refreshToken ?? refreshToken }
    },
    account: (accessToken) => createGoogleAccount(api, accessToken),
  }
}

function createGoogleAccount(api: string, accessToken: string): CalendarAccount {
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const answer = await callVendor(VENDOR, `${api}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (answer.status >= 400) throw problemOf(answer)
    return answer.json
  }
  const events = (remoteId: string, rest = '') => `/calendars/${encodeURIComponent(remoteId)}/events${rest}`
  const one = (remoteId: string, id: string) => events(remoteId, `/${encodeURIComponent(id)}?sendUpdates=none`)
  const read = (json: unknown) => readAnswer(VENDOR, event, json)
  const written = (json: unknown) => {
    const made = read(json)
    return { eventId: made.id, etag: made.etag ?? null }
  }

  async function put(remoteId: string, own: OwnEvent, known: { eventId: string; etag: string | null } | null) {
    const body = bodyOf(own)
    const change = (id: string, etag: string | null) =>
      call('PATCH', one(remoteId, id), body, etag ? { 'if-match': etag } : {}).then(written)
    if (known) return await change(known.eventId, known.etag)
    const id = eventIdOf(own.appointmentId)
    try {
      return written(await call('POST', events(remoteId, '?sendUpdates=none'), { ...body, id }))
    } catch (error) {
      // The id of a deleted event stays taken: it comes back by being confirmed.
      if (error instanceof CalendarError && error.problem === 'changed') return await change(id, null)
      throw error
    }
  }

  return {
    async calendars() {
      const found: z.output<typeof listPage>['items'] = []
      let page: string | undefined
      do {
        const query = new URLSearchParams({ maxResults: '250', ...(page ? { pageToken: page } : {}) })
        const answer = readAnswer(VENDOR, listPage, await call('GET', `/users/me/calendarList?${query}`))
        found.push(...answer.items)
        page = answer.nextPageToken
      } while (page && found.length < 1_000)
      return found.map(({ id, summary, accessRole, primary }) => ({
        remoteId: id,
        name: summary ?? id,
        writable: accessRole === 'owner' || accessRole === 'writer',
        primary: primary === true,
      }))
    },
    async sync(remoteId, state, window) {
      const result: SyncResult = { whole: state === null, events: [], removed: [], state: null, skipped: 0 }
      let page: string | undefined
      let seen = 0
      let pages = 0
      do {
        if (++pages > MAX_PAGES) throw new CalendarError('unavailable', 'Google does not end its list of events.')
        const query = new URLSearchParams({ singleEvents: 'true', maxResults: String(PAGE), showDeleted: 'true' })
        // With a sync token, times are forbidden; all others stay as in the first request.
        if (state) query.set('syncToken', state)
        else {
          query.set('timeMin', window.from.toISOString())
          query.set('timeMax', window.to.toISOString())
        }
        if (page) query.set('pageToken', page)
        const answer = readAnswer(VENDOR, eventsPage, await call('GET', events(remoteId, `?${query}`)))
        for (const each of answer.items) {
          seen += 1
          const read = seen > MAX_EVENTS ? 'skipped' : toOutside(each, answer.timeZone ?? window.zone)
          if (read === 'skipped') result.skipped += 1
          else if (read) result.events.push(read)
          else result.removed.push(each.id)
        }
        page = answer.nextPageToken
        if (answer.nextSyncToken) result.state = answer.nextSyncToken
      } while (page)
      return result
    },
    write: {
      eventIdOf: (_, appointmentId) => eventIdOf(appointmentId),
      put,
      async read(remoteId, eventId) {
        try {
          const found = toOutside(read(await call('GET', events(remoteId, `/${encodeURIComponent(eventId)}`))), 'UTC')
          return found === 'skipped' ? null : found
        } catch (error) {
          if (error instanceof CalendarError && error.problem === 'missing') return null
          throw error
        }
      },
      async remove(remoteId, eventId) {
        try {
          await call('DELETE', one(remoteId, eventId))
        } catch (error) {
          if (!(error instanceof CalendarError) || error.problem !== 'missing') throw error
        }
      },
    },
    watch: {
      // A channel cannot be extended: a new one is opened, and the caller closes the old one.
      async open(remoteId, { id, secret, address }): Promise<Channel> {
        const expiration = Date.now() + CHANNEL_MS
        const body = { id, type: 'web_hook', address, token: secret, expiration: String(expiration) }
        const made = readAnswer(VENDOR, channelAnswer, await call('POST', events(remoteId, '/watch'), body))
        return { id, resource: made.resourceId, expiresAt: new Date(made.expiration ?? expiration) }
      },
      async close({ id, resource }) {
        try {
          await call('POST', '/channels/stop', { id, resourceId: resource })
        } catch (error) {
          if (!(error instanceof CalendarError) || error.problem !== 'missing') throw error
        }
      },
    },
  }
}

/** base32hex, `[a-v0-9]{5,1024}`: a UUID without dashes fits. */
const eventIdOf = (appointmentId: string) => `al${appointmentId.replaceAll('-', '')}`

function bodyOf(own: OwnEvent) {
  return {
    summary: own.title,
    description: own.description,
    status: 'confirmed',
    // A PATCH merges: one that a person made a whole day would have a day and a time, which is refused.
    start: { dateTime: own.startsAt.toISOString(), date: null, timeZone: own.zone },
    end: { dateTime: own.endsAt.toISOString(), date: null, timeZone: own.zone },
    extendedProperties: { private: { alAppointment: own.appointmentId, alRevision: String(own.revision) } },
  }
}

/** Null for one that is gone; a cancelled occurrence may have its id alone. */
function toOutside(each: GoogleEvent, zone: string): OutsideEvent | 'skipped' | null {
  if (each.status === 'cancelled') return null
  const allDay = each.start?.date !== undefined
  const startsAt = instant(each.start, zone)
  const endsAt = instant(each.end, zone)
  if (!startsAt || !endsAt || endsAt < startsAt) return 'skipped'
  const mark = each.extendedProperties?.private
  const appointmentId = z.uuid().safeParse(mark?.alAppointment).data
  const declined = each.attendees?.some(({ self, responseStatus }) => self && responseStatus === 'declined') ?? false
  return {
    objectId: each.id,
    eventId: each.id,
    uid: each.iCalUID ?? null,
    startsAt,
    endsAt,
    busy: each.transparency !== 'transparent' && !declined && each.eventType !== 'workingLocation',
    allDay,
    etag: each.etag ?? null,
    title: each.summary ?? null,
    ours: appointmentId ? { appointmentId, revision: Number(mark?.alRevision ?? 0) || 0 } : null,
  }
}

function instant(at: z.output<typeof time> | undefined, zone: string): Date | null {
  if (at?.dateTime) return new Date(at.dateTime)
  return at?.date ? startOfDay(at.date, zone) : null
}

const LIMITS = new Set(['userRateLimitExceeded', 'rateLimitExceeded', 'quotaExceeded', 'calendarUsageLimitsExceeded'])
const FULL = new Set(['fullSyncRequired', 'updatedMinTooLongAgo'])

/** By the reason, not by the status alone: 403 is a limit or a refusal. */
function problemOf({ status, json, retryAfterMs }: VendorAnswer): CalendarError {
  const read = failure.safeParse(json).data?.error
  const reason = read?.errors?.[0]?.reason ?? ''
  const message = `Google answered ${status}${reason ? ` ${reason}` : ''}.`
  const after = retryAfterMs === null ? {} : { retryAfterMs }
  if (status === 429 || LIMITS.has(reason)) return new CalendarError('limited', message, after)
  if (status === 401) return new CalendarError('unauthorized', message)
  // `deleted` is an event that is gone; of a list it means that its token is over.
  if (status === 410) return new CalendarError(reason === 'deleted' ? 'missing' : 'resync', message)
  if (FULL.has(reason)) return new CalendarError('resync', message)
  if (status === 404) return new CalendarError('missing', message)
  if (status === 409 || status === 412) return new CalendarError('changed', message)
  return new CalendarError('refused', message)
}
