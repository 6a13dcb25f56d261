import { afterAll, beforeAll, expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { judge, startConsole, VIEWS } from '../support/console.ts'
import { CALLER, eventually } from '../support/product.ts'

let at: Awaited<ReturnType<typeof startConsole>>

/** The way back from what was announced so. */
const undoIn = (page: Page) => (said: string | RegExp) =>
  page.getByRole('alertdialog').filter({ hasText: said }).getByRole('button', { name: 'Undo' })

/** 10:00 of a day from today on, in the business's zone, whose offset is a whole number of hours. */
function inDays(days: number, hour = 10): string {
  const date = new Date(Date.now() + days * 86_400_000)
  const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Asia/Jerusalem', dateStyle: 'short' }).format(date)
  const utc = Date.parse(`${parts}T${String(hour).padStart(2, '0')}:00:00Z`)
  const shown = Number(
    new Intl.DateTimeFormat('en-GB', { timeZone: 'Asia/Jerusalem', hour: '2-digit', hourCycle: 'h23' }).format(utc),
  )
  return new Date(utc - (shown - hour) * 3_600_000).toISOString()
}

beforeAll(async () => {
  at = await startConsole({ workers: ['crm'] })
  const { product } = at
  await product.trpc().leads.create.mutate({ name: 'משה כהן', phone: '+972521112233', inquiry: 'מטבח חדש' })
  await product.trpc().appointments.create.mutate({ startsAt: inDays(0), minutes: 60, phone: CALLER, name: 'דנה לוי' })
  await product.sql`update appointments set confirmed_at = null`
  const far = new Date(Date.now() + 200 * 86_400_000)
  await product.trpc().waitingList.add.mutate({
    ...{ phone: '+972523334455', name: 'נועה בר', from: far.toISOString() },
    to: new Date(far.getTime() + 86_400_000).toISOString(),
  })
  await product.post('/webhook/whatsapp/twilio', {
    AccountSid: product.carrier.accountSid,
    MessageSid: `SM${'1'.padStart(32, '0')}`,
    From: `whatsapp:${CALLER}`,
    To: 'whatsapp:+14155238886',
    Body: 'שלום, מתי אפשר לבוא?',
    NumMedia: '0',
    ProfileName: 'דנה לוי',
  })
  await eventually(async () => (await product.trpc().messages.list.query({})).items.length > 0, 'the message')
  const [message] = (await product.trpc().messages.list.query({})).items
  await product.sql`insert into messages (id, business_id, conversation_id, contact_id, direction, provider, status, body)
    values (gen_random_uuid(), ${product.businessId}, ${message?.conversationId ?? ''}, ${message?.contactId ?? ''},
      'out', 'twilio', 'failed', 'ההזמנה מוכנה')`
  await product.sql`insert into calls (id, business_id, call_sid, from_number, to_number, answered_by, state, end_reason, contact_id, started_at, ended_at)
    values (gen_random_uuid(), ${product.businessId}, 'CAvoicemail', ${CALLER}, '', 'voicemail', 'ended', 'voicemail', ${message?.contactId ?? ''}, now(), now())`
  await product.sql`insert into recordings (id, business_id, call_id, recording_sid, state, duration_ms, recorded_at)
    select gen_random_uuid(), ${product.businessId}, id, 'RE1', 'failed', 4000, now() from calls where call_sid = 'CAvoicemail'`
}, 120_000)
afterAll(() => at.stop())

for (const { language, width } of VIEWS)
  test(`today and the calendar in ${language} at ${width} pixels: whole, without a finding of axe`, async () => {
    const { page, problems } = await at.show('/today', { language, width })
    await page.getByRole('region').nth(4).waitFor()
    await judge(page, `today-${language}-${width}`, problems)
    for (const each of ['day', 'week', 'month']) {
      await page.goto(`${at.product.publicBaseUrl}/console/calendar?view=${each}`)
      await page.getByText('דנה לוי').first().waitFor({ state: 'attached' })
      await page.getByText('נועה בר').waitFor()
      await judge(page, `calendar-${each}-${language}-${width}`, problems)
    }
    await page.getByRole('button', { name: language === 'he' ? 'פגישה חדשה' : 'New appointment', exact: true }).click()
    await page.getByRole('dialog').waitFor()
    await judge(page, `calendar-new-${language}-${width}`, problems)
  }, 90_000)

test('every line of today is done with one press, and comes back with one', async () => {
  const { page, problems, close } = await at.open('/today', { language: 'en' })
  const undo = undoIn(page)
  for (const [title, press, said] of [
    ['Voicemails not heard', 'Mark as heard', 'Marked as heard'],
    ['Leads to call back', 'Called back', /^Moved to/],
    ['Messages without an answer', 'Needs no answer', 'Marked as read'],
    ['Messages that failed', 'Set aside', 'Set aside'],
  ] as const) {
    const section = page.getByRole('region', { name: title })
    await section.getByRole('button', { name: press }).click()
    await section.waitFor({ state: 'detached' })
    await undo(said).click()
    await section.getByRole('listitem').first().waitFor()
  }
  const appointments = page.getByRole('region', { name: 'Appointments today' })
  await appointments.getByRole('button', { name: 'Confirm' }).click()
  await appointments.getByRole('button', { name: 'Confirm' }).waitFor({ state: 'detached' })
  await undo('Confirmed').click()
  await appointments.getByRole('button', { name: 'Confirm' }).waitFor()
  expect(problems).toEqual([])
  await close()
}, 90_000)

test('every line of today leads to its place', async () => {
  const { page, close } = await at.open('/today', { language: 'en' })
  for (const [title, address] of [
    ['Voicemails not heard', /\/calls\/[\w-]+$/],
    ['Leads to call back', /\/leads\?lead=/],
    ['Messages without an answer', /\/inbox\?.*contact=/],
    ['Messages that failed', /\/inbox\?.*contact=/],
    ['Appointments today', /\/calendar\?.*appointment=/],
  ] as const) {
    await page.getByRole('region', { name: title }).getByRole('link').first().click()
    await page.waitForURL(address)
    await page.goBack()
  }
  await page.getByRole('region', { name: 'Since you closed' }).getByText('1 call').waitFor()
  await close()
}, 60_000)

test('someone is put on the waiting list, taken off it and brought back', async () => {
  const { page, problems, close } = await at.open('/calendar', { language: 'en' })
  const list = page.getByRole('region', { name: 'Waiting list' })
  await list.getByRole('button', { name: 'Add to the waiting list' }).click()
  const dialog = page.getByRole('dialog')
  const day = inDays(300).slice(0, 10)
  await dialog.getByLabel('From').fill(day)
  await dialog.getByLabel('Until').fill(day)
  await dialog.getByLabel('Name').fill('Avi')
  await dialog.getByLabel('Phone').fill('052-7778899')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.waitFor({ state: 'detached' })
  const entry = list.getByRole('listitem').filter({ hasText: 'Avi' })
  await entry.getByRole('button', { name: /Remove .*Avi/ }).click()
  await entry.waitFor({ state: 'detached' })
  await undoIn(page)('Taken off the waiting list').click()
  await entry.waitFor()
  expect(problems).toEqual([])
  await close()
}, 60_000)

test('an appointment is made, moved by the keyboard and by drag, cancelled and brought back', async () => {
  const { product } = at
  const { page, problems, close } = await at.open('/calendar?view=week', { language: 'en' })
  const undo = undoIn(page)
  const found = async () => {
    const { items } = await product.trpc().appointments.list.query({ from: inDays(-7) })
    return items.find(({ name }) => name === 'Noa Bar')
  }
  await page.getByRole('button', { name: 'New appointment', exact: true }).click()
  const dialog = page.getByRole('dialog')
  const [date] = inDays(0).split('T')
  await dialog.getByLabel('Date').fill(date ?? '')
  await dialog.getByLabel('Time').fill('13:00')
  await dialog.getByLabel('Name').fill('Noa Bar')
  await dialog.getByLabel('Phone').fill('052-9998877')
  await dialog.getByRole('button', { name: 'Save' }).click()
  const card = page.getByRole('button', { name: /Noa Bar/ })
  await card.waitFor()
  expect((await found())?.startsAt).toBe(inDays(0, 13))

  await card.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  await page.getByText(/Enter moves it/).waitFor({ state: 'attached' })
  await page.keyboard.press('Enter')
  const moved = new Date(new Date(inDays(0, 13)).getTime() + 1_800_000)
  await eventually(async () => (await found())?.startsAt === moved.toISOString(), 'the move by the keyboard')
  await undo('Moved to').click()
  await eventually(async () => (await found())?.startsAt === inDays(0, 13), 'the move back')

  // A time that is taken is refused, and the card goes back.
  await page.goto(`${product.publicBaseUrl}/console/calendar?view=day`)
  await card.waitFor()
  const column = page.locator('[data-day]')
  const box = await column.boundingBox()
  const hours = Math.round((box?.height ?? 0) / 52)
  await card.dragTo(column, { sourcePosition: { x: 20, y: 2 }, targetPosition: { x: 20, y: 52 * 7 + 3 } })
  const dropped = await eventually(
    async () => {
      const startsAt = (await found())?.startsAt
      return startsAt && startsAt !== inDays(0, 13) ? startsAt : null
    },
    'the move by drag',
    10_000,
  )
  expect(hours).toBeGreaterThanOrEqual(10)
  expect(dropped).toBe(inDays(0, 15))
  await card.dragTo(column, { sourcePosition: { x: 20, y: 2 }, targetPosition: { x: 20, y: 52 * 2 + 30 } })
  await page.getByRole('alert').getByText('This time is taken').waitFor()
  expect((await found())?.startsAt).toBe(inDays(0, 15))

  await card.click()
  await dialog.getByLabel('Name').fill('Noa Bar-Lev')
  await dialog.getByLabel('Note').fill('מדידה למטבח')
  await dialog.getByRole('button', { name: 'Save name and note' }).click()
  await page.getByRole('button', { name: /Noa Bar-Lev/ }).waitFor()
  const { items } = await product.trpc().appointments.list.query({ from: inDays(-7) })
  expect(items.find(({ name }) => name === 'Noa Bar-Lev')).toMatchObject({
    note: 'מדידה למטבח',
    startsAt: inDays(0, 15),
  })
  await undo('are saved').click()
  await eventually(async () => (await found())?.note === null, 'the name and the note to be as before')

  await card.click()
  await dialog.getByRole('button', { name: 'Cancel appointment' }).click()
  await card.waitFor({ state: 'detached' })
  expect(await found()).toBeUndefined()
  await undo('is cancelled').click()
  await card.waitFor()
  expect(problems.filter((problem) => !problem.includes('409'))).toEqual([])
  await close()
}, 90_000)

test('a time is kept while a customer decides, and booked with one press', async () => {
  const { page, problems, close } = await at.open('/calendar?view=day', { language: 'en' })
  await page.getByRole('button', { name: 'Later' }).click()
  await page.getByRole('button', { name: 'New appointment', exact: true }).click()
  const dialog = page.getByRole('dialog')
  const [date] = inDays(1).split('T')
  await dialog.getByLabel('Date').fill(date ?? '')
  await dialog.getByLabel('Time').fill('17:00')
  await dialog.getByLabel('Name').fill('Gal Peretz')
  await dialog.getByLabel('Only keep it').check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  const found = async () =>
    (await at.product.trpc().appointments.list.query({})).items.find(({ name }) => name === 'Gal Peretz')
  const held = await eventually(found, 'the appointment')
  expect(held.state).toBe('held')
  expect(held.heldUntil?.length ?? 0).toBeGreaterThan(10)
  await page.getByRole('button', { name: /Gal Peretz/ }).click()
  await dialog.getByText('Held for a while').waitFor()
  await dialog.getByRole('button', { name: 'Book it' }).click()
  await dialog.waitFor({ state: 'detached' })
  expect(await found()).toMatchObject({ state: 'booked', heldUntil: null })
  expect(problems).toEqual([])
  await close()
}, 60_000)
