import { afterAll, beforeAll, expect, test } from 'bun:test'
import { z } from 'zod'
import { ROUTES } from '../../src/access/permissions.ts'
import { reaches } from '../../src/access/require-access.ts'
import { ROLES } from '../../src/domain/members/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { everybody, type Identity, loginAs, PASSWORD } from '../support/identities.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { prepareBusinessRequests, sessionRequests, type ValidRequest } from '../support/valid-requests.ts'

const METRICS_TOKEN = 'the-token-of-the-metrics'
const LONG = 300_000
const ORIGIN = 'https://agent.example.test'

let database: TestDatabase
let web: TestServer
let identities: Identity[]
let other: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url, {
    PUBLIC_BASE_URL: ORIGIN,
    TRUSTED_PROXIES: 'loopback',
    METRICS_TOKEN,
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'a token',
    TWILIO_WHATSAPP_FROM: 'whatsapp:+14155238886',
    PAYPAL_CLIENT_ID: 'id',
    PAYPAL_CLIENT_SECRET: 'secret',
    PAYPAL_API_BASE_URL: 'http://127.0.0.1:9',
  })
  ;({ identities, other } = await everybody(web, METRICS_TOKEN))
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const refused = z.union([
  z.object({ error: z.object({ code: z.string() }) }).transform(({ error }) => error.code),
  z.object({ code: z.string() }).transform(({ code }) => code),
  z.object({ status: z.string() }).transform(({ status }) => status),
])
let asked = 0

async function ask(route: string, request: ValidRequest, identity: Identity) {
  const [method = ''] = route.split(' ')
  asked++
  // Attempts are limited by address.
  const address = `198.52.${Math.floor(asked / 200)}.${(asked % 200) + 1}`
  const response = await fetch(`${web.url}${request.path}`, {
    method,
    headers: { 'Content-Type': 'application/json', Origin: ORIGIN, 'X-Forwarded-For': address, ...identity.headers },
    ...(method === 'GET' ? {} : { body: JSON.stringify(request.body ?? {}) }),
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  })
  return { status: response.status, text: await response.text() }
}

/** Null when the answer is a success, or the refusal that the request names. */
async function faultOf(route: string, request: ValidRequest, identity: Identity): Promise<string | null> {
  const { status, text } = await ask(route, request, identity)
  const fault = `${route} as ${identity.name}: ${status} ${text.slice(0, 200)}`
  const { refusal } = request
  if (!refusal) return status >= 200 && status <= 399 ? null : fault
  if (status !== refusal.status) return fault
  return refused.parse(JSON.parse(text)) === refusal.code ? null : fault
}

const routesOf = (access: string) =>
  Object.entries(ROUTES)
    .filter(([, rule]) => rule.access === access)
    .map(([route]) => route)
    .sort()

test(
  'every route of a business answers whom its rule names',
  async () => {
    const faults: (string | null)[] = []
    let allowed = 0
    for (const [prefix, businessId] of [
      ['A: ', web.businessId],
      ['B: ', other],
    ] as const) {
      const requests = await prepareBusinessRequests(web, businessId)
      expect(Object.keys(requests).sort()).toEqual(routesOf('business'))
      for (const [route, request] of Object.entries(requests)) {
        const rule = ROUTES[route]
        if (rule?.access !== 'business') throw new Error(`${route} is not a business's`)
        for (const identity of identities) {
          if (!identity.name.startsWith(prefix) || !identity.access || !reaches(identity.access, rule.needs)) continue
          allowed++
          faults.push(await faultOf(route, request(), identity))
        }
      }
    }
    expect(faults.filter((fault) => fault !== null)).toEqual([])
    expect(allowed).toBeGreaterThan(150)
  },
  LONG,
)

test(
  'every route of a person who is logged in answers that person',
  async () => {
    const faults: (string | null)[] = []
    for (const route of routesOf('console'))
      for (const role of ROLES) {
        // New for each, since some of them end the session or change the password.
        const identity = await loginAs(web, other, role)
        const answer = await ask('GET', { path: '/api/auth/get-session' }, identity)
        const { session } = z.object({ session: z.object({ token: z.string() }) }).parse(JSON.parse(answer.text))
        const request = sessionRequests(PASSWORD, session.token)[route]
        if (!request) throw new Error(`There is no valid request of ${route}.`)
        faults.push(await faultOf(route, request(), identity))
      }
    expect(faults.filter((fault) => fault !== null)).toEqual([])
  },
  LONG,
)

test('every route of the operations answers operators and the metrics token', async () => {
  expect(routesOf('operations')).toEqual(['GET /metrics'])
  for (const identity of identities)
    if (identity.access?.operator || identity.name === 'the metrics token')
      expect(await faultOf('GET /metrics', { path: '/metrics' }, identity)).toBeNull()
})

/** The addresses of the console's screens; `./start_all.sh install` builds them. */
const SCREENS = Object.keys(ROUTES)
  .filter((route) => route.startsWith('GET /console') && !route.includes(':file'))
  .map((route): [string, ValidRequest] => [route, { path: route.slice('GET '.length).replace(/:\w+/g, newId()) }])

/** Routes for everybody that take no secret of a carrier, a provider, a link or a login. */
const OPEN: Record<string, ValidRequest> = {
  'GET /': { path: '/' },
  'GET /healthz': { path: '/healthz' },
  'GET /readyz': {
    path: '/readyz',
    refusal: { status: 503, code: 'not_ready', because: 'No worker runs beside the server of this test.' },
  },
  'GET /version': { path: '/version' },
  'GET /favicon.ico': { path: '/favicon.ico' },
  'GET /webhook/incoming_call_preview': { path: '/webhook/incoming_call_preview' },
  'POST /webhook/stream_status': { path: '/webhook/stream_status' },
  'POST /webhook/stream_ended': { path: '/webhook/stream_ended' },
  'GET /api/auth/get-session': { path: '/api/auth/get-session' },
  'GET /admin/login': { path: '/admin/login' },
  'GET /admin/forgot': { path: '/admin/forgot' },
  ...Object.fromEntries(SCREENS),
}

test(
  'every route that asks for no secret answers everybody',
  async () => {
    const faults: (string | null)[] = []
    for (const [route, request] of Object.entries(OPEN)) {
      expect(ROUTES[route]?.access).toBe('public')
      for (const identity of identities) faults.push(await faultOf(route, request, identity))
    }
    expect(faults.filter((fault) => fault !== null)).toEqual([])
  },
  LONG,
)
