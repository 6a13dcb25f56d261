import { afterAll, beforeAll, expect, test } from 'bun:test'
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks'
import { CALLER, eventually, NUMBER, type Product, startProduct } from '../support/product.ts'

/** Request parameters that Twilio documents (TwiML requests, status callbacks, <Record>, <Stream>, <Dial>, SIP), and one of tomorrow. */
const VOICE = [
  'ApiVersion',
  'Direction',
  'CallStatus',
  'ForwardedFrom',
  'CallerName',
  'ParentCallSid',
  'CallToken',
  'StirVerstat',
  'StirPassportToken',
  'Caller',
  'Called',
  'From',
  'FromCity',
  'FromState',
  'FromZip',
  'FromCountry',
  'CallerCity',
  'CallerState',
  'CallerZip',
  'CallerCountry',
  'ToCity',
  'ToState',
  'ToZip',
  'ToCountry',
  'CalledCity',
  'CalledState',
  'CalledZip',
  'CalledCountry',
  'SipHeader_X-Any',
  'SipCallId',
  'SipDomain',
  'SipDomainSid',
  'SipSourceIp',
  'AddOns',
  'Digits',
  'SpeechResult',
  'Confidence',
  'OptOutType',
  'AnsweredBy',
  'MachineDetectionDuration',
  'QueueSid',
  'ErrorCode',
  'ErrorUrl',
  'NewInOneYear',
]
const STATUS = [
  'CallDuration',
  'Duration',
  'SipResponseCode',
  'RecordingUrl',
  'RecordingSid',
  'RecordingDuration',
  'Timestamp',
  'CallbackSource',
  'SequenceNumber',
  'StirStatus',
]
const RECORDING = [
  'RecordingUrl',
  'RecordingStatus',
  'RecordingDuration',
  'RecordingChannels',
  'RecordingSource',
  'RecordingStartTime',
  'RecordingTrack',
  'Digits',
  'ErrorCode',
]
const STREAM = ['StreamName', 'StreamError', 'Timestamp']
const DIAL = [
  'DialCallSid',
  'DialCallDuration',
  'DialCallStatus',
  'DialBridged',
  'DialSipResponseCode',
  'DialHangupCause',
  'RecordingUrl',
]

/** As they are written into a form, so that bytes which are no text can be sent too. */
const HOSTILE = [
  '',
  '-1',
  'abc',
  '0',
  '1.5',
  '1e999',
  'NaN',
  'null',
  '99999999999999999999',
  '%00',
  'a%00b',
  '%ED%A0%80',
  '%FF%FE',
  '%F0%9F%92%A9'.repeat(700),
  'x'.repeat(10_000),
  '%27%3B%20drop%20table%20calls%3B--',
  '%3C%2FResponse%3E%3CHangup%2F%3E',
  '%E2%80%AE%D7%A9%D7%9C%D7%95%D7%9D',
  '%1B%5D0%3Bx%07',
  '%0D%0ASet-Cookie%3A%20a%3Db',
  '+',
  '{"a":1}',
  '%D9%A3',
]

let product: Product
beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    env: { MAX_CONCURRENT_CALLS: '100000' },
  })
})
afterAll(() => product.stop())

let last = 0
const sid = (kind: string) => `${kind}${(++last).toString(16).padStart(32, '0')}`

/** Signed over what a reader of the form understands, repeated fields included. */
async function send(path: string, body: string): Promise<Response> {
  const params: Record<string, string[]> = {}
  for (const [name, value] of new URLSearchParams(body)) params[name] = [...(params[name] ?? []), value]
  const signature = getExpectedTwilioSignature(product.carrier.authToken, product.publicBaseUrl + path, params)
  return await fetch(product.url() + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', 'X-Twilio-Signature': signature },
    body,
  })
}

type Way = { path: string; needs: () => string; fields: string[]; answer: RegExp | null }
const needs =
  (more: Record<string, () => string> = {}) =>
  () =>
    new URLSearchParams({
      AccountSid: product.carrier.accountSid,
      CallSid: sid('CA'),
      ...Object.fromEntries(Object.entries(more).map(([name, make]) => [name, make()])),
    }).toString()
const to = () => NUMBER
const ways: Way[] = [
  { path: '/webhook/incoming_call', needs: needs({ To: to }), fields: VOICE, answer: /<Connect/ },
  { path: '/webhook/stream_ended', needs: needs({ To: to }), fields: [...VOICE, ...STREAM], answer: /<Record|<Hangup/ },
  { path: '/webhook/dial_ended', needs: needs({ To: to }), fields: [...VOICE, ...DIAL], answer: /<Record|<Hangup/ },
  { path: '/webhook/whisper', needs: needs({ To: to }), fields: VOICE, answer: /<Play/ },
  { path: '/webhook/call_status', needs: needs({ To: to }), fields: [...VOICE, ...STATUS], answer: null },
  {
    path: '/webhook/stream_status',
    needs: needs({ StreamSid: () => sid('MZ'), StreamEvent: () => 'stream-started' }),
    fields: STREAM,
    answer: null,
  },
  {
    path: '/webhook/recording_status',
    needs: needs({ To: to, RecordingSid: () => sid('RE') }),
    fields: RECORDING,
    answer: null,
  },
  {
    path: '/webhook/recording_action',
    needs: needs({ To: to, RecordingSid: () => sid('RE') }),
    fields: RECORDING,
    answer: /<Play/,
  },
]

test.each(ways)(
  '$path: whatever a side field says, it is answered',
  async ({ path, needs: base, fields, answer }) => {
    const bodies: string[] = [base()]
    for (const field of fields) {
      for (const value of HOSTILE) bodies.push(`${base()}&${encodeURIComponent(field)}=${value}`)
      bodies.push(
        `${base()}&${encodeURIComponent(field)}=b&${encodeURIComponent(field)}=a&${encodeURIComponent(field)}=a`,
      )
    }
    const wrong: string[] = []
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        for (let body = bodies.pop(); body !== undefined; body = bodies.pop()) {
          const response = await send(path, body)
          const text = await response.text()
          const right = answer
            ? response.status === 200 && answer.test(text) && text.startsWith('<?xml')
            : response.status === 204
          if (!right) wrong.push(`${response.status} ${body.slice(0, 300)} -> ${text.slice(0, 200)}`)
        }
      }),
    )
    expect(wrong).toEqual([])
  },
  120_000,
)

test('what matters of them is stored: every call, every recording, and none of their jobs is stuck', async () => {
  const callers = new Map<string, string>()
  for (const value of HOSTILE) {
    const callSid = sid('CA')
    callers.set(callSid, value)
    const body = `CallSid=${callSid}&To=${encodeURIComponent(NUMBER)}&From=${encodeURIComponent(CALLER)}&CallerName=${value}&StirVerstat=${value}&ForwardedFrom=${value}`
    expect((await send('/webhook/incoming_call', body)).status).toBe(200)
    const recording = `CallSid=${callSid}&To=${encodeURIComponent(NUMBER)}&RecordingSid=${sid('RE')}&RecordingDuration=${value}&RecordingChannels=${value}`
    expect((await send('/webhook/recording_status', recording)).status).toBe(204)
    expect(
      (await send('/webhook/call_status', `CallSid=${callSid}&CallStatus=completed&CallDuration=${value}`)).status,
    ).toBe(204)
  }
  const callSids = [...callers.keys()]
  await eventually(
    async () => {
      const rows =
        await product.sql`select call_sid from calls where call_sid = any(${callSids}) and contact_id is not null and state = 'ended'`
      return rows.length === callSids.length ? rows : null
    },
    'every call with its contact and its end',
    40_000,
  )
  await eventually(
    async () => {
      const rows =
        await product.sql`select r.id from recordings r join calls c on c.id = r.call_id where c.call_sid = any(${callSids})`
      return rows.length === callSids.length ? rows : null
    },
    'every recording',
    40_000,
  )
}, 120_000)

test('ids of another form name nothing: 400 with the field, or 204 where the carrier is never refused', async () => {
  for (const odd of ['', 'CA_TEST', 'CA%00', '..%2F..%2Fetc', 'SM0123', 'CA'.padEnd(80, '1')]) {
    const refused = await send('/webhook/incoming_call', `CallSid=${odd}&To=${encodeURIComponent(NUMBER)}`)
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ error: { code: 'invalid_input', field: 'CallSid' } })
    expect(
      (await send('/webhook/stream_status', `CallSid=${odd}&StreamSid=MZ1&StreamEvent=stream-started`)).status,
    ).toBe(204)
    expect((await send('/webhook/stream_ended', `CallSid=${odd}`)).status).toBe(204)
  }
})
