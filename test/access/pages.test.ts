import { afterAll, beforeAll, expect, test } from 'bun:test'
import { UnrecoverableError } from 'bullmq'
import type { Browser } from 'playwright-core'
import { createLogin } from '../../src/access/login.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { openBrowser } from '../support/browser.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { eventually } from '../support/wait.ts'

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
  'what a stranger wrote into a job is text on the board, and no secret or personal data is shown',
  async () => {
    const { producer, backend } = web.deps
    const attack = '<img src="x" onerror="window.ran = true"><script>window.ran = true</script>'
    const hidden = ['Dana Levi', 'a private text', '+972501234567', 'dana@example.com', 'al_a-secret-key', 'hunter2']
    const [name, inquiry, phone, email, key, password] = hidden
    const at = new Date().toISOString()
    const { businessId } = web
    await producer.enqueue(
      'lead.save',
      { callSid: attack, businessId, name: `${name} ${attack}`, inquiry: `${inquiry} ${phone} ${attack}`, at },
      { jobId: 'written-by-a-stranger' },
    )
    const reason = `${attack} of ${email} ${phone}: Bearer ${key} at https://user:${password}@example.com`
    const worker = backend.openWorker('crm', () => Promise.reject(new UnrecoverableError(reason)), {})
    const crm = producer.queues.find((queue) => queue.name === 'crm')
    await eventually(async () => (await crm?.getFailedCount()) === 1, 'the failed job')
    await worker.close()

    const context = await browser.newContext()
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('dialog', (dialog) => problems.push(dialog.message()))
    await page.goto(`${web.url}/admin/login?next=/admin/queues`)
    await page.fill('input[name=email]', login.email)
    await page.fill('input[name=password]', login.password)
    await page.click('button')
    await page.waitForURL(/\/admin\/queues/)
    const answers: string[] = []
    page.on('response', async (response) => {
      if (response.url().includes('/admin/queues/api/')) answers.push(await response.text().catch(() => ''))
    })
    for (const path of ['crm?status=failed', 'crm/written-by-a-stranger']) {
      const opened = await page.goto(`${web.url}/admin/queues/queue/${path}`)
      expect(opened?.headers()['content-security-policy']).toContain("script-src 'self';")
      const text = () => page.locator('body').textContent()
      for (const [tab, shown] of [
        ['Data', `callSid:"${attack}"`],
        ['Error', `UnrecoverableError: ${attack} of [e-mail]`],
      ] as const) {
        await page.getByRole('tab', { name: tab }).first().click()
        await eventually(async () => (await text())?.includes(shown), `${tab} on ${path}`)
        expect(await page.locator('img[src="x"]').count()).toBe(0)
        expect(await page.evaluate('window.ran')).toBeUndefined()
      }
    }
    expect(answers.join()).toContain('written-by-a-stranger')
    const headers = { Origin: new URL(web.url).origin }
    const board = `${web.url}/admin/queues/api/queues/crm`
    for (const answer of [
      await page.request.patch(`${board}/written-by-a-stranger/update-data`, { headers, data: { jobData: {} } }),
      await page.request.post(`${board}/add`, { headers, data: { name: 'lead.save', data: {}, options: {} } }),
    ])
      expect([answer.status(), await answer.text()]).toEqual([403, expect.stringContaining('job_data_is_fixed')])
    expect((await crm?.getJob('written-by-a-stranger'))?.data).toMatchObject({ callSid: attack })
    for (const secret of hidden) expect([secret, answers.join().includes(secret)]).toEqual([secret, false])
    await context.close()
    expect(problems).toEqual([])
  },
  LONG,
)

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
