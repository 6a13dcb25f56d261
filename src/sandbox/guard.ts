const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i
const OWN_SITES = new Set(['same-origin', 'none'])

/**
 * Guards a control API, which has no password: another site's page may reach it through a browser on this machine, directly or
 * under a host name that resolves to it.
 * @returns the rejection; null for programs on this machine and for the server's own pages
 */
export function refuseForeign(request: Request): Response | null {
  const host = request.headers.get('host') ?? ''
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  if (!LOOPBACK.test(host))
    return refuse(
      421,
      'foreign_host',
      'The sandbox answers to localhost alone. Use 127.0.0.1 or localhost in the address.',
    )
  const isForeign = (origin !== null && origin !== `http://${host}`) || (site !== null && !OWN_SITES.has(site))
  return isForeign ? refuse(403, 'foreign_origin', 'Pages of other sites may not control the sandbox.') : null
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status })
}
