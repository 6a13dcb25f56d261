import { authenticateApiKey } from '../domain/businesses/index.ts'
import { type BusinessContext, type DomainContext, within } from '../domain/context.ts'
import { membershipsOf, type Role, type Scope } from '../domain/members/index.ts'
import { LOOPBACK_ACTOR } from '../domain/messages/index.ts'
import { AppError } from '../lib/errors.ts'
import { namesLoopback, refuseForeignOrigin } from './origins.ts'
import { isDirectLoopback, type RequestAddress } from './proxies.ts'

export type Access = { role: Role; scope: Scope | null; operator: boolean }

export type AccessContext = BusinessContext & { access: Access }

export type PrincipalDeps = {
  ctx: DomainContext
  sandbox: boolean
  publicBaseUrl: string
  addressOf: RequestAddress
  /** The installation's first business: its owners and operator keys operate the installation. */
  firstBusiness(): string | null
  businessExists(id: string): boolean
  sessionOf(headers: Headers): Promise<{ userId: string } | null>
}

/**
 * The business of an API key; of a session, where `x-business-id` or (without headers) `chosen` picks a membership, else the
 * oldest; in the sandbox, from this machine only, the first. @throws AppError `api_key_required`, `invalid_api_key`,
 * `no_business`, `not_a_member`, `foreign_origin`
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
    if (!found)
      throw new AppError(
        'unauthenticated',
        'invalid_api_key',
        'The API key is unknown or was revoked. Create a new one.',
      )
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
    if (!id)
      throw new AppError('unavailable', 'no_business', 'There is no business yet. Create one with `business create`.')
    if (!deps.businessExists(id)) throw notAMember()
    return {
      ...within(deps.ctx, id, { kind: 'system', id: LOOPBACK_ACTOR }),
      access: { role: 'owner', scope: null, operator: true },
    }
  }
  throw apiKeyRequired()
}

/** The business that an address names, for routes whose rule allows it. It grants nothing: `businessOf` checks it. */
export function businessParameter(request: Request): string | null {
  return new URL(request.url).searchParams.get('business')
}

export function apiKeyRequired(): AppError {
  return new AppError(
    'unauthenticated',
    'api_key_required',
    'An API key is required. Send Authorization: Bearer <key>.',
  )
}

const ROLE_OF_SCOPE = { read: 'viewer', write: 'agent', admin: 'owner' } as const satisfies Record<Scope, Role>

/** The same answer for a missing business and for one of other people. */
function notAMember() {
  return new AppError(
    'forbidden',
    'not_a_member',
    'You are not a member of this business. Ask one of its owners for an invitation.',
  )
}

export type BusinessEnv = { Variables: { business: AccessContext } }
