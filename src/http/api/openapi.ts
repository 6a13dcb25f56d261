import { apiKeyRequired } from '../../access/authenticate.ts'
import { rateLimited } from '../../access/key-limit.ts'
import { ROUTES } from '../../access/permissions.ts'
import { type Requirement, scopeTooLow } from '../../access/require-access.ts'
import { noContact } from '../../domain/contacts/index.ts'
import { EXPORT_KINDS } from '../../domain/exports/index.ts'
import { uploadView } from '../../domain/messages/index.ts'
import { pageInput } from '../../domain/paging.ts'
import { type AppError, toAppError } from '../../lib/errors.ts'
import { type JsonSchema, toJsonSchema } from '../../trpc/json-schema.ts'
import { REST_TAGS } from '../../trpc/rest-meta.ts'
import { errorBody, invalidInput } from '../errors.ts'
import { exampleOf } from './example.ts'
import { FILE_ROUTES, type FileRoute } from './file-routes.ts'
import { type RestOperation, restOperations } from './operations.ts'

/** The OpenAPI 3.1 document of the REST API. */
export function openApiDocument(options: { version: string; publicBaseUrl: string }): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {}
  const add = (path: string, method: string, operation: JsonSchema) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }
  for (const operation of restOperations()) add(operation.meta.path, operation.method, describeOperation(operation))
  for (const file of FILE_ROUTES) add(file.path, file.method ?? 'GET', describeFile(file))
  return {
    openapi: '3.1.0',
    info: {
      title: 'AgentLocator',
      version: options.version,
      description: INTRODUCTION,
      license: { name: 'GPL-3.0-or-later', identifier: 'GPL-3.0-or-later' },
    },
    servers: [{ url: `${options.publicBaseUrl}/api/v1` }],
    security: [{ apiKey: [] }, { session: [] }],
    tags: Object.entries(REST_TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: COMPONENTS,
  }
}

const INTRODUCTION = `The REST API of AgentLocator. The same procedures are served by tRPC at \`/trpc\`.

Path parameters name a resource, GET and DELETE take their other parameters in the query, and POST, PUT and PATCH take a JSON object. A list is \`{ items, nextCursor }\`: send \`nextCursor\` as \`cursor\` to get the next page; it is null on the last one. An error is \`{ success: false, error: { code, message, field } }\`.`

function describeOperation(operation: RestOperation): JsonSchema {
  const { meta, procedure, needs, input, output, inBody, required, fields } = operation
  const example = exampleOf(operation)
  return {
    operationId: procedure,
    tags: [meta.tag],
    summary: meta.summary,
    description: sentences(meta.description, permissionText(needs)),
    'x-permission': needs,
    parameters: [...operation.inRoute, ...operation.inQuery].map((name) => ({
      name,
      in: operation.inRoute.includes(name) ? 'path' : 'query',
      required: required.includes(name),
      schema: fields[name] ?? { type: 'string' },
      example: example[name],
    })),
    ...(inBody.length > 0 ? { requestBody: describeBody(operation, example) } : {}),
    responses: {
      [meta.status ?? 200]: {
        description: 'The result.',
        content: { 'application/json': { schema: toJsonSchema(output, 'output') } },
      },
      ...errorResponses({ input: input !== null, resource: operation.inRoute.length > 0 }),
    },
  }
}

function describeBody({ inBody, fields, required }: RestOperation, example: Record<string, unknown>): JsonSchema {
  const needed = required.filter((name) => inBody.includes(name))
  return {
    required: needed.length > 0,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: Object.fromEntries(inBody.map((name) => [name, fields[name]])),
          required: needed,
        },
        example: Object.fromEntries(Object.entries(example).filter(([name]) => inBody.includes(name))),
      },
    },
  }
}

const BUSINESS_PARAMETER = {
  name: 'business',
  in: 'query',
  required: false,
  schema: { type: 'string', format: 'uuid' },
  example: '01900000-0000-7000-8000-000000000000',
  description:
    'The business of a member of several, where no `x-business-id` can be sent: in an image, a player, a link.',
}

function describeFile(file: FileRoute): JsonSchema {
  const rule = ROUTES[`${file.method ?? 'GET'} /api/v1${file.route}`]
  if (rule?.access !== 'business') throw new Error(`ROUTES has no permission for ${file.route}.`)
  const parameter = file.path.includes('{kind}')
    ? { name: 'kind', schema: { enum: EXPORT_KINDS }, example: EXPORT_KINDS[0] }
    : { name: 'id', schema: { type: 'string' }, example: '01900000-0000-7000-8000-000000000000' }
  return {
    operationId: file.name,
    tags: [file.tag],
    summary: file.summary,
    description: sentences(file.description, permissionText(rule.needs)),
    'x-permission': rule.needs,
    parameters: [
      ...(file.path.includes('{') ? [{ ...parameter, in: 'path', required: true }] : []),
      ...(file.parameters ?? []),
      ...(rule.byAddress ? [BUSINESS_PARAMETER] : []),
    ],
    ...(file.method === 'POST' ? { requestBody: { required: true, content: contentOf(file) } } : {}),
    responses: {
      ...(file.method === 'POST'
        ? {
            '201': {
              description: 'The result.',
              content: { 'application/json': { schema: toJsonSchema(uploadView, 'output') } },
            },
          }
        : { '200': { description: 'The file.', content: contentOf(file) } }),
      ...errorResponses({ input: true, resource: file.path.includes('{') }),
    },
  }
}

const contentOf = ({ contentType }: FileRoute) => ({ [contentType]: { schema: { type: 'string' } } })

function permissionText({ role, scope, operator }: Requirement): string {
  const whose = operator ? ' of an operator of the installation' : ''
  return `Requires the role \`${role}\` or an API key with the scope \`${scope}\`${whose}.`
}

function sentences(...texts: (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined).join(' ')
}

function errorResponses(of: { input: boolean; resource: boolean }): JsonSchema {
  const ref = (name: string) => ({ $ref: `#/components/responses/${name}` })
  return {
    ...(of.input ? { '400': ref('Invalid') } : {}),
    '401': ref('Unauthenticated'),
    '403': ref('Forbidden'),
    ...(of.resource ? { '404': ref('NotFound') } : {}),
    '429': ref('RateLimited'),
    default: ref('Error'),
  }
}

function errorResponse(description: string, error: AppError, headers?: JsonSchema): JsonSchema {
  return {
    description,
    ...(headers ? { headers } : {}),
    content: {
      'application/json': {
        schema: { $ref: '#/components/schemas/Error' },
        example: errorBody(error),
      },
    },
  }
}

function invalidLimit(): AppError {
  const { error } = pageInput.safeParse({ limit: 0 })
  if (!error) throw new Error('A page without rows was accepted.')
  return invalidInput(error)
}

const COMPONENTS: JsonSchema = {
  securitySchemes: {
    apiKey: { type: 'http', scheme: 'bearer', description: 'An API key of the business.' },
    session: { type: 'apiKey', in: 'cookie', name: 'agentlocator.session_token' },
  },
  responses: {
    Invalid: errorResponse('The input is not valid. `field` names the part of it.', invalidLimit()),
    Unauthenticated: errorResponse('There is no valid API key or session.', apiKeyRequired()),
    Forbidden: errorResponse('The caller lacks the permission that the description names.', scopeTooLow('write')),
    NotFound: errorResponse('The business has no such resource.', noContact()),
    RateLimited: errorResponse('The API key made too many requests.', rateLimited(12), {
      'Retry-After': { description: 'Seconds until requests are served again.', schema: { type: 'integer' } },
      RateLimit: {
        description: 'What is left (r) and the seconds until it is reset (t).',
        schema: { type: 'string' },
      },
      'RateLimit-Policy': { description: 'The quota (q) and its window in seconds (w).', schema: { type: 'string' } },
    }),
    Error: errorResponse('The request failed.', toAppError(null)),
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
          properties: {
            code: { type: 'string', description: 'Stable: programs may depend on it.' },
            message: { type: 'string', description: 'For people: it may change.' },
            field: { type: 'string', description: 'The part of the input that is wrong.' },
            nextTimes: {
              type: 'array',
              items: { type: 'string', format: 'date-time' },
              description: 'Of an appointment whose time is not free: the next times that are, soonest first.',
            },
          },
        },
      },
    },
  },
}
