import { describe, expect, test } from 'bun:test'
import { validateRequest } from 'twilio/lib/webhooks/webhooks'
import { signableUrl, signTwilioRequest } from '../../../src/sandbox/carrier/signature.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'

describe('signTwilioRequest', () => {
  test("is the signature of Twilio's own example", () => {
    const params = {
      CallSid: 'CA1234567890ABCDE',
      Caller: '+14158675309',
      Digits: '1234',
      From: '+14158675309',
      To: '+18005551212',
    }
    expect(signTwilioRequest('12345', 'https://mycompany.com/myapp.php?foo=1&bar=2', params)).toBe(
      'RSOYDt4T1cUTdK1PDd93/VVr8B8=',
    )
  })

  test('of a form passes the official check, and any change fails it', () => {
    const url = 'https://phone.example/webhook/incoming_call?row=שלום%20a&b=2'
    const params = { CallSid: 'CA1', Body: 'שלום & goodbye ', Empty: '' }
    const signature = signTwilioRequest(TOKEN, url, params)
    expect(validateRequest(TOKEN, signature, url, params)).toBe(true)
    expect(validateRequest(TOKEN, signature, url, { ...params, Body: 'שלום & goodbye' })).toBe(false)
    expect(validateRequest(`${TOKEN}0`, signature, url, params)).toBe(false)
  })

  test('of repeated parameters passes the official check', () => {
    const params = { MediaUrl: ['https://b.example', 'https://a.example', 'https://b.example'], To: '+1' }
    const signature = signTwilioRequest(TOKEN, 'http://localhost:5000/x', params)
    expect(validateRequest(TOKEN, signature, 'http://localhost:5000/x', params)).toBe(true)
  })

  test('of a stream passes the official check over the wss URL', () => {
    for (const url of ['wss://phone.example/ws/twilio-media', 'wss://localhost:5000/ws/twilio-media/']) {
      const signature = signTwilioRequest(TOKEN, signableUrl(url, 'stream'))
      expect(validateRequest(TOKEN, signature, url, {})).toBe(true)
    }
  })
})

describe('signableUrl', () => {
  test('drops fragment, credentials, and the port of voice over HTTPS only', () => {
    expect(signableUrl('https://user:pw@phone.example:8443/a?b=1#rc=2&rp=all')).toBe('https://phone.example/a?b=1')
    expect(signableUrl('http://phone.example:5000/a#rc=2')).toBe('http://phone.example:5000/a')
    expect(signableUrl('https://phone.example:8443/a', 'messaging')).toBe('https://phone.example:8443/a')
    expect(signableUrl('wss://phone.example:8443/ws', 'stream')).toBe('wss://phone.example:8443/ws')
  })
})
