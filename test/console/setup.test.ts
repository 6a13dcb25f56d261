import { afterAll, beforeAll, expect, test } from 'bun:test'
import { addNumber } from '../../src/sandbox/carrier/numbers-api.ts'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'
import { NUMBER } from '../support/product.ts'

const LONG = 120_000
const STEPS = ['business', 'hours', 'number', 'whatsapp', 'test']

let fixture: ConsoleFixture

beforeAll(async () => {
  fixture = await startConsole({ workers: ['crm'], env: { BUSINESS_NAME: 'My business' } })
  const { businesses } = fixture.product.trpc()
  for (const { id } of (await businesses.numbers.query()).items) await businesses.removeNumber.mutate({ numberId: id })
}, LONG)
afterAll(() => fixture.stop(), LONG)

test(
  'a new installation is set up from Today: business, hours, number with its webhooks, WhatsApp, a call; each says what was checked',
  async () => {
    const { product } = fixture
    const number = addNumber(product.carrier, NUMBER, { voiceUrl: 'https://demo.twilio.com/welcome/voice/' })
    const { page, problems, close } = await fixture.open('/today', { language: 'en' })
    await page.getByRole('complementary', { name: 'Setting up' }).getByText('1 of 5').waitFor()
    await judge(page, 'setup-banner', problems)
    await page.getByRole('link', { name: 'Go on' }).click()
    // The name that an installation starts with is none.
    await page.getByText('The business has no name yet.').waitFor()
    expect(await page.getByRole('link', { name: /Business and language/ }).getAttribute('aria-current')).toBe('page')
    const name = page.getByLabel('Name of the business')
    expect(await name.inputValue()).toBe('')
    for (const none of ['', 'My business']) {
      await name.fill(none)
      await page.getByRole('button', { name: 'Save' }).click()
      expect(await name.evaluate((input: HTMLInputElement) => input.validity.valid)).toBe(false)
    }
    expect((await product.trpc().businesses.get.query()).name).toBe('My business')
    await name.fill('Dana Flowers')
    await page.getByLabel('Language').selectOption('en')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('status').filter({ hasText: 'Dana Flowers' }).waitFor()
    await page.getByRole('link', { name: 'Next step' }).click()

    await page.getByText('Not saved yet: the usual office hours are used.').waitFor()
    await page.getByLabel('Friday', { exact: true }).check()
    await page.getByLabel('Friday, to').fill('13:00')
    await page.getByLabel('Sunday: add hours').click()
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('open on 6 days a week').waitFor()
    expect((await product.trpc().businesses.get.query()).hours).toMatchObject({
      sun: [
        ['09:00', '17:00'],
        ['17:00', '24:00'],
      ],
      fri: [['09:00', '13:00']],
    })
    await page.getByRole('link', { name: 'Next step' }).click()

    await page.getByText('No number yet').waitFor()
    await page.getByText('https://demo.twilio.com/welcome/voice/').waitFor()
    await page.getByRole('button', { name: 'Answer this number' }).click()
    await page.getByText('the webhooks at Twilio were checked').waitFor()
    await page.getByRole('status').filter({ hasText: 'The business answers' }).waitFor()
    expect(product.carrier.numbers.get(number.sid)).toMatchObject({
      voiceUrl: `${product.publicBaseUrl}/webhook/incoming_call`,
      statusCallback: `${product.publicBaseUrl}/webhook/call_status`,
    })
    await page.getByRole('link', { name: 'Next step' }).click()

    await page.getByText('Messages go out from the Twilio sender').waitFor()
    await page.getByRole('link', { name: 'Next step' }).click()

    await page.getByText('No call has arrived yet.').waitFor()
    await product.call({ script: [], maxSeconds: 2 })
    await page.getByText('A call arrived from').waitFor()
    await page.getByRole('link', { name: 'Finish' }).click()
    await page.getByRole('heading', { level: 1 }).waitFor()
    expect(await page.getByRole('complementary', { name: 'Setting up' }).count()).toBe(0)
    await close()
  },
  LONG,
)

test(
  'a carrier that refuses the webhooks is shown with its own words, and the number stays to be tried again',
  async () => {
    const { product } = fixture
    const other = addNumber(product.carrier, '+97231112222', { voiceUrl: 'https://another.example/voice' })
    product.carrier.faults.add({
      operation: 'numbers.update',
      times: 1,
      effect: { kind: 'http_error', status: 400, code: 21402 },
    })
    const { page, problems, close } = await fixture.open('/setup?step=number', { language: 'en' })
    const row = page.getByRole('listitem').filter({ hasText: 'another.example' })
    await row.getByRole('button', { name: 'Answer this number' }).click()
    await page.getByRole('alert').getByText('The carrier refused').waitFor()
    await page.getByText('Technical details').click()
    await page.getByRole('alert').getByText('21402').waitFor()
    await row.getByRole('button', { name: 'Answer this number' }).click()
    await row.waitFor({ state: 'detached' })
    expect(product.carrier.numbers.get(other.sid)?.voiceUrl).toBe(`${product.publicBaseUrl}/webhook/incoming_call`)
    expect(problems.filter((problem) => !problem.includes('status of 5'))).toEqual([])
    await close()
  },
  LONG,
)

for (const { language, width } of VIEWS)
  test(
    `each step in ${language} at ${width} pixels: nothing sticks out, no finding of axe, no error`,
    async () => {
      for (const step of STEPS) {
        const { page, problems } = await fixture.show(`/setup?step=${step}`, { language, width })
        await page.getByRole('heading', { level: 2 }).first().waitFor()
        await judge(page, `setup-${step}-${language}-${width}`, problems)
      }
    },
    LONG,
  )
