import { z } from 'zod'
import { googleError, jsonObject, type StoredEvent, type VendorState } from './state.ts'

const OWN_ID = /^[a-v0-9]{5,1024}$/
const watchInput = z.object({
  id: z.string().min(1).max(64),
  type: z.literal('web_hook'),
  address: z.url(),
  token: z.string().max(256).optional(),
  expiration: z.coerce.number().optional(),
})
const when = z.object({ date: z.string().optional(), dateTime: z.string().optional() }).optional()

/** Google Calendar v3, below `/calendar/v3`. */
export async function handleGoogle(state: VendorState, request: Request, url: URL): Promise<Response> {
  const path = url.pathname.replace(/^\/calendar\/v3/, '')
  const text = request.method === 'GET' || request.method === 'DELETE' ? '' : await request.text()
  const json = () => jsonObject.parse(JSON.parse(text || '{}'))
  if (path === '/users/me/calendarList') return listCalendars(state)
  if (path === '/channels/stop') {
    state.channels.delete(String(json().id))
    return new Response(null, { status: 204 })
  }
  const [, calendarId = '', eventId = ''] = /^\/calendars\/([^/]+)\/events(?:\/([^/]+))?$/.exec(path) ?? []
  const calendar = state.calendar(decodeURIComponent(calendarId))
  if (!calendar) return googleError(404, 'notFound')
  const id = decodeURIComponent(eventId)
  if (id === 'watch' && request.method === 'POST') return watch(state, calendar.id, watchInput.safeParse(json()))
  if (!id && request.method === 'GET') return listEvents(state, calendar.id, url.searchParams)
  if (!calendar.writable && request.method !== 'GET') return googleError(403, 'forbidden')
  if (!id && request.method === 'POST') return insert(state, calendar.id, json())
  const known = state.events.get(id)
  if (!known || known.calendarId !== calendar.id) return googleError(404, 'notFound')
  if (request.method === 'GET') return Response.json(toJson(known))
  const match = request.headers.get('if-match')
  if (match && match !== known.etag) return googleError(412, 'conditionNotMet')
  if (request.method === 'DELETE') {
    if (!state.remove(id)) return googleError(410, 'deleted')
    return new Response(null, { status: 204 })
  }
  if (request.method === 'PATCH') {
    const merged = mergePatch(known.body, json())
    return hasBothTimes(merged)
      ? googleError(400, 'invalid')
      : Response.json(toJson(state.put(calendar.id, id, merged)))
  }
  return googleError(405, 'methodNotAllowed')
}

function listCalendars({ calendars }: VendorState): Response {
  return Response.json({
    items: calendars.map(({ id, name, writable, primary }) => ({
      id,
      summary: name,
      accessRole: writable ? 'owner' : 'reader',
      ...(primary ? { primary } : {}),
    })),
  })
}

function insert(state: VendorState, calendarId: string, body: Record<string, unknown>): Response {
  const id = typeof body.id === 'string' ? body.id : crypto.randomUUID().replaceAll('-', '')
  if (!OWN_ID.test(id)) return googleError(400, 'invalid')
  if (body.attendees) return googleError(400, 'sandboxRefusesAttendees')
  // The id of a deleted event stays taken.
  if (state.events.has(id)) return googleError(409, 'duplicate')
  const made = mergePatch({ iCalUID: `${id}@google.com`, status: 'confirmed' }, body)
  if (hasBothTimes(made)) return googleError(400, 'invalid')
  return Response.json(toJson(state.put(calendarId, id, made)))
}

/** Discovery document, `events.patch`: fields that are not given stay, within objects as well; null clears one. */
function mergePatch(before: Record<string, unknown>, patch: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...before }
  for (const [name, value] of Object.entries(patch)) {
    const [inner, known] = [jsonObject.safeParse(value), jsonObject.safeParse(before[name])]
    if (value === null) delete merged[name]
    else merged[name] = inner.success ? mergePatch(known.success ? known.data : {}, inner.data) : value
  }
  return merged
}

/** A time is a day or an instant. */
const hasBothTimes = ({ start, end }: Record<string, unknown>) =>
  [start, end].some((at) => {
    const { date, dateTime } = jsonObject.safeParse(at).data ?? {}
    return date !== undefined && dateTime !== undefined
  })

function toJson({ id, body, etag, gone }: StoredEvent) {
  return { ...body, id, etag, ...(gone ? { status: 'cancelled' } : {}) }
}

/** Pages as Google does: the token of the next round is on the last page only, and deleted events have their id alone. */
function listEvents(state: VendorState, calendarId: string, query: URLSearchParams): Response {
  const given = query.get('syncToken')
  const forbidden = ['timeMin', 'timeMax', 'q', 'iCalUID', 'orderBy', 'updatedMin']
  if (given && forbidden.some((name) => query.has(name))) return googleError(400, 'invalid')
  const since = given ? Number(/^sync-(\d+)$/.exec(given)?.[1] ?? -1) : 0
  if (given && since < state.oldest) return googleError(410, 'fullSyncRequired')
  const [, from = '0', until = ''] = /^page-(\d+)-(\d+)$/.exec(query.get('pageToken') ?? '') ?? []
  const last = until ? Number(until) : state.sequence
  const size = Math.min(Number(query.get('maxResults') ?? 250), PAGE)
  const all = state
    .changedSince(calendarId, since)
    .filter((each) => given || (!each.gone && isWithin(each, query.get('timeMin'), query.get('timeMax'))))
  const page = all.slice(Number(from), Number(from) + size)
  const more = Number(from) + size < all.length
  return Response.json({
    timeZone: 'Asia/Jerusalem',
    items: page.map((each) => (each.gone ? { id: each.id, status: 'cancelled' } : toJson(each))),
    ...(more ? { nextPageToken: `page-${Number(from) + size}-${last}` } : { nextSyncToken: `sync-${last}` }),
  })
}

/** Small, so that pages are turned. */
const PAGE = 50

function isWithin({ body }: StoredEvent, from: string | null, to: string | null): boolean {
  const at = (value: unknown) => {
    const { date, dateTime } = when.parse(value) ?? {}
    return Date.parse(dateTime ?? date ?? '')
  }
  return at(body.end) > Date.parse(from ?? '0000') || !from || !to || at(body.start) < Date.parse(to)
}

function watch(
  state: VendorState,
  calendarId: string,
  read: z.ZodSafeParseResult<z.output<typeof watchInput>>,
): Response {
  if (!read.success) return googleError(400, 'invalid')
  const { id, address, token = '', expiration } = read.data
  if (state.channels.has(id)) return googleError(400, 'channelIdNotUnique')
  const week = Date.now() + 7 * 86_400_000
  const expiresAt = Math.min(expiration ?? week, week)
  const channel = { id, resource: `resource-${calendarId}`, calendarId, address, secret: token, expiresAt }
  state.channels.set(id, channel)
  void state.send(channel, 'sync')
  return Response.json({ kind: 'api#channel', id, resourceId: channel.resource, expiration: String(expiresAt) })
}
