import { beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { appointments, contacts, waitingList } from '../../../db/schema/index.ts'
import {
  bookSlot,
  cancelAppointment,
  cancelByCustomer,
  cancelWaiting,
  createAppointment,
  createBookingLinks,
  getAppointment,
  joinWaitingList,
  listWaiting,
  moveAppointment,
  offerAllWaiting,
  offerSlots,
  saveBookingSettings,
  saveService,
  sendNotices,
  settleHolds,
  takeOffer,
} from '../../../src/domain/appointments/index.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { within } from '../../../src/domain/context.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import type { PaymentDeps } from '../../../src/domain/payments/index.ts'
import { createBookPages } from '../../../src/http/book/routes.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { addDates, instantOf, startOfDate, wallClock } from '../../../src/lib/local-time.ts'
import { startDomain } from '../../support/call-domain.ts'

setDefaultTimeout(60_000)

const ZONE = 'Asia/Jerusalem'
const MINUTE = 60_000
const links = createBookingLinks('a secret of the tests', 'https://example.com/book')
const urlOf = () => 'https://example.com/webhook'
const deps = {
  messages: { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) },
  bookingLinks: links,
  // Nothing asks for a deposit, and there is no carrier.
  payments: {} as PaymentDeps,
  carrierOf: () => null,
  links: { call: urlOf, key: urlOf, callEnded: urlOf, textStatus: urlOf },
}
const TODAY = wallClock(new Date(), ZONE).date
/** Noon of tomorrow: people may be written to. */
const NOON = instantOf(addDates(TODAY, 1), '12:00', ZONE)
const after = (minutes: number) => new Date(NOON.getTime() + minutes * MINUTE)

let domain: Awaited<ReturnType<typeof startDomain>>
let serial = 0
beforeAll(async () => {
  domain = await startDomain()
})
const phone = () => `+97250${String(3_000_000 + ++serial)}`

/** A business on one of whose days everything is booked, by the start of each appointment. */
async function fullDay(deposit: number | null = null) {
  const business = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Levi', language: 'en' }))
  const slug = `waiting-${++serial}`
  await saveBookingSettings(business, { slug, pageEnabled: true, noticeMinutes: 0, aheadDays: 366, stepMinutes: 60 })
  const serviceId = await saveService(business, { nameHe: 'תספורת', nameEn: 'Haircut', minutes: 60, deposit })
  const offers = await offerSlots(business, { serviceId }, { from: addDates(TODAY, 14), days: 21 })
  const dates = [...new Set(offers.map(({ date }) => date))]
  const startsOn = (day: string) => offers.filter(({ date }) => date === day).map(({ startsAt }) => startsAt)
  // No Friday, on which the afternoon is closed.
  const date = dates.find((day) => startsOn(day).length > 7)
  if (!date) throw new Error('Nothing is free.')
  const starts = startsOn(date)
  const booked: string[] = []
  for (const at of starts)
    booked.push(
      await createAppointment(business, { startsAt: at.toISOString(), minutes: 60, serviceId, phone: phone() }),
    )
  const window = { from: startOfDate(date, ZONE).toISOString(), to: startOfDate(addDates(date, 1), ZONE).toISOString() }
  const join = (number = phone(), more = {}) =>
    joinWaitingList(business, { phone: number, serviceId, language: 'en', ...window, ...more }, NOON)
  return { business, slug, serviceId, date, starts, booked, join }
}

const stateOf = async (id: string) => (await domain.ctx.db.select().from(waitingList).where(eq(waitingList.id, id)))[0]
const heldOf = async (id: string) => {
  const entry = await stateOf(id)
  if (entry?.state !== 'offered' || !entry.appointmentId) throw new Error(`nothing is offered: ${entry?.state}`)
  return entry.appointmentId
}
const statesOf = async (...ids: string[]) => await Promise.all(ids.map(async (id) => (await stateOf(id))?.state))
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  )
const first = (booked: string[]) => booked[0] ?? ''

test('what is cancelled is held for who waits longest, who takes it; what is not taken in time goes to the next', async () => {
  const { business, starts, booked, join } = await fullDay()
  const reminders = { before: [], from: '08:00', to: '20:00', followUpAfter: null }
  await saveBookingSettings(business, { reminders })
  const [a, b, c] = [await join(), await join(), await join()]
  await cancelAppointment(business, first(booked), NOON)
  expect(await statesOf(a, b, c)).toEqual(['offered', 'waiting', 'waiting'])
  const held = await heldOf(a)
  expect(await getAppointment(business, held)).toEqual(
    expect.objectContaining({
      ...{ state: 'held', startsAt: starts[0], heldUntil: after(30) },
    }),
  )
  // No one is offered a second one meanwhile.
  expect(await offerAllWaiting(domain.ctx, after(1))).toBe(0)
  // Not taken in time: the next.
  expect(await codeOf(takeOffer(business, held, after(31)))).toBe('hold_over')
  await settleHolds(domain.ctx, after(31))
  expect(await statesOf(a, b, c)).toEqual(['expired', 'offered', 'waiting'])
  // Declined: the next.
  await cancelByCustomer(business, await heldOf(b), after(32))
  expect(await statesOf(a, b, c)).toEqual(['expired', 'cancelled', 'offered'])
  // Neither the customer nor the business hears of an appointment that there never was.
  const cancelled =
    await domain.sql`select from appointment_notices where kind = 'cancelled' and appointment_id <> ${first(booked)}`
  expect(cancelled).toHaveLength(0)
  expect(await domain.sql`select from events where type = 'appointment.cancel'`).toHaveLength(1)
  const taken = await heldOf(c)
  for (let run = 0; run < 2; run += 1) expect((await takeOffer(business, taken, after(33))).state).toBe('booked')
  expect(await statesOf(c)).toEqual(['booked'])
  await settleHolds(domain.ctx, after(600))
  expect((await getAppointment(business, taken)).state).toBe('booked')
  expect(await listWaiting(business)).toEqual([])
})

test('moved and expired appointments are offered too, and two that get free at once are never offered twice', async () => {
  const { business, serviceId, booked, join, date } = await fullDay()
  const ids = [await join(), await join(), await join()]
  const elsewhere = instantOf(addDates(date, 30), '10:00', ZONE)
  await Promise.all([
    moveAppointment(business, first(booked), { startsAt: elsewhere.toISOString() }, NOON),
    cancelAppointment(business, booked[1] ?? '', NOON),
    offerAllWaiting(domain.ctx, NOON),
    offerAllWaiting(domain.ctx, NOON),
  ])
  await offerAllWaiting(domain.ctx, NOON)
  const states = await statesOf(...ids)
  expect(states).toEqual(['offered', 'offered', 'waiting'])
  const rows = await domain.ctx.db.select().from(appointments).where(eq(appointments.businessId, business.businessId))
  const held = rows.filter(({ state }) => state === 'held')
  expect(new Set(held.map(({ startsAt }) => startsAt.getTime())).size).toBe(2)
  // A hold of a customer that is over.
  const [third] = [booked[2] ?? '']
  const at = (await getAppointment(business, third)).startsAt
  await saveBookingSettings(business, { holdMinutes: 1 })
  await domain.sql`update appointments set state = 'held', held_until = ${after(1).toISOString()} where id = ${third}`
  await settleHolds(domain.ctx, after(2))
  expect(await getAppointment(business, await heldOf(ids[2] ?? ''))).toEqual(
    expect.objectContaining({ startsAt: at, serviceId }),
  )
})

test('quiet hours, opt-outs and numbers that cannot be written to: no time is held for who does not hear of it', async () => {
  const { business, booked, join } = await fullDay()
  const out = phone()
  const [silent, other] = [await join(out), await join()]
  await domain.ctx.db.update(contacts).set({ optedOutAt: new Date() }).where(eq(contacts.phone, out))
  const night = instantOf(addDates(TODAY, 1), '23:30', ZONE)
  await cancelAppointment(business, first(booked), night)
  expect(await offerAllWaiting(domain.ctx, night)).toBe(0)
  expect(await statesOf(silent, other)).toEqual(['waiting', 'waiting'])
  const morning = instantOf(addDates(TODAY, 2), '09:00', ZONE)
  await offerAllWaiting(domain.ctx, morning)
  expect(await statesOf(silent, other)).toEqual(['waiting', 'offered'])
  // What could not be sent is given up at once.
  await domain.sql`update appointment_notices set state = 'failed' where appointment_id = ${await heldOf(other)}`
  await offerAllWaiting(domain.ctx, morning)
  expect(await statesOf(silent, other)).toEqual(['waiting', 'expired'])
})

test('five are offered at a time, each person one; joining twice is one entry, and what is free is not waited for', async () => {
  const { business, booked, join, starts } = await fullDay()
  const number = phone()
  const mine = await join(number)
  expect(await join(number)).toBe(mine)
  const ids = [mine]
  for (let n = 0; n < 7; n += 1) ids.push(await join())
  for (const id of booked.slice(0, 7)) await cancelAppointment(business, id, NOON)
  expect((await statesOf(...ids)).filter((state) => state === 'offered')).toHaveLength(5)
  const error = await join().then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ code: 'times_free' })
  expect(error instanceof AppError && error.nextTimes?.[0]).toEqual(starts[5] ?? false)
  expect(await codeOf(join(phone(), { from: after(10).toISOString(), to: after(5).toISOString() }))).toBe(
    'waiting_window',
  )
  // Taken off the list, what is held for them goes to the next who waits.
  await cancelWaiting(business, mine, NOON)
  expect((await statesOf(...ids)).filter((state) => state === 'offered')).toHaveLength(5)
  expect(await statesOf(mine)).toEqual(['cancelled'])
  const other = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Other', language: 'en' }))
  expect(await codeOf(cancelWaiting(other, ids[1] ?? ''))).toBe('waiting_not_found')
  expect(await codeOf(takeOffer(other, await heldOf(ids[1] ?? '')))).toBe('appointment_not_found')
})

const app = (now: () => Date) => {
  const pages = createBookPages({ ctx: domain.ctx, payments: {} as PaymentDeps, links, addressOf: () => newId(), now })
  pages.onError((error, c) => c.text(error.message, error instanceof AppError ? error.status : 500))
  return pages
}
const pathOf = (response: Response) => new URL(response.headers.get('location') ?? '').pathname.replace('/book', '')
const post = (page: ReturnType<typeof app>, path: string, fields: Record<string, string> = {}) =>
  page.request(path, { method: 'POST', body: new URLSearchParams(fields).toString() })

test('a stranger joins on the page, is sent a link, takes the time there; forged links show nothing', async () => {
  const { business, slug, serviceId, booked, date } = await fullDay()
  for (let day = 1; day < 7; day += 1)
    for (const { startsAt } of await offerSlots(business, { serviceId }, { from: addDates(date, day), days: 1 }))
      await createAppointment(business, { startsAt: startsAt.toISOString(), minutes: 60, serviceId })
  let now = NOON
  const page = app(() => now)
  const textOf = async (path: string) => await (await page.request(path)).text()
  const times = await textOf(`/${slug}?service=${serviceId}&from=${date}&lang=en`)
  expect(times).toContain('Join the waiting list')
  const fields = { service: serviceId, from: date, name: 'Dana', phone: '050-7654321' }
  expect((await page.request(`/${slug}/wait?service=${serviceId}&from=${date}`)).status).toBe(200)
  expect((await post(page, `/${slug}/wait`, { ...fields, phone: 'x' })).status).toBe(400)
  // Beyond what can be booked nothing is promised: the last days are shown instead.
  expect(await textOf(`/${slug}/wait?service=${serviceId}&from=9999-12-31`)).not.toContain('9999')
  const joined = await post(page, `/${slug}/wait?lang=en`, fields)
  expect(joined.status).toBe(303)
  const waiting = pathOf(joined)
  expect(await (await page.request(`${waiting}?lang=en`)).text()).toContain('You are on the waiting list')
  const number = '+972507654321'
  await receiveMessage(business, {
    ...{ provider: 'twilio', businessId: business.businessId, dedupeKey: newId(), providerMessageId: newId() },
    ...{ kind: 'text', from: { phone: number }, body: 'hello', media: [], at: new Date().toISOString() },
  })
  await cancelAppointment(business, first(booked), NOON)
  await sendNotices(domain.ctx, deps, NOON)
  const [sent] = await domain.sql<{ body: string }[]>`
    select body from messages where business_id = ${business.businessId} and direction = 'out'`
  const offer = sent?.body.match(/https:\S+/)?.[0] ?? ''
  const path = new URL(offer).pathname.replace('/book', '')
  expect(await (await page.request(`${path}?lang=en`)).text()).toContain('This time is held for you')
  const [, , id = '', token = ''] = path.split('/')
  for (const forged of [
    `/a/${id}/${'0'.repeat(token.length)}/take`,
    `/a/${newId()}/${token}/take`,
    `/w/${id}/${token}/leave`,
  ])
    expect((await post(page, forged)).status).toBe(404)
  // Looking takes nothing: programs open links before people do.
  expect((await getAppointment(business, id)).state).toBe('held')
  expect(await textOf(`${waiting}?lang=en`)).toContain('A time became free')
  expect((await post(page, `${path}/take`)).status).toBe(303)
  expect((await getAppointment(business, id)).state).toBe('booked')
  expect(await (await page.request(`${path}?lang=en`)).text()).toContain('Your appointment is booked')
  expect(await textOf(`${waiting}?lang=en`)).toContain('You have an appointment')
  now = after(60)
  expect((await post(page, `${waiting}/leave`)).status).toBe(303)
  expect((await getAppointment(business, id)).state).toBe('booked')
})

/** The next Saturday: DEFAULT_HOURS are closed. */
function closedDay(date: string): string {
  for (let day = date; ; day = addDates(day, 1)) if (new Date(`${day}T12:00:00Z`).getUTCDay() === 6) return day
}

test('one full day is waited for though others have free times; a day with free ones, closed or out of reach is not', async () => {
  const { business, slug, serviceId, date } = await fullDay()
  const page = app(() => NOON)
  const textOf = async (path: string) => await (await page.request(path)).text()
  const [free] = await offerSlots(business, { serviceId }, { from: addDates(date, 1), days: 6 }, NOON)
  expect(await textOf(`/${slug}?service=${serviceId}&from=${date}&lang=en`)).toContain('No time that suits you?')
  const form = await textOf(`/${slug}/wait?service=${serviceId}&from=${date}&lang=en`)
  expect([...form.matchAll(/<option value="([^"]*)"/g)].map(([, day]) => day)).toEqual([date])
  const fields = { service: serviceId, from: date, name: 'Dana', phone: phone() }
  expect((await post(page, `/${slug}/wait?lang=en`, { ...fields, day: free?.date ?? '' })).status).toBe(409)
  const [last, saturday] = [addDates(date, 400), closedDay(date)]
  for (const day of ['2020-01-01', last, saturday])
    expect([day, (await post(page, `/${slug}/wait?lang=en`, { ...fields, day })).status]).toEqual([day, 400])
  const joined = await post(page, `/${slug}/wait?lang=en`, { ...fields, day: date })
  expect(joined.status).toBe(303)
  const [entry] = await listWaiting(business)
  expect([entry?.from, entry?.to]).toEqual([startOfDate(date, ZONE), startOfDate(addDates(date, 1), ZONE)])
  expect(await textOf(`${pathOf(joined)}?lang=en`)).not.toContain(' – ')
})

test('a deposit is asked for when the time is taken, and not before', async () => {
  const { business, booked, join } = await fullDay(5_000)
  const id = await join()
  await cancelAppointment(business, first(booked), NOON)
  const held = await heldOf(id)
  expect(await takeOffer(business, held, after(5))).toEqual(
    expect.objectContaining({ state: 'held', heldUntil: after(65) }),
  )
  expect(await statesOf(id)).toEqual(['booked'])
  const shown = async (of: string) =>
    await (
      await app(() => after(70)).request(`${new URL(links.urlOf(of)).pathname.replace('/book', '')}?lang=en`)
    ).text()
  const [next, late] = [await join(), await join()]
  await cancelAppointment(business, booked[1] ?? '', after(6))
  const declined = await heldOf(next)
  await cancelByCustomer(business, declined, after(7))
  expect(await shown(declined)).toContain('You declined this time')
  const over = await heldOf(late)
  await settleHolds(domain.ctx, after(66))
  expect((await getAppointment(business, held)).state).toBe('expired')
  expect(await shown(over)).toContain('no longer held for you')
})

test('a customer who books by themselves does not get what is held for another', async () => {
  const { business, serviceId, booked, join, date } = await fullDay()
  await join()
  const before = await offerSlots(business, { serviceId }, { from: date, days: 1 }, NOON)
  await cancelAppointment(business, first(booked), NOON)
  expect(before).toEqual([])
  expect(await offerSlots(business, { serviceId }, { from: date, days: 1 }, NOON)).toEqual([])
  const [later] = await offerSlots(business, { serviceId }, { from: addDates(date, 1), days: 7 }, NOON)
  const request = { source: 'whatsapp' as const, phone: phone(), requestKey: newId(), slot: later?.slot ?? '' }
  expect((await bookSlot(business, request, NOON)).state).toBe('booked')
})
