import { PERMISSIONS } from '../../access/permissions.ts'
import { requireAccess } from '../../access/require-access.ts'
import { superviseStream } from '../../access/streams.ts'
import type { Deps } from '../../composition/deps.ts'
import { scopeOfApiKey } from '../../domain/businesses/index.ts'
import { type ListenToken, verifyListenToken } from '../../domain/calls/index.ts'
import { type BusinessContext, within } from '../../domain/context.ts'
import { membershipsOf } from '../../domain/members/index.ts'
import { AppError } from '../../lib/errors.ts'
import type { ListenGrant } from '../../media/listen-socket.ts'

/** Decides who may hear a call, when the socket opens and every few seconds from then on. */
export function createListenAccess({ ctx, config }: Deps): (token: string) => Promise<ListenGrant | null> {
  /** Nonces of tokens that are still valid, with their ends. */
  const used = new Map<string, number>()

  function use({ nonce, expiresAt }: ListenToken): boolean {
    const now = Date.now()
    for (const [each, end] of used) if (end < now) used.delete(each)
    if (used.has(nonce)) return false
    used.set(nonce, expiresAt.getTime())
    return true
  }

  return async (token) => {
    const grant = verifyListenToken(config.sessionSecret, token)
    if (!grant || !use(grant)) return null
    const business = within(ctx, grant.businessId, grant.actor)
    try {
      await requireListener(business, config.sandbox)
    } catch (error) {
      if (error instanceof AppError && error.kind === 'forbidden') return null
      throw error
    }
    const { closing, stop } = superviseStream(() => requireListener(business, config.sandbox))
    return { ctx: business, callId: grant.callId, closing, leave: stop }
  }
}

/** @throws AppError `role_too_low`, `scope_too_low`, `not_a_member` when the right is gone */
async function requireListener(ctx: BusinessContext, sandbox: boolean): Promise<void> {
  const needs = PERMISSIONS['calls.listen']
  const { actor, businessId } = ctx
  if (actor.kind === 'user') {
    const role = (await membershipsOf(ctx, actor.id)).find((each) => each.businessId === businessId)?.role
    if (!role) throw gone()
    requireAccess({ role, scope: null, operator: false }, needs)
  } else if (actor.kind === 'api_key') {
    const scope = await scopeOfApiKey(ctx, actor.id)
    if (!scope) throw gone()
    requireAccess({ role: 'viewer', scope, operator: false }, needs)
  } else if (!sandbox) throw gone()
}

function gone(): AppError {
  return new AppError('forbidden', 'not_a_member', 'The right to listen to calls of this business is gone.')
}
