import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { getExpectedBodyHash, getExpectedTwilioSignature, validateRequest } from 'twilio/lib/webhooks/webhooks'
import { createCarriers } from '../../../src/composition/carriers.ts'
import { readSigned } from '../../../src/http/webhooks/verify-signature.ts'
import { createTwilioTelephony } from '../../../src/providers/telephony/twilio.ts'
import { testSeed } from '../../support/seed.ts'

const TOKEN = 'the auth token of the tests'
const ACCOUNT = `AC${'a'.repeat(32)}`
const BASES = [
  'https://voice.example.com',
  'https://voice.example.com:8443',
  'http://voice.example.com:5000',
  'https://voice.example.com/agent',
  'https://user:pass@voice.example.com',
]

function carriersOf(publicBaseUrl: string) {
  const installation = createTwilioTelephony({ accountSid: ACCOUNT, authToken: TOKEN, apiBaseUrl: null, publicBaseUrl })
  return createCarriers({ installation, of: () => installation, ownOf: () => null, own: () => [] })
}

let base = BASES[0] ?? ''
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  async fetch(request) {
    const { signer } = await readSigned(request, carriersOf(base))
    return new Response(null, { status: signer ? 204 : 403 })
  },
})
afterAll(() => server.stop(true))

/** A request whose target goes over the wire exactly as it is written: no client parses it. */
async function post(target: string, body: string, signature: string, type = 'application/x-www-form-urlencoded') {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let answer = ''
  const socket = await Bun.connect({
    hostname: '127.0.0.1',
    port: server.port ?? 0,
    socket: {
      data(_, chunk) {
        answer += chunk.toString('latin1')
        if (answer.includes('\r\n\r\n')) resolve(answer)
      },
      close: () => resolve(answer),
      error: (_, error) => reject(error),
    },
  })
  const bytes = Buffer.from(body, 'utf8')
  socket.write(
    Buffer.concat([
      Buffer.from(
        `POST ${target} HTTP/1.1\r\nHost: behind.proxy.internal:1234\r\nContent-Type: ${type}\r\n` +
          `Content-Length: ${bytes.length}\r\nX-Twilio-Signature: ${signature}\r\n\r\n`,
        'latin1',
      ),
      bytes,
    ]),
  )
  const head = await promise
  socket.end()
  return Number(head.split(' ')[1])
}

const formOf = (fields: readonly (readonly [string, string])[]) =>
  new URLSearchParams(fields.map(([k, v]) => [k, v])).toString()

/** As the vendor's own library is given a form: a repeated field is an array. */
function paramsOf(fields: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const names = [...new Set(fields.map(([name]) => name))]
  return Object.fromEntries(
    names.map((name) => {
      const values = fields.filter(([each]) => each === name).map(([, value]) => value)
      return [name, values.length > 1 ? values : (values[0] ?? '')]
    }),
  )
}

/** Characters that a configured URL may hold as they are (no space, no control, no fragment). */
const queryText = fc
  .array(fc.constantFrom(...`abzAZ019-._~!$'()*+,;:@/?"<>|^\`{}[]=&`, '%27', '%2f', '%2B', '%20', '%C3%A9', '%D7%A9'), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''))
  .filter((text) => (text.match(/['"<>]|%27/g) ?? []).length <= 5)
const target = fc.oneof(
  fc.constant('/webhook/incoming_call'),
  queryText.map((text) => `/webhook/incoming_call?name=${text}`),
  queryText.map((text) => `/webhook/recording_status?${text}`),
)
const value = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', ' a ', '+', "O'hara", 'שלום', '%2B', 'a&b=c'),
)
const name = fc.oneof(
  fc.constantFrom('CallSid', 'From', 'To', 'body', 'Body', 'A', 'a', '__proto__', 'constructor', 'MediaUrl0'),
  fc.string({ unit: 'grapheme', minLength: 1 }),
)
const fields = fc.array(fc.tuple(name, value), { maxLength: 8 })
const wellFormed = (list: readonly (readonly [string, string])[]) =>
  list.every(([k, v]) => k.isWellFormed() && v.isWellFormed() && k !== 'AccountSid')

describe('what the vendor signs is accepted, over the wire, as the vendor computes it', () => {
  test('generated targets and forms, repeated and empty fields, every base', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...BASES), target, fields.filter(wellFormed), async (used, path, list) => {
        base = used
        const signed = used.replace('user:pass@', '') + path
        const signature = getExpectedTwilioSignature(TOKEN, signed, paramsOf(list))
        expect(await post(path, formOf(list), signature)).toBe(204)
        expect(await post(path, formOf([...list, ['Added', '1']]), signature)).toBe(403)
        expect(await post(path, formOf(list), getExpectedTwilioSignature(`${TOKEN}x`, signed, paramsOf(list)))).toBe(
          403,
        )
      }),
      { numRuns: 400, seed: testSeed() },
    )
  }, 120_000)

  test.each([
    ["/webhook/incoming_call?name=William+O'hara", [['CallSid', 'CA1']]],
    ['/webhook/incoming_call?q="a"&r=<b>', [['CallSid', 'CA1']]],
    ['/webhook/incoming_call?', [['CallSid', 'CA1']]],
    ['/webhook/incoming_call?a=\'&b=%27&c="&d=%22', [['CallSid', 'CA1']]],
    [`/webhook/incoming_call?a=${"'".repeat(40)}`, [['CallSid', 'CA1']]],
    [
      '/webhook/incoming_call',
      [
        ['To', 'b'],
        ['To', 'a'],
        ['To', 'a'],
      ],
    ],
    [
      '/webhook/incoming_call',
      [
        ['Body', ''],
        ['Empty', ''],
      ],
    ],
    ['/webhook/incoming_call', []],
  ] as [string, [string, string][]][])('%s', async (path, list) => {
    base = BASES[0] ?? ''
    expect(await post(path, formOf(list), getExpectedTwilioSignature(TOKEN, base + path, paramsOf(list)))).toBe(204)
  })

  test('the forms that the vendor’s library accepts for an encoded URL', async () => {
    base = BASES[0] ?? ''
    const path = '/webhook/incoming_call?name=William%20O%27hara'
    for (const signed of [base + path, `${base}:443${path}`, `${base}/webhook/incoming_call?name=William%20O'hara`]) {
      const signature = getExpectedTwilioSignature(TOKEN, signed, {})
      if (validateRequest(TOKEN, signature, base + path, {})) expect(await post(path, '', signature)).toBe(204)
    }
  })

  test('letters outside ASCII in a configured URL, sent encoded', async () => {
    base = BASES[0] ?? ''
    const signature = getExpectedTwilioSignature(TOKEN, `${base}/webhook/incoming_call?name=דנה`, { CallSid: 'CA1' })
    expect(await post('/webhook/incoming_call?name=%D7%93%D7%A0%D7%94', 'CallSid=CA1', signature)).toBe(204)
  })

  test('a JSON body, by the hash in the signed URL', async () => {
    base = BASES[3] ?? ''
    const body = JSON.stringify({ CallSid: 'CA1', note: 'שלום' })
    const path = `/webhook/call_status?bodySHA256=${getExpectedBodyHash(body)}`
    const signature = getExpectedTwilioSignature(TOKEN, base + path, {})
    expect(await post(path, body, signature, 'application/json')).toBe(204)
    expect(await post(path, `${body} `, signature, 'application/json')).toBe(403)
    const unhashed = getExpectedTwilioSignature(TOKEN, `${base}/webhook/call_status`, {})
    expect(await post('/webhook/call_status', body, unhashed, 'application/json')).toBe(403)
  })

  test('a WebSocket upgrade: the URL of the TwiML, with and without a slash behind it', () => {
    for (const each of BASES) {
      const carriers = carriersOf(each)
      const url = `${each.replace(/^https?/, 'wss').replace('user:pass@', '')}/ws/twilio-media`
      for (const signed of [url, `${url}/`])
        expect(carriers.verifyUpgrade('/ws/twilio-media', getExpectedTwilioSignature(TOKEN, signed, {}))).not.toBeNull()
      expect(carriers.verifyUpgrade('/ws/twilio-media', getExpectedTwilioSignature(TOKEN, `${url}?x`, {}))).toBeNull()
    }
  })
})

test('a signature of the wrong form is refused before anything is computed', async () => {
  base = BASES[0] ?? ''
  for (const signature of ['', 'x', 'A'.repeat(28), `${'A'.repeat(27)}=`, `${'é'.repeat(27)}=`])
    expect(await post('/webhook/incoming_call?a=%27%27%27', '', signature)).toBe(403)
})
