import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Browser, Page } from 'playwright-core'
import { openBrowser } from '../support/browser.ts'
import { judge, openConsole, showPages, startConsoleProduct, VIEWS } from '../support/console.ts'
import { eventually, type Product } from '../support/product.ts'

let product: Product
let browser: Browser
let show: ReturnType<typeof showPages>

beforeAll(async () => {
  product = await startConsoleProduct({ workers: ['crm'] })
  browser = await openBrowser()
  show = showPages(product, browser)
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await product?.stop()
})

const CSV = 'שם הלקוח;נייד;עיר;הערות שלי\nדוד לוי;054-555-1234;חיפה;לקוח ותיק\nרחל;123;עכו;\nמרים;054-555-4321;לוד;\n'

const chooseFile = async (page: Page, name: RegExp, file: { name: string; mimeType: string; buffer: Buffer }) => {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name }).click()
  await (await chooser).setFiles(file)
}

test('a contact is made and found, its fields and tags are changed', async () => {
  const { page, problems, close } = await openConsole(product, browser, '/contacts')
  await page.getByRole('button', { name: 'איש קשר חדש' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('שם', { exact: true }).fill('נועה ברק')
  await dialog.getByLabel('טלפון').fill('12')
  await dialog.getByRole('button', { name: 'שמירה' }).click()
  await dialog.getByRole('alert').waitFor()
  await dialog.getByLabel('טלפון').fill('050-222-3344')
  await dialog.getByLabel('תגיות').fill('vip, חיפה')
  await dialog.getByRole('button', { name: 'שמירה' }).click()
  await page.waitForURL(/\/inbox\?/)
  await page.getByRole('button', { name: 'פרטי איש הקשר' }).click()
  await page.getByRole('button', { name: 'עריכה', exact: true }).click()
  await dialog.getByLabel('תגיות').fill('vip')
  await dialog.getByRole('button', { name: 'הוספת שדה' }).click()
  await dialog.getByLabel('שם השדה').fill('יום הולדת')
  await dialog.getByLabel(/^ערך/).fill('1 באפריל')
  await dialog.getByRole('button', { name: 'שמירה' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByText('1 באפריל').waitFor()
  const [found] = (await product.trpc().search.all.query({ q: 'נועה', kinds: ['contacts'] })).contacts
  expect(found).toMatchObject({ phone: '+972502223344', tags: ['vip'], custom: { 'יום הולדת': '1 באפריל' } })
  await page.goto(`${product.publicBaseUrl}/console/contacts?q=${encodeURIComponent('נועה')}`)
  await page.getByRole('link', { name: /נועה ברק/ }).waitFor()
  expect(problems.filter((problem) => !problem.includes('400'))).toEqual([])
  await close()
}, 60_000)

test('two contacts become one; what becomes of what is shown before', async () => {
  const trpc = product.trpc()
  const kept = await trpc.contacts.create.mutate({ name: 'שרה', phone: '+972541110001', tags: ['a'] })
  const gone = await trpc.contacts.create.mutate({
    name: 'שרה ישראלי',
    phone: '+972541110002',
    email: 's@example.com',
    tags: ['b'],
  })
  await trpc.contacts.addNote.mutate({ id: gone.id, body: 'הערה של הכפילות' })
  const { page, close } = await openConsole(product, browser, `/inbox?contact=${kept.id}`)
  await page.getByRole('button', { name: 'פרטי איש הקשר' }).click()
  await page.getByRole('button', { name: 'מיזוג כפילות' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('searchbox').fill('ישראלי')
  await dialog.getByRole('button', { name: /שרה ישראלי/ }).click()
  await dialog.getByText('054-111-0002').waitFor()
  await dialog.getByText('s@example.com').waitFor()
  await dialog.getByText('לא יישמר: שרה ישראלי').waitFor()
  await dialog.getByRole('button', { name: 'למזג' }).click()
  await dialog.waitFor({ state: 'detached' })
  await page.getByRole('log').getByText('הערה של הכפילות').waitFor()
  expect(await trpc.contacts.get.query({ id: kept.id })).toMatchObject({
    name: 'שרה',
    email: 's@example.com',
    tags: ['a', 'b'],
  })
  await close()
}, 60_000)

test('a file is looked at, its columns are named, and it is imported; what was left out can be fetched; all is exported', async () => {
  const { page, close } = await openConsole(product, browser, '/contacts')
  await page.getByRole('button', { name: 'ייבוא מקובץ' }).click()
  const dialog = page.getByRole('dialog')
  await chooseFile(page, /בחירת קובץ/, { name: 'לקוחות.csv', mimeType: 'text/csv', buffer: Buffer.from(CSV) })
  await dialog.getByText('חדשים: 2').waitFor()
  await dialog.getByLabel('העמודה עיר').selectOption('custom:עיר')
  await dialog.getByLabel('העמודה הערות שלי').selectOption('note')
  await dialog.getByRole('button', { name: 'ייבוא שני אנשי קשר' }).click()
  await dialog.getByText('נוספו 2').waitFor({ timeout: 30_000 })
  const download = page.waitForEvent('download')
  await dialog.getByRole('link', { name: /השורות שלא יובאו/ }).click()
  const rejected = await Bun.file(await (await download).path()).text()
  expect(rejected).toContain('רחל')
  await dialog.getByRole('button', { name: 'סגירה' }).last().click()
  await page.getByRole('link', { name: /דוד לוי/ }).waitFor()
  const [found] = (await product.trpc().search.all.query({ q: 'דוד לוי', kinds: ['contacts'] })).contacts
  expect(found).toMatchObject({ phone: '+972545551234', custom: { עיר: 'חיפה' } })
  const exported = page.waitForEvent('download')
  await page.getByRole('link', { name: 'ייצוא לקובץ' }).click()
  expect(await Bun.file(await (await exported).path()).text()).toContain('דוד לוי')
  await close()
}, 90_000)

for (const { language, width } of VIEWS)
  test(`forms of contacts in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`, async () => {
    const { page, problems } = await show('/contacts', { language, width })
    await page.getByRole('button', { name: /איש קשר חדש|New contact/ }).click()
    await page.getByRole('button', { name: /הוספת שדה|Add a field/ }).click()
    await judge(page, `contact-form-${language}-${width}`, problems)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: /ייבוא מקובץ|^Import$/ }).click()
    await chooseFile(page, /בחירת קובץ|Choose a file/, {
      name: 'c.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(CSV),
    })
    await page.getByRole('dialog').getByRole('table').waitFor()
    await judge(page, `contact-import-${language}-${width}`, problems)
  }, 60_000)

test('the file that is no table says so in words', async () => {
  const { page, close } = await openConsole(product, browser, '/contacts', { language: 'en' })
  await page.getByRole('button', { name: 'Import', exact: true }).click()
  await chooseFile(page, /Choose a file/, { name: 'x.csv', mimeType: 'text/csv', buffer: Buffer.from('just words') })
  await page.getByRole('dialog').getByRole('alert').waitFor()
  expect(
    await eventually(
      () =>
        page
          .getByRole('dialog')
          .getByRole('button', { name: /^Import/ })
          .count()
          .then((n) => n === 0),
      'nothing to import',
    ),
  ).toBe(true)
  await close()
}, 60_000)
