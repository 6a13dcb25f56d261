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
import { knownZone, onClock } from './times.ts'

export type MicrosoftOptions = {
  clientId: string
  clientSecret: string
  /** `null` is Microsoft's own; another serves all of its addresses, for tests. */
  baseUrl: string | null
}

const VENDOR = 'Microsoft'
const SCOPE = 'offline_access User.Read Calendars.ReadWrite'
const PAGE = 200
const MAX_EVENTS = 10_000
/** Of an answer that does not end, the copy would never be whole. */
const MAX_PAGES = 1_000
/** The longest that Graph gives of events is 10,080 minutes. */
const CHANNEL_MS = 10_000 * 60_000
/** A named property of our own, by which we know what we wrote. */
const MARK = 'String {6b1c8f9e-5d1f-4f0e-9a57-2f6c3c1f1d10} Name agentlocator'
const EXPAND = `singleValueExtendedProperties($filter=id eq '${MARK}')`
const FIELDS = 'id,subject,start,end,isAllDay,isCancelled,showAs,responseStatus,iCalUId,sensitivity,type'

const time = z.object({ dateTime: z.string(), timeZone: z.string() })
const event = z.object({
  id: z.string().min(1),
  '@odata.etag': z.string().optional(),
  '@removed': z.object({ reason: z.string().optional() }).optional(),
  iCalUId: z.string().nullish(),
  subject: z.string().nullish(),
  start: time.nullish(),
  end: time.nullish(),
  isAllDay: z.boolean().nullish(),
  isCancelled: z.boolean().nullish(),
  type: z.string().nullish(),
  seriesMasterId: z.string().nullish(),
  showAs: z.string().nullish(),
  responseStatus: z.object({ response: z.string().nullish() }).nullish(),
  singleValueExtendedProperties: z.array(z.object({ id: z.string(), value: z.string() })).nullish(),
})
type GraphEvent = z.output<typeof event>
const eventsPage = z.object({
  value: z.array(event),
  '@odata.nextLink': z.string().optional(),
  '@odata.deltaLink': z.string().optional(),
})
const listPage = z.object({
  value: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      canEdit: z.boolean().nullish(),
      isDefaultCalendar: z.boolean().nullish(),
    }),
  ),
  '@odata.nextLink': z.string().optional(),
})
const me = z.object({ mail: z.string().nullish(), userPrincipalName: z.string() })
const subscription = z.object({ id: z.string(), expirationDateTime: z.iso.datetime({ offset: true }) })
const failure = z.object({ error: z.object({ code: z.string() }) })

/**
 * Calendars of Microsoft 365 and outlook.com by Graph v1.0. Source: Microsoft's documentation of `calendarView: delta`, of
 * subscriptions with their notices, and of the identity platform's authorization code flow.
 */
export function createMicrosoft({ clientId, clientSecret, baseUrl }: MicrosoftOptions): OAuthVendor {
  const base = baseUrl?.replace(/\/+$/, '') ?? null
  const login = `${base ?? 'https://login.microsoftonline.com'}/common/oauth2/v2.0`
  const api = `${base ?? 'https://graph.microsoft.com'}/v1.0`
  const client = { client_id: clientId, client_secret: clientSecret, scope: SCOPE }
  return {
    authorizeUrl: ({ redirectUri, state, challenge }) =>
      `${login}/authorize?${new URLSearchParams({
        client_id: clientId,
        redirect_uri: redirectUri,
        response_type: 'code',
        response_mode: 'query',
        scope: SCOPE,
        state,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        prompt: 'select_account',
      })}`,
    async exchange({ code, redirectUri, verifier }) {
      const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
      const { refreshToken, ...tokens } = await askForToken(VENDOR, `${login}/token`, { ...client, ...form })
      if (!refreshToken) throw new CalendarError('refused', 'Microsoft gave no refresh token.')
      const answer = await graph(api, tokens.accessToken)('GET', `${api}/me`)
      const { mail, userPrincipalName } = readAnswer(VENDOR, me, answer)
      return { ...tokens, refreshToken, account: mail ?? userPrincipalName }
    },
    async refresh(refreshToken) {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
      const tokens = await askForToken(VENDOR, `${login}/token`, { ...client, ...form })
      return { ...tokens, refreshToken: tokens.refreshToken ?? refreshToken }
    },
    account: (accessToken) => createMicrosoftAccount(api, accessToken),
  }
}

type Call = (method: string, url: string, body?: unknown, headers?: Record<string, string>) => Promise<unknown>

function graph(api: string, accessToken: string): Call {
  return async (method, url, body, headers = {}) => {
    // Links come from answers and are kept: the token goes to no other host.
    if (!url.startsWith(`${api}/`)) throw new CalendarError('resync', 'A link of Microsoft leads to another host.')
    const { prefer, ...others } = headers
    const answer = await callVendor(VENDOR, url, {
      method,
      headers: {
        authorization: `Bearer ${accessToken}`,
        // Else an id changes when its event is moved to another folder.
        prefer: ['IdType="ImmutableId"', ...(prefer ? [prefer] : [])].join(', '),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...others,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (answer.status >= 400) throw problemOf(answer)
    return answer.json
  }
}

function createMicrosoftAccount(api: string, accessToken: string): CalendarAccount {
  const call = graph(api, accessToken)
  const calendar = (remoteId: string) => `${api}/me/calendars/${encodeURIComponent(remoteId)}`
  const one = (id: string) => `${api}/me/events/${encodeURIComponent(id)}`
  const zoned = (zone: string) => `outlook.timezone="${zone}"`
  return {
    async calendars() {
      const found: z.output<typeof listPage>['value'] = []
      let url: string | undefined = `${api}/me/calendars?$top=100`
      while (url && found.length < 1_000) {
        const page: z.output<typeof listPage> = readAnswer(VENDOR, listPage, await call('GET', url))
        found.push(...page.value)
        url = page['@odata.nextLink']
      }
      return found.map(({ id, name, canEdit, isDefaultCalendar }) => ({
        remoteId: id,
        name,
        writable: canEdit !== false,
        primary: isDefaultCalendar === true,
      }))
    },
    async sync(remoteId, state, window) {
      const result: SyncResult = { whole: state === null, events: [], removed: [], state: null, skipped: 0 }
      const times = { startDateTime: window.from.toISOString(), endDateTime: window.to.toISOString() }
      let url: string | undefined = state ?? `${calendar(remoteId)}/calendarView/delta?${new URLSearchParams(times)}`
      let seen = 0
      // An occurrence has its times alone; the rest is its series'.
      const series = new Map<string, GraphEvent>()
      // Of which an occurrence changed.
      const touched = new Set<string>()
      for (let pages = 1; url; pages++) {
        if (pages > MAX_PAGES) throw new CalendarError('unavailable', 'Microsoft does not end its list of events.')
        const headers = { prefer: `odata.maxpagesize=${PAGE}, ${zoned(window.zone)}` }
        const page: z.output<typeof eventsPage> = readAnswer(
          VENDOR,
          eventsPage,
          await call('GET', url, undefined, headers),
        )
        for (const found of page.value) if (found.type === 'seriesMaster') series.set(found.id, found)
        for (const found of page.value) {
          if (found.type === 'seriesMaster') continue
          if (found.seriesMasterId) touched.add(found.seriesMasterId)
          seen += 1
          const each = withSeries(found, series.get(found.seriesMasterId ?? ''))
          const read = seen > MAX_EVENTS ? 'skipped' : toOutside(each, window.zone)
          if (read === 'skipped') result.skipped += 1
          else if (read) result.events.push(read)
          else result.removed.push(each.id)
        }
        if (page['@odata.deltaLink']) result.state = page['@odata.deltaLink']
        url = page['@odata.nextLink']
      }
      if (result.whole) return result
      // A deleted occurrence is not named: its series comes with those that are left (found by experiment, microsoft-graph-docs
      // 4501). Where one came without its series it is not known whether the others are left.
      if ([...touched].some((id) => !series.has(id))) return await this.sync(remoteId, null, window)
      result.removed.push(...series.keys())
      return result
    },
    write: {
      eventIdOf: () => null,
      async put(remoteId, own, known) {
        const body = bodyOf(own)
        const made = known
          ? await call('PATCH', one(known.eventId), body, known.etag ? { 'if-match': known.etag } : {})
          : // Asked again with the same key, Graph makes no second event.
            await call('POST', `${calendar(remoteId)}/events`, { ...body, transactionId: own.key })
        const { id, '@odata.etag': etag } = readAnswer(VENDOR, event, made)
        return { eventId: id, etag: etag ?? null }
      },
      async read(_, eventId) {
        const url = `${one(eventId)}?${new URLSearchParams({ $select: FIELDS, $expand: EXPAND })}`
        try {
          const read = readAnswer(VENDOR, event, await call('GET', url, undefined, { prefer: zoned('UTC') }))
          const found = toOutside(read, 'UTC')
          return found === 'skipped' ? null : found
        } catch (error) {
          if (error instanceof CalendarError && error.problem === 'missing') return null
          throw error
        }
      },
      async remove(_, eventId) {
        try {
          await call('DELETE', one(eventId))
        } catch (error) {
          if (!(error instanceof CalendarError) || error.problem !== 'missing') throw error
        }
      },
    },
    watch: {
      async open(remoteId, { secret, address }, known): Promise<Channel> {
        const expirationDateTime = new Date(Date.now() + CHANNEL_MS).toISOString()
        const renewed = known
          ? await call('PATCH', `${api}/subscriptions/${known.id}`, { expirationDateTime }).catch((error: unknown) => {
              if (error instanceof CalendarError && error.problem === 'missing') return null
              throw error
            })
          : null
        const made =
          renewed ??
          (await call('POST', `${api}/subscriptions`, {
            changeType: 'created,updated,deleted',
            notificationUrl: address,
            // It cannot be added later.
            lifecycleNotificationUrl: address,
            resource: `me/calendars/${remoteId}/events`,
            expirationDateTime,
            clientState: secret,
          }))
        const { id, expirationDateTime: until } = readAnswer(VENDOR, subscription, made)
        return { id, resource: id, expiresAt: new Date(until) }
      },
      async close({ id }) {
        try {
          await call('DELETE', `${api}/subscriptions/${id}`)
        } catch (error) {
          if (!(error instanceof CalendarError) || error.problem !== 'missing') throw error
        }
      },
    },
  }
}

function bodyOf(own: OwnEvent) {
  const text = (at: Date) => ({ dateTime: at.toISOString().replace('Z', ''), timeZone: 'UTC' })
  return {
    subject: own.title,
    body: { contentType: 'text', content: own.description },
    start: text(own.startsAt),
    end: text(own.endsAt),
    // One that a person made a whole day takes no times otherwise.
    isAllDay: false,
    isReminderOn: false,
    singleValueExtendedProperties: [{ id: MARK, value: `${own.appointmentId} ${own.revision}` }],
  }
}

function withSeries(each: GraphEvent, master: GraphEvent | undefined): GraphEvent {
  if (!master || each.type !== 'occurrence') return each
  const { showAs, subject, isAllDay, responseStatus, isCancelled } = master
  return {
    ...each,
    showAs: each.showAs ?? showAs,
    subject: each.subject ?? subject,
    isAllDay: each.isAllDay ?? isAllDay,
    responseStatus: each.responseStatus ?? responseStatus,
    isCancelled: each.isCancelled ?? isCancelled,
  }
}

const BUSY = new Set(['tentative', 'busy', 'oof'])

function toOutside(each: GraphEvent, zone: string): OutsideEvent | 'skipped' | null {
  if (each['@removed']) return null
  if (!each.start || !each.end) return 'skipped'
  if (each.isCancelled) return null
  const startsAt = instant(each.start, zone)
  const endsAt = instant(each.end, zone)
  if (!startsAt || !endsAt || endsAt < startsAt) return 'skipped'
  const mark = each.singleValueExtendedProperties?.find(({ id }) => id.endsWith('Name agentlocator'))?.value.split(' ')
  const appointmentId = z.uuid().safeParse(mark?.[0]).data
  return {
    // All that are left of a series come together, as an object of CalDAV does.
    objectId: each.seriesMasterId ?? each.id,
    eventId: each.id,
    uid: each.iCalUId ?? null,
    startsAt,
    endsAt,
    busy: BUSY.has(each.showAs ?? 'busy') && each.responseStatus?.response !== 'declined',
    allDay: each.isAllDay === true,
    etag: each['@odata.etag'] ?? null,
    title: each.subject ?? null,
    ours: appointmentId ? { appointmentId, revision: Number(mark?.[1] ?? 0) || 0 } : null,
  }
}

/** Local text of a zone; one that it names as Windows does is the zone that was asked for. */
function instant({ dateTime, timeZone }: z.output<typeof time>, asked: string): Date | null {
  try {
    return onClock(dateTime.replace(/Z$/, '').slice(0, 23), knownZone(timeZone) ?? asked)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

const GONE = new Set(['syncStateNotFound', 'resyncRequired', 'SyncStateNotFound', 'SyncStateInvalid'])

function problemOf({ status, json, retryAfterMs }: VendorAnswer): CalendarError {
  const code = failure.safeParse(json).data?.error.code ?? ''
  const message = `Microsoft answered ${status}${code ? ` ${code}` : ''}.`
  const after = retryAfterMs === null ? {} : { retryAfterMs }
  if (status === 429) return new CalendarError('limited', message, after)
  if (status === 401) return new CalendarError('unauthorized', message)
  if (status === 410 || GONE.has(code)) return new CalendarError('resync', message)
  if (status === 404) return new CalendarError('missing', message)
  if (status === 409 || status === 412) return new CalendarError('changed', message)
  return new CalendarError('refused', message)
}
