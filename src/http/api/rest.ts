import { getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import type { AccessContext, BusinessEnv } from '../../access/authenticate.ts'
import { PERMISSIONS } from '../../access/permissions.ts'
import { requireAccess } from '../../access/require-access.ts'
import { EXPORT_KINDS, streamExport } from '../../domain/exports/index.ts'
import { AppError } from '../../lib/errors.ts'
import { attachment } from '../../lib/escape/header.ts'
import { appRouter } from '../../trpc/router.ts'
import { createCallerFactory, type TrpcContext } from '../../trpc/trpc.ts'
import { readJson } from '../errors.ts'
import { readText } from '../form-body.ts'
import { readLargeJson } from '../large-json.ts'
import { BODY_LIMITS, requireJson } from '../request-body.ts'
import { createDocsPage } from './docs-page.ts'
import { requireKnownParameters } from './known-parameters.ts'
import { type JsonSchema, openApiDocument, type RestOperation, restOperations } from './openapi.ts'

export type RestDeps = {
  createContext(request: Request, business: AccessContext): TrpcContext
  version: string
  publicBaseUrl: string
}

/** How often the right to an export that is under way is looked at again. */
const RECHECK_MS = 3_000

const createCaller = createCallerFactory(appRouter)

/** Every procedure by REST under `/v1`, its OpenAPI document, the reference page, and whole exports. */
export function createRestApi(deps: RestDeps) {
  const app = new Hono<BusinessEnv>()
  let document: JsonSchema | null = null
  const describe = () => {
    document ??= openApiDocument(deps)
    return document
  }
  app.get('/openapi.json', (c) => c.json(describe()))
  app.route('/docs', createDocsPage(describe))

  app.get('/exports/:file', async (c) => {
    const kind = z.enum(EXPORT_KINDS).safeParse(c.req.param('file').replace(/\.csv$/, ''))
    if (!kind.success) throw new AppError('not_found', 'export_not_found', `There are ${EXPORT_KINDS.join(', ')}.`)
    requireKnownParameters(new URL(c.req.url).searchParams, [])
    const business = c.get('business')
    const context = deps.createContext(c.req.raw, business)
    const lines = streamExport(business, kind.data)
    let lookedAt = performance.now()
    return new Response(
      new ReadableStream({
        async pull(controller) {
          // A large export outlives its request: whoever lost the right to it gets no more.
          if (performance.now() - lookedAt > RECHECK_MS) {
            const again = await context.authenticateAgain()
            if (again.businessId !== business.businessId) throw new Error('The export is of another business now.')
            requireAccess(again.access, PERMISSIONS['exports.csv'])
            lookedAt = performance.now()
          }
          const { value, done } = await lines.next()
          if (done) controller.close()
          else controller.enqueue(new TextEncoder().encode(value))
        },
        async cancel() {
          await lines.return(undefined)
        },
      }),
      {
        headers: {
          'Content-Type': 'text/csv; charset=utf-8',
          'Content-Disposition': attachment(`${kind.data}.csv`),
        },
      },
    )
  })

  // Fixed words before ids: `/contacts/tags` is not the contact named `tags`.
  const operations = restOperations().sort((a, b) => Number(a.route.includes(':')) - Number(b.route.includes(':')))
  for (const operation of operations)
    app.on(operation.method, `/v1${operation.route}`, async (c) => {
      const context = deps.createContext(c.req.raw, c.get('business'))
      const input = {
        ...readQuery(operation, new URL(c.req.url).searchParams),
        ...(c.req.method === 'GET' || c.req.method === 'DELETE' ? {} : await readInput(operation, c)),
        ...c.req.param(),
      }
      return c.json(await callProcedure(createCaller(context), operation, input))
    })
  return app
}

async function callProcedure(caller: object, operation: RestOperation, input: object): Promise<unknown> {
  const [module = '', verb = ''] = operation.path.split('.')
  const procedure: unknown = Reflect.get(Object(Reflect.get(caller, module)), verb)
  if (typeof procedure !== 'function') throw new Error(`${operation.path} is no procedure.`)
  try {
    return await procedure(operation.input === null ? undefined : input)
  } catch (thrown) {
    const error = thrown instanceof TRPCError ? thrown : getTRPCErrorFromUnknown(thrown)
    // What lies under tRPC's error says it in the product's own words.
    throw error.cause ?? error
  }
}

async function readInput(operation: RestOperation, c: Context): Promise<object> {
  requireJson(c.req.raw)
  const json = operation.path.startsWith('imports.') ? await readLargeJson(c.req.raw) : await readSmallJson(c.req.raw)
  if (json === undefined) return {}
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new AppError('invalid', 'invalid_json', 'The body must be a JSON object.', { field: 'body' })
  return json
}

/** Undefined for an empty body. */
async function readSmallJson(request: Request): Promise<unknown> {
  const text = await readText(request, BODY_LIMITS.api)
  return text.trim() === '' ? undefined : readJson(text)
}

/**
 * A query string is text: numbers, flags and lists are read as the schema has them.
 * @throws AppError `unknown_parameter`
 */
function readQuery(operation: RestOperation, query: URLSearchParams): Record<string, unknown> {
  const fields = Object.keys(operation.fields).filter((name) => !operation.inRoute.includes(name))
  requireKnownParameters(query, fields)
  return Object.fromEntries(
    [...new Set(query.keys())].map((name) => {
      const type = typeOf(operation.fields[name])
      const value = query.get(name) ?? ''
      if (type === 'array') return [name, query.getAll(name).flatMap((part) => part.split(','))]
      if (type === 'number' || type === 'integer') return [name, value === '' ? value : Number(value)]
      if (type === 'boolean') return [name, value === 'true' ? true : value === 'false' ? false : value]
      return [name, value]
    }),
  )
}

function typeOf(schema: JsonSchema | undefined): unknown {
  if (!schema) return undefined
  if (schema.type !== undefined) return schema.type
  const options = Array.isArray(schema.anyOf) ? schema.anyOf : []
  return options.map((option: JsonSchema) => option.type).find((type) => type !== 'null')
}
