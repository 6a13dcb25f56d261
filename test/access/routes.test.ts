import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createKeyLimit } from '../../src/access/key-limit.ts'
import { createAuth } from '../../src/access/login.ts'
import {
  CLOSED_LOGIN_ENDPOINTS,
  PREFIXES,
  permissionOf,
  ROUTES,
  type Rule,
  SOCKETS,
} from '../../src/access/permissions.ts'
import { reaches } from '../../src/access/require-access.ts'
import { restOperations, restRules } from '../../src/http/api/operations.ts'
import { isHandler, ruleOf } from '../../src/http/guard.ts'
import { appRouter } from '../../src/trpc/router.ts'
import { everybody, type Identity, loginAs } from '../support/identities.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { randomIntegers, withSeed } from '../support/seed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const METRICS_TOKEN = 'the-token-of-the-metrics'
const LONG = 300_000
const UNKNOWN_ID = '01900000-0000-7000-8000-000000000000'

let database: TestDatabase
let web: TestServer
let identities: Identity[]
let other: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url, {
    // Public, so that coming from this machine opens nothing.
    PUBLIC_BASE_URL: 'https://agent.example.test',
    TRUSTED_PROXIES: 'loopback',
    METRICS_TOKEN,
    BAILEYS_SECRET: 'a-secret-of-the-bridge',
    TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`,
    TWILIO_AUTH_TOKEN: 'a token',
  })
  ;({ identities, other } = await everybody(web, METRICS_TOKEN))
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const RULES = restRules('/api/v1')

/** Everybody but for most of the other business, whose members are like those of the first: two of them, another two each time. */
function someOf(random: (below: number) => number): Identity[] {
  const others = identities.filter(({ name }) => name.startsWith('B: '))
  const first = random(others.length)
  const chosen = [others[first], others[(first + 1 + random(others.length - 1)) % others.length]]
  return identities.filter((identity) => !others.includes(identity) || chosen.includes(identity))
}

/** Every route that answers, as method and pattern. */
function handlers(): { method: string; path: string }[] {
  const all = web.app.routes.filter(isHandler).map(({ method, path }) => `${method} ${path}`)
  return [...new Set(all)].map((key) => {
    const [method = '', path = ''] = key.split(' ')
    return { method, path }
  })
}

const REFUSALS = new Set([
  'api_key_required',
  'invalid_api_key',
  'scope_too_low',
  'role_too_low',
  'operator_only',
  'login_required',
  'not_a_member',
  'foreign_origin',
  'no_permission_entry',
  'no_business',
])

const answered = z.looseObject({
  error: z.looseObject({ code: z.unknown().optional(), data: z.unknown().optional() }).optional(),
})
const trpcData = z.looseObject({ error: z.looseObject({ code: z.string() }) })

type Outcome = { verdict: 'allowed' | 'refused'; status: number; text: string }

async function knock(method: string, path: string, identity: Identity, json: unknown = {}): Promise<Outcome> {
  const body = method === 'GET' || method === 'HEAD' ? {} : { body: JSON.stringify(json) }
  const aborted = new AbortController()
  const response = await fetch(`${web.url}${path}`, {
    method,
    // The board and the login ask where a browser's request comes from.
    headers: { 'Content-Type': 'application/json', Origin: 'https://agent.example.test', ...identity.headers },
    ...body,
    redirect: 'manual',
    signal: AbortSignal.any([aborted.signal, AbortSignal.timeout(10_000)]),
  })
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) {
    aborted.abort()
    return { verdict: 'allowed', status: response.status, text: 'a stream' }
  }
  const text = await response.text()
  return { verdict: REFUSALS.has(codeOf(text)) ? 'refused' : 'allowed', status: response.status, text }
}

function codeOf(text: string): string {
  try {
    const { error } = answered.parse(JSON.parse(text))
    const data = trpcData.safeParse(error?.data)
    return data.success ? data.data.error.code : String(error?.code ?? '')
  } catch {
    return ''
  }
}

/** What the table says of an identity, without the code under test. */
function verdictOf(rule: Rule, { name, access, session }: Identity): 'allowed' | 'refused' {
  switch (rule.access) {
    case 'public':
      return 'allowed'
    case 'business':
      return access && reaches(access, rule.needs) ? 'allowed' : 'refused'
    case 'procedures':
      return access ? 'allowed' : 'refused'
    case 'console':
      return session && (!rule.operator || access?.operator) ? 'allowed' : 'refused'
    case 'operations':
      return access?.operator || name === 'the metrics token' ? 'allowed' : 'refused'
  }
}

function addressOf(pattern: string): string {
  return pattern
    .replace(/:file(\{[^}]*\})?/, 'contacts.csv')
    .replace(/:\w+(\{[^}]*\})?/g, UNKNOWN_ID)
    .replace(/\*$/, 'x')
}

/** What may not happen whoever asks: an error of ours. Providers that are not set up say so. */
function isFault(status: number): boolean {
  return status >= 500 && status !== 501 && status !== 503
}

/** They end the session that the other calls need. */
const ENDS_SESSIONS = /\/(sign-out|logout|revoke-sessions)$/

describe('the table of routes', () => {
  test('has a rule for every registered route, and no rule without one', () => {
    const unlisted = handlers().filter(({ method, path }) => !ruleOf(method, path, RULES))
    expect(unlisted).toEqual([])
    const registered = new Set(handlers().map(({ method, path }) => `${method} ${path}`))
    // It is answered before the router, as it may never be late.
    registered.add('POST /webhook/stream_status')
    expect(Object.keys({ ...ROUTES, ...RULES }).filter((key) => !registered.has(key))).toEqual([])
    for (const prefix of Object.keys(PREFIXES))
      expect(handlers().some(({ path }) => path.startsWith(prefix))).toBe(true)
    expect(registered.size).toBeGreaterThan(150)
  })

  test('says of each public route why it is public', () => {
    for (const rule of Object.values({ ...ROUTES, ...PREFIXES, ...SOCKETS }))
      if (rule.access === 'public') expect(rule.because.length).toBeGreaterThan(20)
  })

  test('knows every address of the login service, served or closed', () => {
    const auth = createAuth({
      db: web.deps.ctx.db,
      secret: web.deps.config.sessionSecret,
      publicBaseUrl: 'https://agent.example.test',
      log: web.deps.log,
    })
    const offered = Object.values(auth.api).flatMap((api) => z.string().safeParse(Reflect.get(api, 'path')).data ?? [])
    const served = Object.keys(ROUTES)
      .map((key) => key.split(' ')[1] ?? '')
      .filter((path) => path.startsWith('/api/auth/'))
      .map((path) => path.slice('/api/auth'.length))
    expect(offered.filter((path) => !served.includes(path) && !CLOSED_LOGIN_ENDPOINTS.includes(path))).toEqual([])
    expect(served.filter((path) => CLOSED_LOGIN_ENDPOINTS.includes(path))).toEqual([])
  })

  test('a route without a rule answers 404 to every request', async () => {
    const { Hono } = await import('hono')
    const { createGuard } = await import('../../src/http/guard.ts')
    const { handleError } = await import('../../src/http/errors.ts')
    const app = new Hono()
    app.onError(handleError(web.deps.log))
    const principal = {
      ctx: web.deps.ctx,
      sandbox: true,
      publicBaseUrl: 'http://localhost',
      addressOf: () => '127.0.0.1',
      sessionOf: async () => ({ userId: 'x' }),
      firstBusiness: () => web.businessId,
      businessExists: () => true,
    }
    const yes = async () => true
    app.use(
      createGuard({
        app,
        principal,
        keyLimit: createKeyLimit(0),
        rules: {},
        isOperator: yes,
        mayOperate: yes,
      }) as never,
    )
    let reached = 0
    for (const path of ['/new', '/api/v1/new', '/admin/new', '/webhook/new'])
      app.all(path, (c) => {
        reached++
        return c.text('reached')
      })
    for (const path of ['/new', '/api/v1/new', '/admin/new', '/webhook/new'])
      expect((await app.request(`http://localhost${path}`, { headers: { host: 'localhost' } })).status).toBe(404)
    expect(reached).toBe(0)
  })
})

describe('every route admits exactly those whom its rule names', () => {
  test(
    'whoever knocks',
    withSeed(async (seed) => {
      const random = randomIntegers(seed)
      const wrong: string[] = []
      let knocked = 0
      const routes = handlers().filter(({ path }) => path !== '/trpc/*' && !ENDS_SESSIONS.test(path))
      for (const { method, path } of routes) {
        const rule = ruleOf(method, path, RULES)
        if (!rule) throw new Error(`no rule for ${path}`)
        for (const identity of someOf(random)) {
          // What may be emptied or sent stays empty: only whether it is reached is looked at.
          const outcome = await knock(method === 'ALL' ? 'POST' : method, addressOf(path), identity)
          knocked++
          const wanted = verdictOf(rule, identity)
          const fits = outcome.verdict === wanted && (wanted === 'allowed' || [401, 403].includes(outcome.status))
          if (!fits || isFault(outcome.status))
            wrong.push(`${method} ${path} as ${identity.name}: ${outcome.status} ${outcome.text.slice(0, 160)}`)
        }
      }
      expect(wrong).toEqual([])
      expect(knocked).toBe(routes.length * (identities.length - 5))
    }),
    LONG,
  )

  test(
    'also those that end the session they are called with',
    async () => {
      for (const { method, path } of handlers().filter((route) => ENDS_SESSIONS.test(route.path))) {
        const rule = ruleOf(method, path, RULES)
        if (!rule) throw new Error(`no rule for ${path}`)
        const anonymous = identities.find(({ name }) => name === 'anonymous')
        if (!anonymous) throw new Error('There is no anonymous identity.')
        for (const identity of [anonymous, await loginAs(web, other, 'viewer')]) {
          const outcome = await knock(method, path, identity)
          expect([path, identity.name, outcome.verdict]).toEqual([path, identity.name, verdictOf(rule, identity)])
          expect(isFault(outcome.status)).toBe(false)
        }
      }
    },
    LONG,
  )

  test(
    'every procedure by tRPC, alone and in a batch',
    withSeed(async (seed) => {
      const random = randomIntegers(seed)
      const wrong: string[] = []
      const paths = Object.keys(appRouter._def.procedures)
      const { type } = { type: z.looseObject({ type: z.string() }) }
      for (const path of paths) {
        const kind = type.parse(Reflect.get(Object(Reflect.get(appRouter._def.procedures, path)), '_def')).type
        const needs = permissionOf(path)
        if (!needs) throw new Error(`no entry for ${path}`)
        // Answers of a procedure that change nothing: an unknown id.
        const input = path.startsWith('system.')
          ? { queue: 'crm' }
          : { id: UNKNOWN_ID, noteId: UNKNOWN_ID, numberId: UNKNOWN_ID }
        for (const identity of someOf(random)) {
          const query = `?input=${encodeURIComponent(JSON.stringify(input))}`
          const outcome =
            kind === 'mutation'
              ? await knock('POST', `/trpc/${path}`, identity, input)
              : await knock('GET', `/trpc/${path}${query}`, {
                  ...identity,
                  headers: { ...identity.headers, ...(kind === 'subscription' ? { Accept: 'text/event-stream' } : {}) },
                })
          const wanted = identity.access && reaches(identity.access, needs) ? 'allowed' : 'refused'
          if (outcome.verdict !== wanted || isFault(outcome.status))
            wrong.push(`${path} as ${identity.name}: ${outcome.status} ${outcome.text.slice(0, 160)}`)
        }
      }
      expect(wrong).toEqual([])
      expect(restOperations().length).toBeLessThanOrEqual(paths.length)
    }),
    LONG,
  )

  test('a batch answers each call for itself, and at most twenty', async () => {
    const reader = identities.find(({ name }) => name === 'A: key read')
    if (!reader) throw new Error('no reader')
    const mixed = await fetch(`${web.url}/trpc/contacts.list,keys.list?batch=1&input=%7B%7D`, {
      headers: reader.headers,
    })
    expect(mixed.status).toBe(207)
    expect(await mixed.json()).toMatchObject([
      { result: {} },
      { error: { data: { code: 'FORBIDDEN', error: { code: 'scope_too_low' } } } },
    ])
    const many = Array.from({ length: 21 }, () => 'contacts.list').join(',')
    expect((await fetch(`${web.url}/trpc/${many}?batch=1&input=%7B%7D`, { headers: reader.headers })).status).toBe(400)
    expect(
      (await fetch(`${web.url}/trpc/${many.replaceAll(',', '%2C')}?batch=1`, { headers: reader.headers })).status,
    ).toBe(400)
    for (const path of ['__proto__', 'contacts.__proto__', 'toString', 'contacts', ''])
      expect((await fetch(`${web.url}/trpc/${path}`, { headers: reader.headers })).status).toBe(404)
  })

  test('every socket path is listed, and no other is opened', async () => {
    for (const path of ['/ws/other', '/ws/', '/ws/twilio-media/x', '/ws/twilio-mediax', '/ws/%74wilio-media'])
      expect(
        (await fetch(`${web.url}${path}`, { headers: { Upgrade: 'websocket', Connection: 'Upgrade' } })).status,
      ).toBe(404)
    for (const path of Object.keys(SOCKETS)) expect((await fetch(`${web.url}${path}`)).status).toBe(426)
  })

  test('a method that an address does not take is 405 and says which it takes', async () => {
    for (const { method, path } of handlers()) {
      if (method === 'ALL') continue
      const address = addressOf(path)
      for (const tried of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        const response = await fetch(`${web.url}${address}`, { method: tried, redirect: 'manual' })
        await response.body?.cancel()
        if (response.status !== 405) continue
        expect(response.headers.get('allow')?.split(', ')).toContain(method)
        expect(response.headers.get('allow')?.split(', ')).not.toContain(tried)
      }
    }
    const gone = await fetch(`${web.url}/api/v1/contacts`, { method: 'PUT' })
    expect([gone.status, gone.headers.get('allow')]).toEqual([405, 'GET, POST'])
  })

  test('unknown addresses of the login service are not counted', async () => {
    const count = async () =>
      (await web.deps.database.sql<{ n: number }[]>`select count(*)::int as n from auth_rate_limits`)[0]?.n
    const before = await count()
    for (let index = 0; index < 50; index++)
      expect((await fetch(`${web.url}/api/auth/${crypto.randomUUID()}`, { method: 'POST' })).status).toBe(404)
    for (const path of CLOSED_LOGIN_ENDPOINTS)
      expect((await fetch(`${web.url}/api/auth${path.replace(/:\w+/, 'x')}`, { method: 'POST' })).status).toBe(404)
    expect(await count()).toBe(before)
  })
})
