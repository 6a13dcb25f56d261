import { secretsEqual } from '../../lib/ids.ts'
import type { FaultEffect } from './faults.ts'

export const API_ROOT = '/2010-04-01'

export function twilioError(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
): Response {
  const body = { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }
  return Response.json(body, { status, headers: { 'Twilio-Request-Id': requestId(), ...headers } })
}

export function twilioJson(body: unknown, status = 200): Response {
  return Response.json(body, {
    status,
    headers: { 'Twilio-Request-Id': requestId(), 'Twilio-Concurrent-Requests': '1' },
  })
}

/** The 404 of the API, for a path without its version. */
export function twilioNotFound(path: string): Response {
  return twilioError(404, 20404, `The requested resource ${path} was not found`)
}

function requestId(): string {
  return `RQ${crypto.randomUUID().replaceAll('-', '')}`
}

export function isAuthorized(request: Request, accountSid: string, authToken: string): boolean {
  const [scheme, encoded] = (request.headers.get('authorization') ?? '').split(' ')
  if (scheme?.toLowerCase() !== 'basic' || !encoded) return false
  return secretsEqual(Buffer.from(encoded, 'base64').toString('utf8'), `${accountSid}:${authToken}`)
}

export function injectedError(effects: readonly FaultEffect[]): Response | null {
  const found = effects.find((effect) => effect.kind === 'http_error')
  if (!found) return null
  const headers: Record<string, string> =
    found.retryAfterSeconds === undefined ? {} : { 'Retry-After': String(found.retryAfterSeconds) }
  return twilioError(found.status, found.code, found.message, headers)
}

/** Delays an answer, or cuts the connection instead, according to the effects. */
export async function deliverAnswer(answer: Response, effects: readonly FaultEffect[]): Promise<Response> {
  for (const effect of effects) {
    if (effect.kind === 'response_delayed') await Bun.sleep(effect.ms)
    if (effect.kind === 'response_lost') return cutConnection()
  }
  return answer
}

/** An answer whose body breaks before its first byte: Bun then resets the connection, so the client sees ECONNRESET. */
function cutConnection(): Response {
  const body = new ReadableStream({ start: (controller) => controller.error() })
  return new Response(body)
}

/** A page of a list in the API's form. `name` is the key that holds the items. */
export function pageOf<T>(name: string, items: readonly T[], url: URL, toJson: (item: T) => unknown): Response {
  const size = Math.min(1000, Math.max(1, Number.parseInt(url.searchParams.get('PageSize') ?? '50', 10) || 50))
  const page = Math.max(0, Number.parseInt(url.searchParams.get('Page') ?? '0', 10) || 0)
  const start = page * size
  const shown = items.slice(start, start + size)
  const uriOf = (number: number): string => {
    const query = new URLSearchParams(url.searchParams)
    query.set('PageSize', String(size))
    query.set('Page', String(number))
    return `${url.pathname}?${query}`
  }
  return twilioJson({
    [name]: shown.map(toJson),
    page,
    page_size: size,
    start,
    end: shown.length === 0 ? start : start + shown.length - 1,
    uri: uriOf(page),
    first_page_uri: uriOf(0),
    next_page_uri: start + size < items.length ? uriOf(page + 1) : null,
    previous_page_uri: page > 0 ? uriOf(page - 1) : null,
  })
}

/** Whether a date satisfies `Name`, `Name<` and `Name>` of a query: days for the first, inclusive bounds for the others. */
export function matchesDate(date: Date | null, query: URLSearchParams, name: string): boolean {
  const exact = query.get(name)
  const before = query.get(`${name}<`)
  const after = query.get(`${name}>`)
  if (exact === null && before === null && after === null) return true
  if (date === null) return false
  if (exact !== null && date.toISOString().slice(0, 10) !== exact.slice(0, 10)) return false
  if (before !== null && date.getTime() > endOf(before)) return false
  return after === null || date.getTime() >= Date.parse(after)
}

function endOf(bound: string): number {
  const day = 24 * 60 * 60 * 1000
  return Date.parse(bound) + (/^\d{4}-\d{2}-\d{2}$/.test(bound) ? day - 1 : 0)
}
