import type { Context } from 'hono'
import { AppError } from '../../lib/errors.ts'
import type { JsonSchema } from '../../trpc/json-schema.ts'
import { readJson } from '../errors.ts'
import { readText } from '../form-body.ts'
import { readLargeJson } from '../large-json.ts'
import { BODY_LIMITS, requireJson } from '../request-body.ts'
import { requireKnownParameters } from './known-parameters.ts'
import type { RestOperation } from './operations.ts'

/** The input from path, query (GET, DELETE) or JSON body; an `Idempotency-Key` header is the field `idempotencyKey`. */
export async function readInput(operation: RestOperation, c: Context): Promise<Record<string, unknown>> {
  const { method, inBody, fields } = operation
  const query = readQuery(operation, new URL(c.req.url).searchParams)
  const body = method === 'GET' || method === 'DELETE' ? {} : await readBody(operation, c.req.raw)
  const key = inBody.includes('idempotencyKey') ? c.req.header('idempotency-key') : undefined
  const params = Object.entries(c.req.param()).filter(([name]) => name in fields)
  return { ...query, ...(key === undefined ? {} : { idempotencyKey: key }), ...body, ...Object.fromEntries(params) }
}

async function readBody({ procedure, inBody }: RestOperation, request: Request): Promise<object> {
  if (inBody.length === 0) return {}
  requireJson(request)
  const json = await (procedure.startsWith('imports.') ? readLargeJson(request) : readSmallJson(request))
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

/** Numbers, booleans and lists are read from the text of the query by their schema. @throws AppError `unknown_parameter` */
function readQuery({ fields, inQuery }: RestOperation, query: URLSearchParams): Record<string, unknown> {
  requireKnownParameters(query, inQuery)
  return Object.fromEntries(
    inQuery
      .filter((name) => query.has(name))
      .map((name) => {
        const type = typeOf(fields[name])
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
