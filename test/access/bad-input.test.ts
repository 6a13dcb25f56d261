import { afterAll, beforeAll, expect, test } from 'bun:test'
import { z } from 'zod'
import { createContact } from '../../src/domain/contacts/index.ts'
import { within } from '../../src/domain/context.ts'
import { type RestOperation, restOperations } from '../../src/http/api/operations.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { withSeed } from '../support/seed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 600_000
let database: TestDatabase
let web: TestServer
let admin: string
let contactId: string

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  admin = await web.key('admin')
  contactId = (await createContact(within(web.deps.ctx, web.businessId), { name: 'x' })).id
}, LONG)

afterAll(async () => {
  await web.stop()
  await database.drop()
})

const cursorOf = (time: string) =>
  Buffer.from(JSON.stringify([time, '01900000-0000-7000-8000-000000000000'])).toString('base64url')

/** What looks like a place in a list and is none: to every other field they are one text like the next. */
const CURSORS: unknown[] = [
  ...[
    '2026-02-31',
    '2026-02-31 10:00:00+00',
    '2026-02-28 10:00:00+99',
    '+99',
    '2026-02-28 24:00:00+00',
    '0000-01-01 00:00:00+00',
    '2026-02-28 10:00:60+00',
    'infinity',
    'now',
  ].map(cursorOf),
  Buffer.from('2026-02-31T00:00:00Z_x').toString('base64url'),
  Buffer.from('{"at":"+99","id":"x"}').toString('base64url'),
  '2026-02-31T00:00:00.000Z_01900000-0000-7000-8000-000000000000',
  '2026-02-31~01900000-0000-7000-8000-000000000000',
]

/** What may stand where something else belongs: each in every field of every operation. */
const HOSTILE: unknown[] = [
  ...CURSORS.slice(0, 1),
  '',
  ' ',
  'x',
  '2026-02-31',
  '2026-02-31T10:00:00Z',
  '2026-13-01T00:00:00Z',
  '+99',
  '-1',
  '0',
  '1e400',
  'NaN',
  'Infinity',
  '99999999999999999999',
  '9223372036854775808',
  '2147483648',
  '+020000-01-01T00:00:00Z',
  '-271821-04-20T00:00:00Z',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '01900000-0000-7000-8000-00000000000g',
  "' or 1=1 --",
  '%',
  '\\',
  '%zz',
  '../../etc/passwd',
  '__proto__',
  'x'.repeat(70_000),
  '\u202e\ud83d\ude00',
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  9_007_199_254_740_992,
  [],
  [null],
  [[]],
  {},
  { a: { b: {} } },
  [1, 'x', {}],
]

const answer = z.object({
  success: z.literal(false),
  error: z.looseObject({ code: z.string(), message: z.string().min(5), field: z.string().optional() }),
})

async function send(operation: RestOperation, fields: Record<string, unknown>) {
  const url = new URL(
    `/api/v1${operation.route.replace(/:(\w+)/g, (_, name) => encodeURIComponent(String(fields[name] ?? contactId)))}`,
    web.url,
  )
  const reads = operation.method === 'GET' || operation.method === 'DELETE'
  if (reads)
    for (const [name, value] of Object.entries(fields))
      if (!operation.inRoute.includes(name))
        url.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  const response = await fetch(url, {
    method: operation.method,
    headers: { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' },
    ...(reads ? {} : { body: JSON.stringify(fields) }),
    signal: AbortSignal.timeout(20_000),
  })
  return { status: response.status, text: await response.text() }
}

/** A value that may pass, so that the field that is tried is the first that is looked at. */
function plausible(name: string, schema: unknown): unknown {
  const {
    type,
    enum: values,
    format,
    minimum,
  } = z
    .looseObject({
      type: z.unknown().optional(),
      enum: z.array(z.unknown()).optional(),
      format: z.string().optional(),
      minimum: z.number().optional(),
    })
    .parse(schema)
  if (values) return values[0]
  if (format === 'uuid') return contactId
  if (format === 'date-time') return '2090-01-01T00:00:00Z'
  if (/url/i.test(name)) return 'https://example.com/x'
  if (/mail/i.test(name)) return 'x@example.com'
  if (/phone|number|^to$/i.test(name)) return '+972501234567'
  if (type === 'number' || type === 'integer') return Math.max(1, minimum ?? 1)
  if (type === 'boolean') return true
  if (type === 'array') return []
  if (type === 'object') return {}
  return 'x'
}

test(
  'whatever stands in whichever field of whichever operation, nothing of ours fails, and what is refused names its field',
  withSeed(async (seed) => {
    // A quarter of them in each field, the next quarter in the next; the seed chooses where that begins.
    let fields = seed
    const quarter = () => {
      fields++
      return HOSTILE.filter((_, index) => (index + fields) % 4 === 0)
    }
    const faults: string[] = []
    const fieldless: string[] = []
    let tried = 0
    const tryAll = async (operation: RestOperation) => {
      const base = Object.fromEntries(
        operation.required.map((name) => [name, plausible(name, operation.fields[name] ?? {})]),
      )
      for (const name of Object.keys(operation.fields)) {
        const tries = operation.kind === 'query' ? 8 : 1
        const values = name === 'cursor' ? [...CURSORS, ...HOSTILE] : quarter()
        for (let from = 0; from < values.length; from += tries)
          await Promise.all(
            values.slice(from, from + tries).map(async (value) => {
              if (
                operation.inRoute.includes(name) &&
                (value === '' || typeof value !== 'string' || value.length > 5_000)
              )
                return
              const { status, text } = await send(operation, { ...base, [name]: value })
              tried++
              const line = `${operation.procedure} ${name}=${JSON.stringify(value)?.slice(0, 60)}: ${status} ${text.slice(0, 120)}`
              if (status >= 500 && status !== 501 && status !== 503) faults.push(line)
              if (status !== 400) return
              const { error } = answer.parse(JSON.parse(text))
              if (error.field === undefined) fieldless.push(line)
            }),
          )
      }
    }
    // `businesses.create` makes a whole business each time.
    const operations = restOperations().filter((each) => each.procedure !== 'businesses.create')
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        for (let next = operations.pop(); next; next = operations.pop()) await tryAll(next)
      }),
    )
    expect(faults).toEqual([])
    expect(fieldless).toEqual([])
    expect(tried).toBeGreaterThan(5_000)
  }),
  LONG,
)

test(
  'the hand-written routes hold the same',
  async () => {
    const paths = ['/api/v1/recordings', '/api/whatsapp/list', '/api/payments', '/api/whatsapp/status']
    const names = [
      'cursor',
      'limit',
      'contactId',
      'callId',
      'from',
      'to',
      'status',
      'provider',
      'conversationId',
      'id',
      'state',
    ]
    for (const path of paths)
      for (const name of names)
        for (const value of name === 'cursor' ? [...CURSORS, ...HOSTILE] : HOSTILE) {
          if (typeof value !== 'string' || value.length > 5_000) continue
          const response = await fetch(`${web.url}${path}?${name}=${encodeURIComponent(value)}`, {
            headers: { Authorization: `Bearer ${admin}` },
          })
          const text = await response.text()
          expect([path, name, value, response.status < 500 ? 'fine' : text]).toEqual([path, name, value, 'fine'])
          if (response.status === 400)
            expect([path, name, value, answer.parse(JSON.parse(text)).error.field]).toEqual([path, name, value, name])
        }
    for (const path of [
      '/api/v1/recordings/:/audio',
      '/api/v1/turns/:/audio',
      '/api/v1/calls/:/trace',
      '/api/whatsapp/status/:',
      '/api/payments/:',
      '/pay/:',
      '/prompts/:/he/thanks.wav',
      '/api/v1/exports/:.csv',
    ])
      for (const value of HOSTILE) {
        if (typeof value !== 'string' || value === '' || value.length > 5_000) continue
        const response = await fetch(web.url + path.replace(':', encodeURIComponent(value)), {
          headers: { Authorization: `Bearer ${admin}` },
        })
        await response.arrayBuffer()
        expect([path, value, response.status < 500]).toEqual([path, value, true])
      }
  },
  LONG,
)
