import { describe, expect, test } from 'bun:test'
import {
  bookAppointment,
  cancelAppointment,
  DEFAULT_HOURS,
  instantOf,
  isOpen,
  listAppointments,
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

test('one slot is booked once, however many ask at the same time; the others are told free times', async () => {
  const { business, call } = await startDomain()
  const callSids = await Promise.all([call('+972501000001'), call('+972501000002'), call('+972501000003')])
  const results = await Promise.allSettled(
    callSids.map((callSid) => bookAppointment(business, at('2026-11-23', '10:00', callSid), settings)),
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
  const { business, call } = await startDomain()
  const callSid = await call()
  const first = await bookAppointment(business, at('2026-11-23', '12:00', callSid), settings)
  const again = await bookAppointment(business, at('2026-11-23', '12:00', callSid), settings)
  expect(again.id).toBe(first.id)
  expect(await listAppointments(business, { from: NOW })).toHaveLength(1)
  await cancelAppointment(business, first.id)
  expect(await listAppointments(business, { from: NOW })).toEqual([])
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
  await expect(bookAppointment(business, at('2026-11-24', '10:00'), settings)).rejects.toMatchObject({
    code: 'closed',
    message: expect.stringContaining('Free: 2026-11-25 09:00'),
  })
})
