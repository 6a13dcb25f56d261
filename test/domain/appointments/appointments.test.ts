import { describe, expect, test } from 'bun:test'
import {
  type BusinessHours,
  bookAppointment,
  cancelAppointment,
  DEFAULT_HOURS,
  instantOf,
  isOpen,
  listAppointments,
  possibleStarts,
  wallClock,
} from '../../../src/domain/appointments/index.ts'
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

  test('free times are on every day once, also when a day has 23 hours or 25', () => {
    const daily: BusinessHours = {
      week: Object.fromEntries(
        ['0', '1', '2', '3', '4', '5', '6'].map((day) => [day, [{ from: '09:00', to: '10:00' }]]),
      ),
      holidays: [],
    }
    const days = (after: string) =>
      [...possibleStarts(daily, new Date(after), 60, ZONE, 4)].map((start) => wallClock(start, ZONE).date)
    // Late on the evening before, and early in the night of the change.
    expect(days('2027-03-25T21:30:00Z')).toEqual(['2027-03-26', '2027-03-27', '2027-03-28', '2027-03-29'])
    expect(days('2027-10-30T21:15:00Z')).toEqual(['2027-10-31', '2027-11-01', '2027-11-02', '2027-11-03', '2027-11-04'])
    const nights = { ...daily, week: { ...daily.week, '5': [{ from: '01:00', to: '04:00' }] } }
    const times = [...possibleStarts(nights, new Date('2027-03-25T21:30:00Z'), 30, ZONE, 1)]
    expect(times.map((start) => wallClock(start, ZONE).time)).toEqual(['01:00', '01:30', '03:00', '03:30'])
  })

  test('over midnight a business must be open on both days', () => {
    const open = (week: BusinessHours['week'], minutes: number, holidays: string[] = []) => {
      const start = instantOf('2026-11-22', '23:30', ZONE)
      return isOpen({ week, holidays }, start, new Date(start.getTime() + minutes * 60_000), ZONE)
    }
    const evening = { '0': [{ from: '20:00', to: '24:00' }] }
    expect(open(evening, 30)).toBe(true)
    expect(open(evening, 60)).toBe(false)
    const bar = { ...evening, '1': [{ from: '00:00', to: '02:00' }] }
    expect(open(bar, 60)).toBe(true)
    expect(open(bar, 180)).toBe(false)
    expect(open(bar, 60, ['2026-11-23'])).toBe(false)
    expect(open(bar, 26 * 60)).toBe(false)
  })

  test('open is within one opening of a day that is no holiday', () => {
    const open = (date: string, from: string, to: string) =>
      isOpen(settings.hours, instantOf(date, from, ZONE), instantOf(date, to, ZONE), ZONE)
    expect(open('2026-11-23', '09:00', '09:30')).toBe(true)
    expect(open('2026-11-23', '16:30', '17:00')).toBe(true)
    expect(open('2026-11-23', '16:45', '17:15')).toBe(false)
    expect(open('2026-11-23', '08:45', '09:15')).toBe(false)
    expect(open('2026-11-27', '10:00', '10:30')).toBe(false)
    expect(open('2026-11-24', '10:00', '10:30')).toBe(false)
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
  // A day that is not on the calendar is not taken for the one it would spill over to.
  await expect(bookAppointment(business, at('2027-02-30', '10:00'), settings)).rejects.toMatchObject({
    code: 'invalid_date',
  })
  await expect(bookAppointment(business, at('2026-11-24', '10:00'), settings)).rejects.toMatchObject({
    code: 'closed',
    message: expect.stringContaining('Free: 2026-11-25 09:00'),
  })
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
