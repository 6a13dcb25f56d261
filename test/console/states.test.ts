import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { createLogin } from '../../src/access/login.ts'
import { SETUP_STEPS } from '../../src/console/app/parts.ts'
import { PLACES } from '../../src/console/app/places.ts'
import { SETTINGS_NAMES } from '../../src/console/app/settings-parts.ts'
import { within } from '../../src/domain/context.ts'
import { grantMembership } from '../../src/domain/members/index.ts'
import { type ConsoleFixture, startConsole } from '../support/console.ts'
import { PASSWORD } from '../support/identities.ts'
import { eventually } from '../support/product.ts'
import { testSeed, withSeed } from '../support/seed.ts'

const LONG = 180_000
const VIEWER = 'viewer@example.com'
const NO_ONE = '00000000-0000-4000-8000-000000000000'
/** Every screen that has an address: the router's, with each part and step, and what does not exist. */
const SCREENS = [
  ...PLACES.map(({ to }) => to),
  ...SETTINGS_NAMES.map((part) => `/settings?part=${part}`),
  ...SETUP_STEPS.map((step) => `/setup?step=${step}`),
  `/calls/${NO_ONE}`,
  `/inbox?contact=${NO_ONE}`,
  `/leads?lead=${NO_ONE}`,
  `/calendar?appointment=${NO_ONE}`,
  '/no-such-screen',
]

/** Every other one, by the seed of the run; `other` gives the rest. */
const half = (other: boolean) => SCREENS.filter((_, index) => (index + testSeed()) % 2 === (other ? 1 : 0))

test('no screen of the router is left out', async () => {
  const router = await Bun.file('src/console/app/router.tsx').text()
  const paths = [...router.matchAll(/path: '([^']+)'/g)].map(([, path]) => path?.replace('$callId', NO_ONE) ?? '')
  expect(paths.length).toBeGreaterThan(12)
  expect(paths.filter((path) => path !== '/' && !SCREENS.some((screen) => screen.split('?')[0] === path))).toEqual([])
})

let fixture: ConsoleFixture

beforeAll(async () => {
  fixture = await startConsole({
    workers: ['crm'],
    async prepare(ctx, businessId) {
      const userId = await createLogin(ctx.db, { email: VIEWER, password: PASSWORD, name: 'Viewer' })
      await ctx.db.transaction((tx) => grantMembership(tx, within(ctx, businessId), userId, 'viewer'))
    },
  })
}, LONG)
afterAll(() => fixture.stop(), LONG)

/** What a screen shows once it has settled: its words, what is still loading, and whether it says what failed and offers more. */
const look = (page: Page) =>
  page.evaluate(() => {
    const isShown = (each: Element) => each.getClientRects().length > 0
    const main = document.querySelector('[role=dialog]') ?? document.querySelector('main')
    const all = (selector: string) => [...document.querySelectorAll(selector)].filter(isShown)
    return {
      text: main?.textContent?.trim() ?? '',
      loading: all('[role=status]').filter((each) => /Loading…|^…$/.test(each.textContent ?? '')).length,
      alerts: all('[role=alert]').map((each) => each.textContent?.trim() ?? ''),
      ways: all('button, a').map((each) => each.textContent?.trim() ?? ''),
    }
  })

const settled = async (page: Page, screen: string) =>
  await eventually(
    async () => {
      const seen = await look(page).catch(() => null)
      return seen !== null && seen.loading === 0 && seen.text.length > 20 && seen
    },
    `${screen} says something and loads nothing any more`,
    30_000,
  )

const RETRY = /^(Try again|Load again|Search again|Check again)$/

test(
  'with a server that fails every request each screen says so and offers to try again, and then shows what it has',
  async () => {
    const { page, close } = await fixture.open('/today', { language: 'en' })
    const fail = () =>
      page.route(/\/trpc\//, (route) =>
        route.fulfill({
          status: 500,
          contentType: 'application/json',
          body: '[{"error":{"message":"x","code":-32603,"data":{"code":"INTERNAL_SERVER_ERROR","httpStatus":500}}}]',
        }),
      )
    const found: string[] = []
    for (const screen of ['/today', '/inbox', '/settings?part=audit']) {
      await fail()
      await page.goto(`${fixture.product.publicBaseUrl}/console${screen}`)
      const seen = await settled(page, screen)
      if (screen !== '/no-such-screen' && (seen.alerts.length === 0 || !seen.ways.some((way) => RETRY.test(way))))
        found.push(`${screen}: ${seen.text.slice(0, 200)}`)
      await page.unrouteAll()
      await page.getByRole('button', { name: RETRY }).first().click()
      await page.getByRole('alert').first().waitFor({ state: 'detached' })
    }
    expect(found).toEqual([])
    await close()
  },
  LONG,
)

test(
  'one part that fails says so while the rest of the screen works',
  withSeed(async () => {
    const { page, close } = await fixture.open('/today', { language: 'en' })
    const found: string[] = []
    // Only who this is, and the business, are answered.
    await page.route(/\/trpc\//, async (route) => {
      const names = new URL(route.request().url()).pathname.split('/').at(-1)?.split(',') ?? []
      if (names.every((name) => /^(account\.me|businesses\.get|events\.stream)$/.test(name))) return route.continue()
      const error = { error: { message: 'x', code: -32603, data: { code: 'INTERNAL_SERVER_ERROR', httpStatus: 500 } } }
      const answers = await Promise.all(
        names.map(async (name, index) => {
          if (!/^(account\.me|businesses\.get)$/.test(name)) return error
          const single = await page.request.get(`${fixture.product.publicBaseUrl}/trpc/${name}`)
          return index >= 0 ? await single.json() : error
        }),
      )
      return route.fulfill({ status: 207, contentType: 'application/json', body: JSON.stringify(answers) })
    })
    for (const screen of half(false)) {
      await page.goto(`${fixture.product.publicBaseUrl}/console${screen}`)
      const seen = await settled(page, screen)
      // These need nothing more than was answered.
      if (
        /no-such-screen|part=(business|account)$|^.settings$|step=(business|hours|test)|tab=(edit|test)|^.health/.test(
          screen,
        )
      )
        continue
      if (seen.alerts.length === 0 || !seen.ways.some((way) => RETRY.test(way)))
        found.push(`${screen}: ${seen.text.slice(0, 300)}`)
    }
    expect(found).toEqual([])
    await close()
  }),
  LONG,
)

test(
  'without a network each screen says so, with what it had or a way to try again',
  async () => {
    const { context, page, close } = await fixture.open('/today', { language: 'en' })
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
    await page.waitForLoadState('networkidle')
    const found: string[] = []
    for (const place of PLACES) {
      await context.setOffline(false)
      await page.goto(`${fixture.product.publicBaseUrl}/console/today`)
      await page.getByRole('heading', { level: 1 }).first().waitFor()
      await page.waitForLoadState('networkidle')
      await context.setOffline(true)
      await page.getByText('The server cannot be reached').first().waitFor()
      await page.locator(`nav a[href$="/console${place.to}"]`).first().click()
      const seen = await settled(page, place.to)
      const says = /cannot be reached/.test((await page.locator('body').textContent()) ?? '')
      if (!says || !(place.to === '/today' || seen.ways.some((way) => RETRY.test(way))))
        found.push(`${place.to}: ${seen.text.slice(0, 300)}`)
    }
    expect(found).toEqual([])
    await context.setOffline(false)
    await close()
  },
  LONG,
)

test(
  'a member who may only look sees words on every screen, and none loads without an end',
  withSeed(async () => {
    const context = await fixture.newContext({ language: 'en' })
    const page = await context.newPage()
    await page.goto(`${fixture.product.publicBaseUrl}/admin/login`)
    await page.locator('input[type=email]').fill(VIEWER)
    await page.locator('input[type=password]').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => !url.pathname.endsWith('/login'))
    const found: string[] = []
    for (const screen of half(true)) {
      await page.goto(`${fixture.product.publicBaseUrl}/console${screen}`)
      const seen = await settled(page, screen)
      const isRefused = /part=(keys|providers|webhooks|audit|usage)|^.setup|^.health/.test(screen)
      if (isRefused && !/permission|owner|manager|operator/i.test(seen.text))
        found.push(`${screen}: ${seen.text.slice(0, 300)}`)
      if (seen.alerts.some((alert) => /went wrong/.test(alert))) found.push(`${screen} broke`)
    }
    expect(found).toEqual([])
    await context.close()
  }),
  LONG,
)
