import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { PLACES } from '../../src/console/app/places.ts'
import { type ConsoleFixture, judge, startConsole } from '../support/console.ts'
import { CALLER, eventually } from '../support/product.ts'

const LONG = 120_000

let fixture: ConsoleFixture
let conversationId = ''
let contactId = ''

beforeAll(async () => {
  fixture = await startConsole({
    carrier: { statusDelaysMs: { queued: 2, sent: 10, delivered: 20, read: 30 } },
  })
  const { product } = fixture
  await product.post('/webhook/whatsapp/twilio', {
    ...{ AccountSid: product.carrier.accountSid, MessageSid: `SM${'1'.repeat(32)}`, From: `whatsapp:${CALLER}` },
    ...{ To: 'whatsapp:+14155238886', Body: 'Are you open?', NumMedia: '0', ProfileName: 'Dana Levi' },
  })
  const [conversation] = await eventually(async () => {
    const { items } = await product.trpc().conversations.list.query({})
    return items.length > 0 && items
  }, 'the conversation')
  conversationId = conversation?.id ?? ''
  contactId = conversation?.contactId ?? ''
}, LONG)
afterAll(() => fixture.stop(), LONG)

const bar = (page: Page) => page.getByRole('navigation', { name: /^(Main menu|תפריט ראשי)$/ })

/** Which links and buttons of the bar stick out of the screen or are cut off. */
const cutOff = (page: Page) =>
  bar(page).evaluate((nav) => {
    const shown = [...nav.querySelectorAll('a, button')].filter((each) => each.getClientRects().length > 0)
    return {
      shown: shown.length,
      scrolls: [nav, ...nav.querySelectorAll('*')].some(
        (each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0,
      ),
      out: shown
        .filter((each) => {
          const { left, right } = each.getBoundingClientRect()
          return left < 0 || right > innerWidth
        })
        .map((each) => each.textContent),
    }
  })

test(
  'on a phone the bar fits, and every screen is reached by keyboard through it and the sheet behind it',
  async () => {
    for (const language of ['en', 'he'] as const) {
      const { page, close } = await fixture.open('/today', { language, width: 360 })
      expect(await cutOff(page)).toEqual({ shown: 5, scrolls: false, out: [] })
      await page.setViewportSize({ width: 320, height: 640 })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(320)
      await close()
    }
    const { page, problems, close } = await fixture.open('/today', { language: 'en', width: 360 })
    const more = bar(page).getByRole('button', { name: 'More' })
    await more.focus()
    await page.keyboard.press('Enter')
    const sheet = page.getByRole('dialog', { name: 'More' })
    await sheet.getByRole('link', { name: 'Calendar' }).waitFor()
    await judge(page, 'more-en-360', problems)
    const inBar = await bar(page)
      .getByRole('link', { includeHidden: true })
      .evaluateAll((links) =>
        links.filter((each) => each.getClientRects().length > 0).map((each) => each.getAttribute('href')),
      )
    const inSheet = await sheet.getByRole('link').evaluateAll((links) => links.map((each) => each.getAttribute('href')))
    expect([...inBar, ...inSheet].sort()).toEqual(PLACES.map(({ to }) => `/console${to}`).sort())
    // The focus is in the sheet, goes round in it, and back to the button.
    expect(await sheet.evaluate((element) => element.contains(document.activeElement))).toBe(true)
    await page.keyboard.press('Escape')
    await sheet.waitFor({ state: 'detached' })
    await eventually(() => more.evaluate((element) => element === document.activeElement), 'the focus is back')
    await page.keyboard.press('Enter')
    await sheet.getByRole('link', { name: 'Calendar' }).focus()
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/console\/calendar/)
    await sheet.waitFor({ state: 'detached' })
    expect(await more.getAttribute('aria-current')).toBe('true')
    await close()
  },
  LONG,
)

test(
  'a conversation is put off by the keyboard to a usual time or any other, on the clock of the business',
  async () => {
    const { product } = fixture
    // The browser is somewhere else than the business.
    const context = await fixture.browser.newContext({ timezoneId: 'America/New_York', locale: 'en-GB' })
    const { page, problems, close } = await fixture.open(`/inbox?contact=${contactId}`, { context })
    await page.getByRole('heading', { name: 'Dana Levi' }).first().waitFor()
    const until = async () => {
      const [found] = (await product.trpc().conversations.list.query({ contactId })).items
      return found?.snoozedUntil ?? null
    }
    await page.getByRole('log').waitFor()
    await page.keyboard.press('KeyS')
    const dialog = page.getByRole('dialog', { name: 'Remind me later' })
    await dialog.getByText('Asia/Jerusalem').waitFor()
    await judge(page, 'snooze-en', problems)
    expect(await dialog.getByRole('listitem').count()).toBeGreaterThanOrEqual(2)
    await dialog.getByRole('button', { name: 'Tomorrow morning' }).click()
    const tomorrow = await eventually(until, 'the reminder')
    const clock = new Intl.DateTimeFormat('sv-SE', {
      timeZone: 'Asia/Jerusalem',
      dateStyle: 'short',
      timeStyle: 'short',
    })
    expect(clock.format(new Date(tomorrow))).toEndWith(' 09:00')
    await product.trpc().conversations.reopen.mutate({ id: conversationId })
    await page.getByRole('button', { name: 'Remind me later' }).click()
    const date = clock.format(new Date(Date.now() + 40 * 86_400_000)).slice(0, 10)
    await dialog.getByLabel('Date').fill(date)
    await dialog.getByLabel('Time').fill('07:45')
    await dialog.getByRole('button', { name: 'Remind me then' }).click()
    await eventually(async () => {
      const at = await until()
      return at && clock.format(new Date(at)) === `${date} 07:45`
    }, 'the other reminder')
    // The time of a delivery is that of the business too.
    await product.send({ to: CALLER, text: 'We are open', provider: 'twilio' })
    const state = page.getByRole('log').getByText('Read', { exact: true })
    await state.waitFor()
    const [sent] = (await product.trpc().messages.list.query({ direction: 'out' })).items
    const readAt = new Date(sent?.readAt ?? Number.NaN)
    const full = new Intl.DateTimeFormat('en-IL', {
      timeZone: 'Asia/Jerusalem',
      dateStyle: 'full',
      timeStyle: 'medium',
    })
    expect(await state.getAttribute('title')).toBe(full.format(readAt))
    await close()
  },
  LONG,
)
