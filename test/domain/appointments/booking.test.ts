import { beforeAll, expect, test } from 'bun:test'
import { readSituation, type Situation } from '../../../src/domain/agent/situation.ts'
import { createToolBox } from '../../../src/domain/agent/tools.ts'
import {
  addAbsence,
  bookAppointment,
  bookHeld,
  bookSlot,
  cancelAppointment,
  cancelByCustomer,
  createAppointment,
  createBookingLinks,
  DEFAULT_HOURS,
  getAppointment,
  listStaff,
  moveAppointment,
  moveByCustomer,
  offerMoves,
  offerSlots,
  readAppointmentRow,
  readReplies,
  restoreAppointment,
  saveBookingSettings,
  saveService,
  saveStaff,
  sendNotices,
  settleHolds,
} from '../../../src/domain/appointments/index.ts'
import { slotHandle } from '../../../src/domain/appointments/slots.ts'
import { createBusiness } from '../../../src/domain/businesses/index.ts'
import { connectByLogin, listConflicts, syncConnection } from '../../../src/domain/calendars/index.ts'
import { type BusinessContext, within } from '../../../src/domain/context.ts'
import { receiveMessage } from '../../../src/domain/messages/index.ts'
import type { PaymentDeps } from '../../../src/domain/payments/index.ts'
import { DEFAULT_RECEPTIONIST } from '../../../src/domain/receptionist/index.ts'
import { createBookPages } from '../../../src/http/book/routes.ts'
import { AppError } from '../../../src/lib/errors.ts'
import { newId } from '../../../src/lib/ids.ts'
import { addDates, wallClock } from '../../../src/lib/local-time.ts'
import { createCallTools } from '../../../src/media/call-tools.ts'
import { startCalendars } from '../../../src/sandbox/calendars/server.ts'
import { calendarVariables } from '../../support/calendars.ts'
import { startDomain } from '../../support/call-domain.ts'
import { startTestServer } from '../../support/server.ts'

const ZONE = 'Asia/Jerusalem'
const SENDER = { twilio: () => ({ configured: true, defaultSender: '+14155238886', own: false }) }
const links = createBookingLinks('a secret of the tests', 'https://example.com/book')
const urlOf = () => 'https://example.com/webhook'
const deps = {
  messages: SENDER,
  bookingLinks: links,
  // Nothing asks for a deposit, and there is no carrier.
  payments: {} as PaymentDeps,
  carrierOf: () => null,
  links: { call: urlOf, key: urlOf, callEnded: urlOf, textStatus: urlOf },
}

let domain: Awaited<ReturnType<typeof startDomain>>
let serial = 0
beforeAll(async () => {
  domain = await startDomain()
})

const phone = () => `+97250${String(1_000_000 + ++serial)}`

async function newBusiness(more: Parameters<typeof saveBookingSettings>[1] = {}) {
  const business = within(domain.ctx, await createBusiness(domain.ctx, { name: 'Levi', language: 'en' }))
  const slug = `levi-${++serial}`
  await saveBookingSettings(business, { slug, pageEnabled: true, noticeMinutes: 0, aheadDays: 366, ...more })
  return { business, slug }
}

const service = (business: BusinessContext, more: Partial<Parameters<typeof saveService>[1]> = {}) =>
  saveService(business, { nameHe: 'תספורת', nameEn: 'Haircut', minutes: 30, ...more })

function pages(perAddress = () => '10.0.0.1') {
  // No deposit is asked for here: nothing of the payments is called.
  const payments = {} as PaymentDeps
  const app = createBookPages({ ctx: domain.ctx, payments, links, addressOf: perAddress })
  app.onError((error, c) => c.text(error.message, error instanceof AppError ? error.status : 500))
  return app
}

const post = (app: ReturnType<typeof pages>, path: string, fields: Record<string, string>) =>
  app.request(path, { method: 'POST', body: new URLSearchParams(fields).toString() })

/** A weekday at ten, some weeks on, of which no holiday is. */
async function firstFree(business: BusinessContext, serviceId: string) {
  const from = addDates(wallClock(new Date(), ZONE).date, 14)
  const [offer, ...others] = await offerSlots(business, { serviceId }, { from, days: 21 })
  if (!offer) throw new Error('Nothing is free.')
  return { offer, others }
}

/** A conversation of the agent in which a customer wrote this. */
async function conversationOf(business: BusinessContext, body: string): Promise<Situation> {
  await receiveMessage(business, {
    ...{ provider: 'twilio', businessId: business.businessId, dedupeKey: newId(), providerMessageId: newId() },
    ...{ kind: 'text', from: { phone: phone() }, body, media: [], at: new Date().toISOString() },
  })
  const [row] = await domain.sql<{ id: string }[]>`
    select conversation_id as id from messages where business_id = ${business.businessId} and body = ${body}`
  const situation = await readSituation(domain.ctx.db, business, row?.id ?? '', new Date())
  if (!situation) throw new Error('no conversation')
  return { ...situation, burst: situation.recent }
}

/**
 * Every way as it is: the tools of calls and of the agent, the API and the page over HTTP, and at the same time the owner in the
 * calendar outside. Once the owner is about as fast as all the others, and once someone was faster.
 */
test('200 who want a time at once, over all ways, while the owner takes it outside: one has it, and the others are offered the next', async () => {
  const outside = startCalendars({ port: 0 })
  outside.google.notices = 'lost'
  const server = await startTestServer(domain.url, {
    ...{ PUBLIC_BASE_URL: 'https://crm.example.com', TRUSTED_PROXIES: 'loopback' },
    ...calendarVariables(outside.url),
  })
  try {
    const business = within(server.deps.ctx, domain.businessId)
    const slug = 'two-hundred'
    await saveBookingSettings(business, { slug, pageEnabled: true, noticeMinutes: 0, aheadDays: 366 })
    const serviceId = await service(business)
    const key = await server.key('write', domain.businessId)
    const { access, refresh } = outside.google.newTokens()
    const tokens = { accessToken: access, refreshToken: refresh, expiresAt: new Date(Date.now() + 3_600_000) }
    const login = { kind: 'google' as const, staffId: null, tokens, account: outside.google.account }
    const { calendars } = server.deps
    const connection = await connectByLogin(business, login, calendars)
    expect(await syncConnection(business, connection, calendars)).toBe(true)
    const tools = createCallTools({
      ctx: server.deps.ctx,
      profiles: { of: () => DEFAULT_RECEPTIONIST },
      events: { lead: () => {} },
      settings: SENDER,
      carriers: { of: () => null },
      installation: null,
      timeZone: () => ZONE,
      transferDocument: () => '',
    })
    const callers = await Promise.all(
      Array.from({ length: 55 }, async (_, i) => ({
        from: `+97250${2_000_000 + i}`,
        callSid: await domain.call(`+97250${2_000_000 + i}`),
      })),
    )
    let address = 0
    let reported = 0
    for (const { most, ownerWaits } of [
      { most: 50, ownerWaits: false },
      { most: 5, ownerWaits: true },
    ]) {
      const { offer, others } = await firstFree(business, serviceId)
      const at = { date: offer.date, time: offer.time }
      const startsAt = offer.startsAt.toISOString()
      const situation = await conversationOf(business, `At ${offer.time}, please`)
      const ways: Record<string, () => Promise<void>> = {
        call: async () => {
          const caller = { ...(callers.pop() ?? { from: '', callSid: '' }), businessId: domain.businessId }
          await tools.run({ ...caller, to: '+97233760000', expiresAt: 0, nonce: '' }, 'book_appointment', at)
        },
        conversation: async () => {
          const contact = { ...situation.contact, id: newId(), phone: phone() }
          const burst = situation.burst.map((each) => ({ ...each, id: newId() }))
          await createToolBox(business, { ...situation, contact, burst }, new Date()).run('book_appointment', at)
        },
        api: async () => {
          const answer = await fetch(`${server.url}/api/v1/appointments`, {
            method: 'POST',
            headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
            body: JSON.stringify({ startsAt, minutes: 30, phone: phone() }),
          })
          if (answer.status !== 201) throw Object((await answer.json()).error)
        },
        page: async () => {
          const answer = await fetch(`${server.url}/book/${slug}`, {
            ...{ method: 'POST', redirect: 'manual' },
            headers: { 'x-forwarded-for': `198.51.${++address >> 8}.${address & 255}` },
            body: new URLSearchParams({ slot: offer.slot, key: newId(), name: 'Dana', phone: phone() }),
          })
          if (answer.status !== 303) throw new Error(await answer.text())
        },
      }
      const asked = Array.from({ length: most }).flatMap(() =>
        Object.entries(ways).map(async ([way, book]) => {
          const error = await book().then(
            () => null,
            (reason: unknown) => reason,
          )
          return { way, error }
        }),
      )
      if (ownerWaits) await Promise.race(asked)
      const time = (date: Date) => ({ dateTime: date.toISOString() })
      const ends = new Date(offer.startsAt.getTime() + 1_800_000)
      const event = { summary: 'Dentist', start: time(offer.startsAt), end: time(ends) }
      outside.google.put(outside.google.calendar('primary')?.id ?? '', newId().replaceAll('-', ''), event)
      const results = await Promise.all(asked)
      const booked = results.filter(({ error }) => error === null).length
      // Who was first: someone here, or the owner there.
      expect(booked).toBeLessThanOrEqual(1)
      const next = others.slice(0, 3)
      for (const { way, error } of results) {
        if (error === null) continue
        const said = typeof error === 'object' && error && 'message' in error ? String(error.message) : ''
        if (way === 'page') expect(said).toContain('just been taken')
        else expect({ way, ...Object(error) }).toMatchObject({ way, code: 'slot_taken' })
        // What people and models read.
        for (const each of next) expect(said).toContain(each.time)
        if (way !== 'page')
          expect(JSON.parse(JSON.stringify(Object(error).nextTimes))).toEqual(
            next.map((each) => each.startsAt.toISOString()),
          )
      }
      const rows = await domain.sql`select from appointments
        where business_id = ${domain.businessId} and starts_at = ${startsAt} and state = 'booked'`
      expect(rows).toHaveLength(booked)
      // A booking that the owner crossed is shown, and members are notified of it once.
      expect(await syncConnection(business, connection, calendars, { waitMs: 20_000 })).toBe(true)
      reported += booked
      expect(await listConflicts(business)).toHaveLength(reported)
      const events = await domain.sql`select from events
        where business_id = ${domain.businessId} and type = 'calendar.conflict'`
      expect(events).toHaveLength(reported)
      await expect(ways.page?.()).rejects.toThrow('just been taken')
    }
    // The one who was faster than the owner has the time.
    expect(reported).toBeGreaterThanOrEqual(1)
  } finally {
    await server.stop()
    await outside.close()
  }
}, 90_000)

test('whoever is refused a time is offered the next three: members, customers, and links to move', async () => {
  const { business } = await newBusiness()
  const serviceId = await service(business)
  const { offer, others } = await firstFree(business, serviceId)
  const book = (slot: string) => bookSlot(business, { slot, source: 'whatsapp', requestKey: newId(), phone: phone() })
  const [taken, mine] = [await book(offer.slot), await book(others[3]?.slot ?? '')]
  const next = others.slice(0, 3).map(({ startsAt }) => startsAt)
  const [startsAt, end] = [offer.startsAt.toISOString(), new Date(offer.startsAt.getTime() + 1_800_000).toISOString()]
  const cancelled = await createAppointment(business, { startsAt: '2090-03-01T08:00:00Z', minutes: 30 })
  await cancelAppointment(business, cancelled)
  await domain.sql`update appointments set starts_at = ${startsAt}, ends_at = ${end},
    busy_from = ${startsAt}, busy_to = ${end} where id = ${cancelled}`
  for (const [way, attempt] of Object.entries({
    page: () => book(offer.slot),
    member: () => createAppointment(business, { startsAt, minutes: 30 }),
    moved: () => moveAppointment(business, mine.id, { startsAt }),
    link: () =>
      moveByCustomer(business, mine.id, slotHandle(business.businessId, { ...offer, serviceId, staffId: null })),
    restored: () => restoreAppointment(business, cancelled),
    call: () =>
      bookAppointment(business, { ...offer, minutes: 30, serviceId }, { hours: DEFAULT_HOURS, timeZone: ZONE }),
  })) {
    const error = await attempt().then(
      () => null,
      (reason: unknown) => reason,
    )
    if (!(error instanceof AppError)) throw new Error(`${way} was not refused`)
    expect({ way, code: error.code, nextTimes: error.toBody().nextTimes }).toEqual({
      ...{ way, code: 'slot_taken', nextTimes: next.map((at) => at.toISOString()) },
    })
  }
  // The row that has the time is as it was.
  expect(await getAppointment(business, taken.id)).toEqual(
    expect.objectContaining({ startsAt: offer.startsAt, revision: 1 }),
  )
})

test('staff, capacity, buffers and absences: who is free is found, and no one is booked twice', async () => {
  const { business } = await newBusiness()
  const [dana, yossi] = [
    await saveStaff(business, { name: 'Dana' }),
    await saveStaff(business, { name: 'Yossi', capacity: 2 }),
  ]
  const serviceId = await service(business, { bufferAfter: 15, staffIds: [dana, yossi] })
  const { offer } = await firstFree(business, serviceId)
  const book = (slot = offer.slot) =>
    bookSlot(business, { slot, source: 'whatsapp', requestKey: newId(), phone: phone() })
  const seats = [await book(), await book(), await book()].map(
    ({ staffId, seat }) => `${staffId === dana ? 'dana' : 'yossi'} ${seat}`,
  )
  expect(seats.sort()).toEqual(['dana 0', 'yossi 0', 'yossi 1'])
  await expect(book()).rejects.toMatchObject({ code: 'slot_taken' })
  // The quarter of an hour after it is kept free, so the next half hour is not offered.
  const after = await offerSlots(business, { serviceId }, { from: offer.date, days: 1 })
  expect(after.map(({ startsAt }) => startsAt.getTime() - offer.startsAt.getTime()).slice(0, 1)).toEqual([3_600_000])
  const [day, end] = [offer.startsAt, new Date(offer.startsAt.getTime() + 86_400_000)]
  await addAbsence(business, { staffId: dana, startsAt: day.toISOString(), endsAt: end.toISOString() })
  expect(await offerSlots(business, { serviceId, staffId: dana }, { from: offer.date, days: 1 })).toEqual([])
})

test('a repeated request is the same appointment; a hold ends; a slot that no one offered is refused', async () => {
  const { business } = await newBusiness()
  const { business: other } = await newBusiness()
  const serviceId = await service(business)
  const { offer } = await firstFree(business, serviceId)
  const request = { slot: offer.slot, source: 'whatsapp' as const, requestKey: 'same', phone: phone() }
  const held = await bookSlot(business, { ...request, hold: true })
  expect(held.state).toBe('held')
  expect((await bookSlot(business, request)).id).toBe(held.id)
  await expect(bookSlot(business, { ...request, requestKey: 'else', phone: phone() })).rejects.toMatchObject({
    code: 'slot_taken',
  })
  await settleHolds(domain.ctx, new Date(Date.now() + 11 * 60_000))
  expect(await getAppointment(business, held.id)).toMatchObject({ state: 'expired' })
  const again = await bookSlot(business, { ...request, requestKey: 'else', hold: true })
  await expect(bookHeld(business, held.id)).rejects.toMatchObject({ code: 'hold_over' })
  for (let run = 0; run < 2; run += 1) expect((await bookHeld(business, again.id)).state).toBe('booked')
  for (const slot of ['', 'x', `${offer.slot}0`, offer.slot.replace(/^./, '9')])
    await expect(bookSlot(business, { ...request, requestKey: newId(), slot })).rejects.toMatchObject({
      code: 'slot_unknown',
    })
  await expect(bookSlot(other, request)).rejects.toMatchObject({ code: 'slot_unknown' })
})

test('a customer has so many appointments ahead; who came before may come again', async () => {
  const { business } = await newBusiness({ openPerCustomer: 1 })
  const serviceId = await service(business)
  const { offer, others } = await firstFree(business, serviceId)
  const own = { source: 'page' as const, phone: phone() }
  const [second, last] = [others[0], others.at(-1)]
  await bookSlot(business, { ...own, slot: offer.slot, requestKey: newId() })
  await expect(bookSlot(business, { ...own, slot: second?.slot ?? '', requestKey: newId() })).rejects.toMatchObject({
    code: 'booking_limit',
  })
  const afterwards = new Date(offer.startsAt.getTime() + 3_600_000)
  const again = await bookSlot(business, { ...own, slot: last?.slot ?? '', requestKey: newId() }, afterwards)
  expect(again.state).toBe('booked')
})

test('a number is written to only so often: by bookings that are cancelled again, and by moves', async () => {
  const { business } = await newBusiness({ openPerCustomer: 3 })
  const serviceId = await service(business)
  const { offer, others } = await firstFree(business, serviceId)
  const own = { source: 'page' as const, phone: phone() }
  const book = () => bookSlot(business, { ...own, slot: offer.slot, requestKey: newId() })
  for (let time = 0; time < 9; time += 1) await cancelByCustomer(business, (await book()).id)
  const last = await book()
  const [one, two] = [others[0]?.slot ?? '', others[1]?.slot ?? '']
  for (let move = 0; move < 19; move += 1) await moveByCustomer(business, last.id, move % 2 ? one : two)
  await expect(moveByCustomer(business, last.id, one)).rejects.toMatchObject({ code: 'booking_limit' })
  await cancelByCustomer(business, last.id)
  await expect(book()).rejects.toMatchObject({ code: 'booking_limit' })
})

test('the page: a stranger books, moves and cancels; forged links, other businesses and floods get nothing', async () => {
  const { business, slug } = await newBusiness()
  const { business: other, slug: otherSlug } = await newBusiness()
  const [serviceId, theirs] = [await service(business), await service(other)]
  const { offer } = await firstFree(business, serviceId)
  const app = pages()
  const page = await app.request(`/${slug}`)
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
  expect(await page.text()).toContain(`service=${serviceId}`)
  expect((await app.request(`/${slug}?service=${theirs}`)).status).toBe(404)
  expect((await app.request('/no-such-business')).status).toBe(404)
  expect((await app.request(`/${slug.toUpperCase()}`)).status).toBe(200)
  expect((await app.request('/a/x/y/?lang=en')).headers.get('location')).toBe('/book/a/x/y?lang=en')
  const slash = await app.request(`http://localhost/${slug}/?lang=en`)
  expect([slash.status, slash.headers.get('location')]).toEqual([301, `/book/${slug}?lang=en`])
  const strange = await app.request('/%ff')
  expect([strange.status, strange.headers.get('content-type')]).toEqual([404, 'text/html; charset=UTF-8'])
  // The last dates that can be booked are the end.
  const end = await (await app.request(`/${slug}?service=${serviceId}&from=9999-12-31&lang=en`)).text()
  expect([end.includes('Later days'), end.includes('Earlier days')]).toEqual([false, true])
  const fields = { slot: offer.slot, key: newId(), name: '<script>', phone: '050-1234567' }
  expect((await post(app, `/${otherSlug}`, fields)).status).toBe(404)
  for (const [wrong, said] of [
    [{ phone: 'x' }, 'a valid phone number'],
    [{ name: 'x'.repeat(121) }, 'at most 120 characters'],
  ] as const) {
    const refused = await post(app, `/${slug}?lang=en`, { ...fields, ...wrong })
    expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(said)])
  }
  // Forms that are refused are no bookings: others behind the same address are not kept out by them.
  for (let tries = 0; tries < 25; tries += 1) await post(app, `/${slug}`, { ...fields, phone: 'x' })
  const booked = await post(app, `/${slug}`, fields)
  expect(booked.status).toBe(303)
  const path = new URL(booked.headers.get('location') ?? '').pathname.replace('/book', '')
  expect((await post(app, `/${slug}`, fields)).headers.get('location')).toBe(booked.headers.get('location'))
  // A form that is opened again has another key, and asks for the same.
  const again = await post(app, `/${slug}?lang=en`, { ...fields, key: newId() })
  expect([again.status, await again.text()]).toEqual([409, expect.stringContaining('has that appointment already')])
  const [, , id = '', token = ''] = path.split('/')
  for (const forged of [`/a/${id}/${'0'.repeat(token.length)}`, `/a/${newId()}/${token}`, `/a/${id}/`, `/a/x/${token}`])
    expect((await app.request(forged)).status).toBe(404)
  expect(await (await app.request(path)).text()).toContain('Your appointment is booked')
  const row = await readAppointmentRow(domain.ctx, id)
  if (!row) throw new Error('no row')
  const [, to] = await offerMoves(business, row, { from: offer.date, days: 3 })
  // A day that is on no calendar is none.
  expect((await app.request(`/${slug}?service=${serviceId}&from=2027-02-29`)).status).toBe(200)
  // Pressed twice, it moves once.
  for (let press = 0; press < 2; press += 1)
    expect((await post(app, `${path}/move`, { slot: to?.slot ?? '' })).status).toBe(303)
  expect(await getAppointment(business, id)).toEqual(expect.objectContaining({ startsAt: to?.startsAt, revision: 2 }))
  expect((await post(app, `${path}/cancel`, {})).status).toBe(303)
  expect((await post(app, `${path}/move`, { slot: offer.slot })).status).toBe(410)
  for (const gone of ['move', 'cancel'])
    expect(await (await app.request(`${path}/${gone}?lang=en`)).text()).toContain('The appointment is cancelled')
  expect(await getAppointment(business, id)).toEqual(
    expect.objectContaining({ state: 'cancelled', startsAt: to?.startsAt }),
  )
  const flood = await Promise.all(Array.from({ length: 40 }, () => post(app, `/${slug}`, fields)))
  expect(flood.filter(({ status }) => status === 429).length).toBeGreaterThan(20)
  // What was typed is not lost by that.
  const refused = await (await post(app, `/${slug}`, { ...fields, key: newId(), name: 'Typed' })).text()
  expect(refused).toContain('value="Typed"')
})

test('who reads the page in English stays in English, by the page’s own forms, and is written to in English', async () => {
  const { business, slug } = await newBusiness()
  await domain.sql`update businesses set language = 'he' where id = ${business.businessId}`
  await service(business)
  const app = pages()
  let path = `/${slug}?lang=en`
  const look = async () => await (await app.request(path)).text()
  /** Follows a link of the page whose address has this in it. */
  const follow = async (part: RegExp) => {
    const href = [...(await look()).matchAll(/href="([^"]+)"/g)].map(([, each = '']) => each.replaceAll('&amp;', '&'))
    const found = href.find((each) => part.test(each) && !each.endsWith('lang=he'))
    if (!found) throw new Error(`no link with ${part}`)
    path = found.replace('/book', '')
  }
  /** Sends the form of the page whose address has this in it. */
  const send = async (part: RegExp, fields: Record<string, string> = {}) => {
    const forms = [...(await look()).matchAll(/<form method="post" action="([^"]+)">(.*?)<\/form>/gs)]
    const [, action = '', inside = ''] = forms.find(([, each = '']) => part.test(each)) ?? []
    const hidden = [...inside.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)]
    const all = { ...Object.fromEntries(hidden.map(([, name = '', value = '']) => [name, value])), ...fields }
    const answer = await post(app, action.replaceAll('&amp;', '&').replace('/book', ''), all)
    const location = answer.headers.get('location')
    if (location) path = location.replace(/^.*\/book/, '')
    return answer
  }
  await follow(/service=/)
  await follow(/slot=/)
  expect(await (await send(/\/.*/, { name: 'Gila', phone: 'x' })).text()).toContain('a valid phone number')
  expect((await send(/\/.*/, { name: 'Gila', phone: '050-7654321' })).status).toBe(303)
  const booked = await look()
  expect(booked).toContain('Your appointment is booked')
  expect(booked).toContain('<bdi>Haircut</bdi>')
  await follow(/\/move/)
  expect((await send(/\/move/)).status).toBe(303)
  expect(await look()).toContain('Your appointment is booked')
  await follow(/\/cancel/)
  expect(await look()).toContain('Cancel this appointment?')
  expect((await send(/\/cancel/)).status).toBe(303)
  expect(await look()).toContain('The appointment is cancelled')
  const [row] = await domain.sql<{ language: string }[]>`
    select language from appointments where business_id = ${business.businessId}`
  expect(row?.language).toBe('en')
  // There is a way on.
  await follow(new RegExp(`/${slug}`))
  expect(await look()).toContain('What would you like to book?')
})

for (const [month, from, weeks, holidays] of [
  ['March', '2027-03-07', 4, []],
  // The second day of Rosh Hashanah, and Yom Kippur.
  ['October', '2027-09-26', 5, ['2027-10-03', '2027-10-11']],
] as const)
  test(`a month with the clock change of ${month}, holidays and staff away: every reminder once, at its local time`, async () => {
    const reminders = { before: [1_440, 120], from: '08:00', to: '20:00', followUpAfter: null }
    const { business } = await newBusiness({ reminders })
    const serviceId = await service(business)
    const start = new Date(`${from}T07:00:00Z`)
    const away = [addDates(from, 9), addDates(from, 10)]
    const [only] = await listStaff(business)
    await addAbsence(business, {
      staffId: only?.id ?? '',
      startsAt: `${away[0]}T00:00:00+03:00`,
      endsAt: `${away[1]}T23:00:00+03:00`,
    })
    const offers: Awaited<ReturnType<typeof offerSlots>> = []
    for (let week = 0; week < weeks; week += 1)
      offers.push(
        ...(await offerSlots(business, { serviceId }, { from: addDates(from, 2 + 7 * week), days: 7 }, start)),
      )
    const days = [
      ...new Map(offers.filter(({ time }) => time === '12:00').map((offer) => [offer.date, offer])).values(),
    ]
    expect(days.length).toBeGreaterThan(8)
    const offered = days.map(({ date }) => date)
    for (const closed of [...away, ...holidays]) expect(offered).not.toContain(closed)
    // The clocks change in it.
    expect(new Set(days.map(({ startsAt }) => startsAt.getUTCHours())).size).toBe(2)
    const number = phone()
    await receiveMessage(business, {
      ...{
        provider: 'twilio',
        businessId: business.businessId,
        dedupeKey: newId(),
        providerMessageId: newId(),
        kind: 'text',
      },
      ...{ from: { phone: number }, body: 'hello', media: [], at: new Date().toISOString() },
    })
    const booked: { id: string; date: string }[] = []
    for (const { startsAt, date } of days)
      booked.push({
        id: await createAppointment(business, { startsAt: startsAt.toISOString(), minutes: 30, phone: number }),
        date,
      })
    const gone = booked.pop()
    if (gone) await cancelAppointment(business, gone.id)
    for (let now = start.getTime(); now < start.getTime() + (weeks + 1) * 7 * 86_400_000; now += 30 * 60_000) {
      const due =
        await domain.sql`select from appointment_notices where state = 'pending' and due_at <= ${new Date(now).toISOString()} and business_id = ${business.businessId} limit 1`
      if (due.length > 0) for (let run = 0; run < 2; run += 1) await sendNotices(domain.ctx, deps, new Date(now))
    }
    const sent = await domain.sql<{ id: string; before: number; at: string }[]>`
      select appointment_id as id, before, due_at as at from appointment_notices
      where kind = 'reminder' and state = 'sent' and business_id = ${business.businessId} order by due_at`
    expect(
      sent
        .map(
          ({ id, before, at }) =>
            `${id} ${before} ${wallClock(new Date(at), ZONE).date} ${wallClock(new Date(at), ZONE).time}`,
        )
        .sort(),
    ).toEqual(
      booked.flatMap(({ id, date }) => [`${id} 1440 ${addDates(date, -1)} 12:00`, `${id} 120 ${date} 10:00`]).sort(),
    )
    const texts =
      await domain.sql`select from messages where business_id = ${business.businessId} and body like 'Reminder:%'`
    expect(texts).toHaveLength(booked.length * 2)
  }, 60_000)

test('answers to a reminder confirm, ask for the link, or cancel; others are left to a person', async () => {
  const { business } = await newBusiness({
    reminders: { before: [1_440], from: '00:00', to: '23:59', followUpAfter: null },
  })
  const serviceId = await service(business)
  const { offer } = await firstFree(business, serviceId)
  const number = phone()
  const say = (body: string) =>
    receiveMessage(business, {
      ...{
        provider: 'twilio',
        businessId: business.businessId,
        dedupeKey: newId(),
        providerMessageId: newId(),
        kind: 'text',
      },
      ...{ from: { phone: number }, body, media: [], at: new Date().toISOString() },
    })
  await say('hello')
  const { id } = await bookSlot(business, { slot: offer.slot, source: 'whatsapp', requestKey: newId(), phone: number })
  await domain.sql`update appointment_notices set due_at = now() - interval '1 second' where appointment_id = ${id}`
  await sendNotices(domain.ctx, deps)
  await say('I will not come before five')
  await readReplies(domain.ctx, deps)
  expect(await getAppointment(business, id)).toMatchObject({ state: 'booked', customerConfirmedAt: null })
  await say('כן, מאשרת')
  // Several workers hear of it at once.
  await Promise.all([1, 2, 3].map(() => readReplies(domain.ctx, deps)))
  expect((await getAppointment(business, id)).customerConfirmedAt).not.toBeNull()
  await say('מצטערת, לא אגיע')
  await Promise.all([1, 2, 3].map(() => readReplies(domain.ctx, deps)))
  await readReplies(domain.ctx, deps)
  expect(await getAppointment(business, id)).toMatchObject({ state: 'cancelled' })
  const done = await domain.sql<{ action: string }[]>`
    select action from audit_log where entity_id = ${id} and action in ('appointment.customer_confirm', 'appointment.cancel')`
  expect(done.map(({ action }) => action).sort()).toEqual(['appointment.cancel', 'appointment.customer_confirm'])
  const answers = await domain.sql`
    select from messages where business_id = ${business.businessId} and idempotency_key like 'appointment-answer-%'`
  expect(answers).toHaveLength(1)
})

test('another business reaches nothing', async () => {
  const { business } = await newBusiness()
  const { business: other } = await newBusiness()
  const serviceId = await service(business)
  const person = await saveStaff(business, { name: 'Dana' })
  const { offer } = await firstFree(business, serviceId)
  const { id } = await bookSlot(business, { slot: offer.slot, source: 'whatsapp', requestKey: newId(), phone: phone() })
  for (const attempt of [
    () => cancelByCustomer(other, id),
    () => moveByCustomer(other, id, offer.slot),
    () => service(other, { id: serviceId }),
    () => service(other, { staffIds: [person] }),
    () => saveStaff(other, { id: person, name: 'x' }),
    () => createAppointment(other, { startsAt: offer.startsAt.toISOString(), minutes: 30, staffId: person }),
    () => createAppointment(other, { startsAt: offer.startsAt.toISOString(), minutes: 30, serviceId }),
    () => offerSlots(other, { serviceId }, { from: offer.date, days: 1 }),
  ])
    await expect(attempt()).rejects.toMatchObject({ kind: 'not_found' })
})

test('what is held in the past, of another business, or for a deposit is not booked by asking', async () => {
  const { business } = await newBusiness({ openPerCustomer: 5 })
  const { business: other } = await newBusiness()
  const past = { startsAt: new Date(Date.now() - 60_000).toISOString(), minutes: 30, phone: phone(), hold: true }
  await expect(createAppointment(business, past)).rejects.toMatchObject({ code: 'in_the_past', field: 'startsAt' })
  const serviceId = await service(business, { deposit: 5_000 })
  const { offer, others } = await firstFree(business, serviceId)
  const own = { source: 'whatsapp' as const, phone: phone() }
  const asked = await bookSlot(business, { ...own, slot: offer.slot, requestKey: newId() })
  await expect(bookHeld(business, asked.id)).rejects.toMatchObject({ code: 'deposit_due' })
  await expect(bookHeld(other, asked.id)).rejects.toMatchObject({ code: 'appointment_not_found' })
  // What waits for its deposit is not given up for another time, and not written off as never asked for.
  await bookSlot(business, { ...own, slot: others[2]?.slot ?? '', requestKey: newId() })
  expect(await getAppointment(business, asked.id)).toMatchObject({ state: 'held' })
})
