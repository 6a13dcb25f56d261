import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ConsoleFixture, judge, startConsole, VIEWS } from '../support/console.ts'
import { eventually } from '../support/product.ts'

const PARTS = ['services', 'staff', 'bookingPage', 'reminders']
const LONG = 120_000
/** A week from now, on which all that is booked is what is made here. */
const DAY = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10)

let fixture: ConsoleFixture

beforeAll(async () => {
  fixture = await startConsole()
  const { booking, appointments } = fixture.product.trpc()
  const week = Object.fromEntries(
    (['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const).map((day) => [day, [['09:00', '17:00']]]),
  )
  const { id: noa } = await booking.saveStaff.mutate({ name: 'נועה', hours: week as never, capacity: 2 })
  const { id: serviceId } = await booking.saveService.mutate({
    ...{ nameHe: 'תספורת', nameEn: 'Haircut', minutes: 45, price: 12_000, deposit: 2_000, bufferAfter: 15 },
    ...{ place: 'customer', staffIds: [noa] },
  })
  await booking.addAbsence.mutate({
    ...{ staffId: noa, startsAt: `${DAY}T12:00:00+02:00`, endsAt: `${DAY}T13:00:00+02:00`, reason: 'מחלה' },
  })
  await booking.saveSettings.mutate({
    ...{ slug: 'noa-hair', pageEnabled: true, travel: [{ from: 'חיפה', to: 'Tel Aviv', minutes: 60 }] },
    reminders: { before: [1_440, 120], from: '09:00', to: '20:00', followUpAfter: 60 },
  })
  // Two at the same time with one person, one held.
  for (const name of ['דנה לוי', 'Moshe'])
    await appointments.create.mutate({ startsAt: `${DAY}T10:00:00+02:00`, minutes: 45, serviceId, staffId: noa, name })
  await fixture.product
    .sql`update appointments set state = 'held', held_until = now() + interval '1 day' where name = 'Moshe'`
}, LONG)
afterAll(() => fixture.stop(), LONG)

for (const { language, width } of VIEWS)
  test(
    `services, staff, booking page, reminders and the day by staff in ${language} at ${width} pixels`,
    async () => {
      for (const part of PARTS) {
        const { page, problems } = await fixture.show(`/settings?part=${part}`, { language, width })
        await page.getByRole('heading', { level: 2 }).first().waitFor()
        await judge(page, `settings-${part}-${language}-${width}`, problems)
        const create = page.getByRole('button', {
          name: /^(New service|New person|שירות חדש|אדם חדש|QR code|קוד QR)$/,
        })
        if (width < 500 && (await create.count()) > 0) {
          await create.click()
          await judge(page, `settings-${part}-open-${language}-${width}`, problems)
        }
      }
      const { page, problems } = await fixture.show(`/calendar?view=day&date=${DAY}`, { language, width })
      const lane = page.getByRole('region', { name: 'נועה', exact: true })
      await lane.getByRole('button', { name: /דנה לוי/ }).waitFor()
      // What is at the same time stands beside each other.
      const [one, other] = await Promise.all(
        [/דנה לוי/, /Moshe/].map((name) => lane.getByRole('button', { name }).boundingBox()),
      )
      expect(Math.abs((one?.x ?? 0) - (other?.x ?? 0))).toBeGreaterThan(20)
      await judge(page, `calendar-staff-${language}-${width}`, problems)
      if (width > 500) return
      await lane.getByRole('button', { name: /Moshe/ }).click()
      await page
        .getByRole('dialog')
        .getByLabel(/^(Time|שעה)$/)
        .waitFor()
      await judge(page, `calendar-appointment-${language}-${width}`, problems)
    },
    LONG,
  )

test(
  'a service and a person are made, a customer books on the page, and the appointment is moved to another person and cancelled',
  async () => {
    const { product } = fixture
    const { page, problems, close } = await fixture.open('/settings?part=staff', { language: 'en' })
    const dialog = page.getByRole('dialog')
    await page.getByRole('button', { name: 'New person' }).click()
    await dialog.getByLabel('Name').fill('Avi')
    await dialog.getByLabel('Purple').check()
    await dialog.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('list', { name: 'Staff' }).getByText('Avi').waitFor()

    await page.getByRole('link', { name: 'Services' }).click()
    await page.getByRole('button', { name: 'New service' }).click()
    await dialog.getByLabel('Name in English').fill('Consultation')
    await dialog.getByLabel('Minutes').fill('30')
    await dialog.getByLabel('Price').fill('99.90')
    await dialog.getByLabel('Avi').check()
    await dialog.getByRole('button', { name: 'Save' }).click()
    const list = page.getByRole('list', { name: 'Services' })
    await list.getByText('Consultation').waitFor()
    await list.getByRole('button', { name: /Consultation.*: one up/ }).click()
    await eventually(async () => {
      const { items } = await product.trpc().booking.services.query()
      return items[0]?.nameEn === 'Consultation' && items[0].price === 9_990 && items[0].staffIds.length === 1
    }, 'the service to be the first')

    await page.getByRole('link', { name: 'Booking page' }).click()
    await page.getByLabel('Address').fill('avi-advice')
    await page.getByLabel('Language of the page').selectOption('en')
    await page.getByLabel('Note').selectOption('required')
    await page.getByRole('button', { name: 'Save' }).click()
    const link = page.getByLabel('The link of the page')
    await eventually(async () => (await link.inputValue()).endsWith('/book/avi-advice'), 'the new link')
    const address = await link.inputValue()
    await page.getByRole('button', { name: 'QR code' }).click()
    await page.getByRole('img', { name: 'QR code of the booking page' }).waitFor()

    // The other browser speaks Hebrew; the page has one language.
    const customer = await fixture.newContext({ language: 'he', width: 360 })
    const booking = await customer.newPage()
    booking.setDefaultTimeout(15_000)
    await booking.goto(address)
    expect(await booking.getByRole('link', { name: 'עברית' }).count()).toBe(0)
    await booking.getByRole('link', { name: 'Consultation' }).click()
    while ((await booking.locator('a.time').count()) === 0)
      await booking.getByRole('link', { name: 'Later days' }).click()
    await booking.locator('a.time').first().click()
    await booking.getByLabel('Name').fill('Rina Gold')
    await booking.getByLabel('Phone').fill('052-7654321')
    await booking.locator('textarea').evaluate((element) => element.removeAttribute('required'))
    await booking.getByRole('button', { name: 'Book it' }).click()
    await booking.getByText('Please write a note.').waitFor()

    const offered = await booking.locator('p.when').textContent()
    const date = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short' }).format(
      new Date((offered ?? '').split(' at ')[0] ?? ''),
    )
    await page.goto(`${product.publicBaseUrl}/console/calendar?view=day&date=${date}`)
    await page.getByRole('region', { name: 'Avi', exact: true }).waitFor()
    await booking.getByLabel('Note').fill('About a kitchen')
    await booking.getByRole('button', { name: 'Book it' }).click()
    await booking.getByText('Your appointment is booked').waitFor()
    await customer.close()

    const { items: staff } = await product.trpc().booking.staff.query()
    const before = staff[staff.findIndex(({ name }) => name === 'Avi') - 1]
    if (!before) throw new Error('There is no person before the new one.')
    // It appears without a reload, moves to the person before by the keyboard, and back.
    const lane = (name: string) => page.getByRole('region', { name, exact: true })
    const card = (name: string) => lane(name).getByRole('button', { name: /Rina Gold/ })
    await card('Avi').waitFor()
    await card('Avi').focus()
    await page.keyboard.press('ArrowLeft')
    await page.getByText(`\u2068${before.name}\u2069. Enter moves it`).waitFor({ state: 'attached' })
    await page.keyboard.press('Enter')
    await card(before.name).waitFor()
    const undo = (said: string) =>
      page.getByRole('alertdialog').filter({ hasText: said }).getByRole('button', { name: 'Undo' })
    await undo('Moved to').click()
    await card('Avi').waitFor()
    await card('Avi').focus()
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Enter')
    await card(before.name).waitFor()
    const found = async () => {
      const { items } = await product.trpc().appointments.list.query({})
      return items.find(({ name }) => name === 'Rina Gold')
    }
    await eventually(async () => (await found())?.staffId === before.id, 'the move to another person')

    // A time that is taken is refused, and the next free one is one press away.
    const row = await found()
    for (let seat = 0; seat < before.capacity; seat++)
      await product.trpc().appointments.create.mutate({
        startsAt: row?.endsAt ?? '',
        ...{ minutes: 15, staffId: before.id, name: `Taken ${seat}` },
      })
    await lane(before.name)
      .getByRole('button', { name: /Taken 0/ })
      .waitFor()
    await card(before.name).focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('This time is taken').waitFor()
    await page.getByText('Free next:').locator('..').getByRole('button').first().click()
    await page.getByText('Free next:').waitFor({ state: 'detached' })
    await eventually(async () => (await found())?.startsAt !== row?.startsAt, 'the move to a free time')

    await page.goto(`${product.publicBaseUrl}/console/calendar?view=week&date=${date}&staff=${before.id}`)
    const own = page.getByRole('button', { name: /Rina Gold/ })
    await own.click()
    await dialog.getByText('Consultation').waitFor()
    await dialog.getByRole('button', { name: 'Cancel appointment' }).click()
    await own.waitFor({ state: 'detached' })
    expect(await found()).toBeUndefined()
    await undo('is cancelled').click()
    await own.waitFor()
    expect(problems.filter((problem) => !problem.includes('409'))).toEqual([])
    await close()
  },
  LONG,
)
