import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { createMetrics, LABELS } from '../../src/observability/metrics.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const METRICS_TOKEN = 'the-token-of-the-metrics'
const LONG = 120_000
let database: TestDatabase
let web: TestServer
let local: TestServer

beforeAll(async () => {
  database = await createTestDatabase()
  const twilio = { TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}`, TWILIO_AUTH_TOKEN: 'a token' }
  web = await startTestServer(database.url, {
    PUBLIC_BASE_URL: 'https://agent.example.test',
    TRUSTED_PROXIES: 'loopback',
    METRICS_TOKEN,
    ...twilio,
  })
  local = await startTestServer(database.url)
}, LONG)

afterAll(async () => {
  await local.stop()
  await web.stop()
  await database.drop()
})

/** Sends bytes as they are and answers what comes back until the server closes or stays silent. */
async function raw(server: TestServer, text: string, ms = 1_500): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let answer = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.server.port ?? 0,
    socket: {
      data(_, data) {
        answer += data.toString()
        if (answer.includes('\r\n\r\n')) resolve()
      },
      close: () => resolve(),
      error: () => resolve(),
      open: (opened) => void opened.write(text),
    },
  })
  const timer = setTimeout(resolve, ms)
  await promise
  clearTimeout(timer)
  socket.end()
  return answer
}

describe('security headers', () => {
  const addresses: [string, string, number][] = [
    ['GET', '/', 200],
    ['GET', '/healthz', 200],
    ['GET', '/version', 200],
    ['GET', '/nothing/here', 404],
    ['PUT', '/healthz', 405],
    ['GET', '/metrics', 401],
    ['GET', '/admin/login', 200],
    ['GET', '/admin/queues', 401],
    ['GET', '/api/v1/contacts', 401],
    ['GET', '/trpc/contacts.list', 401],
    ['POST', '/api/auth/sign-out', 400],
    ['GET', '/api/auth/get-session', 200],
    ['GET', '/api/auth/nothing', 404],
    ['GET', '/pay/01900000-0000-7000-8000-000000000000', 404],
    ['GET', '/prompts/default/en/voicemail.wav', 200],
    ['GET', '/webhook/incoming_call_preview', 200],
    ['POST', '/webhook/incoming_call', 403],
    ['POST', '/webhook/stream_status', 204],
    ['POST', '/webhook/stream_ended', 204],
    ['GET', '/ws/twilio-media', 426],
    ['GET', '/ws/other', 404],
    ['GET', '/%zz', 400],
    ['GET', '/%00', 400],
    ['GET', '/%ff', 400],
    ['GET', '/api/stripe/x', 410],
  ]
  test.each(addresses)('%s %s', async (method, path, status) => {
    const response = await fetch(web.url + path, {
      method,
      redirect: 'manual',
      headers: { Origin: 'https://agent.example.test', 'Content-Type': 'application/json' },
    })
    await response.arrayBuffer()
    expect(response.status).toBe(status)
    const { headers } = response
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000')
    expect(headers.get('referrer-policy')).toMatch(/^(same-origin|no-referrer)$/)
    expect(headers.get('permissions-policy')).toContain('microphone=()')
    expect(headers.get('cross-origin-opener-policy')).toBe('same-origin')
    if (!path.startsWith('/prompts')) expect(headers.get('cache-control')).toContain('no-store')
  })

  test('HSTS is for https alone', async () => {
    expect((await fetch(`${local.url}/healthz`)).headers.get('strict-transport-security')).toBeNull()
  })
})

describe('the Host header', () => {
  test.each(['a#b', '', 'a/b', 'a?b', 'a@b', 'a b', '[::1', 'a:99999', 'a:b', 'ä', '%41', 'a, b', '\\'])(
    '"%s" is refused, whatever lies behind',
    async (host) => {
      for (const path of [
        '/abc/metrics',
        '/abc/admin/login',
        '/healthz',
        '/ws/twilio-media',
        '/x/ws/twilio-media',
        '/webhook/stream_status',
      ])
        expect(await raw(local, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toStartWith('HTTP/1.1 400')
    },
  )

  test('is needed', async () => {
    expect(await raw(local, 'GET /abc/metrics HTTP/1.0\r\n\r\n')).toStartWith('HTTP/1.1 400')
    expect(await raw(local, 'GET /abc/metrics HTTP/1.1\r\n\r\n')).toStartWith('HTTP/1.1 400')
  })

  test.each(['localhost:5000', '127.0.0.1', '[::1]:5000', 'a_b.example', 'agent.example.test.'])(
    '%s is fine',
    async (host) => {
      expect(await raw(local, `GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).toStartWith('HTTP/1.1 200')
    },
  )
})

describe('how the installation is doing', () => {
  const status = async (server: TestServer, path: string, headers: Record<string, string> = {}) =>
    (await fetch(server.url + path, { headers })).status

  test('metrics: operators, the token, and this machine by its own name where nothing is public', async () => {
    const admin = { Authorization: `Bearer ${await web.key('admin')}` }
    const reader = { Authorization: `Bearer ${await web.key('read')}` }
    expect(await status(web, '/metrics')).toBe(401)
    expect(await status(web, '/metrics', { Host: 'localhost' })).toBe(401)
    expect(await status(web, '/metrics', reader)).toBe(403)
    expect(await status(web, '/metrics', admin)).toBe(200)
    expect(await status(web, '/metrics', { Authorization: `Bearer ${METRICS_TOKEN}` })).toBe(200)
    expect(await status(web, '/metrics', { Authorization: `Bearer ${METRICS_TOKEN}x` })).toBe(403)
    expect(await status(local, '/metrics')).toBe(200)
    expect(await status(local, '/metrics', { Host: 'evil.example' })).toBe(401)
    for (const name of ['X-Forwarded-For', 'True-Client-IP', 'Tailscale-User-Login', 'X-Anything'])
      expect([name, await status(local, '/metrics', { [name]: '127.0.0.1' })]).toEqual([name, 401])
  })

  test('strangers get the verdict and the version, nothing more', async () => {
    const json = async (path: string, headers: Record<string, string> = {}) =>
      (await fetch(web.url + path, { headers })).json()
    const admin = { Authorization: `Bearer ${await web.key('admin')}` }
    expect(Object.keys(await json('/readyz'))).toEqual(['status'])
    expect(Object.keys(await json('/version')).sort()).toEqual(['name', 'version'])
    expect(Object.keys(await json('/readyz', admin)).sort()).toEqual(['checks', 'missing', 'status'])
    expect(Object.keys(await json('/version', admin)).sort()).toEqual(['bun', 'commit', 'name', 'version'])
    expect(await status(web, '/api/docs')).toBe(401)
    expect(await status(web, '/api/openapi.json')).toBe(401)
  })
})

describe('metrics', () => {
  test('every label has a documented, finite domain, or is the runtime’s own', () => {
    const runtime = new Set(['version', 'major', 'minor', 'patch', 'kind', 'space', 'type', 'le'])
    for (const { name, labels } of createMetrics().labels())
      for (const label of labels)
        expect([name, label, label in LABELS || runtime.has(label)]).toEqual([name, label, true])
  })

  test('whatever is counted, the series stay few', async () => {
    const metrics = createMetrics()
    const wild = (index: number) => `${index}-${'x'.repeat(50)}`
    for (let index = 0; index < 5_000; index++) {
      const value = wild(index)
      metrics.httpRequests.inc({ method: value, route: '/', status: value })
      metrics.webhookEvents.inc({ event: value })
      metrics.callsEnded.inc({ reason: value })
      metrics.engineCostMicroUsd.inc({ business: value }, 1)
      metrics.responseMs.observe({ business: value }, 1)
      metrics.traceTrouble.inc({ what: value })
      metrics.jobs.inc({ job: value, outcome: 'done' })
      metrics.jobsEnqueued.inc({ job: value, outcome: 'done' })
    }
    expect((await metrics.metrics()).split('\n').length).toBeLessThan(9_000)
  })

  test(
    'thousands of paths and methods of strangers add no series',
    async () => {
      const series = async () =>
        (await (await fetch(`${web.url}/metrics`, { headers: { Authorization: `Bearer ${METRICS_TOKEN}` } })).text())
          .split('\n')
          .filter((line) => line.startsWith('agentlocator_http_requests_total{'))
      const methods = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']
      const knock = async (index: number) => {
        const id = crypto.randomUUID()
        const path = [
          `/${id}`,
          `/api/${id}/${id}`,
          `/webhook/${id}`,
          `/pay/${id}`,
          `/trpc/${id}`,
          `/api/v1/contacts/${id}`,
          `/admin/queues/${id}`,
        ][index % 7]
        await (
          await fetch(`${web.url}${path}`, { method: methods[index % methods.length] ?? 'GET', redirect: 'manual' })
        ).arrayBuffer()
      }
      for (let index = 0; index < 300; index++) await knock(index)
      const before = (await series()).length
      for (let round = 0; round < 60; round++)
        await Promise.all(Array.from({ length: 50 }, (_, index) => knock(round * 50 + index)))
      const after = await series()
      expect(after.length - before).toBeLessThanOrEqual(6)
      expect(after.join('\n')).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}/)
      expect(after.join('\n')).toContain('route="other"')
    },
    LONG,
  )
})
