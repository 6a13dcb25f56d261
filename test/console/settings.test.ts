import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createLogin } from '../../src/access/login.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { type CalendarSandbox, startCalendars } from '../../src/sandbox/calendars/server.ts'
import { calendarVariables } from '../support/calendars.ts'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'
import { oneTimeCode } from '../support/one-time-code.ts'
import { eventually } from '../support/product.ts'

const PARTS = ['calendars', 'team', 'keys', 'providers', 'models', 'webhooks', 'privacy', 'audit', 'usage', 'account']
const LOGIN = { email: 'dana@example.com', password: 'brook lantern granite 42', name: 'דנה לוי' }
const LONG = 120_000

let fixture: ConsoleFixture
let sandbox: CalendarSandbox

beforeAll(async () => {
  sandbox = startCalendars({ port: 0 })
  fixture = await startConsole({
    workers: ['crm'],
    env: calendarVariables(sandbox.url),
    async prepare(ctx, businessId) {
      const userId = await createLogin(ctx.db, LOGIN)
      await ctx.db.transaction((tx) => grantMembership(tx, within(ctx, businessId), userId, 'owner'))
    },
  })
}, LONG)
afterAll(async () => {
  await fixture.stop()
  await sandbox.close()
}, LONG)

for (const { language, width } of VIEWS)
  test(
    `the parts of the settings in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`,
    async () => {
      for (const part of PARTS) {
        const { page, problems } = await fixture.show(`/settings?part=${part}`, { language, width })
        await page.getByRole('heading', { level: 2 }).first().waitFor()
        await judge(page, `settings-${part}-${language}-${width}`, problems)
      }
    },
    LONG,
  )

test(
  'a key is shown once, does what its scope allows, and stops working when it is revoked',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=keys', { language: 'en' })
    await page.getByLabel('Name').fill('Website')
    await page.getByLabel('Read only').check()
    await page.getByRole('button', { name: 'Create key' }).click()
    const key = await page.getByLabel('The new key').inputValue()
    const status = async (path: string, method = 'GET') =>
      (await fixture.product.api(path, { key, method, ...(method === 'GET' ? {} : { body: '{}' }) })).status
    expect(await status('/api/v1/leads')).toBe(200)
    expect(await status('/api/v1/contacts', 'POST')).toBe(403)
    const row = page.getByRole('listitem').filter({ hasText: 'Website' })
    await judge(page, 'settings-keys-made', problems)
    await row.getByRole('button', { name: 'Revoke' }).click()
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Cancel')
    await row.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
    await row.getByText('Revoked').waitFor()
    expect(await status('/api/v1/leads')).toBe(401)
    await page.reload()
    await row.getByText('Revoked').waitFor()
    expect(await page.content()).not.toContain(key)
    await close()
  },
  LONG,
)

test(
  'keys of a provider are set, listed by a hint alone, and removed',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=providers', { language: 'en' })
    const panel = page.locator('section').filter({ has: page.getByRole('heading', { name: 'PayPal' }) })
    await panel.getByText('Set own keys').click()
    await panel.getByLabel('PayPal: Client ID').fill('client-of-this-business')
    await panel.getByLabel('PayPal: Secret').fill('secret-of-this-business')
    await panel.getByLabel('PayPal: Webhook ID').fill('WH-123')
    await panel.getByRole('button', { name: 'Save' }).click()
    await panel.getByText('…ness').waitFor()
    expect(await page.content()).not.toContain('secret-of-this-business')
    await judge(page, 'settings-providers-set', problems)
    await panel.getByRole('button', { name: 'Remove' }).click()
    await panel.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
    await panel.getByText('No own keys').waitFor()
    expect((await fixture.product.trpc().credentials.list.query()).items).toEqual([])
    await close()
  },
  LONG,
)

test(
  'a webhook gets what happens; its deliveries are seen, and one is sent again',
  async () => {
    const received: { id: string | null; type: string }[] = []
    const receiver = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request) {
        const { type } = (await request.json()) as { type: string }
        received.push({ id: request.headers.get('webhook-id'), type })
        return new Response('ok')
      },
    })
    try {
      const { page, problems, close } = await fixture.open('/settings?part=webhooks', { language: 'en' })
      await page.getByLabel('Address').fill(`http://127.0.0.1:${receiver.port}/hook`)
      await page.getByLabel('Leads').check()
      await page.getByRole('button', { name: 'Add address' }).click()
      expect(await page.getByLabel(/The secret that signatures/).inputValue()).toStartWith('whsec_')
      await fixture.product.trpc().leads.create.mutate({ name: 'משה', phone: '+972521112233' })
      await eventually(async () => received.some(({ type }) => type === 'lead.create'), 'the delivery')
      expect(received.filter(({ type }) => !type.startsWith('lead.'))).toEqual([])
      await page.getByRole('button', { name: 'Deliveries' }).click()
      const row = page.getByRole('list', { name: 'Deliveries' }).getByRole('listitem').first()
      await row.getByText('delivered').waitFor()
      await judge(page, 'settings-webhooks-deliveries', problems)
      const before = received.length
      await row.getByRole('button', { name: /Send again: event/ }).click()
      await eventually(async () => received.length > before, 'the second delivery')
      expect(received.at(-1)?.id).toBe(received[before - 1]?.id ?? null)
      await page.getByRole('button', { name: 'Turn off' }).click()
      await page.getByText('Off', { exact: false }).first().waitFor()
      await page.getByRole('button', { name: 'Delete' }).click()
      await page.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click()
      await page.getByText('No addresses yet.').waitFor()
      await close()
    } finally {
      await receiver.stop(true)
    }
  },
  LONG,
)

test(
  'retention is saved, and a person is erased; the audit log says who did it',
  async () => {
    const { id } = await fixture.product.trpc().contacts.create.mutate({ name: 'רות מחוקה', phone: '+972541112233' })
    const { page, problems, close } = await fixture.open('/settings?part=privacy', { language: 'he' })
    await page.getByLabel('הקלטות').fill('90')
    await page.getByRole('button', { name: 'שמירה' }).click()
    await page.getByRole('status').getByText('נשמר').waitFor()
    expect(await fixture.product.trpc().privacy.retention.query()).toEqual({
      messageDays: null,
      callDays: null,
      recordingDays: 90,
    })
    await page.getByLabel('שם או מספר').fill('רות')
    const row = page.getByRole('listitem').filter({ hasText: 'רות מחוקה' })
    await row.getByRole('button', { name: 'מחיקה' }).click()
    await judge(page, 'settings-privacy-asks', problems)
    await row.getByRole('alertdialog').getByRole('button', { name: 'מחיקה' }).click()
    await page.getByText(/^נמחקו:/).waitFor()
    const gone = await fixture.product.api(`/api/v1/contacts/${id}`)
    expect(gone.status).toBe(404)
    await page.getByRole('link', { name: 'יומן שינויים' }).click()
    const log = page.getByRole('list', { name: 'יומן שינויים' })
    await log.getByText('privacy.retention').first().waitFor()
    await page.getByLabel('על מה').selectOption('contact')
    await log.getByText('contact.erase').first().waitFor()
    expect(await log.getByText('privacy.retention').count()).toBe(0)
    expect(await log.textContent()).not.toContain('רות')
    await close()
  },
  LONG,
)

test(
  'a member is invited by a link that is copied, accepts it, gets another role, and is removed',
  async () => {
    const context = await fixture.newContext({ language: 'en' })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const { page, problems } = await fixture.open('/settings?part=team', { context })
    await page.getByLabel('E-mail').fill('new@example.com')
    await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption('agent')
    await page.getByRole('button', { name: 'Invite' }).click()
    await page.getByRole('button', { name: 'Copy' }).click()
    await page.getByText('Copied.').waitFor()
    const link = await page.evaluate(() => navigator.clipboard.readText())
    const guest = await (await fixture.newContext({ language: 'en' })).newPage()
    await guest.goto(link)
    await guest.fill('input[name=name]', 'New Member')
    await guest.fill('input[name=password]', 'seven quiet harbours 11')
    await guest.click('button')
    await guest.waitForURL(/\/console/)
    await page.reload()
    const row = page.getByRole('listitem').filter({ hasText: 'New Member' })
    await row.getByRole('combobox', { name: 'Role of New Member' }).selectOption('viewer')
    await eventually(
      async () =>
        (await fixture.product.trpc().members.list.query({})).items.some(
          ({ email, role }) => email === 'new@example.com' && role === 'viewer',
        ),
      'the role',
    )
    await judge(page, 'settings-team-member', problems)
    await row.getByRole('button', { name: 'Remove' }).click()
    await row.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click()
    await row.waitFor({ state: 'detached' })
    await guest.context().close()
    await context.close()
  },
  LONG,
)

test(
  'a login gets a second factor with recovery codes, a new password, and ends its other sessions',
  async () => {
    const logIn = async () => {
      const context = await fixture.newContext({ language: 'en' })
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      await page.goto(`${fixture.product.publicBaseUrl}/admin/login?next=/console/settings`)
      await page.fill('input[name=email]', LOGIN.email)
      await page.fill('input[name=password]', LOGIN.password)
      await page.click('button')
      return { context, page }
    }
    const other = await logIn()
    await other.page.waitForURL(/\/console/)
    const { context, page } = await logIn()
    await page.goto(`${fixture.product.publicBaseUrl}/console/settings?part=account`)
    const factor = page
      .locator('section')
      .filter({ has: page.getByRole('heading', { name: 'Second factor', exact: true }) })
    await factor.getByLabel('Your password now').fill(LOGIN.password)
    await factor.getByRole('button', { name: 'Set up' }).click()
    await factor.getByRole('img', { name: 'Code for the authenticator app' }).waitFor()
    const secret = await factor.locator('code').textContent()
    const codes = await factor.getByRole('list').getByRole('listitem').allTextContents()
    expect(codes.length).toBeGreaterThan(5)
    await judge(page, 'settings-account-scan', [])
    await factor.getByLabel('The code that the app shows').fill(await oneTimeCode(secret ?? ''))
    await factor.getByRole('button', { name: 'Turn on' }).click()
    await factor.getByText('The second factor is on.').waitFor()

    const third = await logIn()
    await third.page.fill('input[name=code]', codes[0] ?? '')
    await third.page.click('button')
    await third.page.waitForURL(/\/console/)
    await page.reload()
    const sessions = page.getByRole('list', { name: 'Where you are logged in' })
    await sessions.getByText('This browser').waitFor()
    const listed = await sessions.getByRole('listitem').count()
    expect(listed).toBeGreaterThanOrEqual(3)
    await sessions.getByRole('button', { name: 'Log out there' }).first().click()
    await eventually(async () => (await sessions.getByRole('listitem').count()) === listed - 1, 'one session less')

    const password = page
      .locator('section')
      .filter({ has: page.getByRole('heading', { name: 'Password', exact: true }) })
    await password.getByLabel('Your password now').fill(LOGIN.password)
    await password.getByLabel('New password').fill('short')
    await password.getByRole('button', { name: 'Change password' }).click()
    await password.getByRole('alert').waitFor()
    await password.getByLabel('New password').fill('seven quiet harbours 12')
    await password.getByRole('button', { name: 'Change password' }).click()
    await password.getByText('Changed.').waitFor()
    await eventually(async () => (await sessions.getByRole('listitem').count()) === 1, 'this session alone')
    await other.page.goto(`${fixture.product.publicBaseUrl}/admin`)
    expect(other.page.url()).toContain('/admin/login')
    for (const each of [context, other.context, third.context]) await each.close()
  },
  LONG,
)

test(
  'the look is chosen, survives a reload, and follows the device again',
  async () => {
    const { page, close } = await fixture.open('/settings?part=account', { language: 'en' })
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await background()
    await page.getByRole('radio', { name: 'Dark' }).check()
    await eventually(async () => (await background()) !== light, 'the dark look')
    const dark = await background()
    await page.reload()
    await page.getByRole('radio', { name: 'Dark' }).waitFor()
    expect(await background()).toBe(dark)
    await judge(page, 'settings-account-dark', [])
    await page.getByRole('radio', { name: 'As the device' }).check()
    await eventually(async () => (await background()) === light, 'the light look of the device')
    await page.emulateMedia({ colorScheme: 'dark' })
    await eventually(async () => (await background()) === dark, 'the dark look of the device')
    await close()
  },
  LONG,
)

test(
  'a calendar is connected at the vendor without an account, read, written, conflicted with and disconnected',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=calendars', { language: 'en' })
    await page.getByRole('link', { name: 'Connect Google Calendar' }).click()
    await page.getByRole('button', { name: 'Connect' }).click()
    await page.getByText('The calendar is connected.').waitFor()
    await page.getByRole('list', { name: 'Connected calendars' }).getByText('dana@google.example').first().waitFor()
    const rows = page.getByRole('list', { name: 'Connected calendars' }).locator(':scope > li')
    await rows.getByText(/^Read/).first().waitFor()
    await judge(page, 'settings-calendars-connected', problems)
    // A feed is made, read by anyone who has its address, and by no one after it is revoked.
    await page.getByRole('button', { name: 'Make an address' }).click()
    const url = await page.getByLabel('Address: The whole business').inputValue()
    const read = await fetch(url)
    expect([read.status, read.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8'])
    expect((await fetch(url, { headers: { 'if-none-match': read.headers.get('etag') ?? '' } })).status).toBe(304)
    await page.getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Revoke' }).click()
    await page.getByLabel('Address: The whole business').waitFor({ state: 'detached' })
    expect((await fetch(url)).status).toBe(404)
    await page.getByRole('button', { name: 'Disconnect' }).click()
    await page.getByRole('alertdialog').getByRole('button', { name: 'Disconnect' }).click()
    await page.getByText('No calendar is connected yet.').waitFor()
    await close()
  },
  LONG,
)
