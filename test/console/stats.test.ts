import { afterAll, beforeAll, expect, test } from 'bun:test'
import { calls } from '../../db/schema/index.ts'
import { newId } from '../../src/lib/ids.ts'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'

const LONG = 120_000
const HOUR = 3_600_000

let fixture: ConsoleFixture

beforeAll(async () => {
  fixture = await startConsole({
    async prepare(ctx, businessId) {
      const add = (hoursAgo: number, call: Partial<typeof calls.$inferInsert>) =>
        ctx.db.insert(calls).values({
          businessId,
          callSid: `CA${newId()}`,
          fromNumber: '+972501112233',
          toNumber: '+97233330000',
          state: 'ended',
          endReason: 'completed',
          startedAt: new Date(Date.now() - hoursAgo * HOUR),
          durationMs: 60_000,
          metrics: { responseMedianMs: 420 + hoursAgo, responseP95Ms: 900, costMicroUsd: 120_000 },
          ...call,
        })
      for (const hoursAgo of [1, 2, 26, 50, 75, 100]) await add(hoursAgo, {})
      await add(3, { endReason: 'voicemail', answeredBy: 'voicemail', fromNumber: '+972540000001' })
      await add(27, { endReason: 'transferred' })
      await add(51, { endReason: 'abandoned', durationMs: 0, metrics: null })
    },
  })
  const { leads, messages } = fixture.product.trpc()
  await leads.create.mutate({ name: 'דנה', phone: '+972501112233', valueAgorot: 120_000 })
  await messages.send.mutate({ to: '+972501112233', text: 'שלום, איך אפשר לעזור?', provider: 'twilio' })
}, LONG)
afterAll(() => fixture.stop(), LONG)

for (const { language, width } of VIEWS)
  test(
    `statistics and health in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`,
    async () => {
      for (const screen of ['stats', 'health']) {
        const { page, problems } = await fixture.show(`/${screen}`, { language, width })
        await page.getByRole('heading', { level: 2 }).nth(2).waitFor()
        for (const details of await page.locator('details').all()) await details.locator('summary').click()
        await judge(page, `${screen}-${language}-${width}`, problems)
      }
    },
    LONG,
  )

test(
  'a number of the statistics leads to what it counts',
  async () => {
    const { page, problems, close } = await fixture.open('/stats?days=7', { language: 'en' })
    const main = page.getByRole('main')
    await main.getByRole('link', { name: '9 Calls in all' }).waitFor()
    await main.getByRole('link', { name: '1 Voicemail' }).click()
    await page.getByText('Only some of the calls are shown.').waitFor()
    const rows = main.getByRole('listitem')
    await main.getByText('054-000-0001').waitFor()
    expect(await rows.count()).toBe(1)
    await page.getByRole('link', { name: 'Show all' }).click()
    await main.getByText('050-111-2233').first().waitFor()
    expect(await rows.count()).toBe(9)
    await page.goBack()
    await page.goBack()
    await main.getByRole('link', { name: '9 Calls in all' }).waitFor()
    const byHour = page
      .locator('section')
      .filter({ has: page.getByRole('heading', { name: 'Calls by hour' }) })
      .last()
    await byHour.getByText('As a table').click()
    const voicemailHour = new Date(Date.now() - 3 * HOUR).toLocaleTimeString('en-GB', {
      timeZone: 'Asia/Jerusalem',
      hour: '2-digit',
    })
    const row = byHour.getByRole('row').filter({ has: page.getByRole('link', { name: `${voicemailHour}:00` }) })
    await row.getByRole('link').nth(2).click()
    await main.getByText('054-000-0001').waitFor()
    expect(problems).toEqual([])
    await close()
  },
  LONG,
)

test(
  'a number of the leads leads to its rows, and from there to the lead and back to the board',
  async () => {
    for (const { language, width, name, all } of [
      { language: 'he', width: 360, name: /^חדש/, all: 'לכל הלוח' },
      { language: 'en', width: 1280, name: /^חדש/, all: 'To the whole board' },
    ] as const) {
      const { page, problems, close } = await fixture.open('/stats', { language, width })
      await page.getByRole('main').getByRole('link', { name }).click()
      await page.waitForURL(/\/leads\?.*stage=new/)
      expect(new URL(page.url()).searchParams.get('since')).toContain('T')
      const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'דנה' })
      await row.waitFor()
      await judge(page, `leads-list-${language}-${width}`, problems)
      await row.getByRole('button').click()
      await page.getByRole('dialog').waitFor()
      await page.keyboard.press('Escape')
      await page.goto(`${fixture.product.publicBaseUrl}/console/leads?stage=won`)
      await page.getByRole('link', { name: all }).click()
      await page.waitForURL(/\/leads$/)
      await close()
    }
  },
  LONG,
)

test(
  'messages of a state are listed, and lead to their conversation',
  async () => {
    const { page, close } = await fixture.open('/stats?messages=read', { language: 'en' })
    const list = page.getByRole('list', { name: 'Read', exact: true })
    await list.getByText('שלום, איך אפשר לעזור?').waitFor()
    await list.getByRole('link').first().click()
    await page.getByRole('log').getByText('שלום, איך אפשר לעזור?').waitFor()
    await close()
  },
  LONG,
)

test(
  'an operator sees what runs and what the doctor found, and makes, blocks and unblocks a business',
  async () => {
    const { page, problems, close } = await fixture.open('/health', { language: 'en' })
    const main = page.getByRole('main')
    await page.getByRole('list', { name: 'What the doctor found' }).getByText('database', { exact: true }).waitFor()
    await main.getByText('None yet.').waitFor()
    await main.getByRole('row').filter({ hasText: 'crm' }).waitFor()
    await page.getByLabel('Name of a new business').fill('Second business')
    await page.getByRole('button', { name: 'Create business' }).click()
    const row = page.getByRole('list', { name: 'Businesses' }).getByRole('listitem').filter({ hasText: 'Second' })
    await row.getByRole('button', { name: 'Block' }).click()
    await row.getByLabel('Reason').fill('The invoice is overdue')
    await judge(page, 'health-block', problems)
    await row.getByRole('button', { name: 'Block now' }).click()
    await row.getByText('The invoice is overdue').waitFor()
    const { items } = await fixture.product.trpc().businesses.list.query()
    expect(items.find(({ name }) => name === 'Second business')?.blockedReason).toBe('The invoice is overdue')
    await row.getByRole('button', { name: 'Unblock' }).click()
    await row.getByRole('button', { name: 'Block', exact: true }).waitFor()
    await page.getByRole('link', { name: 'Look at the jobs on the queue board' }).waitFor()
    await close()
  },
  LONG,
)
