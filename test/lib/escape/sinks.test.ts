import { describe, expect, test } from 'bun:test'
import { Hono } from 'hono'
import { createAdmin } from '../../../src/http/account/admin.ts'
import { htmlDocument } from '../../../src/http/html-page.tsx'
import { payPage } from '../../../src/http/pay/view.tsx'
import { attachment } from '../../../src/lib/escape/header.ts'
import { terminalJson, terminalLine, terminalText } from '../../../src/lib/escape/terminal.ts'
import { createMetrics } from '../../../src/observability/metrics.ts'
import { createTwilioTelephony } from '../../../src/providers/telephony/twilio.ts'
import { parseTwiml } from '../../../src/sandbox/carrier/twiml.ts'
import { HOSTILE_STRINGS } from '../../support/hostile-strings.ts'

const TEXTS = Object.entries(HOSTILE_STRINGS)

describe.each(TEXTS)('%s', (_, text) => {
  test('a terminal gets one line of it, or its lines, and nothing that steers; JSON is the same data', () => {
    const raw = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069\u200b\u200e\u200f\ufeff\u{e0000}-\u{e007f}]/u
    expect(terminalLine(text)).not.toMatch(raw)
    expect(terminalText(text).replace(/[\n\t]/g, '')).not.toMatch(raw)
    expect(terminalJson({ [text]: [text] })).not.toMatch(raw)
    expect(JSON.parse(terminalJson({ text: [text] }))).toEqual({ text: [text] })
  })

  test('a page shows it and has not one element more', async () => {
    const elements = async (words: string) => {
      const document = htmlDocument(
        payPage({
          payment: {
            id: '01a203ae-73bc-74cc-8959-8439a1df5b93',
            business: { name: words, language: 'en' },
            description: words,
            amount: 100,
            currency: 'ILS',
            provider: 'paypal',
            status: 'payable',
            attemptOpen: false,
            paidAt: null,
          },
          money: words,
          language: 'en',
          status: 'payable',
          notice: null,
          appointment: null,
          refresh: null,
        }),
        'n',
      )
      const page = String(await document)
      const found: string[] = []
      const shown: string[] = []
      const rewriter = new HTMLRewriter()
        .on('*', {
          element: (element) =>
            void found.push(`${element.tagName} ${[...element.attributes].map(([name]) => name).join(' ')}`),
        })
        .on('h1 bdi', { text: (chunk) => void shown.push(chunk.text) })
      await rewriter.transform(new Response(page)).text()
      return { found, shown: shown.join('') }
    }
    const { found, shown } = await elements(text)
    expect(found).toEqual((await elements('plain')).found)
    const entities: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' }
    expect(shown.replace(/&(lt|gt|quot|#39|amp);/g, (entity) => entities[entity] ?? entity)).toBe(text)
  })

  test('the login page neither leads nor redirects anywhere by it', async () => {
    const app = createAdmin({
      publicBaseUrl: 'https://voice.example.com',
      board: new Hono(),
      ask: async () => Response.json({ twoFactorRedirect: false }),
    })
    const page = await app.request(`/login?next=${encodeURIComponent(text)}`)
    const body = await page.text()
    expect(body).not.toMatch(/<script>alert|<img src=x| onmouseover="/)
    const target = /name="next" value="([^"]*)"/.exec(body)?.[1] ?? ''
    expect(target).toMatch(/^\/(?!\/)[^\p{Cc}\\]*$/u)
  })

  test('a document for the carrier is well-formed, and the text in it is a text', () => {
    const telephony = createTwilioTelephony({
      accountSid: `AC${'a'.repeat(32)}`,
      authToken: 'token',
      apiBaseUrl: null,
      publicBaseUrl: 'https://voice.example.com',
    })
    const legal = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    const url = 'https://voice.example.com/a'
    const document = telephony.connectStream({
      streamUrl: 'wss://voice.example.com/ws',
      actionUrl: url,
      statusCallbackUrl: url,
      parameters: { token: text, to: text },
    })
    expect(document).not.toMatch(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u)
    const stream = parseTwiml(document).children[0]?.children[0]
    expect(stream?.children.map(({ name, attributes }) => [name, attributes.name, attributes.value])).toEqual([
      ['Parameter', 'token', legal],
      ['Parameter', 'to', legal],
    ])
    const dialled = telephony.dialPerson({ number: text, callerId: text, whisperUrl: url, actionUrl: url })
    expect(parseTwiml(dialled).children.map(({ name }) => name)).toEqual(['Dial'])
  })

  test('a header takes it as the name of a file, and gives the name back', () => {
    const headers = new Headers({ 'Content-Disposition': attachment(text) })
    const value = headers.get('Content-Disposition') ?? ''
    expect(value).toMatch(/^attachment; filename="[^"\p{Cc}%]+"(?:; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?$/u)
    const name = decodeURIComponent(
      /filename\*=UTF-8''(.*)$/.exec(value)?.[1] ?? /filename="(.*?)"/.exec(value)?.[1] ?? '',
    )
    expect(name).not.toMatch(/[\p{Cc}/\\]/u)
  })

  test('it makes one series of a metric', async () => {
    const metrics = createMetrics()
    metrics.callsEnded.inc({ reason: text })
    const series = (await metrics.metrics())
      .split('\n')
      .filter((line) => line.startsWith('agentlocator_calls_ended_total{'))
    expect(series).toHaveLength(1)
  })
})
