import { CLIENT_ADDRESS_HEADER, createAuth, sessionOf } from '../../access/login.ts'
import { isOwnOrigin } from '../../access/origins.ts'
import type { Deps } from '../../composition/deps.ts'
import type { ClientAddresses } from './client-addresses.ts'

export type LoginService = ReturnType<typeof createLoginService>

/** The console's login as the routes use it. Every request is rate limited by its client's address. */
export function createLoginService({ config, ctx, log }: Deps, addresses: ClientAddresses) {
  const { publicBaseUrl } = config
  const auth = createAuth({
    db: ctx.db,
    secret: config.sessionSecret,
    publicBaseUrl,
    log,
    isOwnOrigin: (origin, request) => isOwnOrigin(origin, request, publicBaseUrl),
  })

  /** @param from the request that the client sent */
  function authenticate(request: Request, from: Request): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set(CLIENT_ADDRESS_HEADER, addresses.clientOf(from))
    return auth.handler(new Request(request, { headers }))
  }

  return {
    authenticate,
    sessionOf: (headers: Headers) => sessionOf(auth, headers),
    /** Calls an endpoint of better-auth on behalf of the browser that sent `from`. */
    callAuth(path: string, body: Record<string, unknown>, from: Request): Promise<Response> {
      const request = new Request(new URL(`/api/auth${path}`, publicBaseUrl), {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          Origin: new URL(publicBaseUrl).origin,
          Cookie: from.headers.get('cookie') ?? '',
          'User-Agent': from.headers.get('user-agent') ?? '',
        },
        body: JSON.stringify(body),
      })
      return authenticate(request, from)
    },
  }
}
