import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser } from 'playwright-core'
import { createLogin } from '../../src/access/login.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { openBrowser } from '../support/browser.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const LONG = 90_000
const login = { email: 'owner@example.com', password: 'a long password of the tests', name: 'Owner' }
let database: TestDatabase
let web: TestServer
let browser: Browser

beforeAll(async () => {
  database = await createTestDatabase()
  web = await startTestServer(database.url)
  const { db } = web.deps.ctx
  const userId = await createLogin(db, login)
  await db.transaction((tx) => grantMembership(tx, within(web.deps.ctx, web.businessId), userId, 'owner'))
  browser = await openBrowser()
}, LONG)

afterAll(async () => {
  await browser.close()
  await web.stop()
  await database.drop()
})

test(
  'the login and the queue board work under their policies, without a word in the browser’s console',
  async () => {
    const page = await browser.newPage()
    const said: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') said.push(message.text())
    })
    page.on('pageerror', (error) => said.push(String(error)))
    page.on('response', (response) => {
      if (response.status() >= 400) said.push(`${response.status()} ${response.url()}`)
    })
    await page.goto(`${web.url}/admin/queues`, { waitUntil: 'networkidle' })
    expect(new URL(page.url()).pathname).toBe('/admin/login')
    expect(await page.locator('form').evaluate((form) => getComputedStyle(form).display)).toBe('grid')
    await page.fill('input[name=email]', login.email)
    await page.fill('input[name=password]', login.password)
    await page.click('button')
    await page.waitForURL(/\/admin\/queues/)
    await page.getByText('crm').first().waitFor({ timeout: 20_000 })
    await page.getByText('crm').first().click()
    await page.waitForLoadState('networkidle')
    expect(await page.locator('body').textContent()).toContain('crm')
    expect(said).toEqual([])
    await page.close()
  },
  LONG,
)

test(
  'the login stays in the language that was chosen and leads to where it was asked for',
  async () => {
    const context = await browser.newContext({ locale: 'en-GB' })
    const page = await context.newPage()
    const language = () => page.locator('html').getAttribute('lang')
    await page.goto(`${web.url}/admin/login?next=${encodeURIComponent('/admin/queues')}`)
    await page.click('a[lang=he]')
    await page.waitForURL(/lang=he/)
    expect(await language()).toBe('he')
    await page.fill('input[name=email]', login.email)
    await page.fill('input[name=password]', 'not the password')
    await page.click('button')
    await page.locator('p[role=alert]').waitFor()
    expect(await language()).toBe('he')
    await page.click('a[lang=en]')
    await page.waitForURL(/lang=en/)
    expect(await language()).toBe('en')
    await page.fill('input[name=email]', login.email)
    await page.fill('input[name=password]', login.password)
    await page.click('button')
    await page.waitForURL(/\/admin\/queues/)
    await context.close()
  },
  LONG,
)

test('the login leads to pages of our own alone', async () => {
  const shownTarget = async (next: string) => {
    const page = await fetch(`${web.url}/admin/login?${new URLSearchParams({ next })}`)
    return /name="next" value="([^"]*)"/.exec(await page.text())?.[1]?.replaceAll('&amp;', '&')
  }
  const loggedInAt = async (next: string) => {
    const answer = await fetch(`${web.url}/admin/login?lang=he`, {
      method: 'POST',
      redirect: 'manual',
      headers: { Origin: web.url },
      body: new URLSearchParams({ email: login.email, password: login.password, next }),
    })
    return answer.headers.get('location')
  }
  for (const next of ['/admin/queues', '/console/calls/x', '/console/inbox?open=01a2&q=%D7%A9', '/api/docs'])
    expect(await shownTarget(next)).toBe(next)
  for (const next of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example/admin',
    'javascript:alert(1)',
    '/console@evil.example',
    '/console.evil.example',
    '/console\n//evil.example',
    '/console?next=//evil.example',
    '/console/\r\nSet-Cookie: a=b',
    '/pay/x',
    '',
  ])
    expect([next, await shownTarget(next)]).toEqual([next, '/admin'])
  expect(await loggedInAt('/console/inbox?open=01a2')).toBe('/console/inbox?open=01a2')
  expect(await loggedInAt('//evil.example')).toBe('/admin')
})

test(
  'a page of another site cannot frame them',
  async () => {
    const page = await browser.newPage()
    await page.setContent(`<iframe src="${web.url}/admin/login"></iframe>`)
    await page.waitForTimeout(500)
    const frame = page.frames().find((each) => each !== page.mainFrame())
    expect(frame?.url()).not.toContain('/admin/login')
    await page.close()
  },
  LONG,
)
