import { Hono } from 'hono'
import { ROUTES } from '../access/permissions.ts'
import type { GuardEnv } from './guard.ts'
import { BODY_LIMITS, readWhole, requireJson } from './request-body.ts'

/** The addresses of the login service that the permission table names; better-auth has more, which are not served. */
export function createLoginRoutes(deps: { authenticate(request: Request, from: Request): Promise<Response> }) {
  const app = new Hono<GuardEnv>()
  for (const [method = '', path = ''] of Object.keys(ROUTES).map((key) => key.split(' ')))
    if (path.startsWith('/api/auth/'))
      app.on(method, path, async (c) => {
        requireJson(c.req.raw)
        return deps.authenticate(await readWhole(c.req.raw, BODY_LIMITS.form), c.req.raw)
      })
  return app
}
