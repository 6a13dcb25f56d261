import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { and, eq } from 'drizzle-orm'
import { apiKeys, memberships, sessions, whatsappAccounts, whatsappLinks } from '../../db/schema/index.ts'
import { StreamGate, superviseStream, until } from '../../src/access/streams.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { createContact } from '../../src/domain/contacts/index.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership, type Role } from '../../src/domain/members/index.ts'
import { createAccount } from '../../src/domain/whatsapp/index.ts'
import { AppError } from '../../src/lib/errors.ts'
import { sha256Hex } from '../../src/lib/ids.ts'
import { appRouter } from '../../src/trpc/router.ts'
import { type Identity, loginAs } from '../support/identities.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { eventually, quietFor } from '../support/wait.ts'

const LONG = 60_000
let database: TestDatabase
let web: TestServer

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url, { TRUSTED_PROXIES: 'loopback' })
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

/** Every subscription of the router: a new one is held to the same. */
const SUBSCRIPTIONS = Object.entries(appRouter._def.procedures)
  .filter(([, procedure]) => Reflect.get(Object(Reflect.get(procedure, '_def')), 'type') === 'subscription')
  .map(([path]) => path)

/** Opens a stream; `ended` resolves with what came when the server closes it. */
async function open(path: string, headers: Record<string, string>) {
  const aborted = new AbortController()
  const response = await fetch(`${web.url}/trpc/${path}?input=%7B%7D`, {
    headers: { Accept: 'text/event-stream', ...headers },
    signal: aborted.signal,
  })
  let text = ''
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  const first = await reader?.read()
  text += first?.value ?? ''
  const ended = (async () => {
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) return text
      text += next.value
    }
  })().catch(() => text)
  return { status: response.status, ended, text: () => text, stop: () => aborted.abort() }
}

async function endsWithin<T>(ended: Promise<T>, ms: number): Promise<T | 'still open'> {
  return Promise.race([ended, Bun.sleep(ms).then(() => 'still open' as const)])
}

async function setRole(userId: string | null, businessId: string, role: Role | null) {
  const { db } = web.deps.ctx
  const mine = and(eq(memberships.userId, userId ?? ''), eq(memberships.businessId, businessId))
  if (role) await db.update(memberships).set({ role }).where(mine)
  else await db.delete(memberships).where(mine)
}

describe.each(SUBSCRIPTIONS)('%s', (path) => {
  const cases: [string, (identity: Identity) => Promise<void>][] = [
    ['a membership that is removed', ({ userId }) => setRole(userId, web.businessId, null)],
    [
      'a session that is ended',
      async ({ userId }) => void (await web.deps.ctx.db.delete(sessions).where(eq(sessions.userId, userId ?? ''))),
    ],
    [
      'a session that expires',
      async ({ userId }) =>
        void (await web.deps.ctx.db
          .update(sessions)
          .set({ expiresAt: new Date(Date.now() - 1_000) })
          .where(eq(sessions.userId, userId ?? ''))),
    ],
  ]
  test.each(cases)(
    'closes with %s',
    async (_, change) => {
      const identity = await loginAs(web, web.businessId, 'owner')
      // Without a header for the business: the oldest membership is meant.
      const stream = await open(path, { Cookie: identity.headers.Cookie ?? '' })
      expect(stream.status).toBe(200)
      await change(identity)
      expect(await endsWithin(stream.ended, 9_000)).not.toBe('still open')
    },
    LONG,
  )

  test(
    'closes with a key that is revoked',
    async () => {
      const key = await web.key('admin')
      const stream = await open(path, { Authorization: `Bearer ${key}` })
      await web.deps.ctx.db
        .update(apiKeys)
        .set({ revokedAt: new Date() })
        .where(eq(apiKeys.hash, sha256Hex(key)))
      expect(await endsWithin(stream.ended, 9_000)).not.toBe('still open')
    },
    LONG,
  )
})

test(
  'a member who is moved to another business gets nothing of either',
  async () => {
    const other = await createBusiness(web.deps.ctx, { name: 'Second', language: 'en' })
    const identity = await loginAs(web, web.businessId, 'viewer')
    await web.deps.ctx.db.transaction((tx) =>
      grantMembership(tx, within(web.deps.ctx, other), identity.userId ?? '', 'viewer'),
    )
    const stream = await open('events.stream', { Cookie: identity.headers.Cookie ?? '' })
    await setRole(identity.userId, web.businessId, null)
    expect(await endsWithin(stream.ended, 9_000)).not.toBe('still open')
    await createContact(within(web.deps.ctx, web.businessId), { name: 'Not for them' })
    expect(stream.text()).not.toContain('contact.create')
  },
  LONG,
)

test(
  'an owner who becomes a viewer no longer watches the queues',
  async () => {
    const identity = await loginAs(web, web.businessId, 'owner')
    const stream = await open('system.watchQueues', identity.headers)
    await setRole(identity.userId, web.businessId, 'viewer')
    expect(await endsWithin(stream.ended, 9_000)).not.toBe('still open')
    expect((await open('system.watchQueues', identity.headers)).status).toBe(403)
  },
  LONG,
)

test(
  'a stream whose right stays stays open',
  async () => {
    const stream = await open('events.stream', { Authorization: `Bearer ${await web.key('read')}` })
    expect(await endsWithin(stream.ended, 7_000)).toBe('still open')
    stream.stop()
  },
  LONG,
)

test(
  'a key may hold twenty streams at once, and gets its places back',
  async () => {
    const headers = { Authorization: `Bearer ${await web.key('read')}` }
    const streams = await Promise.all(Array.from({ length: 20 }, () => open('events.stream', headers)))
    const refused = await open('events.stream', headers)
    expect(refused.status).toBe(429)
    expect(refused.text()).toContain('too_many_streams')
    for (const stream of streams) stream.stop()
    let answer = ''
    for (let tries = 0; tries < 100 && !answer.includes('connected'); tries++) {
      const again = await open('events.stream', headers)
      if (!again.text().includes('too_many_streams')) answer = 'connected'
      again.stop()
      await Bun.sleep(50)
    }
    expect(answer).toBe('connected')
  },
  LONG,
)

describe('supervision', () => {
  test('ends at a refusal, waits while it cannot be checked, and not for ever', async () => {
    const unknown = async () => {
      throw new AppError('unavailable', 'database_unavailable', 'away')
    }
    const patient = superviseStream(unknown, { recheckMs: 5, unknownMs: 200 })
    await quietFor(80, 'the stream would have been closed at the first failed check')
    expect(patient.closing.aborted).toBe(false)
    await eventually(() => patient.closing.aborted, 'the end of the stream')
    patient.stop()
    // A check that never answers is no permission either.
    const stuck = superviseStream(() => new Promise(() => {}), { recheckMs: 5, unknownMs: 50 })
    await eventually(() => stuck.closing.aborted, 'the end of the stream')
    stuck.stop()
  })

  test('ends a stream that waits for something else', async () => {
    const closing = new AbortController()
    let done = 0
    async function* waits() {
      yield 1
      await new Promise(() => {})
    }
    const seen: number[] = []
    setTimeout(() => closing.abort(), 20)
    for await (const item of until(waits(), closing.signal, () => done++)) seen.push(item)
    expect([seen, done]).toEqual([[1], 1])
  })

  test('places are given back once', () => {
    const gate = new StreamGate({ actor: 1, address: 2, process: 3 })
    const leave = gate.enter({ kind: 'api_key', id: 'a' }, 'x')
    expect(() => gate.enter({ kind: 'api_key', id: 'a' }, 'y')).toThrow(/Too many/)
    gate.enter({ kind: 'api_key', id: 'b' }, 'x')
    expect(() => gate.enter({ kind: 'api_key', id: 'c' }, 'x')).toThrow(/Too many/)
    leave()
    leave()
    expect(gate.open).toBe(1)
  })
})

describe('the codes that link a WhatsApp account', () => {
  test('are shown to those who may link it, and to no one else by any way', async () => {
    const ctx = within(web.deps.ctx, web.businessId)
    const { id } = await createAccount(ctx)
    await ctx.db
      .update(whatsappLinks)
      .set({
        qr: 'CODE-TO-SCAN',
        qrExpiresAt: new Date(Date.now() + LONG),
        pairingCode: 'CODE-PAIR',
        pairingExpiresAt: new Date(Date.now() + LONG),
      })
      .where(eq(whatsappLinks.accountId, id))
    await ctx.db.update(whatsappAccounts).set({ state: 'scan_qr' }).where(eq(whatsappAccounts.id, id))
    const ways = [
      '/api/v1/whatsapp-accounts',
      `/api/v1/whatsapp-accounts/${id}`,
      '/trpc/whatsapp.list',
      '/api/whatsapp/status',
      '/api/v1/events',
    ]
    for (const scope of ['read', 'write', 'admin'] as const) {
      const headers = { Authorization: `Bearer ${await web.key(scope)}` }
      const texts = await Promise.all(ways.map(async (way) => (await fetch(web.url + way, { headers })).text()))
      const shown = ['CODE-TO-SCAN', 'CODE-PAIR'].filter((code) => texts.join('').includes(code))
      expect([scope, shown]).toEqual([scope, scope === 'admin' ? ['CODE-TO-SCAN', 'CODE-PAIR'] : []])
    }
  })
})
