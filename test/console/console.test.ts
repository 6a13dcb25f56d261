import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS, type View } from '../support/console.ts'
import { CALLER, eventually, type Product } from '../support/product.ts'
import { speak } from '../support/speech.ts'

const SCREENS = [
  'today',
  'inbox',
  'live',
  'calls',
  'leads',
  'contacts',
  'calendar',
  'payments',
  ...['business', 'receptionist', 'whatsapp', 'numbers', 'notifications', 'team'].map(
    (part) => `settings?part=${part}`,
  ),
]

let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>

beforeAll(async () => {
  product = await startConsoleProduct({
    carrier: { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } },
  })
  browser = await openBrowser()
  show = showPages(product, browser)
  await product.call({
    script: [{ say: await speak('My name is Dana Levi', 'en') }],
    connectBaseUrl: product.publicBaseUrl,
    maxSeconds: 12,
  })
  await receive('שלום, אני צריכה הצעת מחיר')
  await eventually(async () => (await product.trpc().messages.list.query({})).items.length > 0, 'the message')
}, 120_000)
afterAll(async () => {
  await browser.close()
  await product.stop()
})

let received = 0
const receive = (body: string, from = CALLER) =>
  product.post('/webhook/whatsapp/twilio', {
    AccountSid: product.carrier.accountSid,
    MessageSid: `SM${String(++received).padStart(32, '0')}`,
    From: `whatsapp:${from}`,
    To: 'whatsapp:+14155238886',
    Body: body,
    NumMedia: '0',
    ProfileName: 'דנה לוי',
  })

const open = (path: string, view?: View) => openConsole(product, browser, path, view)

for (const { language, width } of VIEWS)
  test(`every screen in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`, async () => {
    for (const screen of SCREENS) {
      const { page, problems } = await show(`/${screen}`, { language, width })
      expect(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir])).toEqual(
        language === 'he' ? ['he', 'rtl'] : ['en', 'ltr'],
      )
      await judge(page, `${screen}-${language}-${width}`, problems)
      if (screen === 'inbox') {
        await page.getByRole('option', { name: /דנה/ }).click()
        await page.getByRole('log').getByText('שלום, אני צריכה הצעת מחיר').waitFor()
        await judge(page, `thread-${language}-${width}`, problems)
      }
      if (screen === 'calls') {
        await page.getByRole('main').getByRole('link').first().click()
        await page.waitForURL(/\/calls\/./)
        await page.getByRole('heading', { level: 2 }).first().waitFor()
        await judge(page, `call-${language}-${width}`, problems)
      }
    }
  }, 120_000)

test('a message that comes is in an open inbox within a second, and an answer that is written reaches the carrier', async () => {
  const { page, problems, close } = await open('/inbox')
  await page.getByRole('option', { name: /דנה/ }).click()
  const log = page.getByRole('log')
  await log.getByText('שלום, אני צריכה הצעת מחיר').waitFor()
  await receive('ועוד שאלה')
  await log.getByText('ועוד שאלה').waitFor({ timeout: 5_000 })
  await page.locator('#composer').fill('בשמחה, מחר ב-9')
  await page.getByRole('button', { name: 'שליחה', disabled: false }).waitFor()
  await page.keyboard.press('Enter')
  await log.getByText('בשמחה, מחר ב-9').waitFor()
  await log.getByText('נקראה').waitFor({ timeout: 15_000 })
  const sent = [...product.carrier.messages.values()].filter(({ body }) => body === 'בשמחה, מחר ב-9')
  expect(sent.map(({ to }) => to)).toEqual([`whatsapp:${CALLER}`])
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('what was typed stays while the server is away, and goes out once it is back', async () => {
  const { page, close } = await open('/inbox')
  await page.getByRole('option', { name: /דנה/ }).click()
  await page.locator('#composer').fill('נשמר גם בלי שרת')
  await page.getByRole('button', { name: 'שליחה', disabled: false }).waitFor()
  await page.route('**/trpc/**', (route) => route.abort())
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor()
  await page.reload({ waitUntil: 'domcontentloaded' })
  await page.unroute('**/trpc/**')
  await page.reload()
  await page.getByRole('log').getByText('נשמר גם בלי שרת').waitFor()
  await page.getByRole('log').getByText('ממתינה לשרת').waitFor({ state: 'detached' })
  await close()
}, 60_000)

test('a lead is moved by the keyboard, and another browser sees it', async () => {
  const { id } = await product.trpc().leads.create.mutate({ name: 'משה כהן', phone: '+972521112233' })
  const { items: stages } = await product.trpc().leads.stages.query()
  const [, second] = stages
  const first = await open('/leads')
  const other = await open('/leads', { language: 'en' })
  const card = first.page.getByRole('listitem').filter({ hasText: 'משה כהן' })
  await card.getByRole('combobox').selectOption(second?.key ?? '')
  await eventually(async () => (await product.trpc().leads.get.query({ id })).stage === second?.key, 'the move')
  await other.page
    .getByRole('region', { name: second?.name ?? '' })
    .getByText('משה כהן')
    .waitFor({ timeout: 20_000 })
  await first.close()
  await other.close()
}, 60_000)

test('scripts and styles are compressed, immutable and small; the shell is never cached', async () => {
  const shell = await product.api('/console/inbox', { key: null })
  expect(shell.headers.get('cache-control')).toBe('no-cache')
  expect(shell.headers.get('content-security-policy')).toContain("script-src 'self'")
  expect(shell.headers.get('content-security-policy')).not.toContain('unsafe')
  const text = await shell.text()
  const script = /src="(\/console\/assets\/main-[^"]+\.js)"/.exec(text)?.[1] ?? ''
  const style = /href="(\/console\/assets\/style-[^"]+\.css)"/.exec(text)?.[1] ?? ''
  const sizes = await Promise.all(
    [script, style].map(async (path) => {
      const answer = await fetch(product.url() + path, { headers: { 'accept-encoding': 'br' }, decompress: false })
      expect(answer.headers.get('content-encoding')).toBe('br')
      expect(answer.headers.get('cache-control')).toContain('immutable')
      const again = await fetch(product.url() + path, {
        headers: { 'accept-encoding': 'br', 'if-none-match': answer.headers.get('etag') ?? '' },
      })
      expect(again.status).toBe(304)
      return (await answer.arrayBuffer()).byteLength
    }),
  )
  expect(sizes[0]).toBeLessThan(200_000)
  // Every utility class was once missing without an error: one that is known must be there, and none bound to a language.
  const css = await (await fetch(product.url() + style)).text()
  expect(css).toContain('.border-e')
  expect(css).not.toContain(':lang(')
  for (const path of ['/console/assets/..%2f..%2fpackage.json', '/console/assets/none-123456.js'])
    expect((await product.api(path, { key: null })).status).toBe(404)
})

test('the root leads a browser to the console and answers a client with JSON', async () => {
  const page = await product.api('/', { key: null, headers: { accept: 'text/html' }, redirect: 'manual' })
  expect([page.status, page.headers.get('location')]).toEqual([302, '/console'])
  expect(await (await product.api('/', { key: null })).json()).toMatchObject({ links: { console: '/console' } })
})
