import { getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import { Hono } from 'hono'
import type { AccessContext, BusinessEnv } from '../../access/authenticate.ts'
import type { JsonSchema } from '../../trpc/json-schema.ts'
import { appRouter } from '../../trpc/router.ts'
import { createCallerFactory, type TrpcContext } from '../../trpc/trpc.ts'
import { createDocsPage } from './docs-page.tsx'
import { openApiDocument } from './openapi.ts'
import { type RestOperation, restOperations } from './operations.ts'
import { readInput } from './read-input.ts'

export type RestDeps = {
  createContext(request: Request, business: AccessContext): TrpcContext
  version: string
  publicBaseUrl: string
}

const createCaller = createCallerFactory(appRouter)

/** Every query and mutation as REST below `/v1`, the OpenAPI document and the reference page. */
export function createRestApi(deps: RestDeps) {
  const app = new Hono<BusinessEnv>()
  let document: JsonSchema | null = null
  const describe = () => {
    document ??= openApiDocument(deps)
    return document
  }
  app.get('/openapi.json', (c) => c.json(describe()))
  app.route('/docs', createDocsPage(describe, new URL(deps.publicBaseUrl).pathname.replace(/\/+$/, '')))
  for (const operation of restOperations())
    app.on(operation.method, `/v1${operation.route}`, async (c) => {
      const input = await readInput(operation, c)
      const caller = createCaller(deps.createContext(c.req.raw, c.get('business')))
      return c.json(await callProcedure(caller, operation, input), operation.meta.status ?? 200)
    })
  return app
}

async function callProcedure(caller: object, operation: RestOperation, input: object): Promise<unknown> {
  const [module = '', verb = ''] = operation.procedure.split('.')
  const procedure: unknown = Reflect.get(Object(Reflect.get(caller, module)), verb)
  if (typeof procedure !== 'function') throw new Error(`The router has no procedure ${operation.procedure}.`)
  try {
    return await procedure(operation.input === null ? undefined : input)
  } catch (thrown) {
    const error = thrown instanceof TRPCError ? thrown : getTRPCErrorFromUnknown(thrown)
    // The cause is our own error or the schema's, with its code and field.
    throw error.cause ?? error
  }
}
