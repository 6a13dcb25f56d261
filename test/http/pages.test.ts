import { afterAll, beforeAll, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { buildConsole } from '../../src/console/build/build.ts'
import { createApiKey } from '../../src/domain/businesses/index.ts'
import { within } from '../../src/domain/context.ts'
import { findViolations } from '../support/axe.ts'
import { openBrowser } from '../support/browser.ts'
import { judge } from '../support/console.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 90_000
let database: TestDatabase
let web: TestServer
let browser: Browser
let key: string

beforeAll(async () => {
  await buildConsole(join(import.meta.dir, '../../dist/console'))
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  key = (await createApiKey(within(web.deps.ctx, web.businessId), { name: 'docs', scope: 'write' })).key
  browser = await openBrowser()
}, LONG)

afterAll(async () => {
  await browser.close()
  await web.stop()
  await database.drop()
})

/** @param authorization sent with the page and its script alone */
async function open(path: string, language: 'he' | 'en', width: number, authorization?: string) {
  const context = await browser.newContext({
    viewport: { width, height: 800 },
    locale: language === 'he' ? 'he-IL' : 'en-GB',
  })
  const page = await context.newPage()
  if (authorization)
    await page.route('**/api/docs**', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization } }),
    )
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text())
  })
  await page.goto(web.url + path)
  return { page, problems, close: () => context.close() }
}

for (const language of ['he', 'en'] as const)
  test(
    `the login and the error pages in ${language}: in the console’s letters and colors, on a phone and on a desktop, axe finds nothing`,
    async () => {
      const { page, problems, close } = await open('/admin/login', language, 360)
      for (const width of [360, 1280])
        for (const [path, status] of [
          ['/admin/login', 200],
          ['/admin/forgot', 200],
          ['/admin/invite/none', 410],
          ['/no/such/page', 404],
        ] as const) {
          problems.length = 0
          await page.setViewportSize({ width, height: 800 })
          const answer = await page.goto(web.url + path)
          expect([path, answer?.status()]).toEqual([path, status])
          expect(await page.evaluate(() => document.documentElement.dir)).toBe(language === 'he' ? 'rtl' : 'ltr')
          await page.evaluate(() => document.fonts.ready)
          expect(await page.evaluate(() => document.fonts.check('16px Heebo'))).toBe(true)
          expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(247, 247, 245)')
          const name = `page-${path.split('/').at(-1)}-${language}-${width}`
          await judge(
            page,
            name,
            problems.filter((problem) => !problem.includes(`status of ${status}`)),
          )
        }
      await close()
    },
    LONG,
  )

test(
  'a page that axe has something against does not pass',
  async () => {
    const page = await browser.newPage()
    await page.setContent('<html lang="en"><title>x</title><main><h1>x</h1><img src="data:,"></main>')
    expect((await findViolations(page)).map(({ id }) => id)).toEqual(['image-alt'])
    await page.close()
  },
  LONG,
)

test('what a customer mistypes is answered by a page that does not lead to the console', async () => {
  for (const path of ['/book/none/of/it', '/pay/none/of/it']) {
    const answer = await fetch(`${web.url}${path}?lang=he`, { headers: { accept: 'text/html' } })
    expect([answer.status, answer.headers.get('content-type')?.split(';')[0]]).toEqual([404, 'text/html'])
    const text = await answer.text()
    expect(text).toContain('הקישור שגוי')
    expect(text).not.toContain('<a ')
  }
})

test('what calls the API gets errors as JSON, whatever it accepts', async () => {
  for (const path of ['/api/v1/none', '/trpc/none.none', '/api/none']) {
    const answer = await fetch(web.url + path, { headers: { accept: 'text/html', authorization: `Bearer ${key}` } })
    expect([path, answer.status, answer.headers.get('content-type')]).toEqual([
      path,
      404,
      expect.stringContaining('application/json'),
    ])
  }
  const client = await fetch(`${web.url}/no/such/page`)
  expect(client.headers.get('content-type')).toContain('application/json')
})

test(
  'the API reference sends the requests that a reader fills in, and shows the answers',
  async () => {
    const { page, problems, close } = await open('/api/docs', 'en', 360, `Bearer ${key}`)
    await page.getByLabel('Filter').fill('contacts.create')
    const entry = page.locator('details[data-text]:not([hidden])').first()
    await entry.locator('summary').first().click()
    await judge(page, 'page-docs', problems)
    await page.getByLabel('API key for the requests below').fill(key)
    await entry.getByLabel('Body').fill(JSON.stringify({ name: 'Dana', phone: '+972501112233' }))
    await entry.getByRole('button', { name: 'Send POST' }).click()
    const output = entry.locator('output')
    await entry.locator('output', { hasText: '201 Created' }).waitFor()
    const { id } = JSON.parse((await output.textContent())?.split('\n\n')[1] ?? '{}')
    await page.getByLabel('Filter').fill('contacts.get')
    const get = page.locator('details[data-text]:not([hidden])').first()
    await get.locator('summary').first().click()
    await get.getByLabel('id *').fill(id)
    await get.getByRole('button', { name: 'Send GET' }).click()
    await get.locator('output', { hasText: '"name": "Dana"' }).waitFor()
    await page.getByLabel('API key for the requests below').fill('wrong')
    await get.getByRole('button', { name: 'Send GET' }).click()
    await get.locator('output', { hasText: 'invalid_api_key' }).waitFor()
    expect(problems.filter((problem) => !problem.includes('status of 401'))).toEqual([])
    await close()
  },
  LONG,
)

test('a form that is refused for its number is answered by a page in the reader’s language, a program by JSON', async () => {
  const send = (accept: string) =>
    fetch(`${web.url}/book/none?lang=he`, {
      method: 'POST',
      headers: { accept, 'content-type': 'application/x-www-form-urlencoded', 'accept-language': 'he-IL' },
      body: 'name=x',
    })
  let refused = await send('text/html')
  for (let tries = 0; refused.status !== 429 && tries < 30; tries++)
    refused = (await Promise.all(Array.from({ length: 40 }, () => send('text/html')))).at(-1) ?? refused
  expect([refused.status, refused.headers.get('content-type')?.split(';')[0]]).toEqual([429, 'text/html'])
  const page = await refused.text()
  expect(page).toContain('dir="rtl"')
  expect(page).not.toContain('"success"')
  expect(await (await send('application/json')).json()).toMatchObject({ error: { code: 'rate_limited' } })
})
