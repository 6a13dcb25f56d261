/** What a page may do that is no page: nothing. Pages with styles or scripts set their own policy. */
const NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const ALWAYS: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Robots-Tag', 'noindex, nofollow'],
]

/** A policy for what a handler says nothing about; `no-referrer` would make browsers hide a form's origin from us as well. */
const UNLESS_SET: readonly (readonly [string, string])[] = [
  ['Content-Security-Policy', NO_PAGE],
  ['Permissions-Policy', 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()'],
  ['Referrer-Policy', 'same-origin'],
  ['Cache-Control', 'no-store'],
]

/** A year, as the preload lists want it at least; other hosts of the domain are not ours to decide on. */
const HSTS = 'max-age=31536000'

/** Where nothing may stay in a cache, whatever a handler or a library says: people's data and sessions. */
const PRIVATE = /^\/(api|trpc|admin)(\/|$)/
/** The board's scripts and styles, which are the same for everybody. */
const STATIC = /^\/admin\/queues\/static\//

/** Puts the security headers on an answer, on every one that leaves the server. */
export function createSecurityHeaders(publicBaseUrl: string): (path: string, response: Response) => Response {
  const https = publicBaseUrl.startsWith('https:')
  return (path, response) => {
    const { headers } = response
    for (const [name, value] of ALWAYS) headers.set(name, value)
    for (const [name, value] of UNLESS_SET) if (!headers.has(name)) headers.set(name, value)
    if (https) headers.set('Strict-Transport-Security', HSTS)
    if (PRIVATE.test(path) && !STATIC.test(path)) {
      // An event stream must not be held back or compressed by what stands in between.
      const stream = headers.get('content-type')?.startsWith('text/event-stream')
      headers.set('Cache-Control', stream ? 'no-store, no-transform' : 'no-store')
    }
    if (response.status === 401 && !headers.has('WWW-Authenticate')) headers.set('WWW-Authenticate', 'Bearer')
    return response
  }
}
