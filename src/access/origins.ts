import { AppError } from '../lib/errors.ts'

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/**
 * Whether a browser page of this origin is the console itself: the public address, or a loopback address under which the
 * request came. The Host header alone would not do, since a page may rebind its own name to our address.
 */
export function isOwnOrigin(origin: string, request: Request, publicBaseUrl: string): boolean {
  if (!URL.canParse(origin)) return false
  const asked = new URL(origin)
  if (asked.origin === new URL(publicBaseUrl).origin) return true
  return LOOPBACK.test(asked.hostname) && asked.host === request.headers.get('host')
}

/**
 * Refuses what a page of another site made a browser send with the console's cookies, or to a sandbox that asks for none.
 * @throws AppError `foreign_origin`
 */
export function refuseForeignOrigin(request: Request, publicBaseUrl: string): void {
  const refused = () =>
    new AppError('forbidden', 'foreign_origin', 'This request comes from a page of another site; it is not answered.')
  const origin = request.headers.get('origin')
  if (origin !== null && !isOwnOrigin(origin, request, publicBaseUrl)) throw refused()
  const site = request.headers.get('sec-fetch-site')
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (site === 'cross-site' || (site === 'same-site' && !reads)) throw refused()
}

/** Whether the request names this machine itself as its host: what a page elsewhere cannot make a browser say. */
export function namesLoopback(request: Request): boolean {
  const host = request.headers.get('host')
  return host !== null && URL.canParse(`http://${host}`) && LOOPBACK.test(new URL(`http://${host}`).hostname)
}

/** Whether an address leads to this machine alone. */
export function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && LOOPBACK.test(new URL(url).hostname)
}
