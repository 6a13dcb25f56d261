import type { Server } from 'bun'
import { businessOf, businessParameter, type PrincipalDeps } from '../../access/authenticate.ts'
import { SOCKETS } from '../../access/permissions.ts'
import { requireAccess } from '../../access/require-access.ts'
import { TEST_CALL_SOCKET } from '../../access/urls.ts'
import { actorName } from '../../domain/calls/index.ts'
import { getDraft } from '../../domain/receptionist/index.ts'
import { toAppError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import { type MediaSocket, type MediaSocketData, refuseNoSocket } from '../../media/socket.ts'

/** Upgrades `/ws/test-call` for a member's browser, authenticated with `?business=`; undefined once upgraded. */
export function createTestCallSocket(deps: {
  principal: PrincipalDeps
  media: MediaSocket
  log: Logger
}): (request: Request, server: Server<MediaSocketData>) => Promise<Response | undefined> {
  const rule = SOCKETS[TEST_CALL_SOCKET]
  return async (request, server) => {
    const noSocket = refuseNoSocket(request)
    if (noSocket) return noSocket
    try {
      const business = await businessOf(request, deps.principal, businessParameter(request))
      if (rule?.access !== 'business') throw new Error('The socket for test calls has no rule.')
      requireAccess(business.access, rule.needs)
      const { content, live } = await getDraft(business)
      const { businessId, actor } = business
      const tester = { businessId, member: actorName(actor), draft: content, live: live.content }
      return deps.media.upgradeTest(request, server, tester)
    } catch (thrown) {
      const error = toAppError(thrown)
      if (error.kind === 'internal') deps.log.error({ err: thrown }, 'test call socket failed')
      return Response.json({ success: false, error: error.toBody() }, { status: error.status })
    }
  }
}
