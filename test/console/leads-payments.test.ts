import { afterAll, beforeAll, expect, test } from 'bun:test'
import { findFreePort } from '../../src/lib/net.ts'
import { judge, startConsole, VIEWS } from '../support/console.ts'
import { paymentEnvironment, startPaymentServers } from '../support/payments.ts'
import { eventually } from '../support/product.ts'

let at: Awaited<ReturnType<typeof startConsole>>
let vendors: ReturnType<typeof startPaymentServers>
const leads: Record<string, string> = {}

beforeAll(async () => {
  const port = await findFreePort('127.0.0.1')
  const url = `http://localhost:${port}`
  vendors = startPaymentServers(`${url}/webhook/paypal`)
  const all = paymentEnvironment({
    port,
    databaseUrl: '',
    paypalUrl: vendors.paypal.url,
    tranzilaUrl: vendors.tranzila.url,
  })
  const env = Object.fromEntries(Object.entries(all).filter(([name]) => /^(PAYPAL|TRANZILA)_/.test(name)))
  at = await startConsole({ workers: ['crm'], env: { ...env, PORT: String(port), PUBLIC_BASE_URL: url } })
  // The other provider gives nothing back by its interface.
  await at.product.trpc().businesses.update.mutate({ paymentProvider: 'paypal' })
  for (const name of ['Avi', 'Bina', 'Gila'])
    leads[name] = (await at.product.trpc().leads.create.mutate({ name, inquiry: `${name} רוצה מטבח` })).id
}, 120_000)
afterAll(async () => {
  await at.stop()
  await vendors.close()
})

const api = () => at.product.trpc()
const stageOf = async (name: string) => (await api().leads.get.query({ id: leads[name] ?? '' })).stage
const order = async (stage: string) =>
  (await api().leads.board.query({})).columns
    .find((column) => column.stage.key === stage)
    ?.items.map(({ name }) => name)

for (const { language, width } of VIEWS)
  test(`leads and payments in ${language} at ${width} pixels: whole, without a finding of axe`, async () => {
    const { page, problems } = await at.show('/leads', { language, width })
    await page.getByText('Gila', { exact: true }).waitFor()
    await judge(page, `leads-${language}-${width}`, problems)
    await page.getByRole('button', { name: 'Gila' }).click()
    await page.getByRole('dialog').getByRole('combobox').waitFor()
    await judge(page, `lead-${language}-${width}`, problems)
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: language === 'he' ? 'שלבים' : 'Stages' }).click()
    await page.getByRole('dialog').getByRole('listitem').first().waitFor()
    await judge(page, `stages-${language}-${width}`, problems)
    await page.goto(`${at.product.publicBaseUrl}/console/payments`)
    await page.getByRole('heading', { level: 2 }).waitFor()
    await judge(page, `payments-${language}-${width}`, problems)
  }, 90_000)

test('a lead moves by the keyboard alone to a place of its choice, and back with one press', async () => {
  const { page, problems, close } = await at.open('/leads')
  const card = page.getByRole('button', { name: 'Bina' })
  await card.focus()
  // From right to left the next stage is to the left.
  await page.keyboard.press('ArrowLeft')
  await page.getByText(/אנטר מעביר/).waitFor({ state: 'attached' })
  await page.keyboard.press('Enter')
  await eventually(async () => (await stageOf('Bina')) === 'contacted', 'the move')
  await page.getByRole('button', { name: 'ביטול הפעולה' }).click()
  await eventually(async () => (await stageOf('Bina')) === 'new', 'the move back')
  const before = await order('new')
  await card.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Escape')
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Enter')
  await eventually(
    async () => (await order('new'))?.indexOf('Bina') === (before?.indexOf('Bina') ?? 0) - 1,
    'the order',
  )
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('a lead is dragged between two others', async () => {
  const { page, problems, close } = await at.open('/leads', { language: 'en' })
  for (const name of ['Avi', 'Gila']) await api().leads.move.mutate({ id: leads[name] ?? '', stage: 'qualified' })
  const stage = page.getByRole('region', { name: (await api().leads.stages.query()).items[2]?.name ?? '' })
  await stage.getByText('Gila', { exact: true }).waitFor()
  const [upper, lower] = (await order('qualified')) ?? []
  const target = stage.locator(`[data-lead="${leads[lower ?? '']}"]`)
  await page.locator(`[data-lead="${leads.Bina}"]`).dragTo(target, { targetPosition: { x: 40, y: 6 } })
  await eventually(
    async () => (await order('qualified'))?.join() === [upper, 'Bina', lower].join(),
    'the place between',
  )
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('value and owner are set, stages are added, renamed and kept', async () => {
  const { page, problems, close } = await at.open(`/leads?lead=${leads.Avi}`, { language: 'en' })
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Value in shekels').fill('1250.5')
  await dialog.getByLabel('Call back at').fill('מחר בבוקר')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect(await api().leads.get.query({ id: leads.Avi ?? '' })).toMatchObject({
    valueAgorot: 125_050,
    callbackTime: 'מחר בבוקר',
  })
  await page.getByText('₪1,250.50').first().waitFor()

  await page.getByRole('button', { name: 'Stages' }).click()
  await dialog.getByRole('button', { name: 'Add a stage' }).click()
  await dialog.getByLabel('Name of stage 6').fill('ממתין להצעה')
  await dialog.getByRole('button', { name: 'Move ממתין להצעה up' }).click()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('region', { name: 'ממתין להצעה' }).waitFor()
  expect((await api().leads.stages.query()).items.map(({ name }) => name).indexOf('ממתין להצעה')).toBe(4)
  // A stage that leads stand in stays.
  await page.getByRole('button', { name: 'Stages' }).click()
  const used = (await api().leads.stages.query()).items.find(({ key }) => key === 'qualified')?.name
  await dialog.getByRole('button', { name: `Remove ${used}` }).click()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByRole('alert').waitFor()
  expect(problems.filter((problem) => !problem.includes('409'))).toEqual([])
  await close()
}, 60_000)

test('a payment is requested, paid at the provider, seen as paid, and given back', async () => {
  const { page, problems, close } = await at.open('/payments', { language: 'en' })
  await page.getByLabel('Phone of the customer').fill('052-7776655')
  await page.getByLabel('Amount in shekels').fill('79.90')
  await page.getByLabel('What it is for').fill('זר פרחים')
  await page.getByRole('button', { name: 'Make the link' }).click()
  const row = page.getByRole('listitem').filter({ hasText: 'זר פרחים' })
  await row.getByText('Created').waitFor()
  const [payment] = (await api().payments.list.query({})).items
  expect(payment).toMatchObject({ amount: 7_990, provider: 'paypal' })

  const customer = await page.context().newPage()
  await customer.goto(payment?.url ?? '')
  await customer.getByRole('button', { name: /מאובטח|securely/ }).click()
  await customer.waitForURL(/checkoutnow/)
  await customer.getByRole('button', { name: 'Pay now' }).click()
  await customer.waitForURL(/checking=/)
  await row.getByText('Paid').waitFor({ timeout: 20_000 })
  await customer.close()

  await row.getByRole('button', { name: 'Refund in full' }).click()
  await judge(page, 'payment-refund-en-1280', problems)
  await row.getByRole('button', { name: /Give back/ }).click()
  await row.getByText('Refunded').waitFor({ timeout: 20_000 })
  expect((await api().payments.get.query({ id: payment?.id ?? '' })).state).toBe('refunded')
  await page.getByLabel('State').selectOption('paid')
  await row.waitFor({ state: 'detached' })
  expect(problems).toEqual([])
  await close()
}, 90_000)
