import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { z } from 'zod'
import { PERMISSIONS } from '../../../src/access/permissions.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { exampleOf } from '../../../src/http/api/example.ts'
import { FILE_ROUTES } from '../../../src/http/api/file-routes.ts'
import { restOperations } from '../../../src/http/api/operations.ts'
import { REST_TAGS } from '../../../src/trpc/rest-meta.ts'
import { appRouter } from '../../../src/trpc/router.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let database: TestDatabase
let web: TestServer
let admin: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  admin = await web.key('admin')
})

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const OPERATIONS = restOperations()
const UNKNOWN_ID = '01900000-0000-7000-8000-000000000000'

const error = z.strictObject({
  success: z.literal(false),
  error: z.strictObject({ code: z.string(), message: z.string().min(5), field: z.string().optional() }),
})

const ask = (path: string, init: RequestInit & { key?: string } = {}) =>
  fetch(`${web.url}${path}`, {
    ...init,
    headers: { Authorization: `Bearer ${init.key ?? admin}`, ...Object.fromEntries(new Headers(init.headers)) },
  })

async function readDocument() {
  return z
    .looseObject({
      openapi: z.string(),
      paths: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))),
    })
    .parse(await (await ask('/api/openapi.json')).json())
}

/** Words that are no plural noun and name one thing or a set of things in a business. */
const SINGULAR = new Set([
  'account',
  'agent',
  'audit',
  'draft',
  'preview',
  'privacy',
  'push',
  'reaction',
  'receptionist',
  'search',
  'staff',
  'system',
])
const VERBS =
  /^(book|refuse|resend|block|unblock|merge|repair|close|reopen|snooze|move|refund|link|restart|logout|preview|retry|replay|confirm|cancel|drain|handle|restore|connect|end|listen|transfer|whisper|discard|rebase|publish|force-publish|test|take|see|no-show|sync|decide|order|pause|resume|turn-off|answer|send|dismiss|read|stop)$/
/** What a resource has once. */
const PARTS =
  /^(outcome|summary|overnight|replay|assignee|opt-out|history|timeline|board|second-factor|retention|rejected-rows|stats|live|key|usage|doctor|backup|settings|audio|escalation|agent|memory|requirement)$/

describe('every procedure', () => {
  test('has its place in REST, or is a subscription that says what it sends', () => {
    const served = new Set(OPERATIONS.map(({ procedure }) => procedure))
    for (const [path, procedure] of Object.entries(appRouter._def.procedures)) {
      const { type, meta } = z
        .object({ type: z.string(), meta: z.object({ stream: z.object({ summary: z.string() }).optional() }) })
        .parse(Reflect.get(procedure, '_def'))
      expect([path, type === 'subscription']).toEqual([path, !served.has(path)])
      expect([path, meta.stream !== undefined]).toEqual([path, type === 'subscription'])
    }
    expect(served.size + 2).toBe(Object.keys(PERMISSIONS).length)
  })

  test.each(OPERATIONS.map((operation) => [operation.procedure, operation] as const))(
    '%s has a path that can be guessed, a summary and a tag',
    (_, { meta, method, kind, inRoute, fields }) => {
      expect(meta.path).toMatch(/^(\/([a-z]+(-[a-z]+)*|\{[a-zA-Z]+\}))+$/)
      const segments = meta.path.split('/').slice(1)
      for (const [index, segment] of segments.entries()) {
        if (segment.startsWith('{')) {
          // A parameter follows the collection that it is from.
          expect(segments[index - 1]).toMatch(/(s|^staff)$/)
          continue
        }
        const last = index === segments.length - 1
        const isNoun = segment.endsWith('s') || SINGULAR.has(segment)
        expect([segment, isNoun || (last && (VERBS.test(segment) || PARTS.test(segment)))]).toEqual([segment, true])
        if (last && VERBS.test(segment) && !PARTS.test(segment)) expect(method).toBe('POST')
      }
      for (const name of inRoute) expect(Object.keys(fields)).toContain(name)
      // Reading is GET, but for an input that no query can hold; a change never is.
      if (kind === 'mutation') expect(method).not.toBe('GET')
      else expect([method, meta.path]).toEqual([meta.path === '/receptionist/preview' ? 'POST' : 'GET', meta.path])
      expect(meta.summary).toMatch(/^[A-Z][^.]{5,80}$/)
      if (meta.description !== undefined) expect(meta.description).toMatch(/^[A-Z`].*\.$/s)
      expect(Object.keys(REST_TAGS)).toContain(meta.tag)
    },
  )

  test('ids stand in the path and not in the query or body', () => {
    for (const { procedure, inQuery, inBody, method } of OPERATIONS) {
      // A client may choose the id of what it creates.
      const creates = method === 'POST' && /\.(create|request|send|save)/.test(procedure)
      if (!creates) expect([procedure, ...inQuery, ...inBody]).not.toContain('id')
    }
  })

  test('no two have the same method and path', () => {
    const shapes = OPERATIONS.map(({ method, route }) => `${method} ${route.replace(/:\w+/g, ':')}`)
    expect(shapes.filter((shape, index) => shapes.indexOf(shape) !== index)).toEqual([])
  })

  test.each(OPERATIONS.flatMap((operation) => (operation.input ? [[operation.procedure, operation] as const] : [])))(
    '%s has an example that its schema takes',
    (_, operation) => {
      const example = exampleOf(operation)
      for (const name of Object.keys(operation.meta.example ?? {}))
        expect(Object.keys(operation.fields)).toContain(name)
      expect(operation.input?.safeParse(example).error?.issues ?? []).toEqual([])
      if (operation.inBody.length > 0)
        expect(Object.keys(example).some((name) => operation.inBody.includes(name))).toBe(true)
    },
  )
})

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1 and names every operation and file once', async () => {
    const document = await readDocument()
    expect(await new Validator().validate(document)).toMatchObject({ valid: true })
    expect(document.openapi).toBe('3.1.0')
    const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((of) => of.operationId))
    expect(ids.toSorted()).toEqual(
      [...OPERATIONS.map(({ procedure }) => procedure), ...FILE_ROUTES.map(({ name }) => name)].toSorted(),
    )
  })

  test('says of each operation what it needs, how it fails, and shows an example of each input', async () => {
    const { paths } = await readDocument()
    const described = z.looseObject({
      description: z.string(),
      tags: z.array(z.string()).length(1),
      'x-permission': z.object({ role: z.string(), scope: z.string(), operator: z.boolean().optional() }),
      parameters: z.array(z.looseObject({ name: z.string(), in: z.string(), example: z.unknown() })),
      requestBody: z
        .object({
          required: z.boolean(),
          content: z.object({ 'application/json': z.looseObject({ example: z.unknown() }) }),
        })
        .optional(),
      responses: z.record(z.string(), z.looseObject({ $ref: z.string().optional() })),
    })
    for (const { procedure, meta, method, inBody, needs } of OPERATIONS) {
      const found = described.parse(paths[meta.path]?.[method.toLowerCase()])
      expect(found['x-permission']).toEqual(needs)
      expect(found.description).toContain(`\`${needs.role}\``)
      expect(found.description).toContain(`\`${needs.scope}\``)
      for (const parameter of found.parameters)
        expect([procedure, parameter.name, parameter.example ?? null]).not.toEqual([procedure, parameter.name, null])
      expect([procedure, found.requestBody !== undefined]).toEqual([procedure, inBody.length > 0])
      if (found.requestBody) expect(found.requestBody.content['application/json'].example).toBeDefined()
      for (const status of ['401', '403', '429', 'default'])
        expect(found.responses[status]?.$ref).toStartWith('#/components/responses/')
    }
  })

  test('every operation is reachable, and refuses a request without a key with the one error', async () => {
    for (const operation of OPERATIONS) {
      const path = operation.route.replace(/:\w+/g, UNKNOWN_ID)
      const response = await fetch(`${web.url}/api/v1${path}`, { method: operation.method })
      expect([operation.procedure, response.status, error.parse(await response.json()).error.code]).toEqual([
        operation.procedure,
        401,
        'api_key_required',
      ])
    }
  })

  test('every operation takes its example, and answers its own status or the one error', async () => {
    const other = await createBusiness(web.deps.ctx, { name: 'Other', language: 'en' })
    const key = await web.key('admin', other)
    const statuses: Record<string, number> = {}
    for (const operation of OPERATIONS) {
      const { cursor: _, ...example } = exampleOf(operation)
      const path = operation.route.replace(/:(\w+)/g, (_, name) => encodeURIComponent(String(example[name])))
      const query = new URLSearchParams(
        operation.inQuery
          .filter((name) => name in example)
          .flatMap((name) => [example[name]].flat().map((value) => [name, String(value)])),
      )
      const body = Object.fromEntries(Object.entries(example).filter(([name]) => operation.inBody.includes(name)))
      const hasBody = operation.inBody.length > 0
      const response = await ask(`/api/v1${path}?${query}`, {
        key,
        method: operation.method,
        ...(hasBody ? { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } } : {}),
      })
      const json: unknown = await response.json()
      statuses[operation.procedure] = response.status
      if (response.ok) expect(response.status).toBe(operation.meta.status ?? 200)
      else {
        const { code, message } = error.parse(json).error
        // The example is valid: what it names is not there, or is not set up here.
        expect([operation.procedure, code, message]).not.toEqual([operation.procedure, 'invalid_input', message])
        expect([
          operation.procedure,
          response.status,
          [403, 404, 409, 501, 503].includes(response.status),
          code,
        ]).toEqual([operation.procedure, response.status, true, code])
      }
    }
    expect(Object.values(statuses).filter((status) => status < 300).length).toBeGreaterThan(40)
  })

  test('its examples of errors are what the server answers', async () => {
    const { components } = z
      .looseObject({
        components: z.looseObject({
          responses: z.record(
            z.string(),
            z.looseObject({ content: z.object({ 'application/json': z.looseObject({}) }) }),
          ),
        }),
      })
      .parse(await readDocument())
    const asked = {
      Invalid: ask('/api/v1/contacts?limit=0'),
      Unauthenticated: fetch(`${web.url}/api/v1/contacts`),
      Forbidden: ask('/api/v1/contacts', { key: await web.key('read'), method: 'POST' }),
      NotFound: ask(`/api/v1/contacts/${UNKNOWN_ID}`),
    }
    for (const [name, response] of Object.entries(asked))
      expect([name, components.responses[name]?.content['application/json'].example]).toEqual([
        name,
        await (await response).json(),
      ])
  })

  test('every list is { items, nextCursor } and bounds its pages', async () => {
    const lists = OPERATIONS.filter(({ inQuery }) => inQuery.includes('limit'))
    expect(lists.length).toBeGreaterThan(20)
    for (const operation of lists) {
      const example = exampleOf(operation)
      const path = operation.route.replace(/:(\w+)/g, (_, name) => encodeURIComponent(String(example[name])))
      const needed = operation.inQuery.filter((name) => operation.required.includes(name))
      for (const limit of ['0', '-1', '501', '1.5', 'x', '']) {
        const query = new URLSearchParams([...needed.map((name) => [name, String(example[name])]), ['limit', limit]])
        const response = await ask(`/api/v1${path}?${query}`)
        expect([operation.procedure, limit, response.status, error.parse(await response.json()).error.field]).toEqual([
          operation.procedure,
          limit,
          400,
          'limit',
        ])
      }
    }
    for (const { procedure, output } of OPERATIONS) {
      const json = z.toJSONSchema(output, { io: 'output', unrepresentable: 'any' })
      if (json.properties?.items)
        expect([procedure, Object.keys(json.properties).sort()]).toEqual([procedure, ['items', 'nextCursor']])
      expect([procedure, json.type]).not.toEqual([procedure, 'array'])
    }
  })

  test('has a reference page that loads nothing from other hosts', async () => {
    const response = await ask('/api/docs')
    const text = await response.text()
    expect(response.status).toBe(200)
    expect(text).toContain('/contacts/{id}')
    expect(
      [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]).every((url) => url?.startsWith('/')),
    ).toBe(true)
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await ask('/api/docs/docs.js')).status).toBe(200)
  })
})
