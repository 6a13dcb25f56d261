import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLogger } from '../../src/lib/log.ts'
import { maskText } from '../../src/lib/redact.ts'

const SRC = join(import.meta.dir, '../..')

function logged(write: (log: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = []
  write(createLogger('trace', { process: 'test' }, { write: (line) => void lines.push(line) }))
  return lines.join('')
}

/** What must not stand in a log, in the forms in which it turns up. */
const CANARIES: Record<string, string> = {
  'a session cookie': 'agentlocator.session_token=CANARYtok3nXYZ.CANARYsig%3D',
  'a secure session cookie': '__Secure-agentlocator.session_token=CANARYtok3nXYZ',
  'a bearer token': 'Authorization: Bearer CANARYbearer1234567890',
  'basic credentials': 'Basic Q0FOQVJZOkNBTkFSWQ==CANARY',
  'an API key': 'the key al_CANARYkey0123456789abcd was used',
  'a vendor key': 'sk-CANARY0123456789abcdef',
  'a signing secret': 'whsec_CANARYabcdefghijklmnop+/=',
  'an invitation': 'GET /admin/invite/CANARYtoken_0123-abcdefghij',
  'a reset link': 'https://x.example/base/admin/reset/CANARYtoken0123?lang=he',
  'a token in a query': 'https://x.example/a?b=1&access_token=CANARYtoken&c=2',
  'a password in a query': '/x?password=CANARYpw',
  'a connection string': 'postgres://agentlocator:CANARYpw@127.0.0.1:5432/x',
  'a mail server': 'smtps://noreply:CANARY-pw@mail.example:465',
  'a password hash': 'params $argon2id$v=19$m=65536,t=2,p=1$CANARY$CANARY',
  'statement parameters': 'Failed query: insert into "calls" values ($1)\nparams: CANARY,+972501234567',
  'an address': 'no mailbox canary.person@example.com here',
  'a Hebrew address': 'אל CANARY.דנה@דוגמה.example',
  'a JSON body': '{"currentPassword":"CANARYpw","name":"x"}',
  'a number': 'call from +972501234567 ended',
  'a number with spaces': 'call from +972 50-123-4567 ended',
  'a national number': 'caller 050-1234567',
  'a bare number': 'caller 0501234567 and 972501234567',
  'a WhatsApp id': '972501234567@s.whatsapp.net',
  'a device of a WhatsApp id': '972501234567:12@s.whatsapp.net',
  'a Twilio address': 'whatsapp:+972501234567',
}

describe('no log line shows', () => {
  const leaks = /CANARY|canary\.person|501234567|50-123-?4567|50 123/
  test.each(Object.entries(CANARIES))('%s', (_, text) => {
    const failure = new Error(text, { cause: new Error(text) })
    const query = Object.assign(new Error(`Failed query: x\nparams: ${text}`), {
      query: text,
      params: [text],
      cause: failure,
    })
    const forms: [string, (log: ReturnType<typeof createLogger>) => void][] = [
      ['message', (log) => log.info(text)],
      ['field', (log) => log.warn({ reason: text }, 'x')],
      ['message beside fields', (log) => log.warn({ a: 1 }, text)],
      ['error alone', (log) => log.error(failure)],
      ['err', (log) => log.error({ err: failure }, 'x')],
      ['error', (log) => log.error({ error: failure }, 'x')],
      ['any field', (log) => log.error({ whatever: [{ deep: failure }] }, 'x')],
      ['a query', (log) => log.error({ err: query }, 'x')],
      ['an aggregate', (log) => log.error({ err: new AggregateError([failure, query], text) }, 'x')],
      ['child', (log) => log.child({ from: text }).info('x')],
      ['child of a child', (log) => log.child({ a: 1 }).child({ from: text, err: failure }).info('x')],
      ['url', (log) => log.info({ url: URL.canParse(text) ? new URL(text) : text }, 'x')],
    ]
    for (const [form, write] of forms) {
      const line = logged(write)
      expect(line.length).toBeGreaterThan(20)
      expect({ form, line }).toEqual({ form, line: expect.not.stringMatching(leaks) })
    }
  })

  test.each([
    'authorization',
    'Authorization',
    'cookie',
    'set-cookie',
    'password',
    'newPassword',
    'currentPassword',
    'secret',
    'clientSecret',
    'token',
    'accessToken',
    'sessionToken',
    'apiKey',
    'api_key',
    'authToken',
    'params',
    'body',
    'qr',
    'pairingCode',
    'webhook-signature',
    'hash',
  ])('a field called %s, at any depth', (name) => {
    for (const fields of [
      { [name]: 'CANARY' },
      { a: { b: [{ [name]: 'CANARY' }] } },
      { [name]: { inside: ['CANARY'] } },
    ])
      expect(logged((log) => log.info(fields, 'x'))).not.toContain('CANARY')
  })

  test('what a request or a buffer holds', () => {
    const request = new Request('https://x.example/', { headers: { Authorization: 'Bearer CANARYCANARY' } })
    for (const value of [request, request.headers, Buffer.from('CANARY'), new Map([['CANARY', 'CANARY']])])
      expect(logged((log) => log.info({ value }, 'x'))).not.toMatch(/CANARY|67,65/)
  })
})

test('what a log line is for still stands in it', () => {
  const ids = {
    callSid: `CA${'0123456789abcdef'.repeat(2)}`,
    businessId: '01a21888-63c0-75b3-aaab-70893e05bd5b',
    at: '2026-11-26T18:06:41.000Z',
    port: 5432,
    ms: 1764180401000,
    host: '127.0.0.1',
    jobId: 'hook-01a21888-63c0-75b3-aaab-70893e05bd5b-1234-0',
    version: '1.2.3',
    inputTokens: 12,
    phone: '…4567',
    ok: true,
    nothing: null,
  }
  const line = JSON.parse(logged((log) => log.info(ids, 'call ended after 1234 ms: carrier_hangup')))
  expect(line).toMatchObject({ ...ids, msg: 'call ended after 1234 ms: carrier_hangup', process: 'test' })
  const failure = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' })
  const described = JSON.parse(logged((log) => log.error({ err: failure }, 'x'))).err
  expect(described).toMatchObject({ type: 'Error', message: failure.message, code: 'ECONNREFUSED' })
  expect(described.stack).toContain('log.test.ts')
  expect(maskText('+972501234567')).toBe('…4567')
  expect(maskText('dana@example.com')).toBe('…@example.com')
})

describe('the sources', () => {
  const files = ['src', 'workers', 'db'].flatMap((directory) =>
    readdirSync(join(SRC, directory), { recursive: true })
      .map((name) => join(directory, String(name)))
      .filter((name) => name.endsWith('.ts')),
  )
  const linesOf = (pattern: RegExp, allowed: RegExp) =>
    files
      .filter((file) => !allowed.test(file))
      .flatMap((file) =>
        readFileSync(join(SRC, file), 'utf8')
          .split('\n')
          .flatMap((line, index) =>
            pattern.test(line) && !/^\s*(\*|\/\/)/.test(line) ? [`${file}:${index + 1} ${line.trim()}`] : [],
          ),
      )

  test('print nothing past the logger but what commands and the start tell a person', () => {
    expect(files.length).toBeGreaterThan(250)
    const terminal =
      /^src\/(cli\/|console\/|cli\.ts|processes\/(supervisor|setup|supervise\/run)\.ts|lib\/quiet-console\.ts|sandbox\/main\.ts)/
    expect(linesOf(/\bconsole\.\w+\(|process\.std(out|err)\.write/, terminal)).toEqual([])
  })

  test('turn no error into text by themselves', () => {
    const text =
      /String\((error|err|cause|reason|failure|thrown|e)\)|`\$\{(error|err|cause|failure|thrown)\}`|\b(error|err|cause|failure)\.stack\b/
    expect(linesOf(text, /^src\/lib\/errors\.ts$/)).toEqual([])
  })
})
