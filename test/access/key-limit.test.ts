import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createKeyLimit } from '../../src/access/key-limit.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 60_000

describe('the limit of API keys', () => {
  test('counts each key by itself and begins anew after a minute', () => {
    let now = 0
    const limit = createKeyLimit(3, () => now)
    const headers: Record<string, string> = {}
    const take = (id: string, calls = 1) =>
      limit.take({ kind: 'api_key', id }, calls, (name, value) => {
        headers[name] = value
      })
    take('a', 2)
    expect(headers).toEqual({ 'RateLimit-Policy': '"api-key";q=3;w=60', RateLimit: '"api-key";r=1;t=60' })
    now = 20_500
    expect(() => take('a', 2)).toThrow('Retry in 40 seconds')
    expect(headers).toMatchObject({ RateLimit: '"api-key";r=1;t=40', 'Retry-After': '40' })
    // What was refused is not counted.
    take('a')
    expect(() => take('a')).toThrow('too many requests')
    take('b', 3)
    now = 60_000
    take('a', 3)
    expect(headers.RateLimit).toBe('"api-key";r=0;t=60')
  })

  test('is not for members, nor where it is set to none', () => {
    const never = () => {
      throw new Error('a header')
    }
    for (let times = 0; times < 10; times++) {
      createKeyLimit(1).take({ kind: 'user', id: 'a' }, 5, never)
      createKeyLimit(0).take({ kind: 'api_key', id: 'a' }, 5, never)
    }
  })
})

describe('a server', () => {
  let database: TestDatabase
  let web: TestServer

  beforeAll(async () => {
    database = await createTestDatabase()
    web = await startTestServer(database.url, { API_RATE_LIMIT: '5' })
  }, LONG)

  afterAll(async () => {
    await web.stop()
    await database.drop()
  })

  const ask = (path: string, key: string, init: RequestInit = {}) =>
    fetch(`${web.url}${path}`, { ...init, headers: { Authorization: `Bearer ${key}` } })

  test('answers 429 with the headers of the draft, whatever serves the request', async () => {
    const key = await web.key('read')
    const seen = []
    for (const path of [
      '/api/v1/contacts',
      '/api/whatsapp/list',
      '/trpc/contacts.list,leads.list?batch=1&input=%7B%7D',
      // A file that is not there.
      `/api/v1/media/${Bun.randomUUIDv7()}`,
    ]) {
      const response = await ask(path, key)
      seen.push([response.status, response.headers.get('ratelimit')?.replace(/t=\d+/, 't=')])
      expect(response.headers.get('ratelimit-policy')).toBe('"api-key";q=5;w=60')
      expect(response.headers.get('retry-after')).toBeNull()
    }
    expect(seen).toEqual([
      [200, '"api-key";r=4;t='],
      [200, '"api-key";r=3;t='],
      [200, '"api-key";r=1;t='],
      [404, '"api-key";r=0;t='],
    ])
    for (const path of ['/api/v1/contacts', '/api/payments', '/trpc/contacts.list']) {
      const response = await ask(path, key)
      expect([path, response.status]).toEqual([path, 429])
      expect(Number(response.headers.get('retry-after'))).toBeWithin(1, 61)
      expect(response.headers.get('ratelimit')).toStartWith('"api-key";r=0;t=')
      expect(JSON.stringify(await response.json())).toContain('rate_limited')
    }
    // Another key of the same business has its own.
    expect((await ask('/api/v1/contacts', await web.key('read'))).status).toBe(200)
  })

  test('counts a request before its permission, so that a stolen key cannot try everything', async () => {
    const key = await web.key('read')
    const statuses = []
    for (let times = 0; times < 7; times++)
      statuses.push((await ask(`/api/v1/contacts/${Bun.randomUUIDv7()}`, key, { method: 'DELETE' })).status)
    expect(statuses).toEqual([403, 403, 403, 403, 403, 429, 429])
  })
})
