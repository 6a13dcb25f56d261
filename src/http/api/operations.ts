import { z } from 'zod'
import { permissionOf, type Rule } from '../../access/permissions.ts'
import type { Requirement } from '../../access/require-access.ts'
import { type JsonSchema, toJsonSchema } from '../../trpc/json-schema.ts'
import { listProcedures } from '../../trpc/procedures.ts'
import type { RestMeta } from '../../trpc/rest-meta.ts'

/** A procedure as REST serves it. `fields` are the properties of the input with their JSON schemas. */
export type RestOperation = {
  /** `contacts.get` */
  procedure: string
  kind: 'query' | 'mutation'
  method: RestMeta['method']
  /** As Hono writes it: `/contacts/:id` */
  route: string
  meta: RestMeta
  needs: Requirement
  inRoute: string[]
  inQuery: string[]
  inBody: string[]
  fields: Record<string, JsonSchema>
  required: string[]
  input: z.ZodType | null
  output: z.ZodType
}

const objectSchema = z.looseObject({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
})

/**
 * The router as REST operations, in order of registration. Not `trpc-to-openapi`: its single handler has its own errors and
 * body parser and hides the route from the guard; it takes only plain objects.
 */
export function restOperations(): RestOperation[] {
  const operations = listProcedures().flatMap(([procedure, { type, inputs, output, meta }]) => {
    const needs = permissionOf(procedure)
    if (type === 'subscription' || !output || !meta.openapi || !needs) return []
    return [operationOf({ procedure, kind: type, input: inputs[0] ?? null, output, meta: meta.openapi, needs })]
  })
  return operations.sort((a, b) => compareRoutes(a.route, b.route))
}

function operationOf(
  given: Pick<RestOperation, 'procedure' | 'kind' | 'meta' | 'needs' | 'input' | 'output'>,
): RestOperation {
  const { method, path } = given.meta
  const { properties, required } = objectSchema.parse(given.input ? toJsonSchema(given.input, 'input') : {})
  const inRoute = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const others = Object.keys(properties).filter((name) => !inRoute.includes(name))
  const hasBody = method !== 'GET' && method !== 'DELETE'
  return {
    ...given,
    method,
    route: path.replace(/\{(\w+)\}/g, ':$1'),
    inRoute,
    inQuery: hasBody ? [] : others,
    inBody: hasBody ? others : [],
    fields: properties,
    required: [...new Set([...required, ...inRoute])],
  }
}

/** Fixed segments before parameters: `/contacts/tags` is not the contact with the id `tags`. */
function compareRoutes(a: string, b: string): number {
  const left = a.split('/')
  const right = b.split('/')
  for (const [index, segment] of left.entries()) {
    const other = right[index]
    if (other === undefined) return 1
    if (segment.startsWith(':') !== other.startsWith(':')) return segment.startsWith(':') ? 1 : -1
    if (segment !== other) return segment < other ? -1 : 1
  }
  return left.length - right.length
}

/** The permission of each REST route: the one that its procedure has in `PERMISSIONS`. */
export function restRules(base: string): Record<string, Rule> {
  return Object.fromEntries(
    restOperations().map(({ method, route, needs }) => [`${method} ${base}${route}`, { access: 'business', needs }]),
  )
}
