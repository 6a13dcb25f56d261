import { z } from 'zod'
import { resolveTarget } from '../carrier/webhook-client.ts'
import { graphError, jsonObject, type StoredEvent, type VendorState } from './state.ts'

const time = z.object({ dateTime: z.string(), timeZone: z.string() })
const subscriptionInput = z.object({
  changeType: z.string(),
  notificationUrl: z.url(),
  lifecycleNotificationUrl: z.url().optional(),
  resource: z.string(),
  expirationDateTime: z.iso.datetime({ offset: true }),
  clientState: z.string().max(128).optional(),
})
/** Graph's names of zones are those of Windows. */
const WINDOWS: Record<string, string> = { 'Asia/Jerusalem': 'Israel Standard Time', UTC: 'UTC' }
const LONGEST_MS = 10_080 * 60_000
const PAGE = 50

/** Microsoft Graph, below `/v1.0`. */
export async function handleMicrosoft(state: VendorState, request: Request, url: URL): Promise<Response> {
  const path = url.pathname.replace(/^\/v1\.0/, '')
  const text = request.method === 'GET' || request.method === 'DELETE' ? '' : await request.text()
  const json = () => jsonObject.parse(JSON.parse(text || '{}'))
  const zone = /outlook\.timezone="([^"]+)"/.exec(request.headers.get('prefer') ?? '')?.[1] ?? 'UTC'
  if (path === '/me') return Response.json({ mail: state.account, userPrincipalName: state.account })
  if (path === '/me/calendars') return listCalendars(state)
  if (path.startsWith('/subscriptions')) return subscriptions(state, request.method, path, json)
  const [, calendarId = '', rest = ''] = /^\/me\/calendars\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (calendarId) {
    const calendar = state.calendar(decodeURIComponent(calendarId))
    if (!calendar) return graphError(404, 'ErrorItemNotFound')
    if (rest === 'calendarView/delta') return delta(state, calendar.id, url, zone)
    if (rest === 'events' && request.method === 'POST') return insert(state, calendar.id, json(), zone)
    return graphError(404, 'BadRequest')
  }
  const [, eventId = ''] = /^\/me\/events\/([^/]+)$/.exec(path) ?? []
  const known = state.events.get(decodeURIComponent(eventId))
  if (!known || known.gone) return graphError(404, 'ErrorItemNotFound')
  if (request.method === 'GET') return Response.json(toJson(known, zone, url.searchParams.has('$expand')))
  const match = request.headers.get('if-match')
  if (match && match !== known.etag) return graphError(412, 'ErrorIrresolvableConflict')
  if (request.method === 'DELETE') {
    state.remove(known.id)
    return new Response(null, { status: 204 })
  }
  const merged = { ...known.body, ...json() }
  // Graph, event resource: a whole day begins and ends at midnight.
  if (merged.isAllDay === true && ![merged.start, merged.end].every((at) => JSON.stringify(at).includes('T00:00:00')))
    return graphError(400, 'ErrorPropertyValidationFailure')
  const changed = state.put(known.calendarId, known.id, merged)
  return Response.json(toJson(changed, zone, false))
}

function listCalendars({ calendars }: VendorState): Response {
  return Response.json({
    value: calendars.map(({ id, name, writable, primary }) => ({
      id,
      name,
      canEdit: writable,
      isDefaultCalendar: primary,
    })),
  })
}

function insert(state: VendorState, calendarId: string, body: Record<string, unknown>, zone: string): Response {
  if (body.attendees) return graphError(400, 'SandboxRefusesAttendees')
  const key = typeof body.transactionId === 'string' ? body.transactionId : crypto.randomUUID()
  const earlier = state.events.get(state.madeBy.get(key) ?? '')
  if (earlier && !earlier.gone) return Response.json(toJson(earlier, zone, false), { status: 201 })
  const made = state.put(calendarId, `AAMk${crypto.randomUUID().replaceAll('-', '')}`, {
    ...{ iCalUId: crypto.randomUUID(), showAs: 'busy', type: 'singleInstance', isCancelled: false },
    ...body,
  })
  state.madeBy.set(key, made.id)
  return Response.json(toJson(made, zone, false), { status: 201 })
}

function toJson({ id, body, etag }: StoredEvent, zone: string, expanded: boolean) {
  const { singleValueExtendedProperties: properties, ...rest } = body
  return {
    ...rest,
    id,
    '@odata.etag': etag,
    ...(body.start === undefined ? {} : { start: inZone(body.start, zone), end: inZone(body.end, zone) }),
    ...(expanded ? { singleValueExtendedProperties: properties } : {}),
  }
}

/** As Outlook does: what was written in one zone is read in the one that was asked for, under its Windows name. */
function inZone(value: unknown, zone: string) {
  const { dateTime, timeZone } = time.parse(value)
  const there = Temporal.PlainDateTime.from(dateTime.replace(/Z$/, '')).toZonedDateTime(timeZone)
  const local = there.withTimeZone(zone).toPlainDateTime().toString({ fractionalSecondDigits: 7 })
  return { dateTime: local, timeZone: WINDOWS[zone] ?? zone }
}

/** The window is fixed by the first request; what the links hold is the vendor's own. */
function delta(state: VendorState, calendarId: string, url: URL, zone: string): Response {
  const link = url.searchParams.get('$deltatoken') ?? url.searchParams.get('$skiptoken')
  const [, since = '0', from = '0', until = ''] = /^(\d+)-(\d+)-(\d*)$/.exec(link ?? '') ?? []
  if (!link && !url.searchParams.has('startDateTime')) return graphError(400, 'ErrorInvalidParameter')
  if (link && Number(since) > 0 && Number(since) < state.oldest) return graphError(410, 'SyncStateNotFound')
  const last = until ? Number(until) : state.sequence
  const all = withSeries(state, state.changedSince(calendarId, Number(since))).filter(
    (each) => Number(since) > 0 || !each.gone,
  )
  const page = all.slice(Number(from), Number(from) + PAGE)
  const next = Number(from) + PAGE
  const base = `${url.origin}${url.pathname}`
  return Response.json({
    value: page.map((each) =>
      each.gone ? { id: each.id, '@removed': { reason: 'deleted' } } : toJson(each, zone, false),
    ),
    ...(next < all.length
      ? { '@odata.nextLink': `${base}?$skiptoken=${since}-${next}-${last}` }
      : { '@odata.deltaLink': `${base}?$deltatoken=${last}-0-` }),
  })
}

/**
 * Whatever changes in a series, it comes whole: its master, and the occurrences that are left. None that was deleted is named, and
 * of a series that was deleted the master alone (microsoft-graph-docs 4501 and what its users report).
 */
function withSeries({ events }: VendorState, changed: StoredEvent[]): StoredEvent[] {
  const masters = new Set(
    changed.flatMap(({ id, body }) =>
      body.type === 'seriesMaster' ? [id] : typeof body.seriesMasterId === 'string' ? [body.seriesMasterId] : [],
    ),
  )
  const ofSeries = [...events.values()].filter(({ id, body, gone }) => {
    const master = typeof body.seriesMasterId === 'string' ? body.seriesMasterId : null
    if (master === null) return masters.has(id)
    return masters.has(master) && !gone && events.get(master)?.gone === false
  })
  return [...changed.filter(({ id, body }) => !masters.has(id) && body.seriesMasterId === undefined), ...ofSeries]
}

async function subscriptions(
  state: VendorState,
  method: string,
  path: string,
  json: () => Record<string, unknown>,
): Promise<Response> {
  const id = path.split('/')[2]
  if (!id) return await subscribe(state, subscriptionInput.safeParse(json()))
  const known = state.channels.get(id)
  if (!known) return graphError(404, 'ExtensionError')
  if (method === 'DELETE') {
    state.channels.delete(id)
    return new Response(null, { status: 204 })
  }
  const until = Date.parse(String(json().expirationDateTime))
  if (Number.isNaN(until) || until > Date.now() + LONGEST_MS) return graphError(400, 'InvalidRequest')
  const renewed = { ...known, expiresAt: until }
  state.channels.set(id, renewed)
  return Response.json({ id, expirationDateTime: new Date(until).toISOString() })
}

/** Each address must give back the text of `validationToken` within ten seconds, as plain text. */
async function subscribe(state: VendorState, read: z.ZodSafeParseResult<z.output<typeof subscriptionInput>>) {
  if (!read.success) return graphError(400, 'InvalidRequest')
  const { notificationUrl, lifecycleNotificationUrl, resource, expirationDateTime, clientState = '' } = read.data
  const expiresAt = Date.parse(expirationDateTime)
  if (expiresAt > Date.now() + LONGEST_MS) return graphError(400, 'InvalidRequest')
  for (const address of [notificationUrl, ...(lifecycleNotificationUrl ? [lifecycleNotificationUrl] : [])])
    if (!(await isValidated(state, address))) return graphError(400, 'ValidationError')
  const id = crypto.randomUUID()
  const calendarId = /calendars\/([^/]+)\/events$/.exec(resource)?.[1] ?? ''
  state.channels.set(id, { id, resource, calendarId, address: notificationUrl, secret: clientState, expiresAt })
  return Response.json({ id, expirationDateTime, resource, clientState: null }, { status: 201 })
}

async function isValidated({ settings }: VendorState, address: string): Promise<boolean> {
  const token = `Validation: Testing client application reachability ${crypto.randomUUID()} & ünïcode`
  const url = new URL(resolveTarget(address, settings.rules))
  url.searchParams.set('validationToken', token)
  try {
    const answer = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(10_000) })
    const isText = answer.headers.get('content-type')?.startsWith('text/plain') ?? false
    return answer.status === 200 && isText && (await answer.text()) === token
  } catch (error) {
    settings.logger.debug({ error }, 'validation of a subscription failed')
    return false
  }
}
