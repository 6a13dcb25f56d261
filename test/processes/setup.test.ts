import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type Environment, loadConfig } from '../../src/config.ts'
import {
  authenticateApiKey,
  bootstrapKeyExists,
  createApiKey,
  revokeApiKey,
} from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { sealStoredSecrets } from '../../src/domain/webhooks/index.ts'
import { createSecretBox, deriveKey } from '../../src/lib/secret-box.ts'
import { setUp } from '../../src/processes/setup.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const SECRET = 'a secret of the tests'
const EMAIL = 'owner@shop.example'
let database: TestDatabase
let web: TestServer

const start = (extra: Environment = {}) =>
  setUp(
    loadConfig({
      DATABASE_URL: database.url,
      DATA_DIR: temporaryDirectory('setup'),
      LOG_LEVEL: 'silent',
      SANDBOX: '0',
      SESSION_SECRET: SECRET,
      ADMIN_EMAIL: EMAIL,
      ADMIN_PASSWORD: 'first granite lantern',
      API_KEY: 'al_first-bootstrap-key-01',
      ...extra,
    }),
  )

const opens = async (key: string) => (await authenticateApiKey(web.deps.ctx, key)) !== null

const signIn = (password: string) =>
  fetch(`${web.url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Origin: web.url },
    body: JSON.stringify({ email: EMAIL, password }),
  })

beforeAll(async () => {
  database = await createTestDatabase()
  await start()
  web = await startTestServer(database.url, { SESSION_SECRET: SECRET })
})

afterAll(async () => {
  await web.stop()
  await database.drop()
})

test('a key that is replaced in the settings opens nothing any more, and does not come back', async () => {
  const own = within(web.deps.ctx, web.businessId)
  const { key: other } = await createApiKey(own, { name: 'cash desk', scope: 'admin' })
  await start()
  expect(await opens('al_first-bootstrap-key-01')).toBe(true)
  await start({ API_KEY: 'al_second-bootstrap-key-2' })
  expect([await opens('al_first-bootstrap-key-01'), await opens('al_second-bootstrap-key-2')]).toEqual([false, true])
  expect(await opens(other)).toBe(true)
  // With the old settings again: a leaked key stays revoked.
  await start()
  expect([await opens('al_first-bootstrap-key-01'), await opens('al_second-bootstrap-key-2')]).toEqual([false, false])
  await start({ API_KEY: 'al_third-bootstrap-key-03' })
  const third = await authenticateApiKey(web.deps.ctx, 'al_third-bootstrap-key-03')
  expect(third).toMatchObject({ scope: 'admin', operator: true })
  expect(await bootstrapKeyExists(own)).toBe(true)
  // Revoked by hand, it stays revoked through a restart.
  await revokeApiKey(own, third?.id ?? '')
  await start({ API_KEY: 'al_third-bootstrap-key-03' })
  expect(await opens('al_third-bootstrap-key-03')).toBe(false)
  await expect(createApiKey(own, { name: 'bootstrap' })).rejects.toMatchObject({ code: 'name_reserved' })
})

test('a key of the first business runs the installation only when it was made for that', async () => {
  const ask = async (operator: boolean) => {
    const { key } = await createApiKey(within(web.deps.ctx, web.businessId), { name: 'x', scope: 'admin', operator })
    return (await fetch(`${web.url}/api/v1/businesses`, { headers: { Authorization: `Bearer ${key}` } })).status
  }
  expect([await ask(false), await ask(true)]).toEqual([403, 200])
  const admin = await createApiKey(within(web.deps.ctx, web.businessId), { name: 'x', scope: 'admin' })
  const climb = await fetch(`${web.url}/api/v1/keys`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${admin.key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'climb', scope: 'admin', operator: true }),
  })
  expect(climb.status).toBe(403)
})

test('a password that is replaced in the settings is the owner’s; one that its owner changed since stays', async () => {
  const first = await signIn('first granite lantern')
  expect(first.status).toBe(200)
  const cookie = first.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
  await start({ ADMIN_PASSWORD: 'second granite lantern' })
  expect((await signIn('first granite lantern')).status).toBe(401)
  expect((await signIn('second granite lantern')).status).toBe(200)
  const me = await fetch(`${web.url}/api/v1/account`, { headers: { cookie } })
  expect(me.status).toBe(401)
  const again = await signIn('second granite lantern')
  const changed = await fetch(`${web.url}/api/auth/change-password`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Origin: web.url,
      cookie: again.headers
        .getSetCookie()
        .map((line) => line.split(';')[0])
        .join('; '),
    },
    body: JSON.stringify({ currentPassword: 'second granite lantern', newPassword: 'third granite lantern' }),
  })
  expect(changed.status).toBe(200)
  await start({ ADMIN_PASSWORD: 'second granite lantern' })
  expect((await signIn('third granite lantern')).status).toBe(200)
  // A session secret that changes does not make the old setting look new.
  await start({ ADMIN_PASSWORD: 'second granite lantern', SESSION_SECRET: 'another secret of the tests' })
  expect((await signIn('third granite lantern')).status).toBe(200)
  await expect(start({ ADMIN_PASSWORD: 'password123' })).rejects.toMatchObject({ code: 'password_too_common' })
})

test('signing secrets of webhooks that were stored as they are get sealed, and go on signing', async () => {
  const box = createSecretBox(deriveKey(SECRET, 'webhook secrets'))
  const key = (await createApiKey(within(web.deps.ctx, web.businessId), { name: 'hooks', scope: 'admin' })).key
  const made = await fetch(`${web.url}/api/v1/webhooks`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ url: 'https://example.com/hook' }),
  })
  const { id, secret } = (await made.json()) as { id: string; secret: string }
  expect(secret).toStartWith('whsec_')
  const stored = async () =>
    (await web.deps.database.sql<{ secret: string }[]>`select secret from webhook_endpoints where id = ${id}`)[0]
      ?.secret
  expect(await stored()).toStartWith('v1.')
  await web.deps.database.sql`update webhook_endpoints set secret = ${secret} where id = ${id}`
  await start()
  expect(await stored()).toStartWith('v1.')
  expect(await sealStoredSecrets(web.deps.ctx, box)).toBe(0)
  expect(box.open((await stored()) ?? '', `webhook:${id}`)).toBe(secret)
})
