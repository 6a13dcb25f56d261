/** For answers that are no page. Pages with styles or scripts set their own policy. */
const NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const ALWAYS: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Cross-Origin-Opener-Policy', 'same-origin'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['X-Robots-Tag', 'noindex, nofollow'],
]

/** Unless a handler sets them. With `no-referrer` browsers would also hide the origin of a form. */
const UNLESS_SET: readonly (readonly [string, string])[] = [
  ['Content-Security-Policy', NO_PAGE],
  ['Permissions-Policy', 'camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()'],
  ['Referrer-Policy', 'same-origin'],
  ['Cache-Control', 'no-store'],
]

/** One year. Without `includeSubDomains`: other hosts of the domain may be another product's. */
const HSTS = 'max-age=31536000'

/** Personal data and sessions: never cached, whatever a handler or a library sets. */
const PRIVATE = /^\/(api|trpc|admin)(\/|$)/
const STATIC = /^\/admin\/queues\/static\//

export function createSecurityHeaders(publicBaseUrl: string): (path: string, response: Response) => Response {
  const https = publicBaseUrl.startsWith('https:')
  return (path, response) => {
    const { headers } = response
    for (const [name, value] of ALWAYS) headers.set(name, value)
    for (const [name, value] of UNLESS_SET) if (!headers.has(name)) headers.set(name, value)
    if (https) headers.set('Strict-Transport-Security', HSTS)
    if (PRIVATE.test(path) && !STATIC.test(path)) {
      // A proxy must not buffer or compress an event stream.
      const stream = headers.get('content-type')?.startsWith('text/event-stream')
      headers.set('Cache-Control', stream ? 'no-store, no-transform' : 'no-store')
    }
    if (response.status === 401 && !headers.has('WWW-Authenticate')) headers.set('WWW-Authenticate', 'Bearer')
    return response
  }
}
