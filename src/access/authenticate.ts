import { authenticateApiKey } from '../domain/businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../domain/context.ts'
import { membershipsOf, type Role, type Scope } from '../domain/members/index.ts'
import { AppError } from '../lib/errors.ts'
import { namesLoopback, refuseForeignOrigin } from './origins.ts'
import { isDirectLoopback, type RequestAddress } from './proxies.ts'

/** How far a request may go: `scope` bounds an API key, `operator` stands for the whole installation. */
export type Access = { role: Role; scope: Scope | null; operator: boolean }

/** A business and how far the request may go in it. */
export type AccessContext = BusinessContext & { access: Access }

export type PrincipalDeps = {
  ctx: DomainContext
  sandbox: boolean
  publicBaseUrl: string
  addressOf: RequestAddress
  /** The installation's first business: its owners and admin keys run the installation. */
  firstBusiness(): string | null
  /** Whether there is such a business. */
  businessExists(id: string): boolean
  /** The console's session, if the request has one. */
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
}

/**
 * Whom a request speaks for: the business of its API key; the member logged in to the console, for the business that
 * `x-business-id` names or the oldest membership; or, in the sandbox and from this machine alone, the first business.
 * @param chosen the business asked for where no header can be set (a browser's EventSource)
 * @throws AppError `api_key_required`, `invalid_api_key`, `no_business`, `not_a_member`, `foreign_origin`
 */
export async function businessOf(
  request: Request,
  deps: PrincipalDeps,
  chosen: string | null = null,
): Promise<AccessContext> {
  const wanted = request.headers.get('x-business-id') ?? chosen
  const first = deps.firstBusiness()
  const header = request.headers.get('authorization')
  if (header) {
    const key = /^Bearer\s+(\S+)$/i.exec(header)?.[1]
    const found = key ? await authenticateApiKey(deps.ctx, key) : null
    if (!found) throw new AppError('unauthenticated', 'invalid_api_key', 'The API key is not known or was revoked.')
    if (wanted && wanted !== found.businessId) throw notAMember()
    return {
      ...within(deps.ctx, found.businessId, { kind: 'api_key', id: found.id }),
      access: {
        role: ROLE_OF_SCOPE[found.scope],
        scope: found.scope,
        operator: found.operator && found.businessId === first,
      },
    }
  }
  refuseForeignOrigin(request, deps.publicBaseUrl)
  const session = await deps.sessionOf(request.headers)
  if (session) {
    const memberships = await membershipsOf(deps.ctx, session.userId)
    const membership = wanted ? memberships.find((entry) => entry.businessId === wanted) : memberships[0]
    if (!membership) throw notAMember()
    return {
      ...within(deps.ctx, membership.businessId, { kind: 'user', id: session.userId }),
      access: {
        role: membership.role,
        scope: null,
        operator: membership.role === 'owner' && membership.businessId === first,
      },
    }
  }
  if (deps.sandbox && isDirectLoopback(request, deps.addressOf) && namesLoopback(request)) {
    const id = wanted ?? first
    if (!id) throw new AppError('unavailable', 'no_business', 'There is no business yet.')
    if (!deps.businessExists(id)) throw notAMember()
    return {
      ...within(deps.ctx, id, { kind: 'system', id: 'loopback' }),
      access: { role: 'owner', scope: null, operator: true },
    }
  }
  throw new AppError('unauthenticated', 'api_key_required', 'Send an API key: Authorization: Bearer <key>.')
}

const ROLE_OF_SCOPE = { read: 'viewer', write: 'agent', admin: 'owner' } as const satisfies Record<Scope, Role>

/** The same answer for a business that is not there and one that is somebody else's. */
function notAMember() {
  return new AppError('forbidden', 'not_a_member', 'You are no member of this business.')
}

/** What a guarded handler reads back with `c.get('business')`. */
export type BusinessEnv = { Variables: { business: AccessContext } }
