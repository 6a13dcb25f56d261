import { afterAll, beforeAll, expect, test } from 'bun:test'
import { rmSync } from 'node:fs'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../db/embedded.ts'
import { migrateDatabase } from '../../db/migrate.ts'
import { createLogger } from '../../src/lib/log.ts'
import { temporaryDirectory } from '../support/cleanup.ts'
import { ownPostgresDirectory, TEST_SETTINGS } from '../support/postgres.ts'
import { eventually } from '../support/product.ts'
import { type ProductProcess, runToEnd, startProductProcess } from '../support/product-process.ts'

const PASSWORD = 'canary-lantern-granite-7'
const NEW_PASSWORD = 'canary-granite-brook-9'
const NAME = 'CANARYUSERNAME'
const EMAIL = 'canary.owner@shop.example'
const KEY = 'al_canary-key-of-the-outage'
const SECRET = 'canary-session-secret-0123456789'
const dataDir = ownPostgresDirectory('log-outage')
const silent = createLogger('silent')
let postgres: EmbeddedPostgres
let server: ProductProcess
let cookie = ''

const start = () => startEmbeddedPostgres({ dataDir, logger: silent, settings: TEST_SETTINGS })

beforeAll(async () => {
  postgres = await start()
  await migrateDatabase(postgres.url)
  const env = {
    NODE_ENV: 'test',
    LOG_LEVEL: 'trace',
    SANDBOX: '0',
    HOST: '127.0.0.1',
    PORT: '0',
    DATA_DIR: temporaryDirectory('log-outage'),
    DATABASE_URL: postgres.url,
    SESSION_SECRET: SECRET,
    ADMIN_EMAIL: EMAIL,
    ADMIN_PASSWORD: PASSWORD,
    API_KEY: KEY,
  }
  await runToEnd('src/processes/setup.ts', env)
  server = await startProductProcess('src/processes/web-server.ts', env)
}, 120_000)

afterAll(async () => {
  await server?.stop(15_000)
  await postgres?.stop()
  rmSync(dataDir, { recursive: true, force: true })
}, 60_000)

async function ask(path: string, body?: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: { 'Content-Type': 'application/json', Origin: `http://127.0.0.1:${server.port}`, cookie, ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
    redirect: 'manual',
    signal: AbortSignal.timeout(30_000),
  })
  const text = await answer.text()
  return { status: answer.status, text, answer }
}

/** Everything that carries something which must not stand in a log. */
async function knock(): Promise<number[]> {
  const statuses: number[] = []
  const note = async (asked: ReturnType<typeof ask>) => void statuses.push((await asked).status)
  await note(ask('/api/v1/account'))
  await note(ask('/api/auth/get-session'))
  await note(ask('/api/auth/list-sessions'))
  await note(ask('/api/auth/update-user', { name: `${NAME}\u0000x` }))
  await note(ask('/api/auth/update-user', { name: `${NAME} column relation table` }))
  await note(ask('/api/auth/sign-up/email', { email: EMAIL, name: NAME, password: PASSWORD }))
  await note(ask('/api/auth/sign-in/email', { email: EMAIL, password: `${PASSWORD}x` }))
  await note(ask('/api/auth/sign-in/email', { email: `new.${EMAIL}`, password: PASSWORD }))
  await note(ask('/api/auth/change-password', { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }))
  await note(ask('/api/auth/two-factor/enable', { password: PASSWORD }))
  await note(ask('/api/v1/contacts', { name: NAME, phone: '+972501239876' }))
  await note(ask('/api/v1/contacts?tag=CANARYSEARCH'))
  await note(ask('/api/v1/invitations', { email: 'canary.guest@shop.example', role: 'agent' }))
  await note(ask('/api/v1/account', undefined, { cookie: '', Authorization: `Bearer ${KEY}` }))
  await note(ask('/admin/invite/CANARYTOKEN0123456789'))
  await note(ask('/admin/reset/CANARYTOKEN0123456789?lang=he'))
  await note(ask('/webhook/incoming_call', { CallSid: 'CAcanary', From: '+972501239876' }))
  return statuses
}

test('the log of an outage, and of what the database refuses, shows no secret and an unknown data', async () => {
  const login = await ask('/api/auth/sign-in/email', { email: EMAIL, password: PASSWORD })
  expect(login.status).toBe(200)
  const cookies = login.answer.headers.getSetCookie().map((line) => line.split(';')[0] ?? '')
  cookie = cookies.join('; ')
  const token =
    decodeURIComponent(cookies.find((pair) => pair.includes('session_token'))?.split('=')[1] ?? '').split('.')[0] ?? ''
  expect(token.length).toBeGreaterThan(20)
  const up = await knock()
  expect(up.filter((status) => status >= 500).length).toBeLessThanOrEqual(2)
  await postgres.stop()
  const down = await knock()
  expect(down.filter((status) => status >= 500).length).toBeGreaterThan(8)
  postgres = await start()
  await eventually(
    async () =>
      (await ask('/api/v1/account', undefined, { cookie: '', Authorization: `Bearer ${KEY}` })).status === 200,
    'the database to be back',
    30_000,
  )
  const lines = server.log.map((line) => JSON.stringify(line))
  expect(lines.length).toBeGreaterThan(10)
  const canaries = [
    token,
    PASSWORD,
    NEW_PASSWORD,
    NAME,
    EMAIL,
    KEY,
    SECRET,
    'CANARY',
    '$argon2',
    '501239876',
    'canary.guest',
  ]
  for (const line of lines) {
    const found = canaries.filter((canary) => line.includes(canary))
    expect({ line: found.length > 0 ? line : '', found }).toEqual({ line: '', found: [] })
  }
  // Nothing goes past the logger: every line is one of its own.
  expect(server.log.filter((line) => !('time' in line))).toEqual([])
}, 120_000)
