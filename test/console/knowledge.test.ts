import { afterAll, beforeAll, expect, test } from 'bun:test'
import { registerCall } from '../../src/domain/calls/index.ts'
import { saveItem } from '../../src/domain/catalogue/index.ts'
import { within } from '../../src/domain/context.ts'
import { recordGap } from '../../src/domain/knowledge/index.ts'
import { saveBusinessText } from '../../src/domain/receptionist/index.ts'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'

const LONG = 120_000
let fixture: ConsoleFixture

beforeAll(async () => {
  fixture = await startConsole({
    async prepare(ctx, businessId) {
      const business = within(ctx, businessId)
      await saveBusinessText(business, { title: 'חניה', body: 'חניה חינם בחצר.' })
      for (const [at, question] of ['אתם מתקנים מטוסים?', 'מתקנים גם מטוס?', 'Do you rent boats?'].entries()) {
        const callSid = `CA${at}`
        await registerCall(business, { callSid, from: '+972501234567', to: '+97233330000', at: new Date() })
        await recordGap(business, { question, channel: 'call', callSid })
      }
      await saveItem(business, {
        ...{ sku: 'A12', name: 'דירת 3 חדרים בדיזנגוף', description: 'משופצת', priceAgorot: 290_000_000 },
        ...{
          pictureUrl: `https://example.com/${'long'.repeat(40)}.jpg`,
          attributes: { area: 'תל אביב', rooms: 3, size: 78 },
        },
      })
    },
  })
}, LONG)
afterAll(() => fixture.stop(), LONG)

for (const { language, width } of VIEWS)
  for (const [part, shown] of [
    ['knowledge', 'Do you rent boats?'],
    ['catalogue', 'A12'],
  ] as const)
    test(
      `${part} in ${language} at ${width} pixels`,
      async () => {
        const { page, problems } = await fixture.show(`/settings?part=${part}`, { language, width })
        await page.getByText(shown, { exact: true }).first().waitFor()
        await judge(page, `settings-${part}-${language}-${width}`, problems)
      },
      LONG,
    )

test(
  'a question is answered in one line, and found by that at once',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=knowledge', { language: 'en' })
    const gaps = page.getByRole('list', { name: 'Questions without an answer' })
    const first = gaps.getByRole('listitem').first()
    await first.getByText('asked 2 times').waitFor()
    await first.getByRole('textbox').fill('לא, רק אופניים.')
    await first.getByRole('button', { name: 'Save' }).click()
    await gaps.getByText('asked 2 times').waitFor({ state: 'detached' })
    await page.getByLabel('Question', { exact: true }).fill('מתקנים מטוסים?')
    await page.getByRole('button', { name: 'Search', exact: true }).click()
    await page.getByText('This is answered.').waitFor()
    await page.getByRole('list', { name: 'What was found' }).getByText('לא, רק אופניים.').waitFor()
    await judge(page, 'settings-knowledge-answered', problems)
    await gaps.getByRole('button', { name: /Not needed/ }).click()
    await page.getByText('No open questions').waitFor()
    await close()
  },
  LONG,
)

test(
  'an item is changed, and a file of items imported',
  async () => {
    const { page, problems, close } = await fixture.open('/settings?part=catalogue', { language: 'en', width: 360 })
    await page.getByRole('button', { name: 'Edit: \u2068דירת 3 חדרים בדיזנגוף\u2069' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Price').fill('2850000.5')
    await dialog.getByLabel('Value of \u2068rooms\u2069').fill('3.5')
    await judge(page, 'settings-catalogue-item', problems)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.waitFor({ state: 'detached' })
    const items = () => fixture.product.sql`select sku, price_agorot, attributes from catalogue_items order by sku`
    expect((await items())[0]).toMatchObject({
      ...{ sku: 'A12', price_agorot: '285000050' },
      attributes: { area: 'תל אביב', rooms: 3.5, size: 78 },
    })
    await page.getByRole('button', { name: 'Import a file' }).click()
    const chooser = page.waitForEvent('filechooser')
    await page.getByRole('button', { name: 'Choose a file' }).click()
    await (await chooser).setFiles({
      name: 'items.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from('מק״ט,שם,מחיר,חדרים\nB1,דירה ביפו,1450000,2\nB2,,5,1\n'),
    })
    await page.getByText('One row is not taken').waitFor()
    await judge(page, 'settings-catalogue-import', problems)
    await page.getByRole('button', { name: 'Import one item' }).click()
    await page.getByText('Imported: 1 new, 0 replaced.').waitFor()
    expect(await items()).toHaveLength(2)
    await close()
  },
  LONG,
)
