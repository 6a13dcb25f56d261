import { AppError } from '../lib/errors.ts'
import { secretsEqual } from '../lib/ids.ts'
import { businessOf, type PrincipalDeps } from './authenticate.ts'
import { isLoopbackUrl, namesLoopback } from './origins.ts'
import { isDirectLoopback } from './proxies.ts'

/** Whether a request may read the installation's state: METRICS_TOKEN, operators, this machine while it is not public. */
export function createOperatorCheck(deps: {
  principal: PrincipalDeps
  metricsToken: string | null
}): (request: Request) => Promise<boolean> {
  const { principal, metricsToken } = deps
  const local = isLoopbackUrl(principal.publicBaseUrl)
  return async (request) => {
    const header = request.headers.get('authorization')
    const token = /^Bearer\s+(\S+)$/i.exec(header ?? '')?.[1]
    if (token && metricsToken && secretsEqual(token, metricsToken)) return true
    if (!header && local && isDirectLoopback(request, principal.addressOf) && namesLoopback(request)) return true
    try {
      return (await businessOf(request, principal)).access.operator
    } catch (error) {
      if (error instanceof AppError) return false
      throw error
    }
  }
}
