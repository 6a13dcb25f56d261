import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { type Context, Hono } from 'hono'
import { type AccessContext, apiKeyRequired } from '../../access/authenticate.ts'
import type { Actor } from '../../domain/context.ts'
import type { Logger } from '../../lib/log.ts'
import { isSubscription } from '../../trpc/procedures.ts'
import { appRouter } from '../../trpc/router.ts'
import type { TrpcContext } from '../../trpc/trpc.ts'
import { calledProcedures, chosenBusiness, type GuardEnv } from '../guard.ts'
import { readLargeText } from '../large-json.ts'
import { BODY_LIMITS, readWhole, requireJson, withBody } from '../request-body.ts'

/** The console's procedures over tRPC; a batch counts as the largest of its calls. */
export function createTrpcEndpoint(deps: {
  createContext(request: Request, business: AccessContext, chosen: string | null): TrpcContext
  /** @throws AppError `too_many_streams` */
  requireStream(request: Request, actor: Actor): void
  log: Logger
}) {
  return new Hono<GuardEnv>().all('/*', async (c) => {
    const business = c.get('business')
    if (!business) throw apiKeyRequired()
    // A stream has its status before its procedure runs, so a refusal must come here.
    if (calledProcedures(c.req.path).some(isSubscription)) deps.requireStream(c.req.raw, business.actor)
    return fetchRequestHandler({
      router: appRouter,
      endpoint: '/trpc',
      req: await readCalls(c),
      createContext: () => deps.createContext(c.req.raw, business, chosenBusiness(c)),
      onError({ error, path }) {
        if (error.code === 'INTERNAL_SERVER_ERROR') deps.log.error({ path, err: error }, 'procedure failed')
      },
    })
  })
}

/** A request with its whole body: tRPC would read one without a limit. */
async function readCalls(c: Context): Promise<Request> {
  requireJson(c.req.raw)
  const imports = calledProcedures(c.req.path).every((call) => call.startsWith('imports.'))
  if (!imports || c.req.method !== 'POST') return await readWhole(c.req.raw, BODY_LIMITS.api)
  const text = await readLargeText(c.req.raw)
  const request = withBody(c.req.raw, Buffer.from('{}'))
  // tRPC calls the request's `text`: what is decoded already is not encoded again.
  Object.defineProperty(request, 'text', { value: () => Promise.resolve(text) })
  return request
}
