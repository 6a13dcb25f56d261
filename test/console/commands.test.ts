import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'

let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>
const people: string[] = []

beforeAll(async () => {
  product = await startConsoleProduct({ workers: ['crm'] })
  browser = await openBrowser()
  show = showPages(product, browser)
  const trpc = product.trpc()
  for (const [index, name] of ['אבי', 'בתיה', 'גדי'].entries()) {
    const { id } = await trpc.contacts.create.mutate({ name, phone: `+97254111000${index}` })
    people.push(id)
    await trpc.messages.send.mutate({ to: `+97254111000${index}`, text: `שלום ${name}`, provider: 'twilio' })
  }
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

const statusOf = async (contactId: string | undefined) =>
  (await product.trpc().conversations.list.query({ contactId: contactId ?? '' })).items[0]?.status
/** A key by its place, as a Hebrew keyboard sends it. */
const press = (page: Page, code: string, key: string) =>
  page.evaluate(
    ({ code, key }) =>
      document.activeElement?.dispatchEvent(
        new KeyboardEvent('keydown', { code, key, bubbles: true, cancelable: true }),
      ),
    { code, key },
  )

test('the command bar finds people, screens and actions from anywhere', async () => {
  const { page, problems, close } = await openConsole(product, browser, '/leads')
  const openBar = async () => {
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').getByRole('combobox').and(page.locator(':focus')).waitFor()
  }
  await openBar()
  await page.keyboard.type('בתי')
  await page.getByRole('dialog').getByRole('option', { name: /בתיה/ }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('log').getByText('שלום בתיה').waitFor()
  await openBar()
  await page.keyboard.type('יומן')
  await page.getByRole('option', { name: 'יומן' }).click()
  await page.waitForURL(/\/calendar$/)
  await page.goBack()
  await page.getByRole('log').getByText('שלום בתיה').waitFor()
  await openBar()
  await page.keyboard.type('סגירת')
  await page.getByRole('option', { name: /סגירת השיחה/ }).waitFor()
  await page.keyboard.press('Enter')
  await eventually(async () => (await statusOf(people[1])) === 'closed', 'it to be closed')
  await page.getByRole('button', { name: 'ביטול הפעולה' }).click()
  await eventually(async () => (await statusOf(people[1])) === 'open', 'it to be open again')
  expect(problems).toEqual([])
  await close()
}, 60_000)

test.each([
  ['he', 'חיפוש'],
  ['en', 'Search'],
] as const)(
  'on a phone a button opens the command bar, in %s',
  async (language, name) => {
    const { page, problems, close } = await openConsole(product, browser, '/today', { language, width: 360 })
    await page.getByRole('main').getByRole('button', { name, exact: true }).click()
    await page.getByRole('dialog').getByRole('combobox').and(page.locator(':focus')).waitFor()
    await page.keyboard.type('054-111-0002')
    await page.getByRole('dialog').getByRole('option', { name: /גדי/ }).click()
    await page.getByRole('log').getByText('שלום גדי').waitFor()
    expect(problems).toEqual([])
    await close()
  },
  60_000,
)

test('keys move between conversations, answer and close, on a Hebrew keyboard too; the undo brings it back', async () => {
  const { page, close } = await openConsole(product, browser, '/inbox')
  await page.getByRole('option').first().waitFor()
  await press(page, 'KeyJ', 'ח')
  const first = new URL(page.url()).searchParams.get('contact')
  await page.waitForURL(/contact=/)
  await press(page, 'KeyJ', 'ח')
  await page.waitForURL((url) => url.searchParams.get('contact') !== first && url.searchParams.has('contact'))
  await page.getByRole('button', { name: 'סגירת השיחה' }).waitFor()
  await press(page, 'KeyR', 'ר')
  expect(await page.evaluate(() => document.activeElement?.id)).toBe('composer')
  // What is written is no command.
  await page.keyboard.type('e?')
  expect(await page.locator('#composer').inputValue()).toBe('e?')
  await page.locator('#composer').fill('')
  await page.getByRole('log').focus()
  const contactId = new URL(page.url()).searchParams.get('contact') ?? ''
  await press(page, 'KeyE', 'ק')
  await eventually(async () => (await statusOf(contactId)) === 'closed', 'it to be closed')
  await page.getByRole('button', { name: 'ביטול הפעולה' }).click()
  await eventually(async () => (await statusOf(contactId)) === 'open', 'it to be open again')
  await press(page, 'KeyS', 'ד')
  await page
    .getByRole('dialog')
    .getByRole('button', { name: /^בעוד שעה/ })
    .click()
  await eventually(async () => (await statusOf(contactId)) === 'snoozed', 'it to be snoozed')
  await page.getByRole('button', { name: 'ביטול הפעולה' }).last().click()
  await eventually(async () => (await statusOf(contactId)) === 'open', 'it to be open again')
  await close()
}, 60_000)

test('a note that was deleted comes back', async () => {
  const trpc = product.trpc()
  const contactId = people[2] ?? ''
  await trpc.contacts.addNote.mutate({ id: contactId, body: 'להתקשר בבוקר' })
  const notes = async () => (await trpc.contacts.notes.query({ id: contactId })).items.map(({ body }) => body)
  const { page, close } = await openConsole(product, browser, `/inbox?contact=${contactId}`)
  await page.getByRole('button', { name: 'מחיקת ההערה' }).click()
  await eventually(async () => (await notes()).length === 0, 'the note to be deleted')
  await page.getByRole('button', { name: 'ביטול הפעולה' }).click()
  await eventually(async () => (await notes())[0] === 'להתקשר בבוקר', 'the note to be back')
  await close()
}, 60_000)

for (const { language, width } of VIEWS)
  test(`command bar, keys and undo in ${language} at ${width} pixels: nothing sticks out, no finding of axe`, async () => {
    const { page, problems } = await show(`/inbox?contact=${people[0]}`, { language, width })
    await page.getByRole('log').getByText('שלום אבי').waitFor()
    await page.getByRole('log').focus()
    await page.keyboard.press('Control+k')
    await page.getByRole('dialog').getByRole('option').first().waitFor()
    await judge(page, `commands-${language}-${width}`, problems)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('log').focus()
    await press(page, 'Slash', '?')
    await page.getByRole('dialog').getByText('Ctrl K').waitFor()
    await judge(page, `keys-${language}-${width}`, problems)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('log').focus()
    await press(page, 'KeyS', 's')
    await page
      .getByRole('dialog')
      .getByRole('button', { name: language === 'he' ? /^בעוד שעה/ : /^In one hour/ })
      .click()
    await page.getByRole('button', { name: /ביטול הפעולה|Undo/ }).waitFor()
    await judge(page, `undo-${language}-${width}`, problems)
    await page.getByRole('button', { name: /ביטול הפעולה|Undo/ }).click()
    await eventually(async () => (await statusOf(people[0])) === 'open', 'it to be open again')
  }, 60_000)
