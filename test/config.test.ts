import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROUTES, SOCKETS } from '../src/access/permissions.ts'
import { ConfigError, loadConfig } from '../src/config.ts'

const DATA_DIR = mkdtempSync(join(tmpdir(), 'agentlocator-config-'))
afterAll(() => rmSync(DATA_DIR, { recursive: true }))

function problemsOf(environment: Record<string, string>): string {
  try {
    loadConfig({ DATA_DIR, ...environment })
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

test('with nothing set it is a sandbox that needs nothing', () => {
  const config = loadConfig({ DATA_DIR })
  expect(config).toMatchObject({
    sandbox: true,
    host: '127.0.0.1',
    port: 5000,
    publicBaseUrl: 'http://localhost:5000',
    database: { kind: 'embedded' },
    queue: { kind: 'postgres' },
    twilio: { kind: 'absent' },
    speech: { engine: 'embedded' },
    maxConcurrentCalls: 200,
    drainSeconds: 300,
  })
  expect(loadConfig({ DATA_DIR }).sessionSecret).toBe(config.sessionSecret)
})

test('a public base URL ends in no slash whatever it was given', () => {
  for (const given of ['https://a.example', 'https://a.example/', 'https://a.example///', 'https://a.example/?x=1'])
    expect(loadConfig({ DATA_DIR, SANDBOX: '0', PUBLIC_BASE_URL: given }).publicBaseUrl).toBe('https://a.example')
  expect(loadConfig({ DATA_DIR, SANDBOX: '0', PUBLIC_BASE_URL: 'https://a.example/base/' }).publicBaseUrl).toBe(
    'https://a.example/base',
  )
})

test('a public base URL that begins with a path of the product is refused', () => {
  const refused = (path: string) =>
    problemsOf({ SANDBOX: '0', PUBLIC_BASE_URL: `https://a.example${path}` }).includes('a path of the product')
  const paths = [...Object.keys(ROUTES), ...Object.keys(SOCKETS)].map((route) => route.replace(/^\w+ /, ''))
  for (const path of paths) expect([path, refused(path)]).toEqual([path, path !== '/'])
  for (const path of ['/agent', '/agent/api', '/consoles', '/.admin'])
    expect([path, refused(path)]).toEqual([path, false])
})

test('a refused setting is named with what it got and what it wants, secrets kept back', () => {
  expect(problemsOf({ PORT: 'abc' })).toContain('PORT: got "abc"')
  const message = problemsOf({ API_KEY: 'short' })
  expect(message).toContain('API_KEY: got a secret value, wants at least 16 characters')
  expect(message).not.toContain('short')
})

test('production makes every missing secret an error and refuses the sandbox', () => {
  const message = problemsOf({ NODE_ENV: 'production', SANDBOX: '1' })
  expect(message).toContain('SANDBOX')
  expect(message).toContain('SESSION_SECRET: is not set')
  expect(message).toContain('PUBLIC_BASE_URL: is not set')
})

test('any TWILIO_ variable leaves the sandbox', () => {
  expect(loadConfig({ DATA_DIR, TWILIO_API_BASE_URL: 'http://127.0.0.1:1' }).sandbox).toBe(false)
  expect(problemsOf({ TWILIO_ACCOUNT_SID: `AC${'0'.repeat(32)}` })).toContain('TWILIO_AUTH_TOKEN: is not set')
})

test('a Redis Cluster is several addresses', () => {
  const REDIS_URL = 'redis://a:6379,redis://b:6379'
  expect(loadConfig({ DATA_DIR, REDIS_URL }).queue).toEqual({ kind: 'redis', url: REDIS_URL })
  expect(problemsOf({ REDIS_URL: 'redis://a:6379,http://b' })).toContain('REDIS_URL')
})
