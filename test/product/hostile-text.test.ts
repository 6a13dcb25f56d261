import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { WEBHOOKS } from '../../src/access/urls.ts'
import { restOperations } from '../../src/http/api/operations.ts'
import { announceCall, openStream } from '../support/media-stream.ts'
import { BAILEYS_SECRET, eventually, NUMBER, type Product, startProduct, WHATSAPP_SENDER } from '../support/product.ts'
import { testSeed } from '../support/seed.ts'

/** Random Unicode with NULs and halves of surrogate pairs, through every door: never 5xx, never stuck. */
let product: Product
/** Printed, so that TEST_SEED can repeat it. */
const SEED = testSeed() % 1_000_000

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom('a\0b', '\0', '\ud800', '\udc00x', '👨\ud83d', 'שלום\0', '\u202e\u0000', '%00', '\u0007\u001b[2J'),
)
const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(1e308, -1, 2 ** 53, 0.1))
const anything = fc.oneof(hostile, number, fc.boolean(), fc.constant(null), fc.array(hostile, { maxLength: 3 }))

beforeAll(async () => {
  console.info(`TEST_SEED=${SEED} repeats the random choices.`)
  product = await startProduct({ queue: 'redis', env: { LOG_LEVEL: 'info' } })
}, 60_000)
afterAll(() => product.stop())

/** A value for a field of a JSON schema: of its type where that is text, and now and then of another. */
function valueFor(schema: unknown): fc.Arbitrary<unknown> {
  const type = typeof schema === 'object' && schema !== null && 'type' in schema ? schema.type : null
  const format = typeof schema === 'object' && schema !== null && 'format' in schema ? schema.format : null
  const choices = typeof schema === 'object' && schema !== null && 'enum' in schema ? schema.enum : null
  if (Array.isArray(choices)) return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...choices) }, hostile)
  if (format === 'uuid') return fc.oneof({ weight: 4, arbitrary: fc.uuid({ version: 7 }) }, hostile)
  if (type === 'string') return fc.oneof({ weight: 6, arbitrary: hostile }, anything)
  if (type === 'number' || type === 'integer') return fc.oneof({ weight: 6, arbitrary: number }, anything)
  if (type === 'array') return fc.oneof(fc.array(hostile, { maxLength: 4 }), anything)
  if (type === 'object') return fc.oneof(fc.dictionary(hostile, hostile, { maxKeys: 3 }), anything)
  return anything
}

/** Not what the rows say, but what a fuzzer must not do to the installation that the other tests run on. */
const LEFT_ALONE = new Set([
  'businesses.create',
  'keys.revoke',
  'members.remove',
  'whatsapp.remove',
  'events.stream',
  'system.watchQueues',
])
const OPERATIONS = restOperations().filter(({ procedure }) => !LEFT_ALONE.has(procedure))

const samples = (operation: (typeof OPERATIONS)[number]) => {
  const fields = Object.fromEntries(Object.entries(operation.fields).map(([name, schema]) => [name, valueFor(schema)]))
  return fc.sample(fc.record(fields, { requiredKeys: operation.required }), { numRuns: 12, seed: SEED })
}

const allowed = (status: number) => status < 500 || status === 501
/** JSON escapes halves of pairs, and no whole one. */
const holdsUnstorable = (input: object) => /\\u(0000|d[89a-f])/.test(JSON.stringify(input))

describe('API inputs', () => {
  test.each(OPERATIONS.map((operation) => [operation.procedure, operation] as const))(
    '%s answers every input below 500, by REST and tRPC',
    async (_, operation) => {
      for (const input of samples(operation)) {
        const query = new URLSearchParams()
        const body: Record<string, unknown> = {}
        let route = operation.route
        for (const [name, value] of Object.entries(input))
          if (operation.inRoute.includes(name))
            route = route.replace(
              `:${name}`,
              encodeURIComponent((typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value)) || 'x'),
            )
          else if (operation.method === 'GET' || operation.method === 'DELETE')
            query.append(name, typeof value === 'string' ? value : JSON.stringify(value))
          else body[name] = value
        const rest = await product.api(`/api/v1${route.replace(/:\w+/g, 'x')}?${query}`, {
          method: operation.method,
          ...(operation.method === 'GET' || operation.method === 'DELETE'
            ? {}
            : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
        })
        if (!allowed(rest.status)) throw new Error(`REST ${rest.status} ${JSON.stringify(input)}: ${await rest.text()}`)
        const text = JSON.stringify(input)
        const trpc =
          operation.kind === 'query'
            ? await product.api(`/trpc/${operation.procedure}?input=${encodeURIComponent(text)}`)
            : await product.api(`/trpc/${operation.procedure}`, {
                method: 'POST',
                body: text,
                headers: { 'Content-Type': 'application/json' },
              })
        const answer = await trpc.text()
        if (!allowed(trpc.status)) throw new Error(`tRPC ${trpc.status} ${text}: ${answer}`)
        // What cannot be stored is refused with its field, whatever else is wrong with it; a file is judged by its reader.
        const judged = operation.procedure.startsWith('imports.') ? { ...input, csv: null } : input
        if (holdsUnstorable(judged) && operation.input) {
          expect([text, trpc.status]).toEqual([text, 400])
          expect(answer).toContain('invalid_input')
        }
      }
    },
    60_000,
  )

  test.each([
    '/api/v1/calls/%00',
    '/api/v1/contacts/a%00b',
    '/api/v1/search?q=%00',
    '/api/whatsapp/list?cursor=%00',
    '/api/payments/%00',
    '/api/v1/recordings/%00/audio',
    '/api/v1/turns/%00/audio',
    '/api/v1/exports/%00.csv',
    '/prompts/%00/he/voicemail.wav',
    '/pay/%00',
    '/admin/queues/%00',
    '/api/auth/%00',
    '/webhook/recording_action?business=%00',
  ])('GET %s is no fault of ours', async (path) => {
    expect((await product.api(path)).status).toBeLessThan(500)
  })

  test.each(['2026-02-31', '+99', '2026-02-31 10:00:00+00', '2026-01-01 10:00:00+99', '0000-01-01 00:00:00+00'])(
    'a cursor of %s is refused',
    async (time) => {
      const cursor = Buffer.from(JSON.stringify([time, '01a21888-63c0-75b3-aaab-70893e05bd5b'])).toString('base64url')
      for (const path of ['/api/v1/conversations', `/api/v1/contacts/01a21888-63c0-75b3-aaab-70893e05bd5b/timeline`]) {
        const query = new URLSearchParams({ cursor })
        const answer = await product.api(`${path}?${query}`)
        expect([path, answer.status]).toEqual([path, 400])
      }
    },
  )

  test('a name with a NUL is refused by the login’s own routes as well', async () => {
    // Those that need a session ask for it first.
    for (const path of ['/api/auth/sign-in/email', '/api/auth/two-factor/verify-totp']) {
      const answer = await fetch(`${product.url()}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: product.publicBaseUrl },
        body: JSON.stringify({ name: 'a\0b', email: 'a\0@example.com', password: 'p\0ssword' }),
      })
      expect([path, answer.status]).toEqual([path, 400])
      expect(await answer.json()).toMatchObject({ error: { code: 'invalid_input', field: 'name' } })
    }
  })

  test('JSON with a byte-order mark is read', async () => {
    const answer = await product.api('/api/v1/contacts', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: `\uFEFF${JSON.stringify({ name: 'Dana', phone: '+972501239876' })}`,
    })
    expect(answer.status).toBe(201)
  })
})

/** Each webhook of the carrier with the fields that it needs, which stay right; all others are random. */
const FORMS: Record<string, { fixed(id: string): Record<string, string>; random: string[] }> = {
  [WEBHOOKS.incomingCall]: {
    fixed: (id) => ({ CallSid: `CA${id}`, To: NUMBER }),
    random: ['From', 'CallerName', 'ForwardedFrom', 'FromCity', 'Unknown'],
  },
  [WEBHOOKS.streamEnded]: { fixed: (id) => ({ CallSid: `CA${id}` }), random: ['To', 'CallStatus'] },
  [WEBHOOKS.dialEnded]: { fixed: (id) => ({ CallSid: `CA${id}` }), random: ['To', 'DialCallStatus', 'CallStatus'] },
  [WEBHOOKS.callStatus]: {
    fixed: (id) => ({ CallSid: `CA${id}`, CallStatus: 'completed' }),
    random: ['CallDuration', 'X'],
  },
  [WEBHOOKS.recordingAction]: {
    fixed: (id) => ({ CallSid: `CA${id}` }),
    random: ['RecordingSid', 'RecordingUrl', 'Digits'],
  },
  [WEBHOOKS.recordingStatus]: {
    fixed: (id) => ({ CallSid: `CA${id}`, RecordingStatus: 'absent' }),
    random: ['RecordingDuration'],
  },
  [WEBHOOKS.streamStatus]: {
    fixed: (id) => ({ CallSid: `CA${id}`, StreamSid: `MZ${id}`, StreamEvent: 'stream-error' }),
    random: ['StreamError', 'Timestamp'],
  },
  [WEBHOOKS.whatsappTwilio]: {
    fixed: (id) => ({ MessageSid: `SM${id}`, From: 'whatsapp:+972501230000', To: `whatsapp:${WHATSAPP_SENDER}` }),
    random: ['Body', 'ProfileName', 'ButtonText', 'ButtonPayload', 'Label', 'Address', 'Unknown'],
  },
  [WEBHOOKS.whatsappStatus]: {
    fixed: (id) => ({ MessageSid: `SM${id}`, MessageStatus: 'delivered' }),
    random: ['ErrorCode'],
  },
}

let serial = 0
const newSid = () => `${SEED}${String(++serial).padStart(8, '0')}`

describe('webhooks', () => {
  test.each(Object.keys(FORMS))('%s takes any text in its side fields, and nothing of it is stuck', async (path) => {
    const form = FORMS[path]
    if (!form) throw new Error(path)
    const record = fc.record(Object.fromEntries(form.random.map((name) => [name, hostile])), { requiredKeys: [] })
    for (const side of fc.sample(record, { numRuns: 40, seed: SEED })) {
      const id = newSid()
      // A form carries Unicode scalar values: halves of pairs are replaced by whoever encodes it.
      const random = Object.fromEntries(
        Object.entries(side).map(([name, value]) => [name, (value ?? '').toWellFormed()]),
      )
      const answer = await product.post(path, { ...random, ...form.fixed(id) })
      if (answer.status >= 500)
        throw new Error(`${answer.status} for ${JSON.stringify(random)}: ${await answer.text()}`)
    }
  })

  test('text with NULs is stored without them, from both providers', async () => {
    const sid = `SM${newSid()}`
    const fields = { MessageSid: sid, From: 'whatsapp:+972501230000', To: `whatsapp:${WHATSAPP_SENDER}` }
    expect(
      (await product.post('/webhook/whatsapp/twilio', { ...fields, Body: 'he\0llo', ProfileName: 'D\0ana' })).status,
    ).toBe(204)
    const bridged = await fetch(`${product.url()}/webhook/whatsapp/baileys`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-BAILEYS-SECRET': BAILEYS_SECRET },
      body: `\uFEFF{"id":"B${sid}","from":"+972501230000","text":"a\\u0000b\\ud800","name":"x\\u0000"}`,
    })
    expect(bridged.status).toBe(204)
    const bodyOf = (id: string) =>
      eventually(
        async () => (await product.sql`select body from messages where provider_message_id = ${id}`)[0]?.body,
        `the message ${id}`,
      )
    expect(await bodyOf(sid)).toBe('hello')
    expect(await bodyOf(`B${sid}`)).toBe('ab\uFFFD')
  })

  test('the bridge’s webhook answers any JSON below 500', async () => {
    const event = fc.record(
      {
        id: hostile,
        from: fc.oneof(hostile, fc.constant('+972501230001')),
        text: hostile,
        name: hostile,
        replyTo: hostile,
        timestamp: anything,
      },
      { requiredKeys: ['id', 'from'] },
    )
    for (const body of fc.sample(fc.oneof(event, fc.array(event, { maxLength: 3 }), anything, fc.json()), {
      numRuns: 60,
      seed: SEED,
    })) {
      const answer = await fetch(`${product.url()}/webhook/whatsapp/baileys`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'X-BAILEYS-SECRET': BAILEYS_SECRET },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      if (answer.status >= 500) throw new Error(`${answer.status} for ${JSON.stringify(body)}`)
    }
  })

  test('JSON that nests deeper than a stack is refused', async () => {
    const depth = 200_000
    const answer = await fetch(`${product.url()}/webhook/whatsapp/baileys`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-BAILEYS-SECRET': BAILEYS_SECRET },
      body: `{"id":"x","from":"+972501230001","deep":${'['.repeat(depth)}${']'.repeat(depth)}}`,
    })
    expect(answer.status).toBe(400)
  })

  test('a media stream’s start with any text leaves the server well', async () => {
    for (const value of fc.sample(hostile, { numRuns: 25, seed: SEED })) {
      const callSid = `CA${newSid()}`
      const token = await announceCall(product, callSid)
      const stream = await openStream(product)
      stream.start(`${callSid}${value}`, serial % 2 === 0 ? token : `${token}${value}`)
      stream.media(20)
      stream.close()
    }
    expect((await fetch(`${product.url()}/healthz`)).status).toBe(200)
  })
})

test('in the end nothing waits, nothing failed, and no request was a fault of ours', async () => {
  await eventually(
    async () =>
      (
        await product.sql`select 1 from inbound_events where job not in ('call.refuse_stream', 'call.status', 'call.stream_event') limit 1`
      ).length === 0,
    'an empty inbox',
    30_000,
  )
  expect([...(await product.sql`select job, reason from quarantine`)]).toEqual([])
  const { items } = await product.trpc().system.queues.query()
  expect(items.map(({ name, failed }) => [name, failed])).toEqual(items.map(({ name }) => [name, 0]))
  expect(product.webLog().filter(({ msg }) => msg === 'request failed' || msg === 'procedure failed')).toEqual([])
})
