import { AppError } from '../lib/errors.ts'

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Whether the origin is the public address or the request's loopback one. Host alone proves nothing (DNS rebinding). */
export function isOwnOrigin(origin: string, request: Request, publicBaseUrl: string): boolean {
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  if (url.origin === new URL(publicBaseUrl).origin) return true
  return LOOPBACK.test(url.hostname) && url.host === request.headers.get('host')
}

/** Refuses a request that a page of another site made the browser send (CSRF). @throws AppError `foreign_origin` */
export function refuseForeignOrigin(request: Request, publicBaseUrl: string): void {
  const refused = () =>
    new AppError(
      'forbidden',
      'foreign_origin',
      'The request comes from a page of another site. Use the console at its own address.',
    )
  const origin = request.headers.get('origin')
  if (origin !== null && !isOwnOrigin(origin, request, publicBaseUrl)) throw refused()
  const site = request.headers.get('sec-fetch-site')
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (site === 'cross-site' || (site === 'same-site' && !reads)) throw refused()
}

/** Whether the Host header is a loopback name; a page of another site cannot forge it. */
export function namesLoopback(request: Request): boolean {
  const host = request.headers.get('host')
  return host !== null && URL.canParse(`http://${host}`) && LOOPBACK.test(new URL(`http://${host}`).hostname)
}

export function isLoopbackUrl(url: string): boolean {
  return URL.canParse(url) && LOOPBACK.test(new URL(url).hostname)
}
