import type { Context } from 'hono'
import { authenticateApiKey } from '../domain/businesses/index.ts'
import { type Actor, type BusinessContext, type DomainContext, within } from '../domain/context.ts'
import { AppError } from '../lib/errors.ts'

/** A proxy or tunnel in front leaves at least one of these: such a request does not come from this machine. */
const FORWARDING_HEADERS = [
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
  'via',
  'cf-connecting-ip',
  'ngrok-trace-id',
]

export type RequestAddress = (request: Request) => string | null

/** Whether a request was made on this machine itself, with nothing in between. */
export function isDirectLoopback(request: Request, addressOf: RequestAddress): boolean {
  if (FORWARDING_HEADERS.some((name) => request.headers.has(name))) return false
  const address = addressOf(request)
  return address !== null && /^(127\.|::1$|::ffff:127\.)/.test(address)
}

export type PrincipalDeps = {
  ctx: DomainContext
  sandbox: boolean
  addressOf: RequestAddress
  /** The installation's first business: whom a keyless request of the sandbox speaks for. */
  firstBusiness(): string | null
  /** The console's session, if the request has one. */
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
}

/**
 * Whom a request speaks for: the business of its API key, the owner logged in to the console, or, in the sandbox and from
 * this machine alone, the first business.
 * @throws AppError `api_key_required`, `invalid_api_key`, `no_business`
 */
export async function businessOf(request: Request, deps: PrincipalDeps): Promise<BusinessContext> {
  const header = request.headers.get('authorization')
  if (header) {
    const key = /^Bearer\s+(\S+)$/i.exec(header)?.[1]
    const found = key ? await authenticateApiKey(deps.ctx, key) : null
    if (!found) throw new AppError('unauthenticated', 'invalid_api_key', 'The API key is not known or was revoked.')
    return within(deps.ctx, found.businessId, { kind: 'api_key', id: found.id })
  }
  const session = await deps.sessionOf(request.headers)
  if (session) return first(deps, { kind: 'user', id: session.userId })
  if (deps.sandbox && isDirectLoopback(request, deps.addressOf)) return first(deps, { kind: 'system', id: 'loopback' })
  throw new AppError('unauthenticated', 'api_key_required', 'Send an API key: Authorization: Bearer <key>.')
}

function first(deps: PrincipalDeps, actor: Actor): BusinessContext {
  const id = deps.firstBusiness()
  if (!id) throw new AppError('unavailable', 'no_business', 'There is no business yet.')
  return within(deps.ctx, id, actor)
}

/** Guards a route by `businessOf`; the context is read back with `c.get('business')`. */
export type BusinessEnv = { Variables: { business: BusinessContext } }

export function requireBusiness(deps: PrincipalDeps) {
  return async (c: Context<BusinessEnv>, next: () => Promise<void>) => {
    c.set('business', await businessOf(c.req.raw, deps))
    await next()
  }
}
