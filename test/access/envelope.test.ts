import { afterAll, beforeAll, expect, test } from 'bun:test'
import { z } from 'zod'
import { PREFIXES } from '../../src/access/permissions.ts'
import { restOperations } from '../../src/http/api/operations.ts'
import { isHandler } from '../../src/http/guard.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 300_000
const ID = '01900000-0000-7000-8000-000000000000'
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** Two sentences: what happened, what to do. */
const message = z.string().regex(/^[A-Z].*\. [A-Z].*\.$/s)
const error = z.strictObject({ code: z.string().regex(/^[a-z][a-z0-9_]*$/), message, field: z.string().optional() })
const envelope = z.strictObject({ success: z.literal(false), error })

let database: TestDatabase
let web: TestServer
let key: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url, {
    PUBLIC_BASE_URL: 'https://agent.example.test',
    TRUSTED_PROXIES: 'loopback',
    PAYPAL_CLIENT_ID: 'client',
    PAYPAL_CLIENT_SECRET: 'the secret of the client',
  })
  key = await web.key('admin')
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

type Route = { method: string; path: string; address: string }

/** Libraries answer below a prefix, in forms of their own. */
const isLibrary = (path: string) =>
  path.includes('*') || Object.keys(PREFIXES).some((prefix) => path === prefix || path.startsWith(`${prefix}/`))

function routes(): Route[] {
  const registered = web.app.routes.filter(isHandler).map(({ method, path }) => `${method} ${path}`)
  return [...new Set(registered)]
    .map((route) => {
      const [method = '', path = ''] = route.split(' ')
      return {
        method,
        path,
        address: path.replace(/:file(\{[^}]*\})?/, 'contacts.csv').replace(/:\w+(\{[^}]*\})?/g, ID),
      }
    })
    .filter(({ method, path }) => method !== 'ALL' && !isLibrary(path))
}

/** Operations whose whole input is in the path read no body, and not all bodies are JSON. */
const NO_JSON = new Set([
  // It takes a file of any type.
  'POST /api/v1/uploads',
  'POST /api/payments/:id/refund',
  ...restOperations()
    .filter(({ fields, inRoute }) => Object.keys(fields).every((name) => inRoute.includes(name)))
    .map(({ method, route }) => `${method} /api/v1${route}`),
])

const takesJson = ({ method, path }: Route) =>
  !NO_JSON.has(`${method} ${path}`) &&
  ['POST', 'PUT', 'PATCH'].includes(method) &&
  /^\/api\/(v1|whatsapp|payments)(\/|$)/.test(path)

async function send(method: string, address: string, body?: { type: string; text: string }) {
  const response = await fetch(web.url + address, {
    method,
    redirect: 'manual',
    headers: { Authorization: `Bearer ${key}`, ...(body ? { 'Content-Type': body.type } : {}) },
    ...(body ? { body: body.text } : {}),
  })
  return { status: response.status, allow: response.headers.get('allow'), text: await response.text() }
}

/** The problems of an answer that should be `status` in the one envelope. */
function problemsOf(what: string, status: number, answer: { status: number; text: string }): string[] {
  const parsed = z.string().transform((text, c) => {
    try {
      return envelope.parse(JSON.parse(text))
    } catch {
      c.addIssue('not the envelope')
      return z.NEVER
    }
  })
  const fits = answer.status === status && parsed.safeParse(answer.text).success
  return fits ? [] : [`${what}: ${answer.status} instead of ${status}: ${answer.text.slice(0, 200)}`]
}

const big = (path: string) => JSON.stringify({ text: 'x'.repeat(/import/.test(path) ? 11 << 20 : 1.1 * (1 << 20)) })

const BODIES: [name: string, status: number, body: (path: string) => { type: string; text: string }][] = [
  ['a body that is too large', 413, (path) => ({ type: 'application/json', text: big(path) })],
  ['a body of another type', 415, () => ({ type: 'text/plain', text: 'text' })],
  ['a body that is not JSON', 400, () => ({ type: 'application/json', text: '{"not json' })],
]

test.each(BODIES)(
  'every JSON route answers %s with %d in the one envelope',
  async (name, status, body) => {
    const problems: string[] = []
    const tried = routes().filter(takesJson)
    for (const { method, path, address } of tried)
      problems.push(...problemsOf(`${method} ${path}, ${name}`, status, await send(method, address, body(path))))
    expect(problems).toEqual([])
    expect(tried.length).toBeGreaterThan(30)
  },
  120_000,
)

test('every address below a route answers 404, and every other method 405, in the one envelope', async () => {
  const problems: string[] = []
  const all = routes()
  const taken = Map.groupBy(all, ({ address }) => address)
  for (const [address, own] of taken) {
    const below = await send('GET', `${address.replace(/\/+$/, '')}/no/such/resource`)
    problems.push(...problemsOf(`below ${address}`, 404, below))
    const answers = await Promise.all(METHODS.map((method) => send(method, address).then((a) => ({ ...a, method }))))
    const refused = answers.filter(({ status }) => status === 405)
    if (refused.length === 0) problems.push(`${address} takes every method`)
    for (const answer of refused) {
      problems.push(...problemsOf(`${answer.method} ${address}`, 405, answer))
      if (own.some(({ method }) => method === answer.method) || !answer.allow)
        problems.push(`${answer.method} ${address}: Allow is ${answer.allow}`)
    }
  }
  expect(problems).toEqual([])
  expect(taken.size).toBeGreaterThan(60)
}, 120_000)
