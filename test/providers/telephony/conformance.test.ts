import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import type { Telephony } from '../../../src/providers/telephony/port.ts'
import { createTwilioTelephony } from '../../../src/providers/telephony/twilio.ts'
import { addNumber } from '../../../src/sandbox/carrier/numbers-api.ts'
import { signTwilioRequest } from '../../../src/sandbox/carrier/signature.ts'
import { newSid } from '../../../src/sandbox/carrier/twilio-sid.ts'
import { checkTwiml, parseTwiml } from '../../../src/sandbox/carrier/twiml.ts'
import { ACCOUNT_SID, AUTH_TOKEN, startTestCarrier, voice } from '../../sandbox/carrier/support.ts'

const PUBLIC = 'https://crm.example.com'
const carrier = startTestCarrier()
const options = { accountSid: ACCOUNT_SID, authToken: AUTH_TOKEN, apiBaseUrl: carrier.url, publicBaseUrl: PUBLIC }
const telephony = createTwilioTelephony(options)
const missing = createTwilioTelephony({ ...options, apiBaseUrl: 'http://127.0.0.1:9' })
const wrongKeys = createTwilioTelephony({ ...options, authToken: 'wrong' })
afterAll(() => carrier.close())
beforeEach(() => carrier.faults.clear())

const failureOf = (work: Promise<unknown>) => work.then(() => null).catch((error: unknown) => error)

function addRecording(status: 'processing' | 'completed'): string {
  const now = new Date()
  const sid = newSid('RE')
  carrier.addRecording({
    sid,
    callSid: newSid('CA'),
    status,
    channels: 1,
    source: 'RecordVerb',
    startedAt: now,
    createdAt: now,
    updatedAt: now,
    durationSeconds: 1,
    audio: voice(1_000),
  })
  return sid
}

test('a webhook is accepted with its own signature only', () => {
  const pathAndQuery = '/webhooks/voice?x=1'
  const params = { CallSid: 'CA1', From: '+972501234567' }
  const signature = signTwilioRequest(AUTH_TOKEN, PUBLIC + pathAndQuery, params)
  expect(telephony.verifyWebhook({ pathAndQuery, signature, params })).toBe(true)
  expect(telephony.verifyWebhook({ pathAndQuery, signature, params: { ...params, From: '+1' } })).toBe(false)
  expect(telephony.verifyWebhook({ pathAndQuery: '/webhooks/status', signature, params })).toBe(false)
  expect(telephony.verifyWebhook({ pathAndQuery, signature: null, params })).toBe(false)
  expect(wrongKeys.verifyWebhook({ pathAndQuery, signature, params })).toBe(false)
})

test('an upgrade is accepted over its wss address, with and without a trailing slash', () => {
  for (const path of ['/media', '/media/'])
    expect(telephony.verifyUpgrade('/media', signTwilioRequest(AUTH_TOKEN, `wss://crm.example.com${path}`))).toBe(true)
  expect(telephony.verifyUpgrade('/media', signTwilioRequest(AUTH_TOKEN, 'wss://other.example.com/media'))).toBe(false)
})

test('every document is valid markup of the carrier, with any text in its values', () => {
  const hostile = 'https://a.example/?a=1&b="<x>'
  const documents = [
    telephony.connectStream({
      streamUrl: 'wss://a.example/media',
      actionUrl: hostile,
      statusCallbackUrl: hostile,
      parameters: { token: hostile },
    }),
    telephony.voicemail({ promptUrl: hostile, actionUrl: hostile, recordingStatusUrl: hostile }),
    telephony.sayGoodbye({ promptUrl: hostile }),
    telephony.dialPerson({ number: '+972 <&\u0001', callerId: null, whisperUrl: hostile, actionUrl: hostile }),
    telephony.playPrompt({ promptUrl: hostile }),
    telephony.askForKey({ text: '<x> & \u0001', ask: '"1"', language: 'he', actionUrl: hostile }),
    telephony.sayText({ text: '<x> & \u0001', language: 'en' }),
    telephony.hangUp(),
  ]
  for (const document of documents) expect(checkTwiml(parseTwiml(document))).toEqual([])
})

describe('SMS and outgoing calls', () => {
  const text = {
    from: '+97233330000',
    to: '+972501234567',
    text: 'שלום <x>',
    statusUrl: `${PUBLIC}/webhook/sms_status`,
  }
  const url = `${PUBLIC}/webhook/alert_call`
  const ring = { from: text.from, to: text.to, url, statusUrl: url, seconds: 20 }
  const since = new Date(Date.now() - 60_000)

  test('what was taken is found again when its answer was lost, and nothing that was not', async () => {
    expect(await telephony.findText({ ...text, since })).toBeNull()
    carrier.faults.add({ operation: 'messages.create', times: 1, effect: { kind: 'response_lost' } })
    expect(await failureOf(telephony.sendText(text))).toMatchObject({ kind: 'unavailable', code: 'outcome_unknown' })
    const sid = await telephony.findText({ ...text, since })
    expect(sid).toMatch(/^SM/)
    expect(await telephony.findText({ ...text, text: 'another', since })).toBeNull()
    carrier.answers.set(text.to, { outcome: 'busy' })
    carrier.faults.add({ operation: 'calls.create', times: 1, effect: { kind: 'response_lost' } })
    expect(await failureOf(telephony.ring(ring))).toMatchObject({ code: 'outcome_unknown' })
    const call = await telephony.findRing({ ...ring, since, otherIds: [] })
    expect(call).toMatch(/^CA/)
    expect(await telephony.findRing({ ...ring, since, otherIds: [call ?? ''] })).toBeNull()
  })

  test('what is refused for good, what is busy, and what may have been taken have codes of their own', async () => {
    expect(await failureOf(telephony.sendText({ ...text, to: '12' }))).toMatchObject({
      kind: 'invalid',
      code: 'carrier_refused',
    })
    const answers = { 429: 'carrier_busy', 503: 'outcome_unknown', 400: 'carrier_refused' }
    for (const [status, code] of Object.entries(answers)) {
      const effect = { kind: 'http_error', status: Number(status), code: 20500 } as const
      carrier.faults.add({ operation: 'calls.create', times: 1, effect })
      expect(await failureOf(telephony.ring(ring))).toMatchObject({ code })
    }
    expect(await failureOf(missing.sendText(text))).toMatchObject({ code: 'outcome_unknown' })
    expect(await failureOf(wrongKeys.sendText(text))).toMatchObject({ code: 'carrier_refused' })
  })
})

describe('recordings', () => {
  test('a finished one is downloaded as WAV and deleted once and again', async () => {
    const sid = addRecording('completed')
    const { data } = await telephony.downloadRecording(sid)
    expect(Buffer.from(data.subarray(0, 4)).toString('latin1')).toBe('RIFF')
    expect(data.length).toBeGreaterThan(16_000)
    await telephony.deleteRecording(sid)
    await telephony.deleteRecording(sid)
    expect(carrier.recordings.has(sid)).toBe(false)
    expect(await failureOf(telephony.downloadRecording(sid))).toMatchObject({ kind: 'gone', code: 'recording_gone' })
  })

  test('one in progress is unavailable, not gone', async () => {
    expect(await failureOf(telephony.downloadRecording(addRecording('processing')))).toMatchObject({
      kind: 'unavailable',
      code: 'recording_not_ready',
    })
  })
})

test('a number is listed, and configured to lead here in place of a trunk', async () => {
  const { sid } = addNumber(carrier, '+972721112222', { trunkSid: newSid('AC') })
  expect(await telephony.listNumbers()).toContainEqual(
    expect.objectContaining({ id: sid, number: '+972721112222', voiceUrl: '', answeredBy: 'trunk' }),
  )
  const webhooks = {
    voiceUrl: `${PUBLIC}/webhooks/voice`,
    statusCallback: `${PUBLIC}/webhooks/status`,
    smsUrl: `${PUBLIC}/webhooks/sms`,
  }
  const configured = { id: sid, ...webhooks, voiceMethod: 'POST', statusMethod: 'POST', answeredBy: null }
  expect(await telephony.configureNumber(sid, webhooks)).toMatchObject(configured)
  expect(await telephony.listNumbers()).toContainEqual(expect.objectContaining(configured))
})

test('a call that is over cannot be updated', async () => {
  expect(await failureOf(telephony.updateCall(newSid('CA'), telephony.hangUp()))).toMatchObject({
    kind: 'gone',
    code: 'call_not_live',
  })
})

test('credentials go to the carrier’s own hosts only', async () => {
  expect(await failureOf(telephony.downloadMedia('http://127.0.0.1:9/file', 1_000))).toMatchObject({
    kind: 'forbidden',
    code: 'foreign_media_host',
  })
})

test('a carrier that is away, fails or refuses the keys is unavailable, never a verdict', async () => {
  const sid = addRecording('completed')
  const requests: ((telephony: Telephony) => Promise<unknown>)[] = [
    (each) => each.listNumbers(),
    (each) => each.downloadRecording(sid),
    (each) => each.deleteRecording(sid),
    (each) => each.updateCall(newSid('CA'), each.hangUp()),
  ]
  for (const request of requests)
    for (const each of [missing, wrongKeys])
      expect(await failureOf(request(each))).toMatchObject({ kind: 'unavailable' })
  expect(carrier.recordings.has(sid)).toBe(true)
})
