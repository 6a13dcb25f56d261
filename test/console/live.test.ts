import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { createLogin } from '../../src/access/login.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, startConsoleProduct, type View } from '../support/console.ts'
import { PASSWORD } from '../support/identities.ts'
import { eventually, type Product } from '../support/product.ts'
import { startPushService } from '../support/push-service.ts'
import { speak } from '../support/speech.ts'

const VIEWER = 'viewer@example.com'

let product: Product
let browser: Browser
let service: ReturnType<typeof startPushService>
let publicKey = ''

beforeAll(async () => {
  service = startPushService(() => publicKey)
  product = await startConsoleProduct({
    env: { WEBHOOKS_ALLOW_PRIVATE: '1' },
    async prepare(ctx, businessId) {
      const userId = await createLogin(ctx.db, { email: VIEWER, password: PASSWORD, name: 'Viewer' })
      await ctx.db.transaction((tx) => grantMembership(tx, within(ctx, businessId), userId, 'viewer'))
    },
  })
  publicKey = (await product.trpc().push.key.query()).publicKey
  browser = await openBrowser()
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

test('a call appears within a second, in both languages on every width, is heard, cannot be whispered to, and ends', async () => {
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
  for (const language of ['he', 'en'] as const)
    for (const width of [360, 1280]) {
      const other = await open('/live', { language, width })
      await cards(other.page).waitFor()
      await other.page.getByRole('button', { name: language === 'he' ? 'לקחת את השיחה' : 'Take over' }).click()
      await judge(other.page, `live-${language}-${width}`, other.problems)
      expect(other.problems).toEqual([])
      await other.close()
    }
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
    await shown.page.getByRole('checkbox').waitFor()
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

test('a voicemail is pushed by the workers of the product to a device of the sandbox’s own machine', async () => {
  const { id, ...subscription } = service.browser()
  await product.trpc(null).push.subscribe.mutate({ subscription, label: 'A telephone', language: 'en' })
  await product.call({
    script: [
      { wait: 1_500 },
      { dtmf: '0', when: 'now' },
      { say: await speak('Please call me back', 'en'), quietMs: 1_500 },
      { dtmf: '#', when: 'now' },
    ],
    connectBaseUrl: product.publicBaseUrl,
  })
  await eventually(() => service.messagesOf(id).length > 0, 'the notification', 20_000)
  expect(service.messagesOf(id)).toMatchObject([{ title: 'New voicemail', body: '+972501234567' }])
}, 90_000)

test('the service worker shows what is pushed and leads to its place; the console can be installed', async () => {
  const { context, page, problems, close } = await open('/today', {
    prepare: (context) => context.grantPermissions(['notifications'], { origin: product.publicBaseUrl }),
  })
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
    data: JSON.stringify({ title: 'ליד חדש', body: 'דנה', lang: 'he', dir: 'rtl', tag: 'lead-1', url: 'leads' }),
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
  // As a click would.
  await worker.evaluate(async () => {
    const scope = globalThis as unknown as { registration: ServiceWorkerRegistration } & EventTarget
    const [notification] = await scope.registration.getNotifications()
    const Click = Reflect.get(globalThis, 'NotificationEvent')
    scope.dispatchEvent(new Click('notificationclick', { notification }))
  })
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
