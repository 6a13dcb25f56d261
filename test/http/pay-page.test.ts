import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { processEnvironment } from '../../src/config.ts'
import { openBrowser } from '../support/browser.ts'
import { askFor, type PaymentFixture, startPaymentFixture, stateOf, until } from '../support/payments.ts'

let world: PaymentFixture
let browser: Browser
const PHONE = { width: 390, height: 844 }
/** Set to a directory, the pages are photographed into it. */
const pictures = processEnvironment().PAGE_PICTURES

beforeAll(async () => {
  world = await startPaymentFixture()
  world.startWorker()
  browser = await openBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await world.stop()
})

async function visit(path: string, options: { scheme?: 'light' | 'dark'; width?: number } = {}): Promise<Page> {
  const context = await browser.newContext({
    viewport: { ...PHONE, width: options.width ?? PHONE.width },
    deviceScaleFactor: 2,
    colorScheme: options.scheme ?? 'light',
    reducedMotion: 'reduce',
  })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const problems: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' && page.url().startsWith(world.url)) problems.push(message.text())
  })
  page.on('close', () => expect(problems.filter((text) => !text.startsWith('Failed to load resource'))).toEqual([]))
  await page.goto(world.url + path)
  return page
}

async function picture(page: Page, name: string) {
  // Nothing may stick out of a phone's screen.
  const overflow = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  )
  expect(overflow).toBe(0)
  if (!pictures) return
  mkdirSync(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`) })
}

const heading = (page: Page, name: string) => page.getByRole('heading', { name })
const money = (text: string | null) => (text ?? '').replace(/[\u200e\u200f\u00a0]/g, ' ').trim()

for (const [language, words] of [
  [
    'he',
    {
      dir: 'rtl',
      pay: 'לתשלום מאובטח',
      paid: 'התשלום התקבל, תודה!',
      failed: 'התשלום לא עבר',
      again: 'לנסות שוב',
      canceled: 'התשלום בוטל',
    },
  ],
  [
    'en',
    {
      dir: 'ltr',
      pay: 'Pay securely',
      paid: 'Payment received, thank you!',
      failed: 'The payment did not go through',
      again: 'Try again',
      canceled: 'cancelled',
    },
  ],
] as const) {
  test(`${language}: cancelled, then paid at PayPal, in one language from end to end`, async () => {
    const id = await askFor(world, { description: 'תיקון מזגן בסלון, כולל חלקים', amount: 129_990 })
    const page = await visit(`/pay/${id}`)
    expect(await page.locator('html').getAttribute('lang')).toBe('he')
    if (language === 'en') await page.getByRole('link', { name: 'English' }).click()
    const html = page.locator('html')
    expect([await html.getAttribute('lang'), await html.getAttribute('dir')]).toEqual([language, words.dir])
    expect(money(await page.locator('.sum dd').textContent())).toMatch(/1,299\.90/)
    await picture(page, `${language}-1-pay`)

    await page.getByRole('button', { name: words.pay }).click()
    await page.waitForURL(/checkoutnow/)
    await picture(page, `${language}-2-paypal`)
    await page.getByRole('button', { name: 'Cancel and return' }).click()
    await page.getByText(words.canceled).waitFor()
    expect(await html.getAttribute('lang')).toBe(language)
    await picture(page, `${language}-3-cancelled`)

    // By keyboard alone: the button is the second thing after the switch of language.
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('BUTTON')
    await page.keyboard.press('Enter')
    await page.waitForURL(/checkoutnow/)
    await page.getByRole('button', { name: 'Pay now' }).click()
    await page.waitForURL(/checking=/)
    await picture(page, `${language}-4-checking`)
    await heading(page, words.paid).waitFor({ timeout: 15_000 })
    expect(await html.getAttribute('lang')).toBe(language)
    expect(await page.getByRole('button').count()).toBe(0)
    await picture(page, `${language}-5-paid`)
    expect((await stateOf(world, id)).state).toBe('paid')
    await page.close()
  }, 40_000)

  test(`${language}: refused at Tranzila, tried again, paid`, async () => {
    const id = await askFor(world, { provider: 'tranzila', description: 'Deep clean, 3 rooms' })
    const page = await visit(`/pay/${id}?lang=${language}`)
    await page.getByRole('button', { name: words.pay }).click()
    await page.getByRole('button', { name: 'Pay with a card that is refused' }).click()
    await heading(page, words.failed).waitFor({ timeout: 15_000 })
    expect(await page.locator('html').getAttribute('lang')).toBe(language)
    await picture(page, `${language}-6-failed`)
    await page.getByRole('button', { name: words.again }).click()
    await picture(page, `${language}-7-tranzila`)
    await page.getByRole('button', { name: 'Pay with a card that works' }).click()
    await heading(page, words.paid).waitFor({ timeout: 15_000 })
    expect((await stateOf(world, id)).state).toBe('paid')
    await page.close()
  }, 40_000)
}

test('a capture that waits says so, also in the dark and on a small phone; an old link has no button', async () => {
  world.paypal.faults.add({ operation: 'orders.capture', times: 1, effect: { kind: 'capture_pending' } })
  const id = await askFor(world)
  const page = await visit(`/pay/${id}`, { scheme: 'dark', width: 320 })
  await picture(page, 'he-dark-pay')
  await page.getByRole('button').click()
  await page.getByRole('button', { name: 'Pay now' }).click()
  await heading(page, 'התשלום בבדיקה').waitFor({ timeout: 15_000 })
  expect(await page.getByRole('button').count()).toBe(0)
  await picture(page, 'he-dark-processing')
  await page.close()

  const old = await askFor(world)
  await world.sql`update payments set expires_at = now() where id = ${old}`
  const late = await visit(`/pay/${old}?lang=en`, { width: 1280 })
  await heading(late, 'This link has expired').waitFor()
  expect(await late.getByRole('button').count()).toBe(0)
  await picture(late, 'en-wide-expired')
  await late.close()

  const fresh = await askFor(world)
  const wide = await visit(`/pay/${fresh}?lang=en`, { width: 1280 })
  await picture(wide, 'en-wide-pay')
  await wide.close()
}, 40_000)

test('a provider that cannot be reached leaves a page that says what happened and a button that works', async () => {
  world.paypal.faults.add({ operation: 'orders.create', times: 1, effect: { kind: 'http_error', status: 503 } })
  const id = await askFor(world)
  const page = await visit(`/pay/${id}?lang=en`)
  await page.getByRole('button').click()
  expect(await page.getByRole('alert').textContent()).toContain('You were not charged')
  await picture(page, 'en-trouble')
  await page.getByRole('button', { name: 'Pay securely' }).click()
  await page.getByRole('button', { name: 'Pay now' }).click()
  await until(async () => (await stateOf(world, id)).state === 'paid')
  await page.close()
}, 40_000)
