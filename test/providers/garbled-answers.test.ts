import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { AppError } from '../../src/lib/errors.ts'
import { newId } from '../../src/lib/ids.ts'
import { createModelConnection } from '../../src/providers/models/connection.ts'
import { createPayPal } from '../../src/providers/payments/paypal.ts'
import type { PaymentProvider } from '../../src/providers/payments/port.ts'
import { createTranzila } from '../../src/providers/payments/tranzila.ts'
import { createOpenAiTranscriber } from '../../src/providers/speech/openai-realtime/transcriber.ts'
import { createS3Storage } from '../../src/providers/storage/s3.ts'
import { createTwilioTelephony } from '../../src/providers/telephony/twilio.ts'
import { createTwilioWhatsApp } from '../../src/providers/whatsapp/twilio.ts'
import { ask, openTextModels } from '../support/models.ts'

/** What a proxy, a captive portal or a half-started service answers, always with 200. */
const GARBAGE: Record<string, string> = {
  'a page': '<html><body>Please sign in to this network</body></html>',
  'an empty object': '{}',
  'a list': '[]',
  null: 'null',
  'a cut-off object': '{"sid":"CA',
  'rows of nothing':
    '{"messages":[{}],"transactions":[{}],"incoming_phone_numbers":[{}],"choices":[{}],"next_page_uri":null}',
  nothing: '',
}

let body = ''
let requests = 0
const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    requests += 1
    // Only requests after the login can be garbled.
    if (new URL(request.url).pathname === '/v1/oauth2/token')
      return Response.json({ access_token: 'token', expires_in: 3_600 })
    return new Response(body, { headers: { 'content-type': body.startsWith('<') ? 'text/html' : 'application/json' } })
  },
})
afterAll(() => server.stop(true))
beforeEach(() => {
  requests = 0
})

const url = `http://127.0.0.1:${server.port}`
const accountSid = `AC${'1'.repeat(32)}`
const telephony = createTwilioTelephony({
  accountSid,
  authToken: 'token',
  apiBaseUrl: url,
  publicBaseUrl: 'https://reception.example.com',
})
const askModel = (provider: 'openai' | 'compatible') => {
  const { candidate } = createModelConnection({ provider, apiKey: 'key', baseUrl: url })
  return openTextModels([candidate('gpt-5-mini')]).models.generate(ask('Hello'))
}
const transcriber = createOpenAiTranscriber({ baseUrl: url, apiKey: 'key', model: 'gpt-transcribe' })
const storage = createS3Storage({ endpoint: url, bucket: 'b', accessKeyId: 'key-id', secretAccessKey: 'secret' })
const providers: Record<string, PaymentProvider> = {
  paypal: createPayPal({ clientId: 'c', clientSecret: 's', webhookId: 'w', apiBaseUrl: url }),
  tranzila: createTranzila({
    terminal: 'levi',
    appKey: 'key',
    secret: 'secret',
    apiBaseUrl: url,
    reportBaseUrl: url,
    payBaseUrl: url,
  }),
}

const checkout = {
  paymentId: newId(),
  requestId: newId(),
  amount: 7_900,
  currency: 'ILS' as const,
  description: 'a visit',
  businessName: 'Levi Homes',
  language: 'he' as const,
  returnUrl: `${url}/return`,
  cancelUrl: `${url}/cancel`,
  notifyUrl: `${url}/notify`,
}

/** Every request to a vendor, none of which may accept the garbage as its answer. */
const asking: Record<string, () => Promise<unknown>> = {
  'a transfer of a live call': () => telephony.updateCall('CA1', '<Response/>'),
  'a recording': () => telephony.downloadRecording('RE1'),
  'the deletion of a recording': () => telephony.deleteRecording('RE1'),
  'the list of numbers': () => telephony.listNumbers(),
  'the setting of a number': () =>
    telephony.configureNumber('PN1', { voiceUrl: url, statusCallback: url, smsUrl: url }),
  'an answer of OpenAI’s model': () => askModel('openai'),
  'an answer of a compatible model': () => askModel('compatible'),
  'a transcript': () => transcriber.transcribe({ wav: new Uint8Array(100), language: 'he' }),
  'an object that is stored': () => storage.put('a/b', new Uint8Array(1_000), 'audio/wav'),
  'an object that is deleted': () => storage.delete('a/b'),
}
for (const [name, provider] of Object.entries(providers)) {
  asking[`a checkout at ${name}`] = () => provider.createCheckout(checkout)
  asking[`the state of a payment at ${name}`] = () =>
    provider.inspect({ paymentId: checkout.paymentId, refs: ['R1'], transactionId: null, since: new Date() })
  if (provider.capture)
    asking[`a capture at ${name}`] = async () => await provider.capture?.({ ref: 'R1', requestId: newId() })
  if (provider.refund)
    asking[`a refund at ${name}`] = async () =>
      await provider.refund?.({
        paymentId: checkout.paymentId,
        transactionId: 'T1',
        requestId: newId(),
        amount: 100,
        currency: 'ILS',
      })
}

describe.each(Object.entries(GARBAGE))('a 200 with %s', (_, text) => {
  beforeEach(() => {
    body = text
  })

  test.each(Object.entries(asking))('is no answer to %s, and says so', async (_what, request) => {
    const outcome = await request().then(
      (value) => ({ taken: value }),
      (error: unknown) => error,
    )
    expect(outcome).toBeInstanceOf(AppError)
    // Worth a retry: the answer came from something else than the vendor.
    expect(outcome).toMatchObject({ kind: 'unavailable' })
    expect(requests).toBeGreaterThan(0)
    expect(requests).toBeLessThan(5)
  })

  test('proves no webhook', async () => {
    const event = { id: 'WH-1', event_type: 'PAYMENT.CAPTURE.COMPLETED', resource: { custom_id: newId() } }
    const verdict = await providers.paypal
      ?.readWebhook({ header: () => 'x', body: JSON.stringify(event) })
      .catch((error: unknown) => {
        expect(error).toMatchObject({ kind: 'unavailable' })
        return null
      })
    expect(verdict).toBeNull()
  })

  test('leaves open what became of a WhatsApp message, at sending and at looking it up', async () => {
    const sender = createTwilioWhatsApp({
      accountSid,
      authToken: 't',
      apiBaseUrl: url,
      statusCallbackUrl: `${url}/status`,
    })
    const message = { id: newId(), account: '+14155238886', to: '+972501234567', text: 'שלום' }
    expect((await sender.send(message)).outcome).toBe('unknown')
    const found = await sender.reconcile({ ...message, since: new Date(), otherIds: [] })
    expect(found.outcome).toBe('unknown')
  })
})
