import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import {
  bookSlot,
  cancelAppointment,
  createAppointment,
  getAppointment,
  moveAppointment,
  offerSlots,
  saveBookingSettings,
} from '../../../src/domain/appointments/index.ts'
import {
  type CalendarDeps,
  connectByLogin,
  createLiveCheck,
  decideChange,
  listConflicts,
  listConnections,
  pushConnection,
  queuePushes,
  syncConnection,
  updateConnection,
} from '../../../src/domain/calendars/index.ts'
import type { BusinessContext } from '../../../src/domain/context.ts'
import { newId } from '../../../src/lib/ids.ts'
import { type CalendarSandbox, startCalendars } from '../../../src/sandbox/calendars/server.ts'
import type { StoredEvent, Vendor, VendorState } from '../../../src/sandbox/calendars/state.ts'
import { createTestCalendars } from '../../support/calendars.ts'
import { openDomain, type TestDomain } from '../../support/domain.ts'

const ZONE = 'Asia/Jerusalem'
/** Sunday; the days after it are days of work. */
const DAY = '2027-01-10'
const at = (time: string, date = DAY) => new Date(`${date}T${time}:00+02:00`)

let domain: TestDomain
let sandbox: CalendarSandbox
let deps: CalendarDeps

beforeAll(async () => {
  domain = await openDomain()
})
afterAll(() => domain.close())

type Put = {
  free?: boolean
  declined?: boolean
  tentative?: boolean
  allDay?: boolean
  hidden?: boolean
  zone?: string
}

/** An event as the owner makes it, in the vendor's words. */
function bodyOf(vendor: Vendor, startsAt: Date, endsAt: Date, put: Put = {}): Record<string, unknown> {
  const day = (date: Date) => new Date(date.getTime() + 2 * 3_600_000).toISOString().slice(0, 10)
  if (vendor === 'google') {
    const time = (date: Date) =>
      put.allDay ? { date: day(date) } : { dateTime: date.toISOString(), timeZone: put.zone ?? ZONE }
    return {
      summary: 'Dentist',
      status: put.tentative ? 'tentative' : 'confirmed',
      ...(put.hidden ? { visibility: 'private' } : {}),
      ...(put.free ? { transparency: 'transparent' } : {}),
      ...(put.declined ? { attendees: [{ self: true, responseStatus: 'declined' }] } : {}),
      ...{ start: time(startsAt), end: time(endsAt) },
    }
  }
  const local = (date: Date) => {
    const timeZone = put.allDay ? ZONE : (put.zone ?? ZONE)
    const wall = Temporal.Instant.fromEpochMilliseconds(date.getTime()).toZonedDateTimeISO(timeZone).toPlainDateTime()
    return { dateTime: wall.toString({ fractionalSecondDigits: 7 }), timeZone }
  }
  return {
    subject: 'Dentist',
    type: 'singleInstance',
    isAllDay: put.allDay === true,
    showAs: put.free ? 'free' : put.tentative ? 'tentative' : 'busy',
    responseStatus: { response: put.declined ? 'declined' : 'accepted' },
    ...(put.hidden ? { sensitivity: 'private' } : {}),
    ...{ start: local(startsAt), end: local(endsAt) },
  }
}

const timesOf = (vendor: Vendor, startsAt: Date, endsAt: Date, put: Put = {}) => {
  const { start, end, isAllDay } = bodyOf(vendor, startsAt, endsAt, put)
  return { start, end, ...(isAllDay === undefined ? {} : { isAllDay }) }
}

const movedTo = (vendor: Vendor, event: StoredEvent, startsAt: Date, endsAt: Date) => {
  const { start, end } = bodyOf(vendor, startsAt, endsAt)
  return { ...event.body, start, end }
}

describe.each(['google', 'microsoft'] as const)('%s', (vendor) => {
  let state: VendorState
  let business: BusinessContext
  let connectionId: string
  let primary: string

  const put = (startsAt: Date, endsAt: Date, options: Put = {}, id = newId().replaceAll('-', '')) => {
    state.put(primary, id, bodyOf(vendor, startsAt, endsAt, options))
    return id
  }
  const sync = () => syncConnection(business, connectionId, deps)
  const push = () => pushConnection(business, connectionId, deps)
  const book = (startsAt: Date, name = 'Dana Levi') =>
    createAppointment(business, { startsAt: startsAt.toISOString(), minutes: 30, name })
  const ours = () => [...state.events.values()].filter(({ gone, body }) => !gone && /Dana/.test(JSON.stringify(body)))
  const freeTimes = async (date = DAY) =>
    (await offerSlots(business, { minutes: 30 }, { from: date, days: 1 }, new Date('2027-01-01T00:00:00Z'))).map(
      (slot) => slot.time,
    )
  const eventsOf = async (type: string) =>
    await domain.ctx.db.execute<{ entity_id: string }>(
      sql`select entity_id from events where business_id = ${business.businessId} and type = ${type}`,
    )
  const rule = (changes: Parameters<typeof updateConnection>[2]) => updateConnection(business, connectionId, changes)

  /** A business of its own with the account connected, and nothing in it. */
  async function begin() {
    await sandbox?.close()
    sandbox = startCalendars({ port: 0 })
    state = sandbox[vendor]
    primary = state.calendar('primary')?.id ?? ''
    deps = createTestCalendars(domain.handle, sandbox.url)
    business = await domain.newBusiness()
    business = { ...business, refreshCalendars: createLiveCheck(deps) }
    await domain.ctx.db.execute(sql`update businesses set timezone = ${ZONE} where id = ${business.businessId}`)
    const { access, refresh } = state.newTokens()
    const tokens = { accessToken: access, refreshToken: refresh, expiresAt: new Date(Date.now() + 3_600_000) }
    const login = { kind: vendor, staffId: null, tokens, account: state.account }
    connectionId = await connectByLogin(business, login, deps)
    expect(await sync()).toBe(true)
  }

  const onMicrosoft = vendor === 'microsoft' ? test : () => undefined
  // Google names each occurrence that is deleted.
  onMicrosoft('of a series one date, then all that are left, are deleted there', async () => {
    await begin()
    const master = newId()
    const dates = ['2027-01-11', '2027-01-12', '2027-01-13']
    state.put(primary, master, {
      ...bodyOf(vendor, at('09:00', dates[0]), at('10:00', dates[0])),
      type: 'seriesMaster',
    })
    // As Graph gives them: the times alone.
    const occurrences = dates.map((date) => {
      const { start, end } = bodyOf(vendor, at('09:00', date), at('10:00', date))
      return state.put(primary, newId(), { type: 'occurrence', seriesMasterId: master, start, end }).id
    })
    const nines = async () =>
      await Promise.all(dates.map(async (date) => ((await freeTimes(date)).includes('09:00') ? 'free' : 'busy')))
    await sync()
    expect(await nines()).toEqual(['busy', 'busy', 'busy'])
    state.remove(occurrences[1] ?? '')
    await sync()
    expect(await nines()).toEqual(['busy', 'free', 'busy'])
    state.put(primary, occurrences[2] ?? '', {
      ...bodyOf(vendor, at('15:00', dates[2]), at('16:00', dates[2])),
      ...{ type: 'exception', seriesMasterId: master },
    })
    await sync()
    expect(await nines()).toEqual(['busy', 'free', 'free'])
    expect(await freeTimes(dates[2])).not.toContain('15:00')
    state.remove(master)
    await sync()
    expect(await nines()).toEqual(['free', 'free', 'free'])
    expect(await freeTimes(dates[2])).toContain('15:00')
  })

  test('what is busy there is busy here, and what only looks so is not', async () => {
    await begin()
    expect(await freeTimes()).toContain('09:00')
    put(at('09:00'), at('10:00'))
    put(at('10:00'), at('10:30'), { hidden: true })
    put(at('11:00'), at('11:30'), { tentative: true })
    put(at('12:00'), at('12:30'), { zone: 'America/New_York' })
    put(at('13:00'), at('13:30'), { free: true })
    put(at('14:00'), at('14:30'), { declined: true })
    put(at('00:00', '2027-01-11'), at('00:00', '2027-01-12'), { allDay: true })
    put(at('00:00', '2027-01-12'), at('00:00', '2027-01-13'), { allDay: true, free: true })
    const gone = put(at('15:00'), at('15:30'))
    state.remove(gone)
    // More than a page.
    for (let index = 0; index < 120; index += 1) put(at('08:00', '2027-03-01'), at('08:10', '2027-03-01'))
    await sync()
    const free = await freeTimes()
    for (const time of ['09:00', '09:30', '10:00', '11:00', '12:00'])
      expect([time, free.includes(time)]).toEqual([time, false])
    for (const time of ['10:30', '11:30', '12:30', '13:00', '14:00', '15:00'])
      expect([time, free.includes(time)]).toEqual([time, true])
    expect(await freeTimes('2027-01-11')).toEqual([])
    expect(await freeTimes('2027-01-12')).toContain('09:00')
    // The next round merges: what it does not name stays.
    put(at('16:00'), at('16:30'))
    await sync()
    const later = await freeTimes()
    expect([later.includes('09:00'), later.includes('16:00')]).toEqual([false, false])
    // The sync token is over: everything is read again, and nothing is lost or left behind.
    state.remove([...state.events.values()].find(({ body }) => JSON.stringify(body).includes('09:00'))?.id ?? '')
    state.oldest = state.sequence + 1
    await sync()
    expect(await freeTimes()).not.toContain('16:00')
    // Titles are kept only where the business wants them.
    const titles = () =>
      domain.ctx.db.execute(
        sql`select 1 from outside_events where business_id = ${business.businessId} and title is not null`,
      )
    expect(await titles()).toHaveLength(0)
    await rule({ showTitles: true })
    await sync()
    expect((await titles()).length).toBeGreaterThan(0)
  })

  test('an appointment is there once, moves and goes, and its echo changes nothing', async () => {
    await begin()
    const id = await book(at('09:00'))
    // The answer is lost after the event was made: the second attempt finds it.
    state.faults.push({ vendor, on: 'POST', reason: '', delayMs: 0, lost: true, times: 1 })
    await push()
    await domain.ctx.db.execute(sql`update calendar_connections set state = 'connected', next_sync_at = now()`)
    await push()
    expect(ours()).toHaveLength(1)
    expect(JSON.stringify(ours())).not.toMatch(/attendees/i)
    await sync()
    expect(await eventsOf('calendar.conflict')).toHaveLength(0)
    expect((await getAppointment(business, id)).revision).toBe(1)
    expect(
      await domain.ctx.db.execute(sql`select 1 from outside_events where business_id = ${business.businessId}`),
    ).toHaveLength(0)
    // Nothing to do is nothing done.
    const asked = state.log.length
    expect(await push()).toBe(0)
    expect(state.log.length).toBe(asked)
    domain.queued.length = 0
    await queuePushes(domain.ctx)
    expect(domain.queued.filter(({ payload }) => JSON.stringify(payload).includes(connectionId))).toEqual([])

    await moveAppointment(business, id, { startsAt: at('11:00').toISOString() })
    await push()
    await sync()
    await sync()
    expect(ours()).toHaveLength(1)
    expect((await getAppointment(business, id)).revision).toBe(2)
    expect(await listConflicts(business)).toEqual([])
    await cancelAppointment(business, id)
    await push()
    await sync()
    expect(ours()).toHaveLength(0)
    expect(
      await domain.ctx.db.execute(sql`select 1 from calendar_pushes where business_id = ${business.businessId}`),
    ).toHaveLength(0)
  })

  test('a process that ends between two steps leaves one event', async () => {
    await begin()
    const id = await book(at('09:00'))
    await push()
    const [first] = ours()
    // Ended after the event was written, before the row said so.
    await domain.ctx.db.execute(
      sql`update calendar_pushes set state = 'pending', content = null, etag = null, starts_at = null, ends_at = null,
        event_id = ${vendor === 'google' ? (first?.id ?? '') : null} where appointment_id = ${id}`,
    )
    await sync()
    await push()
    await sync()
    expect(ours().map((event) => event.id)).toEqual([first?.id ?? ''])
    expect(
      await domain.ctx.db.execute(sql`select 1 from outside_events where business_id = ${business.businessId}`),
    ).toHaveLength(0)
    // Ended after it was removed there, before the row was.
    await cancelAppointment(business, id)
    state.remove(first?.id ?? '')
    await push()
    expect(
      await domain.ctx.db.execute(sql`select 1 from calendar_pushes where business_id = ${business.businessId}`),
    ).toHaveLength(0)
  })

  test('moved or deleted there is asked about, or done, as the business set it', async () => {
    await begin()
    await saveBookingSettings(business, {
      reminders: { before: [60], from: '08:00', to: '20:00', followUpAfter: null },
    })
    const id = await book(at('09:00'))
    await domain.ctx.db.execute(
      sql`insert into contacts (id, business_id, phone) values (${newId()}, ${business.businessId}, ${`+9725${Date.now()}`.slice(0, 13)})`,
    )
    await domain.ctx.db.execute(
      sql`update appointments set contact_id = (select id from contacts where business_id = ${business.businessId} limit 1) where id = ${id}`,
    )
    await push()
    const [event] = ours()
    if (!event) throw new Error('The appointment was not written.')
    state.put(primary, event.id, movedTo(vendor, event, at('12:00'), at('12:30')))
    await sync()
    await sync()
    expect((await eventsOf('calendar.conflict')).map((each) => each.entity_id)).toEqual([id])
    expect((await getAppointment(business, id)).startsAt).toEqual(at('09:00'))
    const [conflict] = await listConflicts(business)
    expect(conflict).toEqual(
      expect.objectContaining({ kind: 'moved', appointmentId: id, outsideStartsAt: at('12:00') }),
    )
    // Taken back there.
    await decideChange(business, conflict?.id ?? '', 'keep')
    await push()
    await sync()
    expect(await listConflicts(business)).toEqual([])
    const [kept] = ours()
    expect(JSON.stringify(kept?.body.start)).toContain('07:00:00')
    // Made a whole day, and taken back.
    if (kept)
      state.put(primary, kept.id, {
        ...kept.body,
        ...timesOf(vendor, at('00:00'), at('00:00', '2027-01-11'), { allDay: true }),
      })
    await sync()
    const [whole] = await listConflicts(business)
    await decideChange(business, whole?.id ?? '', 'keep')
    await push()
    expect(JSON.stringify(ours()[0]?.body.start)).toContain('07:00:00')
    await sync()
    expect(await listConflicts(business)).toEqual([])

    await rule({ onChange: 'apply' })
    if (kept) state.put(primary, kept.id, movedTo(vendor, kept, at('13:00'), at('13:30')))
    await sync()
    expect(await getAppointment(business, id)).toEqual(expect.objectContaining({ startsAt: at('13:00'), revision: 2 }))
    await push()
    await sync()
    expect((await getAppointment(business, id)).revision).toBe(2)
    const notices = (kind: string) =>
      domain.ctx.db.execute<{ state: string }>(
        sql`select state from appointment_notices where appointment_id = ${id} and kind = ${kind} and revision > 1`,
      )
    expect([...(await notices('moved'))]).toEqual([{ state: 'pending' }])
    // The customer is not notified where the business does not want it.
    await rule({ notifyCustomer: false })
    state.remove(ours()[0]?.id ?? '')
    await sync()
    expect((await getAppointment(business, id)).state).toBe('cancelled')
    expect([...(await notices('cancelled'))]).toEqual([{ state: 'dropped' }])
    expect(await push()).toBe(1)
    expect(ours()).toHaveLength(0)
  })

  // Microsoft's lists say nothing of marks.
  if (vendor === 'google')
    test('what carries the mark of an appointment that is not here is as busy as anything else', async () => {
      await begin()
      await rule({ onChange: 'apply' })
      const id = await book(at('09:00'))
      await push()
      const [event] = ours()
      if (!event) throw new Error('The appointment was not written.')
      state.remove(event.id)
      await sync()
      await push()
      expect((await getAppointment(business, id)).state).toBe('cancelled')
      expect(await freeTimes()).toContain('09:00')
      // The person takes the deletion back, and another business writes into the same calendar.
      state.put(primary, event.id, event.body)
      const theirs = { extendedProperties: { private: { alAppointment: newId(), alRevision: '1' } } }
      state.put(primary, 'al0123456789', { ...bodyOf(vendor, at('11:00'), at('11:30')), ...theirs })
      await sync()
      const free = await freeTimes()
      expect([free.includes('09:00'), free.includes('10:00'), free.includes('11:00')]).toEqual([false, true, false])
    })

  test('moved where no appointment can be, or looked up in vain, it is asked about, and nothing is lost', async () => {
    await begin()
    await rule({ onChange: 'apply' })
    const [long, short, gone] = [await book(at('09:00')), await book(at('10:00')), await book(at('11:00'))]
    await push()
    const eventOf = (time: string) => {
      const found = ours().find(({ body }) => JSON.stringify(body.start).includes(`${time}:00`))
      if (!found) throw new Error('The appointment was not written.')
      return found
    }
    const [first, second, third] = [eventOf('07:00'), eventOf('08:00'), eventOf('09:00')]
    state.put(primary, first.id, movedTo(vendor, first, at('09:00'), at('09:00', '2027-01-13')))
    state.put(primary, second.id, movedTo(vendor, second, at('12:00'), at('12:00')))
    state.remove(third.id)
    // The vendor fails when what is gone is looked up: the next round finds it all the same.
    state.faults.push({ vendor, on: third.id, status: 503, reason: '', delayMs: 0, lost: false, times: 1 })
    expect(await sync()).toBe(false)
    expect(await sync()).toBe(true)
    expect((await getAppointment(business, long)).startsAt).toEqual(at('09:00'))
    expect((await getAppointment(business, short)).startsAt).toEqual(at('10:00'))
    expect((await getAppointment(business, gone)).state).toBe('cancelled')
    const asked = (await listConflicts(business)).filter(({ kind }) => kind === 'moved')
    expect(asked.map(({ appointmentId }) => appointmentId).sort()).toEqual([long, short].sort())
    for (const { id } of asked)
      await expect(decideChange(business, id, 'apply')).rejects.toMatchObject({ code: 'not_a_time' })
    for (const { id } of asked) await decideChange(business, id, 'keep')
    await push()
    await sync()
    expect(await listConflicts(business)).toEqual([])
  })

  test('an emptied calendar cancels no one without a question', async () => {
    await begin()
    await rule({ onChange: 'apply' })
    const ids: string[] = []
    for (const time of ['09:00', '10:00', '11:00', '12:00', '13:00']) ids.push(await book(at(time)))
    await push()
    for (const event of ours()) state.remove(event.id)
    await sync()
    for (const id of ids) expect((await getAppointment(business, id)).state).toBe('booked')
    expect((await listConflicts(business)).map(({ kind }) => kind)).toEqual(Array(5).fill('deleted'))
    const [first] = await listConflicts(business)
    await decideChange(business, first?.id ?? '', 'keep')
    await push()
    expect(ours()).toHaveLength(1)
  })

  test('changed on both sides, the appointment counts and the other change is reported', async () => {
    await begin()
    const id = await book(at('09:00'))
    await push()
    const [event] = ours()
    if (event) state.put(primary, event.id, movedTo(vendor, event, at('12:00'), at('12:30')))
    business = { ...business, refreshCalendars: async () => {} }
    await moveAppointment(business, id, { startsAt: at('14:00').toISOString() })
    await push()
    expect(ours()).toHaveLength(1)
    await sync()
    expect((await getAppointment(business, id)).startsAt).toEqual(at('14:00'))
    expect(await eventsOf('calendar.conflict')).toHaveLength(1)
    expect(await listConflicts(business)).toEqual([])
  })

  test('an old token is refreshed once, a withdrawn one stops and is reported, a limit is waited for', async () => {
    await begin()
    state.access.clear()
    await Promise.all([sync(), sync(), push()])
    await sync()
    expect(state.log.filter((line) => line.endsWith('/token'))).toHaveLength(1)
    state.faults.push({
      vendor,
      on: 'GET',
      status: vendor === 'google' ? 403 : 429,
      reason: 'rateLimitExceeded',
      retryAfter: 900,
      delayMs: 0,
      lost: false,
      times: 1,
    })
    expect(await sync()).toBe(false)
    const [limited] = await domain.ctx.db.execute<{ state: string; later: boolean }>(
      sql`select state, next_sync_at > now() + interval '14 minutes' as later from calendar_connections where id = ${connectionId}`,
    )
    expect(limited).toEqual({ state: 'connected', later: true })
    state.faults.push({ vendor, on: 'GET', status: 500, reason: '', delayMs: 0, lost: false, times: 1 })
    await sync()
    expect((await listConnections(business))[0]).toMatchObject({ state: 'failing', reason: 'unavailable' })
    await sync()
    expect((await listConnections(business))[0]).toMatchObject({ state: 'connected', reason: null })
    state.revoke()
    for (let round = 0; round < 3; round += 1) expect(await sync()).toBe(false)
    const asked = state.log.length
    await book(at('09:00'))
    await push()
    expect(state.log.length).toBe(asked)
    expect((await listConnections(business))[0]).toMatchObject({ state: 'needs_reconnect', reason: 'access_withdrawn' })
    expect(await eventsOf('calendar.needs_reconnect')).toHaveLength(1)
    // Connected again it is the same connection, and what was missed is written.
    const { access, refresh } = state.newTokens()
    const tokens = { accessToken: access, refreshToken: refresh, expiresAt: new Date(Date.now() + 3_600_000) }
    const again = await connectByLogin(business, { kind: vendor, staffId: null, tokens, account: state.account }, deps)
    expect(again).toBe(connectionId)
    await push()
    expect(ours()).toHaveLength(1)
  })

  test('one calendar of an account that is gone takes nothing from the others', async () => {
    await begin()
    const [connection] = await listConnections(business)
    const other = connection?.calendars.find(({ reads }) => !reads)
    await rule({ calendars: [{ id: other?.id ?? '', reads: true, writes: false }] })
    expect(await sync()).toBe(true)
    state.calendars.splice(0, state.calendars.length, ...state.calendars.filter(({ primary }) => primary))
    for (let round = 0; round < 12; round += 1) expect(await sync()).toBe(false)
    const [later] = await domain.ctx.db.execute<{ soon: boolean }>(
      sql`select next_sync_at < now() + interval '16 minutes' as soon from calendar_connections where id = ${connectionId}`,
    )
    expect(later).toEqual({ soon: true })
    expect((await listConnections(business))[0]).toMatchObject({ state: 'failing', reason: 'missing' })
    // Before a booking the others are still looked at.
    put(at('09:00'), at('09:30'))
    await expect(book(at('09:00'))).rejects.toMatchObject({ code: 'slot_taken' })
  })

  // 200 of them, over every way: test/domain/appointments/booking.test.ts.
  const bidders = 20
  test('many bookings for a time that is taken outside in the same second: one side has it', async () => {
    await begin()
    const slots = await offerSlots(business, { minutes: 30 }, { from: DAY, days: 1 }, new Date('2026-12-30T00:00:00Z'))
    const [slot] = slots
    if (!slot) throw new Error('There is no free time.')
    const now = new Date('2026-12-30T00:00:00Z')
    const bookings = Array.from({ length: bidders }, (_, index) =>
      bookSlot(
        business,
        {
          slot: slot.slot,
          source: 'page',
          requestKey: newId(),
          phone: `+9725088${String(index).padStart(5, '0')}`,
          minutes: 30,
        },
        now,
      ),
    )
    put(slot.startsAt, new Date(slot.startsAt.getTime() + 1_800_000))
    const results = await Promise.allSettled(bookings)
    const booked = results.filter((each) => each.status === 'fulfilled')
    const refused = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
    for (const error of refused) {
      expect(error).toMatchObject({ code: 'slot_taken' })
      expect(error.message).toMatch(/Free: 2027-01-10 \d\d:\d\d, /)
    }
    await sync()
    // Seen in time, the outside has it; else the first customer, and the conflict is reported.
    expect(booked.length).toBeLessThanOrEqual(1)
    expect(refused.length).toBe(bidders - booked.length)
    expect(await listConflicts(business)).toHaveLength(booked.length)
    // From now on it is taken without a round.
    business = { ...business, refreshCalendars: async () => {} }
    const late = bookSlot(
      business,
      { slot: slot.slot, source: 'page', requestKey: newId(), phone: '+972508899999', minutes: 30 },
      now,
    )
    await expect(late).rejects.toMatchObject({ code: 'slot_taken' })
  }, 120_000)

  test('a vendor that does not answer holds no booking up, and what it took is found afterwards', async () => {
    await begin()
    const taken = put(at('09:00'), at('09:30'))
    state.faults.push({ vendor, on: 'GET', status: 503, reason: '', delayMs: 3_000, lost: false, times: 1 })
    const id = await book(at('09:00'))
    expect((await getAppointment(business, id)).state).toBe('booked')
    expect(taken).toBeTruthy()
    await syncConnection(business, connectionId, deps, { waitMs: 20_000 })
    expect((await eventsOf('calendar.conflict')).map((each) => each.entity_id)).toEqual([id])
    expect((await listConflicts(business))[0]).toMatchObject({ kind: 'overlap', appointmentId: id })
    // The same round again reports nothing.
    state.oldest = state.sequence + 1
    await sync()
    expect(await eventsOf('calendar.conflict')).toHaveLength(1)
  })
})
