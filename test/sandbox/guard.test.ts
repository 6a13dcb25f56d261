import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createLogger } from '../../src/lib/log.ts'
import { startCalendars } from '../../src/sandbox/calendars/server.ts'
import { startCarrier } from '../../src/sandbox/carrier/server.ts'
import { startOpenAi } from '../../src/sandbox/openai/server.ts'
import { startPayments } from '../../src/sandbox/payments/start.ts'
import { startWhatsAppSandbox } from '../../src/sandbox/whatsapp/server.ts'

const controls: [name: string, url: string, read: string][] = []
const closing: (() => Promise<void>)[] = []

beforeAll(async () => {
  const whatsapp = await startWhatsAppSandbox({ port: 0 })
  const carrier = startCarrier({ port: 0, accountSid: 'AC1', authToken: 'secret' })
  const openai = startOpenAi({ port: 0, apiKey: 'key' })
  const payments = startPayments({
    host: '127.0.0.1',
    paypalPort: 0,
    tranzilaPort: 0,
    secret: 'secret',
    paypalWebhookUrl: null,
    rules: [],
    logger: createLogger('silent'),
  })
  const calendars = startCalendars({ port: 0 })
  controls.push(
    ['calendars', `${calendars.url}/_control`, 'google'],
    ['whatsapp', whatsapp.controlUrl, 'accounts'],
    ['carrier', `${carrier.url}/_control`, 'calls'],
    ['openai', `http://127.0.0.1:${openai.port}/_control`, 'faults'],
    ['paypal', `${payments.paypal.url}/_control`, 'ledger'],
    ['tranzila', `${payments.tranzila.url}/_control`, 'ledger'],
  )
  closing.push(whatsapp.close.bind(whatsapp), carrier.close, openai.close, payments.close, calendars.close)
})
afterAll(async () => {
  for (const close of closing) await close()
})

const REFUSED: [string, Record<string, string>, number][] = [
  ['a page of another site', { origin: 'https://evil.example' }, 403],
  ['a page of another port', { origin: 'http://127.0.0.1:1' }, 403],
  ['a page without an origin', { origin: 'null' }, 403],
  ['a form or picture of another site', { 'sec-fetch-site': 'cross-site' }, 403],
  ['another name that leads here', { host: 'evil.example' }, 421],
  ['a name that begins as ours does', { host: '127.0.0.1.evil.example' }, 421],
]

test.each(REFUSED)('%s does not reach any remote control', async (_name, headers, status) => {
  for (const [name, url, read] of controls) {
    const page = await fetch(`${url}/${read}`, { headers })
    expect([name, page.status]).toEqual([name, status])
    const post = await fetch(`${url}/${read}`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain', ...headers },
      body: '{"phone":"972500000000"}',
    })
    expect([name, post.status]).toEqual([name, status])
  }
})

test('programs on this machine, and pages that came from the same server, do', async () => {
  for (const [name, url, read] of controls) {
    const { origin, port } = new URL(url)
    const asked: Record<string, string>[] = [
      {},
      { origin, 'sec-fetch-site': 'same-origin' },
      { host: `localhost:${port}` },
    ]
    for (const headers of asked) {
      const response = await fetch(`${url}/${read}`, { headers })
      expect([name, response.status === 403 || response.status === 421]).toEqual([name, false])
    }
  }
})
