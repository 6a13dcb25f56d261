import { z } from 'zod'
import { permissionOf, type Rule } from '../../access/permissions.ts'
import { appRouter } from '../../trpc/router.ts'

/** How a procedure is reached by REST. `fields` are the input's properties with their JSON schemas. */
export type RestOperation = {
  /** The procedure, `contacts.get`. */
  path: string
  kind: 'query' | 'mutation'
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** `/contacts/:id` */
  route: string
  /** Those of `fields` that stand in the route. */
  inRoute: string[]
  fields: Record<string, JsonSchema>
  required: string[]
  input: JsonSchema | null
  output: JsonSchema
}

export type JsonSchema = { [key: string]: unknown }

const definition = z.object({
  type: z.enum(['query', 'mutation', 'subscription']),
  inputs: z.array(z.custom<z.ZodType>((value) => value instanceof z.ZodType)),
  output: z.custom<z.ZodType>((value) => value instanceof z.ZodType).optional(),
})

const objectSchema = z.looseObject({
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  required: z.array(z.string()).default([]),
})

/** Every procedure of the router that answers once, as a REST operation. */
export function restOperations(): RestOperation[] {
  const operations: RestOperation[] = []
  for (const [path, procedure] of Object.entries(appRouter._def.procedures)) {
    const { type, inputs, output } = definition.parse(Reflect.get(procedure, '_def'))
    if (type === 'subscription' || !output) continue
    const [first] = inputs
    const input = first ? toJsonSchema(first, 'input') : null
    const { properties, required } = objectSchema.parse(input ?? {})
    const [module = '', verb = ''] = path.split('.')
    const hasId = 'id' in properties && required.includes('id')
    const base = `/${kebab(module)}${hasId ? '/:id' : ''}`
    operations.push({
      path,
      kind: type,
      ...addressOf(type, verb, base, hasId),
      inRoute: hasId ? ['id'] : [],
      fields: properties,
      required,
      input,
      output: toJsonSchema(output, 'output'),
    })
  }
  return operations
}

/** Who may use the procedures' REST routes: whom the procedures themselves ask for. */
export function restRules(base: string): Record<string, Rule> {
  const rules: Record<string, Rule> = {}
  for (const { method, route, path } of restOperations()) {
    const needs = permissionOf(path)
    if (needs) rules[`${method} ${base}${route}`] = { access: 'business', needs }
  }
  return rules
}

/** `list`, `get`, `create`, `update` and `remove` are what their HTTP methods say; other verbs stand in the path. */
function addressOf(type: 'query' | 'mutation', verb: string, base: string, hasId: boolean) {
  if (type === 'query') {
    const bare = verb === 'list' || verb === 'get'
    return { method: 'GET' as const, route: bare ? base : `${base}/${kebab(verb)}` }
  }
  if (verb === 'create') return { method: 'POST' as const, route: base.replace('/:id', '') }
  if (verb === 'update') return { method: 'PATCH' as const, route: base }
  if (verb === 'remove' && hasId) return { method: 'DELETE' as const, route: base }
  return { method: 'POST' as const, route: `${base}/${kebab(verb)}` }
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Dates travel as ISO 8601 text. */
function toJsonSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' })
    },
  })
  return json
}

/** The OpenAPI 3.1 document of the REST side. */
export function openApiDocument(options: { version: string; publicBaseUrl: string }): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const operation of restOperations()) {
    const address = operation.route.replace(/:(\w+)/g, '{$1}')
    const inBody = operation.method === 'GET' || operation.method === 'DELETE' ? [] : bodyFields(operation)
    const needs = permissionOf(operation.path)
    const item = paths[address] ?? {}
    paths[address] = item
    item[operation.method.toLowerCase()] = {
      operationId: operation.path,
      tags: [operation.path.split('.')[0]],
      summary: operation.path,
      description: needs
        ? `Needs the role ${needs.role} or an API key with the scope ${needs.scope}${needs.operator ? ', of the installation’s first business' : ''}.`
        : '',
      parameters: Object.entries(operation.fields)
        .filter(([name]) => !inBody.includes(name))
        .map(([name, schema]) => ({
          name,
          in: operation.inRoute.includes(name) ? 'path' : 'query',
          required: operation.inRoute.includes(name) || operation.required.includes(name),
          schema,
        })),
      ...(inBody.length > 0
        ? {
            requestBody: {
              required: true,
              content: {
                'application/json': {
                  schema: {
                    type: 'object',
                    properties: Object.fromEntries(inBody.map((name) => [name, operation.fields[name]])),
                    required: operation.required.filter((name) => inBody.includes(name)),
                  },
                },
              },
            },
          }
        : {}),
      responses: {
        '200': { description: 'Done.', content: { 'application/json': { schema: operation.output } } },
        default: {
          description: 'Refused or failed.',
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
        },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AgentLocator',
      version: options.version,
      description: 'The CRM behind the receptionist. The same procedures are served by tRPC at /trpc.',
      license: { name: 'GPL-3.0-or-later', identifier: 'GPL-3.0-or-later' },
    },
    servers: [{ url: `${options.publicBaseUrl}/api/v1` }],
    security: [{ apiKey: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key of the business.' },
        session: { type: 'apiKey', in: 'cookie', name: 'agentlocator.session_token' },
      },
      schemas: {
        Error: {
          type: 'object',
          required: ['success', 'error'],
          properties: {
            success: { const: false },
            error: {
              type: 'object',
              required: ['code', 'message'],
              properties: { code: { type: 'string' }, message: { type: 'string' }, field: { type: 'string' } },
            },
          },
        },
      },
    },
  }
}

function bodyFields(operation: RestOperation): string[] {
  return Object.keys(operation.fields).filter((name) => !operation.inRoute.includes(name))
}
