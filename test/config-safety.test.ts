import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, loadConfig, SETTINGS } from '../src/config.ts'
import { PRODUCTION_SAFETY } from '../src/config-safety.ts'

/** Production as it should be. */
const SOUND = {
  NODE_ENV: 'production',
  DATA_DIR: '/srv/agentlocator',
  PUBLIC_BASE_URL: 'https://voice.shop.example/base',
  SESSION_SECRET: 'Qm9vayBsYW50ZXJuIGdyYW5pdGUgNDIhIQ',
  DATABASE_URL: 'postgres://agentlocator:c7Jq2v-Xx9@db:5432/agentlocator',
  TRUSTED_PROXIES: 'loopback',
}

function problemsOf(extra: Record<string, string>): string[] {
  try {
    loadConfig({ ...SOUND, ...extra })
    return []
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
}

/** For every setting that has a rule: what is refused, and what is not. */
const CASES: Record<string, { refused: string[]; taken: string[] }> = {
  PUBLIC_BASE_URL: {
    refused: ['http://voice.shop.example', 'http://10.0.0.5:5000', 'https://user:pass@voice.shop.example'],
    taken: ['https://voice.shop.example', 'http://localhost:5000', 'http://127.0.0.1:5000', 'http://[::1]:5000'],
  },
  DATA_DIR: {
    refused: ['/', '/tmp', '/tmp/', '/home', '/var/tmp', '/etc'],
    taken: ['/srv/data', '/tmp/mine', '/data', './data'],
  },
  DATABASE_URL: {
    refused: [
      'postgres://agentlocator@db:5432/agentlocator',
      'postgres://postgres:postgres@db.shop.example/x',
      'postgres://postgres:change-me@10.0.0.1/x',
    ],
    taken: ['postgres://a:kD82-hsj2@db/x', 'postgres://a:secret@localhost/x', 'postgresql://a@127.0.0.1/x'],
  },
  REDIS_URL: {
    refused: ['redis://redis.shop.example:6379', 'redis://a:6379,redis://b.shop.example:6379'],
    taken: ['redis://redis:6379', 'redis://127.0.0.1', 'redis://10.1.2.3:6379', 'rediss://redis.shop.example:6379'],
  },
  METRICS_TOKEN: {
    refused: ['aaaaaaaaaaaaaaaa', 'changemechangeme'],
    taken: ['hG5_2kPq9-xWv0Zt', 'b3f1c2a490d87e65b3f1c2a490d87e66'],
  },
  SESSION_SECRET: {
    refused: [
      'aaaaaaaaaaaaaaaa',
      'abababababababababab',
      'changemechangeme',
      'change-me-change-me-please'.slice(0, 19),
      'my-super-secret-key',
      'supersecretpassword',
      'your-secret-key-123',
      'short',
    ],
    taken: ['hG5_2kPq9-xWv0Zt', 'b3f1c2a490d87e65b3f1c2a490d87e66', 'Qm9vayBsYW50ZXJuIGdyYW5pdGU='],
  },
  ADMIN_PASSWORD: {
    refused: ['short-pw1', 'aaaaaaaaaaaa', 'changeme1234', 'password123', 'abcabcabcabc', 'Admin-Password-1'],
    taken: ['New-Admin-Passw0rd', 'brook lantern granite'],
  },
  API_KEY: {
    refused: ['al_short-key-123', 'al_aaaaaaaaaaaaaaaaaaaa', 'secret-api-key-secret-api-key-', 'your-api-key-your-key'],
    taken: ['al_prodbootstrapkey0001', 'al_k3JHs92-dkLs0Qw8smZ1'],
  },
  BAILEYS_SECRET: {
    refused: ['baileys1', 'secretsecretsecret', 'aaaaaaaaaaaaaaaaaaaa'],
    taken: ['bridge-9f3k2-secret', 'kX93-s8Zq1-0aJd7-l2'],
  },
  ...Object.fromEntries(
    [
      'TWILIO_API_BASE_URL',
      'S3_ENDPOINT',
      'PAYPAL_API_BASE_URL',
      'TRANZILA_API_BASE_URL',
      'TRANZILA_REPORT_BASE_URL',
      'TRANZILA_PAY_BASE_URL',
      'TELEGRAM_API_BASE_URL',
      'GOOGLE_CALENDAR_BASE_URL',
      'MICROSOFT_CALENDAR_BASE_URL',
      'HEARTBEAT_URL',
      'COMPATIBLE_BASE_URL',
    ].map((name) => [
      name,
      {
        refused: ['http://api.vendor.example', 'http://203.0.113.7:9000'],
        taken: ['https://api.vendor.example', 'http://127.0.0.1:9000', 'http://minio:9000', 'http://192.168.1.4'],
      },
    ]),
  ),
  ...Object.fromEntries(
    ['OPENAI_REALTIME_URL', 'BAILEYS_WEBSOCKET_URL'].map((name) => [
      name,
      {
        refused: ['ws://api.vendor.example/x', 'ws://[2001:db8::1]/x'],
        taken: ['wss://api.vendor.example/x', 'ws://127.0.0.1:1/x'],
      },
    ]),
  ),
}

test('every setting has a decision, and every rule has cases', () => {
  expect(Object.keys(PRODUCTION_SAFETY).toSorted()).toEqual([...SETTINGS].toSorted())
  const ruled = Object.entries(PRODUCTION_SAFETY).filter(([, rule]) => rule('x:') !== null || ruleThrows(rule))
  for (const [name] of ruled) expect(Object.keys(CASES)).toContain(name)
  for (const name of Object.keys(CASES)) expect(SETTINGS).toContain(name)
})

/** Rules about addresses parse what the schema let through. */
function ruleThrows(rule: (value: string) => string | null): boolean {
  try {
    rule('no address')
    return false
  } catch {
    return true
  }
}

test('sound production settings are taken', () => {
  expect(problemsOf({})).toEqual([])
})

test.each(Object.entries(CASES))('%s', (name, { refused, taken }) => {
  const secret = /SECRET|PASSWORD|KEY|DATABASE_URL/.test(name)
  for (const value of refused) {
    const found = problemsOf({ [name]: value }).filter((line) => line.startsWith(`${name}: got `))
    expect({ value, lines: found.length }).toEqual({ value, lines: 1 })
    expect(found[0]).toContain('wants ')
    if (secret) expect(found[0]).not.toContain(name === 'DATABASE_URL' ? new URL(value).password || '\0' : value)
    // Outside production it is a person's own affair, as far as its form goes.
    if (name !== 'DATA_DIR' && value.length >= 16)
      expect(() =>
        loadConfig({ DATA_DIR: SOUND.DATA_DIR, SESSION_SECRET: SOUND.SESSION_SECRET, SANDBOX: '0', [name]: value }),
      ).not.toThrow()
  }
  for (const value of taken) expect({ value, found: problemsOf({ [name]: value }) }).toEqual({ value, found: [] })
})

test('production refuses the sandbox, and half a mail server', () => {
  expect(problemsOf({ SANDBOX: '1' }).join()).toContain('SANDBOX')
  expect(problemsOf({ SMTP_URL: 'smtp://mail.example' }).join()).toContain('MAIL_FROM: is not set')
  expect(problemsOf({ MAIL_FROM: 'a@b.example' }).join()).toContain('SMTP_URL: is not set')
  expect(problemsOf({ SMTP_URL: 'http://mail.example', MAIL_FROM: 'a@b.example' }).join()).toContain('SMTP_URL')
  expect(problemsOf({ SMTP_URL: 'smtps://u:p@mail.example', MAIL_FROM: 'no address' }).join()).toContain('MAIL_FROM')
  expect(problemsOf({ SMTP_URL: 'smtps://u:p@mail.example', MAIL_FROM: 'Shop <a@b.example>' })).toEqual([])
})

test('every setting stands in the example file, and nothing else does', () => {
  const example = readFileSync(join(import.meta.dir, '../.env.example'), 'utf8')
  const named = [...example.matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)].map((found) => found[1])
  expect([...new Set(named)].toSorted()).toEqual([...SETTINGS].toSorted())
})
