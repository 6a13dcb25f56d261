import { afterAll, beforeAll, expect, test } from 'bun:test'
import { getExpectedTwilioSignature } from 'twilio/lib/webhooks/webhooks'
import { z } from 'zod'
import { openBrowser } from '../support/browser.ts'
import { NUMBER, type Product, startProduct } from '../support/product.ts'

const EMAIL = 'owner@example.test'
const PASSWORD = 'A-long-enough-passw0rd-of-tests'

/** A proxy that serves the product below a path, and takes the path away or leaves it. */
function startProxy(options: { strips: boolean; port: () => number }) {
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const url = new URL(request.url)
      if (url.pathname !== '/agent' && !url.pathname.startsWith('/agent/'))
        return new Response('elsewhere', { status: 418 })
      const path = options.strips ? url.pathname.slice('/agent'.length) || '/' : url.pathname
      const headers = new Headers(request.headers)
      headers.set('X-Forwarded-For', '203.0.113.9')
      const body = request.method === 'GET' || request.method === 'HEAD' ? {} : { body: await request.arrayBuffer() }
      return await fetch(`http://127.0.0.1:${options.port()}${path}${url.search}`, {
        method: request.method,
        headers,
        redirect: 'manual',
        // The body goes on as it came, below the same Content-Encoding.
        decompress: false,
        ...body,
      })
    },
  })
}

let port = 0
const stripping = startProxy({ strips: true, port: () => port })
const keeping = startProxy({ strips: false, port: () => port })
let product: Product

beforeAll(async () => {
  product = await startProduct({
    workers: ['crm', 'recordings'],
    queue: 'postgres',
    env: { PUBLIC_BASE_URL: `http://127.0.0.1:${stripping.port}/agent`, ADMIN_EMAIL: EMAIL, ADMIN_PASSWORD: PASSWORD },
  })
  port = product.server().port
})
afterAll(async () => {
  await product.stop()
  await stripping.stop(true)
  await keeping.stop(true)
})

const baseOf = (proxy: typeof stripping) => `http://127.0.0.1:${proxy.port}/agent`

/** Every address that an answer leads to by itself: its redirect, its cookies' paths, the links of its page. */
function leadsTo(answer: Response, text: string): string[] {
  const isPage = answer.headers.get('content-type')?.startsWith('text/html') ?? false
  return [
    ...[answer.headers.get('location')].filter((each) => each !== null),
    ...answer.headers.getSetCookie().flatMap((cookie) => /path=([^;]*)/i.exec(cookie)?.[1] ?? []),
    ...(isPage
      ? [...text.matchAll(/<(?!script[^>]*>\{)[^>]*\s(?:href|src|action|formaction)="([^"]*)"/g)].map(
          ([, url = '']) => url,
        )
      : []),
    ...(isPage ? [...text.matchAll(/content="\d+;\s*url=([^"]*)"/g)].map(([, url = '']) => url) : []),
  ]
}

/** Pages and redirects that a browser may come to, without and with a login. */
const PLACES = [
  '/',
  '/admin',
  '/admin/',
  '/admin/login',
  '/admin/queues',
  '/admin/queues/',
  '/console',
  '/console/settings',
  '/api/docs',
  '/api/openapi.json',
  '/pay/01a21888-63c0-75b3-aaab-70893e05bd5b',
  '/pay/01a21888-63c0-75b3-aaab-70893e05bd5b?lang=en',
  '/healthz',
  '/version',
  '/nothing',
]

test.each([
  ['takes the path away', stripping],
  ['leaves the path', keeping],
] as const)('a proxy that %s: nothing leads out of the path', async (_, proxy) => {
  const login = await fetch(`${baseOf(proxy)}/admin/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { Origin: new URL(product.publicBaseUrl).origin, 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ email: EMAIL, password: PASSWORD, next: '/admin/queues' }),
  })
  expect(login.status).toBe(303)
  expect(login.headers.get('location')).toBe('/agent/admin/queues')
  const cookies = login.headers.getSetCookie()
  expect(cookies.length).toBeGreaterThan(0)
  for (const cookie of cookies) expect(cookie).toMatch(/;\s*path=\/agent(;|$)/i)
  const cookie = cookies.map((each) => each.split(';')[0]).join('; ')
  const asked = new Set<string>()
  for (const headers of [{ Accept: 'text/html' }, { Accept: 'text/html', Cookie: cookie }] as Record<
    string,
    string
  >[]) {
    const places = PLACES.map((place) => `/agent${place}`)
    for (let place = places.shift(); place !== undefined; place = places.shift()) {
      const key = `${'Cookie' in headers} ${place}`
      if (asked.has(key)) continue
      asked.add(key)
      const answer = await fetch(`http://127.0.0.1:${proxy.port}${place}`, { headers, redirect: 'manual' })
      expect([place, answer.status < 500]).toEqual([place, true])
      for (const url of leadsTo(answer, await answer.text())) {
        if (!url.startsWith('/')) continue
        expect([place, url, url === '/agent' || url.startsWith('/agent/')]).toEqual([place, url, true])
        expect(url).not.toStartWith('/agent/agent')
        if (asked.size < 80 && !/logout/.test(url)) places.push(url.split('#')[0] ?? url)
      }
    }
  }
  expect(asked.size).toBeGreaterThan(PLACES.length * 2)
})

test.each([
  ['takes the path away', stripping],
  ['leaves the path', keeping],
] as const)(
  'a proxy that %s: webhooks are signed over the public address, and so are their TwiML’s',
  async (_, proxy) => {
    const params = { CallSid: `CA${crypto.randomUUID().replaceAll('-', '')}`, To: NUMBER, From: '+972501234567' }
    for (const path of ['/webhook/incoming_call', "/webhook/incoming_call?name=O'hara"]) {
      const answer = await fetch(baseOf(proxy) + path, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/x-www-form-urlencoded',
          'X-Twilio-Signature': getExpectedTwilioSignature(
            product.carrier.authToken,
            product.publicBaseUrl + path,
            params,
          ),
        },
        body: new URLSearchParams(params).toString(),
      })
      expect(answer.status).toBe(200)
      const urls = [...(await answer.text()).matchAll(/(?:url|action|statusCallback)="([^"]*)"/g)].map(
        ([, url = '']) => url,
      )
      expect(urls).toHaveLength(3)
      for (const url of urls) expect(url.replace(/^wss?:/, 'http:')).toStartWith(`${product.publicBaseUrl}/`)
    }
    expect((await fetch(`${baseOf(proxy)}/prompts/default/en/voicemail.wav`)).headers.get('content-type')).toContain(
      'audio',
    )
    expect(
      await (
        await fetch(`${baseOf(proxy)}/api/openapi.json`, { headers: { Authorization: `Bearer ${product.apiKey}` } })
      ).json(),
    ).toMatchObject({
      servers: [{ url: `${product.publicBaseUrl}/api/v1` }],
    })
  },
)

test.each([
  ['takes the path away', stripping],
  ['leaves the path', keeping],
] as const)('a proxy that %s: a phone installs the console below the path', async (_, proxy) => {
  const url = `${baseOf(proxy)}/console/console.webmanifest`
  const manifest = z
    .object({
      start_url: z.string(),
      scope: z.string(),
      icons: z.array(z.object({ src: z.string(), type: z.string() })).min(1),
    })
    .parse(await (await fetch(url)).json())
  const { pathname } = new URL(`${baseOf(proxy)}/console`)
  for (const address of [manifest.start_url, manifest.scope]) expect(new URL(address, url).pathname).toBe(pathname)
  for (const { src, type } of manifest.icons) {
    const icon = await fetch(new URL(src, url))
    expect([icon.status, icon.headers.get('content-type')]).toEqual([200, type])
  }
})

test('the media socket below the path, with and without it, and with a slash behind', async () => {
  for (const path of ['/ws/twilio-media', '/agent/ws/twilio-media', '/agent/ws/twilio-media/']) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, 'audio.twilio.com')
    const opened = await new Promise<boolean>((resolve) => {
      socket.onopen = () => resolve(true)
      socket.onerror = () => resolve(false)
    })
    expect([path, opened]).toEqual([path, true])
    socket.close()
  }
})

test('a person logs in, sees the console and the queues', async () => {
  const browser = await openBrowser()
  try {
    const context = await browser.newContext()
    const page = await context.newPage()
    const failed: string[] = []
    page.on('response', (response) => {
      if (response.status() >= 400 || !new URL(response.url()).pathname.startsWith('/agent'))
        failed.push(`${response.status()} ${response.url()}`)
    })
    await page.goto(`${baseOf(stripping)}/admin`)
    expect(new URL(page.url()).pathname).toBe('/agent/admin/login')
    await page.fill('input[name=email]', EMAIL)
    await page.fill('input[name=password]', PASSWORD)
    await page.click('button[type=submit]')
    await page.waitForURL(/\/agent\/console/)
    await page.getByRole('navigation').first().waitFor()
    await page.goto(`${baseOf(stripping)}/admin/queues`)
    await page.getByText('crm').first().waitFor({ timeout: 15_000 })
    expect(failed).toEqual([])
    const docs = await context.newPage()
    await docs.goto(`${baseOf(stripping)}/api/docs`)
    await docs.fill('#filter', 'no such operation')
    expect(await docs.locator('details[data-text]:not([hidden])').count()).toBe(0)
  } finally {
    await browser.close()
  }
}, 60_000)
