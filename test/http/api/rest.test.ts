import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { createLogin } from '../../../src/access/login.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { grantMembership } from '../../../src/domain/members/index.ts'
import { oneTimeCode } from '../../support/one-time-code.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'

let database: TestDatabase
let web: TestServer
let admin: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url, { TRUSTED_PROXIES: 'loopback' })
  admin = await web.key('admin')
})

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const body = z.record(z.string(), z.unknown())

async function ask(
  method: string,
  path: string,
  options: { key?: string; json?: unknown; headers?: HeadersInit } = {},
) {
  const response = await fetch(`${web.url}${path}`, {
    method,
    headers: {
      ...(options.key ? { Authorization: `Bearer ${options.key}` } : {}),
      ...(options.json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...Object.fromEntries(new Headers(options.headers)),
    },
    ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    redirect: 'manual',
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: response.headers.get('content-type')?.includes('json') ? body.parse(JSON.parse(text)) : {},
  }
}

describe('REST', () => {
  test('makes, reads, changes and lists, with numbers and flags from the query', async () => {
    const made = await ask('POST', '/api/v1/contacts', { key: admin, json: { phone: '050-765-4321', name: 'נועה' } })
    expect(made.status).toBe(201)
    const id = z.uuid().parse(made.json.id)
    expect((await ask('GET', `/api/v1/contacts/${id}`, { key: admin })).json.phone).toBe('+972507654321')
    expect((await ask('PATCH', `/api/v1/contacts/${id}`, { key: admin, json: { name: 'נועה לוי' } })).json.name).toBe(
      'נועה לוי',
    )
    await ask('PATCH', `/api/v1/contacts/${id}/tags`, { key: admin, json: { add: ['x'] } })
    const list = await ask('GET', '/api/v1/contacts?limit=1&optedOut=false&tag=x', { key: admin })
    expect(list.json.items).toHaveLength(1)
    expect((await ask('GET', '/api/v1/contacts/tags', { key: admin })).json.items).toEqual([{ tag: 'x', contacts: 1 }])
    const found = await ask('GET', `/api/v1/search?q=${encodeURIComponent('לוי')}&kinds=contacts,notes`, {
      key: admin,
    })
    expect(found.json.contacts).toHaveLength(1)
  })

  test('speaks one error vocabulary', async () => {
    const bad = await ask('GET', '/api/v1/contacts?limit=9999', { key: admin })
    expect([bad.status, bad.json]).toEqual([
      400,
      { success: false, error: { code: 'invalid_input', field: 'limit', message: expect.any(String) } },
    ])
    const none = await ask('GET', '/api/v1/contacts/01900000-0000-7000-8000-000000000000', { key: admin })
    expect([none.status, none.json.error]).toEqual([404, { code: 'contact_not_found', message: expect.any(String) }])
    expect(
      (await ask('POST', '/api/v1/contacts', { key: admin, headers: { 'content-type': 'application/json' } })).status,
    ).toBe(201)
    expect((await ask('GET', '/api/v1/nothing', { key: admin })).status).toBe(404)
  })

  test('a key goes as far as its scope, its own business, and until it is revoked', async () => {
    const read = await web.key('read')
    expect((await ask('GET', '/api/v1/contacts', { key: read })).status).toBe(200)
    expect((await ask('POST', '/api/v1/contacts', { key: read, json: { name: 'x' } })).json.error).toMatchObject({
      code: 'scope_too_low',
    })
    // The older paths need the same permission.
    expect((await ask('POST', '/api/whatsapp/send', { key: read, json: { to: '0501234567', text: 'x' } })).status).toBe(
      403,
    )
    const other = await createBusiness(web.deps.ctx, { name: 'Other', language: 'en' })
    expect(
      (await ask('GET', '/api/v1/contacts', { key: read, headers: { 'x-business-id': other } })).json.error,
    ).toMatchObject({
      code: 'not_a_member',
    })
    const foreign = await web.key('admin', other)
    expect((await ask('GET', '/api/v1/system/queues', { key: foreign })).json.error).toMatchObject({
      code: 'operator_only',
    })
    expect((await ask('GET', '/api/v1/system/queues', { key: admin })).status).toBe(200)
    const keys = z.object({ items: z.array(z.object({ id: z.uuid(), scope: z.string() })) })
    const mine = keys
      .parse((await ask('GET', '/api/v1/keys', { key: admin })).json)
      .items.find(({ scope }) => scope === 'read')
    await ask('DELETE', `/api/v1/keys/${mine?.id}`, { key: admin })
    expect((await ask('GET', '/api/v1/contacts', { key: read })).json.error).toMatchObject({ code: 'invalid_api_key' })
  })

  test('a whole export is CSV that a spreadsheet opens and does not run', async () => {
    await ask('POST', '/api/v1/contacts', { key: admin, json: { name: '=HYPERLINK("http://evil")' } })
    const { text, headers } = await ask('GET', '/api/v1/exports/contacts.csv', { key: admin })
    expect(headers.get('content-type')).toContain('text/csv')
    expect(text.startsWith('id,phone') || text.startsWith('\ufeffid,phone')).toBe(true)
    expect(text).toContain(`"'=HYPERLINK(""http://evil"")"`)
    expect((await ask('GET', '/api/v1/exports/contacts.csv', { key: await web.key('write') })).status).toBe(403)
  })
})

describe('a login', () => {
  const credentials = { email: 'owner@example.com', password: 'correct horse' }
  let cookie = ''

  const signIn = (login: object, headers: Record<string, string> = {}) =>
    ask('POST', '/api/auth/sign-in/email', { json: login, headers: { Origin: web.url, ...headers } })

  beforeAll(async () => {
    const { db } = web.deps.ctx
    const userId = await createLogin(db, { ...credentials, name: 'Owner' })
    await db.transaction((tx) => grantMembership(tx, within(web.deps.ctx, web.businessId), userId, 'owner'))
    const answer = await signIn(credentials)
    expect(answer.status).toBe(200)
    cookie = answer.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
  })

  test('speaks for its membership, and for no business without one', async () => {
    const me = await ask('GET', '/api/v1/account', { headers: { cookie } })
    expect(me.json).toMatchObject({ role: 'owner', operator: true, businessId: web.businessId, scope: null })
    const other = await createBusiness(web.deps.ctx, { name: 'Not theirs', language: 'en' })
    expect(
      (await ask('GET', '/api/v1/account', { headers: { cookie, 'x-business-id': other } })).json.error,
    ).toMatchObject({
      code: 'not_a_member',
    })
  })

  test('is not lent to pages of other sites', async () => {
    const change = (headers: Record<string, string>) =>
      ask('POST', '/api/v1/contacts', { json: { name: 'csrf' }, headers: { cookie, ...headers } })
    expect((await change({ Origin: 'https://evil.example' })).json.error).toMatchObject({ code: 'foreign_origin' })
    expect((await change({ Origin: 'null' })).json.error).toMatchObject({ code: 'foreign_origin' })
    expect((await change({ 'Sec-Fetch-Site': 'cross-site' })).json.error).toMatchObject({ code: 'foreign_origin' })
    expect((await change({ Origin: 'http://127.0.0.1:1' })).json.error).toMatchObject({ code: 'foreign_origin' })
    expect((await change({ Origin: web.url })).status).toBe(201)
    const trpc = await fetch(`${web.url}/trpc/contacts.create`, {
      method: 'POST',
      headers: { cookie, Origin: 'https://evil.example', 'Content-Type': 'application/json' },
      body: JSON.stringify({ name: 'csrf' }),
    })
    expect(trpc.status).toBe(403)
  })

  test('guards the queue board, whoever is no owner of the first business', async () => {
    expect((await ask('GET', '/admin/queues', { headers: { accept: 'text/html' } })).status).toBe(302)
    expect((await ask('GET', '/admin/queues', { headers: { cookie } })).status).toBe(200)
    const login = await createLogin(web.deps.ctx.db, {
      email: 'agent@example.com',
      password: 'correct horse',
      name: 'Agent',
    })
    await web.deps.ctx.db.transaction((tx) =>
      grantMembership(tx, within(web.deps.ctx, web.businessId), login, 'manager'),
    )
    const answer = await signIn({ email: 'agent@example.com', password: 'correct horse' })
    const theirs = answer.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    expect((await ask('GET', '/admin/queues', { headers: { cookie: theirs } })).status).toBe(403)
  })

  test('asks for a one-time code once that is switched on', async () => {
    const enabled = await ask('POST', '/api/auth/two-factor/enable', {
      json: { password: credentials.password },
      headers: { cookie, Origin: web.url },
    })
    expect(enabled.status).toBe(200)
    const uri = new URL(z.string().parse(enabled.json.totpURI))
    const code = await oneTimeCode(uri.searchParams.get('secret') ?? '')
    const verified = await ask('POST', '/api/auth/two-factor/verify-totp', {
      json: { code },
      headers: { cookie, Origin: web.url },
    })
    expect(verified.status).toBe(200)
    const again = await signIn(credentials)
    expect(again.json.twoFactorRedirect).toBe(true)
    const half = again.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    // The password alone opens nothing.
    expect((await ask('GET', '/api/v1/account', { headers: { cookie: half } })).status).toBe(401)
    // The console's own form asks for the code as well.
    const form = (fields: Record<string, string>, headers: Record<string, string> = {}) =>
      fetch(`${web.url}/admin/login`, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers,
        redirect: 'manual',
      })
    const first = await form(credentials)
    expect(await first.text()).toContain('one-time-code')
    const partial = first.headers
      .getSetCookie()
      .map((line) => line.split(';')[0])
      .join('; ')
    // The code that switched it on is used up.
    expect((await form({ code }, { cookie: partial })).status).toBe(401)
    const next = await oneTimeCode(uri.searchParams.get('secret') ?? '', 1)
    expect((await form({ code: next }, { cookie: partial })).status).toBe(303)
  })

  test('stops guessing after ten tries a minute', async () => {
    const statuses: number[] = []
    for (let index = 0; index < 12; index += 1)
      statuses.push(
        (
          await signIn(
            { email: 'owner@example.com', password: `guess ${index}` },
            { 'x-forwarded-for': '198.51.100.7' },
          )
        ).status,
      )
    expect(statuses.slice(0, 10).every((status) => status === 401)).toBe(true)
    expect(statuses.slice(10)).toEqual([429, 429])
  })
})

describe('query parameters', () => {
  test('one that nothing reads is refused by its name', async () => {
    for (const [path, field] of [
      ['/api/v1/contacts?query=dana', 'query'],
      ['/api/v1/contacts?limit=5&Cursor=x', 'Cursor'],
      [`/api/v1/contacts/${Bun.randomUUIDv7()}?id=${Bun.randomUUIDv7()}`, 'id'],
      ['/api/v1/leads/board?__proto__=1', '__proto__'],
      ['/api/v1/recordings?from=2026-01-01', 'from'],
      ['/api/v1/exports/contacts.csv?tag=vip', 'tag'],
    ] as const) {
      const { status, json } = await ask('GET', path, { key: admin })
      expect([path, status, json]).toMatchObject([path, 400, { error: { code: 'unknown_parameter', field } }])
    }
    expect((await ask('GET', '/api/v1/contacts?tag=vip&limit=5', { key: admin })).status).toBe(200)
    expect((await ask('GET', '/api/v1/recordings?limit=5', { key: admin })).status).toBe(200)
  })

  test('the routes that carriers and earlier clients use take more than they read', async () => {
    for (const path of ['/api/whatsapp/list?query=x', '/api/whatsapp/status?x=1', '/api/payments?x=1'])
      expect([path, (await ask('GET', path, { key: admin })).status]).toEqual([path, 200])
  })
})

describe('the reference page without a login', () => {
  const page = { Accept: 'text/html,application/xhtml+xml', 'X-Forwarded-For': '203.0.113.9' }

  test('a browser is redirected to the login and back; a client gets 401', async () => {
    const led = await ask('GET', '/api/docs', { headers: page })
    expect([led.status, led.headers.get('location')]).toEqual([302, '/admin/login?next=%2Fapi%2Fdocs'])
    const login = await ask('GET', '/admin/login?next=%2Fapi%2Fdocs', { headers: page })
    expect(login.text).toContain('name="next" value="/api/docs"')
    const elsewhere = await ask('GET', '/admin/login?next=%2Fapi%2Fdocs%2F..%2F..%2Fx', { headers: page })
    expect(elsewhere.text).toContain('name="next" value="/admin"')
    const client = { 'X-Forwarded-For': '203.0.113.9' }
    for (const headers of [client, { ...page, Authorization: 'Bearer al_wrong' }]) {
      const { status, json } = await ask('GET', '/api/docs', { headers })
      expect([status, json.success]).toEqual([401, false])
    }
    expect((await ask('GET', '/api/openapi.json', { headers: page })).status).toBe(401)
    expect((await ask('GET', '/api/docs', { key: admin, headers: page })).status).toBe(200)
  })
})
