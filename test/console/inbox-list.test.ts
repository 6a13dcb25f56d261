import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, startConsoleProduct } from '../support/console.ts'
import { scrollFrames, workPerFrame } from '../support/frame-work.ts'
import { fillConversations } from '../support/many-conversations.ts'
import type { Product } from '../support/product.ts'

const CONVERSATIONS = 10_000
/** More rows than a screen shows must never be in the page. */
const MOST_ROWS = 40

let product: Product
let browser: Browser

beforeAll(async () => {
  product = await startConsoleProduct({
    prepare: ({ db }, businessId) => fillConversations(db, businessId, CONVERSATIONS),
  })
  browser = await openBrowser()
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

const list = (page: Page) => page.getByRole('listbox')

/** Scrolls the list by screens until a text stands in it. */
async function scrollTo(page: Page, text: string) {
  for (let screens = 0; screens < 200; screens++) {
    if (await page.getByText(text, { exact: true }).first().isVisible()) return
    await list(page).evaluate((element) => element.scrollBy(0, element.clientHeight))
    await page.evaluate(() => new Promise(requestAnimationFrame))
  }
  throw new Error(`The list never came to ${text}.`)
}

test('ten thousand conversations: a preview with direction and state, loaded on while scrolling, few rows in the page', async () => {
  const opened = await openConsole(product, browser, '/inbox')
  const { page } = opened
  const first = page.getByRole('option', { name: /לקוח 1(?!\d)/ })
  await first.getByText('הודעה מספר 1', { exact: true }).waitFor()
  // The state of what we wrote, for screen readers too; what they wrote has none.
  expect(await first.getByText('לא נשלחה').count()).toBe(1)
  expect(
    await page
      .getByRole('option', { name: /לקוח 2(?!\d)/ })
      .getByText(/נשלחה|נקראה|התקבלה/)
      .count(),
  ).toBe(0)
  await scrollTo(page, 'לקוח 400')
  expect(await page.getByRole('option').count()).toBeLessThan(MOST_ROWS)
  await judge(opened.page, 'inbox-scrolled', opened.problems)
  await opened.close()
}, 120_000)

// A frame has 16 ms. The processor time of the thread counts: a busy machine delays frames, and works no more for them.
test.each([
  [1280, 60, 16],
  [1280, 600, 32],
  [360, 60, 16],
  [360, 600, 32],
])(
  'on %d pixels, %d pixels a frame: scrolling works for less than %d ms in each: one frame, and two for a screen of new rows',
  async (width, step, mostMs) => {
    const { page, close } = await openConsole(product, browser, '/inbox', { width })
    await page.getByRole('option').first().waitFor()
    await page.waitForLoadState('networkidle')
    const work = await workPerFrame(page, () => scrollFrames(page, '[role=listbox]', step, 120))
    expect(work.taskMs).toBeLessThan(mostMs)
    expect(await page.getByRole('option').count()).toBeLessThan(MOST_ROWS)
    await close()
  },
  60_000,
)

test('a message moves its conversation to the top of a list that was scrolled, without reading the list anew', async () => {
  const { page, close } = await openConsole(product, browser, '/inbox')
  await page.getByRole('option').first().waitFor()
  await scrollTo(page, 'לקוח 200')
  let reads = 0
  page.on('request', (request) => {
    if (request.url().includes('conversations.list')) reads += 1
  })
  const sent = await product.send({ to: '+972540000300', text: 'מה שלומך?', provider: 'twilio' })
  expect(sent.status).toBe(202)
  await list(page).evaluate((element) => element.scrollTo(0, 0))
  await page.getByRole('option').first().getByText('מה שלומך?').waitFor()
  expect(reads).toBeLessThan(8)
  await scrollTo(page, 'לקוח 299')
  expect(await page.getByText('לקוח 300', { exact: true }).count()).toBe(0)
  await close()
}, 60_000)

test('closing a conversation takes it out of the open ones and puts it among the closed', async () => {
  const { page, close } = await openConsole(product, browser, '/inbox')
  await page.getByRole('option', { name: /לקוח 5(?!\d)/ }).click()
  await page.getByRole('log').getByText('הודעה מספר 5').waitFor()
  await page.getByRole('button', { name: 'סגירת השיחה' }).click()
  await page.getByRole('option', { name: /לקוח 5(?!\d)/ }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'סגורות' }).click()
  await page.getByRole('option', { name: /לקוח 5(?!\d)/ }).waitFor()
  await close()
}, 60_000)
