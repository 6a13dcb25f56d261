import { AppError } from '../lib/errors.ts'
import { secretsEqual } from '../lib/ids.ts'
import { businessOf, type PrincipalDeps } from './authenticate.ts'
import { isLoopbackUrl, namesLoopback } from './origins.ts'
import { isDirectLoopback } from './proxies.ts'

/**
 * Whether a request may see how the installation itself is doing: with METRICS_TOKEN, as an operator, or from this machine
 * itself while the installation is not public. Behind a public address a proxy that leaves no trace would look like this machine.
 */
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
