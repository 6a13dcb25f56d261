import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createLogin } from '../../src/access/login.ts'
import { createBusiness } from '../../src/domain/businesses/index.ts'
import { resolveContact } from '../../src/domain/contacts/index.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { sendInboundWhatsApp } from '../../src/sandbox/carrier/inbound-whatsapp.ts'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, startConsoleProduct, VIEWS, type View } from '../support/console.ts'
import { PASSWORD } from '../support/identities.ts'
import { eventually, type Product, WHATSAPP_SENDER } from '../support/product.ts'
import { startPushService } from '../support/push-service.ts'
import { speak } from '../support/speech.ts'

const VIEWER = 'viewer@example.com'

let product: Product
let browser: Browser
let service: ReturnType<typeof startPushService>
let publicKey = ''
const other = { businessId: '', contactId: '' }

beforeAll(async () => {
  service = startPushService(() => publicKey)
  product = await startConsoleProduct({
    env: { WEBHOOKS_ALLOW_PRIVATE: '1' },
    async prepare(ctx, businessId) {
      const userId = await createLogin(ctx.db, { email: VIEWER, password: PASSWORD, name: 'Viewer' })
      other.businessId = await createBusiness(ctx, { name: 'The other shop', language: 'en' })
      await ctx.db.transaction(async (tx) => {
        await grantMembership(tx, within(ctx, businessId), userId, 'viewer')
        const bound = within(ctx, other.businessId)
        await grantMembership(tx, bound, userId, 'viewer')
        other.contactId = await resolveContact(tx, bound, { phone: '+972541112233', name: 'Noa of the other shop' })
      })
    },
  })
  publicKey = (await product.trpc().push.key.query()).publicKey
  browser = await openBrowser([], 'whole')
}, 120_000)
afterAll(async () => {
  await browser.close()
  service.close()
  await product.stop()
})

const open = (path: string, view?: View) => openConsole(product, browser, path, view)

/** A call that stays on the line until a member ends it. */
async function callIn() {
  const words = await speak('My name is Dana Levi', 'en')
  const calling = product.call({
    script: [{ say: words }, { wait: 40_000 }],
    dial: { outcome: 'answered', talkMs: 200 },
    connectBaseUrl: product.publicBaseUrl,
    maxSeconds: 50,
  })
  return { calling, live: async () => (await product.trpc().calls.live.query()).items[0] ?? null }
}

/** As the member who may only look. */
async function logIn(context: BrowserContext): Promise<void> {
  const page = await context.newPage()
  await page.goto(`${product.publicBaseUrl}/admin/login`)
  await page.locator('input[type=email]').fill(VIEWER)
  await page.locator('input[type=password]').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.waitForURL((url) => !url.pathname.endsWith('/login'))
  await page.close()
}

const cards = (page: Page) => page.getByRole('article')

test('a call appears within a second, is heard, cannot be whispered to, and ends', async () => {
  const { page, problems, close } = await open('/live')
  await page.getByText('אין כרגע אף אחד על הקו').waitFor()
  const sockets: number[] = []
  page.on('websocket', (socket) => {
    const index = sockets.push(0) - 1
    socket.on('framereceived', () => {
      sockets[index] = (sockets[index] ?? 0) + 1
    })
  })
  const { calling, live } = await callIn()
  await eventually(live, 'the call')
  await cards(page).waitFor({ timeout: 1_000 })
  await page.getByText('בשיחה').waitFor()
  await page.getByRole('log').getByText('הסוכן').first().waitFor()
  await page.getByRole('button', { name: 'האזנה' }).click()
  await page.getByText('אתם שומעים את השיחה').waitFor()
  await eventually(() => (sockets[0] ?? 0) > 5, 'the audio')
  await page.getByRole('button', { name: 'הפסקת האזנה' }).click()
  await page.getByRole('button', { name: 'לחישה לסוכן' }).click()
  await page.getByText('המנוע המובנה הולך רק לפי התסריט').waitFor()
  await page.getByRole('log').getByText('המתקשר').first().waitFor()
  await page.getByRole('button', { name: 'סיום השיחה' }).click()
  await page.getByRole('button', { name: 'לחצו שוב לסיום' }).click()
  await calling
  await page.getByText('אין כרגע אף אחד על הקו').waitFor({ timeout: 5_000 })
  expect(problems).toEqual([])
  await close()
}, 120_000)

test.each([...VIEWS])(
  'a call is shown in $language at $width pixels',
  async ({ language, width }) => {
    const { calling, live } = await callIn()
    const call = await eventually(live, 'the call')
    const { page, problems, close } = await open('/live', { language, width })
    await cards(page).waitFor()
    await page.getByRole('button', { name: language === 'he' ? 'לקחת את השיחה' : 'Take over' }).click()
    await judge(page, `live-${language}-${width}`, problems)
    expect(problems).toEqual([])
    await close()
    await product.trpc().calls.end.mutate({ id: call.id })
    await calling
  },
  120_000,
)

test('who may only look is offered nothing that the server would refuse, and opening a conversation reads it for no one', async () => {
  const trpc = product.trpc()
  await trpc.leads.create.mutate({ name: 'Ruth Adler', phone: '+972541239876' })
  await product.post('/webhook/whatsapp/twilio', {
    ...{ AccountSid: product.carrier.accountSid, MessageSid: `SM${'7'.repeat(32)}`, From: 'whatsapp:+972541239876' },
    ...{ To: 'whatsapp:+14155238886', Body: 'Are you open?', NumMedia: '0' },
  })
  const conversation = await eventually(
    async () => (await trpc.conversations.list.query({})).items.find(({ unread }) => unread > 0),
    'the message',
  )
  const startsAt = new Date(Date.now() + 3_600_000).toISOString()
  const { id: appointment } = await trpc.appointments.create.mutate({ startsAt, minutes: 30, name: 'Ruth Adler' })
  const { page, problems, close } = await open(`/inbox?contact=${conversation.contactId}`, {
    language: 'en',
    prepare: logIn,
  })
  const main = page.getByRole('main')
  const none = async (...names: string[]) => {
    for (const name of names)
      expect([name, await page.getByRole('button', { name, exact: true }).count()]).toEqual([name, 0])
  }
  await page.getByRole('log').getByText('Are you open?').waitFor()
  expect(await page.locator('#composer').count()).toBe(0)
  await none('Close conversation', 'Remind me later', 'Assign to me')
  await page.getByRole('button', { name: 'Contact details' }).click()
  await page.getByRole('complementary').getByText('054-123-9876').waitFor()
  await none('Edit', 'Merge a duplicate')
  await page.goto(`${product.publicBaseUrl}/console/leads`)
  await main.getByText('Ruth Adler').first().click()
  await page.getByRole('dialog').getByLabel('Name', { exact: true }).waitFor()
  expect(await page.getByRole('dialog').getByLabel('Name', { exact: true }).isEnabled()).toBe(false)
  await none('Save', 'New lead')
  await page.goto(`${product.publicBaseUrl}/console/calendar?appointment=${appointment}`)
  await page.getByRole('dialog').getByText('Confirmed').waitFor()
  await none('Save name and note', 'Cancel appointment', 'New appointment')
  await page.goto(`${product.publicBaseUrl}/console/contacts`)
  await main.getByText('Ruth Adler').first().waitFor()
  await none('New contact', 'Import')
  expect(problems).toEqual([])
  expect((await trpc.conversations.get.query({ id: conversation.id })).unread).toBe(1)
  await close()
  // Whoever may work gives it to any member, and takes that back.
  const owner = await open(`/inbox?contact=${conversation.contactId}`, { language: 'en' })
  const [viewer] = await product.sql<{ id: string }[]>`select id from auth_users where email = ${VIEWER}`
  const assignee = async () => (await trpc.conversations.get.query({ id: conversation.id })).assigneeId
  await owner.page.getByLabel('In charge').selectOption({ value: viewer?.id ?? '' })
  await eventually(async () => (await assignee()) === viewer?.id, 'it to be assigned')
  await owner.page.getByRole('button', { name: 'Undo' }).click()
  await eventually(async () => (await assignee()) === null, 'it to be unassigned')
  await owner.close()
}, 90_000)

test('a member takes a call over to their phone; who may only look sees no buttons', async () => {
  const { calling, live } = await callIn()
  await eventually(live, 'the call')
  const viewer = await open('/live', {
    language: 'en',
    prepare: logIn,
  })
  await cards(viewer.page).waitFor()
  expect(await cards(viewer.page).getByRole('button').count()).toBe(0)
  await viewer.close()
  const { page, close } = await open('/live', { language: 'en' })
  await page.getByRole('button', { name: 'Take over' }).click()
  const number = page.getByLabel('Transfer to this phone')
  await number.fill('12')
  await number.press('Enter')
  await page.getByRole('alert').getByText('The number is not valid').waitFor()
  await number.fill('052-111-2233')
  await number.press('Enter')
  const report = await calling
  expect(report.documents.find(({ source }) => source === 'rest')?.body).toContain('+972521112233')
  await page.getByText('No one is on the phone right now').waitFor()
  await close()
}, 120_000)

/** Headless Chromium subscribes to no push service: the browser that it would be is given to it. */
async function givePush(context: BrowserContext, device: ReturnType<typeof service.browser>): Promise<void> {
  const { id: _, ...json } = device
  await context.addInitScript((subscription) => {
    let subscribed = false
    const unsubscribe = async () => {
      subscribed = false
      console.info('unsubscribed')
      return true
    }
    const made = { ...subscription, toJSON: () => subscription, unsubscribe }
    PushManager.prototype.subscribe = async () => {
      subscribed = true
      return made as unknown as PushSubscription
    }
    PushManager.prototype.getSubscription = async () => (subscribed ? (made as unknown as PushSubscription) : null)
    Notification.requestPermission = async () => 'granted'
  }, json)
}

test('a member turns notifications on, chooses, tries them, and turns them off; the settings are well on a phone', async () => {
  const device = service.browser()
  for (const [language, width] of [['en', 360] as const, ['he', 1280] as const]) {
    const shown = await open('/settings?part=notifications', { language, width })
    await shown.page.getByRole('checkbox').first().waitFor()
    // The table of kinds and ways, opened.
    await shown.page.locator('summary').first().click()
    await shown.page.locator('details fieldset').first().waitFor()
    await judge(shown.page, `notifications-${language}-${width}`, shown.problems)
    await shown.close()
  }
  const { page, problems, close } = await open('/settings?part=notifications', {
    prepare: (context) => givePush(context, device),
  })
  await page.getByRole('button', { name: 'לקבל התראות במכשיר הזה' }).click()
  await page.getByText('המכשיר הזה מקבל התראות').waitFor()
  await judge(page, 'notifications-on-he-1280', [])
  await page.getByRole('checkbox', { name: 'לידים חדשים' }).click()
  await page.getByRole('button', { name: 'שליחת התראת ניסיון' }).click()
  await eventually(() => service.messagesOf(device.id).length > 0, 'the notification')
  expect(service.messagesOf(device.id)).toMatchObject([{ title: 'ההתראות פועלות', dir: 'rtl' }])
  expect(service.refused).toEqual([])
  const { items } = await product.trpc(null).push.devices.query()
  expect(items).toMatchObject([{ language: 'he', kinds: ['missed_call', 'voicemail', 'message'] }])
  await page.getByRole('button', { name: 'להפסיק במכשיר הזה' }).click()
  await page.getByRole('button', { name: 'לקבל התראות במכשיר הזה' }).waitFor()
  expect((await product.trpc(null).push.devices.query()).items).toEqual([])
  expect(problems).toEqual([])
  await close()
}, 60_000)

/** A customer writes, through the carrier's signed webhook. */
async function writeIn(body: string): Promise<void> {
  const webhookUrl = `${product.publicBaseUrl}/webhook/whatsapp/twilio`
  const { deliveries } = await sendInboundWhatsApp({
    carrier: product.carrier,
    webhookUrl,
    from: 'whatsapp:+972501230000',
    to: `whatsapp:${WHATSAPP_SENDER}`,
    body,
  })
  expect(deliveries.map(({ status }) => status)).toEqual([204])
}

test('who is notified of what and how: number, ways, a test of one, a channel, a step, and what was sent with who takes it', async () => {
  const { page, problems, close } = await open('/settings?part=notifications', { language: 'en', width: 360 })
  const panel = (name: string) => page.locator('section').filter({ has: page.getByRole('heading', { name, level: 2 }) })
  const mine = panel('How I am notified')
  await mine.getByLabel('My own number').fill('050-123 4567')
  await mine.getByLabel('From', { exact: true }).fill('22:00')
  await mine.getByLabel('To', { exact: true }).fill('07:00')
  await mine.getByRole('button', { name: 'Save' }).click()
  await mine.getByText('Saved.').waitFor()
  const notified = await product.trpc(null).alerts.mine.query()
  expect(notified).toMatchObject({ phone: '+972501234567', quietFrom: '22:00', quietTo: '07:00' })
  await mine.getByRole('button', { name: 'Send a code by SMS' }).click()
  await mine.getByText('The code is on its way.').waitFor()
  const sms = [...product.carrier.messages.values()].find(({ to }) => to === '+972501234567')
  await mine.getByLabel('Code').fill(/\d{6}/.exec(sms?.body ?? '')?.[0] ?? '')
  await mine.getByRole('button', { name: 'Verify' }).click()
  await mine.getByText('Your number is verified.').waitFor()
  await mine.getByText('What, and by which way').click()
  const urgent = mine.locator('fieldset').filter({ hasText: 'Urgent message' }).last()
  await urgent.getByRole('checkbox', { name: 'SMS' }).click()
  await eventually(
    async () => (await product.trpc(null).alerts.mine.query()).rules.urgent_message?.includes('sms'),
    'the rule is saved',
  )
  await mine.getByRole('button', { name: 'Test by SMS' }).click()
  await mine.getByText('SMS: sent.').waitFor()
  const channels = panel('Chats and programs')
  await channels.getByLabel('Kind').selectOption('webhook')
  await channels.getByLabel('Name').fill('Our program')
  await channels.getByLabel('Address').fill('http://127.0.0.1:9/alerts')
  await channels.getByRole('button', { name: 'Add a channel' }).click()
  expect(await channels.getByLabel('Secret to check').inputValue()).toStartWith('whsec_')
  await channels.getByText('Our program').waitFor()
  const ladder = panel('When no one reacts')
  await ladder.getByRole('button', { name: 'Add a step' }).click()
  await ladder.getByText('After 10 minutes: Viewer by Call').waitFor()
  await writeIn('This is urgent!')
  const history = panel('What was sent')
  const row = history.getByRole('listitem').filter({ hasText: 'Urgent message' }).first()
  await row.getByText('open', { exact: true }).waitFor()
  await row.getByRole('button', { name: 'Who was notified' }).click()
  await row.getByText('sent').first().waitFor()
  await judge(page, 'alerts-en-360', problems)
  const [alert] = (await product.trpc(null).alerts.list.query({})).items
  const link = await open(`/${alert?.url}&alert=${alert?.id}`, { language: 'en' })
  await eventually(
    async () => (await product.trpc(null).alerts.get.query({ id: alert?.id ?? '' })).seenAt,
    'the alert is seen',
  )
  await link.close()
  await row.getByRole('button', { name: 'I take care of it' }).click()
  await row.getByText('taken by someone').waitFor()
  await page.setViewportSize({ width: 1280, height: 800 })
  await judge(page, 'alerts-en-1280', problems)
  await close()
}, 90_000)

test('a member who signs out is not notified on this device any more', async () => {
  const { page, close } = await open('/settings?part=notifications', {
    language: 'en',
    async prepare(context) {
      await logIn(context)
      await givePush(context, service.browser())
    },
  })
  await page.getByRole('button', { name: 'Notify me on this device' }).click()
  await page.getByText('This device is notified').waitFor()
  const messages: string[] = []
  page.on('console', (message) => messages.push(message.text()))
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL((url) => url.pathname.endsWith('/login'))
  expect(messages).toContain('unsubscribed')
  await close()
}, 60_000)

/** Delivers a push message to the page's worker. @returns what clicks the notification */
async function push(
  context: BrowserContext,
  page: Page,
  message: Record<string, string>,
): Promise<() => Promise<void>> {
  const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent('serviceworker'))
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  const devtools = await context.newCDPSession(page)
  const registered = Promise.withResolvers<string>()
  devtools.on('ServiceWorker.workerRegistrationUpdated', ({ registrations }) => {
    const [first] = registrations
    if (first) registered.resolve(first.registrationId)
  })
  await devtools.send('ServiceWorker.enable')
  await devtools.send('ServiceWorker.deliverPushMessage', {
    origin: product.publicBaseUrl,
    registrationId: await registered.promise,
    data: JSON.stringify(message),
  })
  // As a click would.
  return () =>
    worker.evaluate(async () => {
      const scope = globalThis as unknown as { registration: ServiceWorkerRegistration } & EventTarget
      const [notification] = await scope.registration.getNotifications()
      const Click = Reflect.get(globalThis, 'NotificationEvent')
      scope.dispatchEvent(new Click('notificationclick', { notification }))
    })
}

test('the service worker shows what is pushed and leads to its place; the console can be installed', async () => {
  const { context, page, problems, close } = await open('/today', {
    prepare: (context) => context.grantPermissions(['notifications'], { origin: product.publicBaseUrl }),
  })
  const click = await push(context, page, {
    title: 'ליד חדש',
    body: 'דנה',
    lang: 'he',
    dir: 'rtl',
    tag: 'lead-1',
    url: 'leads',
  })
  const shown = await eventually(
    () =>
      page.evaluate(async () => {
        const [one] = await (await navigator.serviceWorker.ready).getNotifications()
        return one ? { title: one.title, body: one.body, dir: one.dir, tag: one.tag } : null
      }),
    'the notification',
  )
  expect(shown).toEqual({ title: 'ליד חדש', body: 'דנה', dir: 'rtl', tag: 'lead-1' })
  await click()
  await page.waitForURL(/\/console\/leads/)
  const manifest = await (await fetch(`${product.publicBaseUrl}/console/console.webmanifest`)).json()
  expect(manifest).toMatchObject({ start_url: '../console', scope: '../console', display: 'standalone' })
  for (const { src, sizes, type } of manifest.icons.filter((icon: { type: string }) => icon.type === 'image/png')) {
    const answer = await fetch(new URL(src, `${product.publicBaseUrl}/console/console.webmanifest`))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    const png = Buffer.from(await answer.arrayBuffer())
    expect(`${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`).toBe(sizes)
  }
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('a notification of another business than the chosen one switches to it and opens the place, in every window', async () => {
  const { context, page, close } = await open('/today', {
    language: 'en',
    async prepare(context) {
      await context.grantPermissions(['notifications'], { origin: product.publicBaseUrl })
      await logIn(context)
    },
  })
  const business = (of: Page) => of.getByRole('navigation').locator('select option:checked')
  await eventually(async () => (await business(page).textContent()) === product.env.BUSINESS_NAME, 'the first business')
  const second = await context.newPage()
  await second.goto(`${product.publicBaseUrl}/console/settings?part=business`)
  const url = `inbox?contact=${other.contactId}&alert=${crypto.randomUUID()}&business=${other.businessId}`
  const click = await push(context, page, { title: 'New message', body: 'Noa', tag: 'message-1', url })
  await eventually(
    () => page.evaluate(async () => (await (await navigator.serviceWorker.ready).getNotifications()).length > 0),
    'the notification',
  )
  await click()
  const opened = await eventually(
    () => context.pages().find((each) => each.url().includes(`contact=${other.contactId}`)),
    'the place is opened',
  )
  await opened.getByRole('heading', { name: 'Noa of the other shop' }).first().waitFor()
  for (const each of [page, second])
    await eventually(async () => (await business(each).textContent()) === 'The other shop', 'the business is switched')
  // One that is not this member's leads home, and not round and round.
  await page.goto(`${product.publicBaseUrl}/console/calls?business=${crypto.randomUUID()}`)
  await eventually(async () => (await business(page).textContent()) === product.env.BUSINESS_NAME, 'their own again')
  await close()
}, 60_000)

test('without the server a page says so, in both languages', async () => {
  const { page, close } = await open('/today')
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await page.reload()
  product.server().kill('SIGKILL')
  await eventually(() => !product.server().alive, 'the end of the server')
  await page.goto(`${product.publicBaseUrl}/console`)
  await page.getByRole('heading', { name: 'אין חיבור לשרת' }).waitFor()
  await page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor()
  await judge(page, 'offline', [])
  await close()
}, 60_000)
