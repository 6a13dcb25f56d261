import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ConsoleFixture, startConsole } from '../support/console.ts'

const LONG = 120_000
/** Of compressed JavaScript, until a screen can be used. */
const BUDGET_BYTES = 200_000

let fixture: ConsoleFixture
beforeAll(async () => {
  fixture = await startConsole({ workers: ['crm'] })
}, LONG)
afterAll(() => fixture.stop(), LONG)

test.each(['today', 'inbox', 'calls', 'leads', 'settings', 'stats'])(
  'the first load of %s takes at most 200 KB of JavaScript, and no address of another host',
  async (screen) => {
    const context = await fixture.newContext()
    const page = await context.newPage()
    const sizes: { path: string; bytes: number }[] = []
    const hosts = new Set<string>()
    const pending: Promise<void>[] = []
    page.on('requestfinished', (request) => {
      const { host, pathname } = new URL(request.url())
      hosts.add(host)
      if (pathname.endsWith('.js'))
        pending.push(
          request.sizes().then(({ responseBodySize }) => void sizes.push({ path: pathname, bytes: responseBodySize })),
        )
    })
    await page.goto(`${fixture.product.publicBaseUrl}/console/${screen}`)
    await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
    await page.waitForLoadState('networkidle')
    await Promise.all(pending)
    const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(sizes.some(({ path, bytes }) => path.includes('/main-') && bytes > 10_000)).toBe(true)
    expect({ total, sizes: total > BUDGET_BYTES ? sizes : [] }).toEqual({ total, sizes: [] })
    expect([...hosts]).toEqual([new URL(fixture.product.publicBaseUrl).host])
    await context.close()
  },
  LONG,
)

test(
  'who prefers less motion gets none, in the console and on the pages of the server',
  async () => {
    for (const reducedMotion of ['reduce', 'no-preference'] as const) {
      const context = await fixture.browser.newContext({ reducedMotion })
      const page = await context.newPage()
      for (const path of ['/console/today', '/admin/login']) {
        await page.goto(fixture.product.publicBaseUrl + path)
        await page.getByRole('heading', { level: 1 }).first().waitFor({ state: 'attached' })
        const seconds = await page.evaluate(() => {
          const box = document.createElement('div')
          box.style.transition = 'opacity 2s'
          document.body.append(box)
          return Number.parseFloat(getComputedStyle(box).transitionDuration)
        })
        expect([path, reducedMotion, seconds < 0.01]).toEqual([path, reducedMotion, reducedMotion === 'reduce'])
      }
      await context.close()
    }
  },
  LONG,
)
