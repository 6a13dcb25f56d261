import { describe, expect, test } from 'bun:test'
import {
  bookAppointment,
  cancelAppointment,
  DEFAULT_HOURS,
  listAppointments,
} from '../../../src/domain/appointments/index.ts'
import { instantOf, wallClock } from '../../../src/lib/local-time.ts'
import { startDomain } from '../../support/call-domain.ts'

const ZONE = 'Asia/Jerusalem'
const NOW = new Date('2026-11-22T08:00:00Z')
const settings = { hours: { ...DEFAULT_HOURS, holidays: ['2026-11-24'] }, timeZone: ZONE, now: NOW }
const at = (date: string, time: string, callSid?: string) => ({
  date,
  time,
  minutes: 30,
  ...(callSid ? { callSid } : {}),
})

describe('hours', () => {
  test('wall clocks follow the zone, on both sides of the change of the clocks', () => {
    expect(instantOf('2026-07-01', '09:00', ZONE).toISOString()).toBe('2026-07-01T06:00:00.000Z')
    expect(instantOf('2026-12-01', '09:00', ZONE).toISOString()).toBe('2026-12-01T07:00:00.000Z')
    expect(wallClock(new Date('2026-11-22T22:30:00Z'), ZONE)).toEqual({ date: '2026-11-23', time: '00:30', weekday: 1 })
  })

  test('a day or an hour that does not exist is none', () => {
    for (const [date, time] of [
      ['2027-02-30', '10:00'],
      ['2027-13-01', '10:00'],
      // The clocks go from 2 to 3.
      ['2027-03-26', '02:30'],
    ] as const)
      expect(instantOf(date, time, ZONE).getTime()).toBeNaN()
    expect(wallClock(instantOf('2027-03-26', '03:00', ZONE), ZONE)).toMatchObject({ date: '2027-03-26', time: '03:00' })
    // The hour that comes twice.
    expect(wallClock(instantOf('2027-10-31', '01:30', ZONE), ZONE)).toMatchObject({ date: '2027-10-31', time: '01:30' })
  })
})

test('one slot is booked once, however many ask at the same time; the others are offered free times', async () => {
  const { business, call } = await startDomain()
  const callIds = await Promise.all([call('+972501000001'), call('+972501000002'), call('+972501000003')])
  const results = await Promise.allSettled(
    callIds.map((callSid) => bookAppointment(business, at('2026-11-23', '10:00', callSid), settings)),
  )
  expect(results.filter((each) => each.status === 'fulfilled')).toHaveLength(1)
  const refused = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []))
  for (const error of refused) {
    expect(error).toMatchObject({ code: 'slot_taken' })
    expect(error.message).toContain('2026-11-23 10:30, 2026-11-23 11:00, 2026-11-23 11:30')
  }
  // Overlapping is taken too.
  await expect(bookAppointment(business, at('2026-11-23', '10:15'), settings)).rejects.toMatchObject({
    code: 'slot_taken',
  })
})

test('the same call asking again gets the appointment it has; a cancelled slot is free', async () => {
  const { business, call, sql } = await startDomain()
  const callSid = await call()
  const first = await bookAppointment(business, at('2026-11-23', '12:00', callSid), settings)
  const again = await bookAppointment(business, at('2026-11-23', '12:00', callSid), settings)
  expect(again.id).toBe(first.id)
  expect((await listAppointments(business, { from: NOW.toISOString() })).items).toHaveLength(1)
  // Cancelled twice, it is published once.
  for (let run = 0; run < 2; run += 1) await cancelAppointment(business, first.id)
  expect(await sql`select 1 from events where type = 'appointment.cancel' and entity_id = ${first.id}`).toHaveLength(1)
  expect((await listAppointments(business, { from: NOW.toISOString() })).items).toEqual([])
  await bookAppointment(business, at('2026-11-23', '12:00', await call()), settings)
})

test('the past, next year but one, and closed hours are refused, the last with free times', async () => {
  const { business } = await startDomain()
  await expect(bookAppointment(business, at('2026-11-22', '09:00'), settings)).rejects.toMatchObject({
    code: 'in_the_past',
  })
  await expect(bookAppointment(business, at('2028-11-22', '09:00'), settings)).rejects.toMatchObject({
    code: 'too_far',
  })
  // A caller comes no sooner, and books no farther ahead, than the business lets customers.
  await expect(bookAppointment(business, at('2026-11-22', '10:30'), settings)).rejects.toMatchObject({
    code: 'too_soon',
  })
  await expect(bookAppointment(business, at('2027-03-01', '10:30'), settings)).rejects.toMatchObject({
    code: 'too_far',
  })
  // A day that is not on the calendar is not taken for the one it would spill over to.
  await expect(bookAppointment(business, at('2027-02-30', '10:00'), settings)).rejects.toMatchObject({
    code: 'invalid_date',
  })
  await expect(bookAppointment(business, at('2026-11-24', '10:00'), settings)).rejects.toMatchObject({
    code: 'closed',
    message: expect.stringContaining('Free: 2026-11-25 09:00'),
  })
})

test('what a caller books instead may overlap what it replaces; where it cannot be had, that stays', async () => {
  const { business, call } = await startDomain()
  const callSid = await call('+972501000009')
  const caller = { number: '+972501000009', perCall: 9, perDay: 9 }
  const book = (time: string) =>
    bookAppointment(business, { ...at('2026-11-23', time, callSid), minutes: 60, caller }, settings)
  const first = await book('10:00')
  const second = await book('10:30')
  const booked = async () => (await listAppointments(business, { from: NOW.toISOString() })).items.map(({ id }) => id)
  expect(await booked()).toEqual([second.id])
  expect(second.id).not.toBe(first.id)
  await expect(book('20:00')).rejects.toMatchObject({ code: 'closed' })
  expect(await booked()).toEqual([second.id])
})

test('a list goes on behind its cursor, soonest first', async () => {
  const { business, call } = await startDomain()
  const times = ['10:00', '11:00', '12:00', '13:00']
  for (const time of times.toReversed()) await bookAppointment(business, at('2026-11-23', time, await call()), settings)
  const seen: Date[] = []
  let cursor: string | undefined
  do {
    const page = await listAppointments(business, { from: NOW.toISOString(), limit: 3, ...(cursor ? { cursor } : {}) })
    seen.push(...page.items.map(({ startsAt }) => startsAt))
    cursor = page.nextCursor ?? undefined
  } while (cursor)
  expect(seen).toHaveLength(4)
  expect(seen).toEqual(seen.toSorted((a, b) => a.getTime() - b.getTime()))
})
