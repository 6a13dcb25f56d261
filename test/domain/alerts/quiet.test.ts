import { expect, test } from 'bun:test'
import { daysBefore, nextAt, quietUntil } from '../../../src/domain/alerts/quiet.ts'

const ZONE = 'Asia/Jerusalem'
const night = { quietFrom: '22:00', quietTo: '07:00', quietRestDays: false }
const rest = { quietFrom: null, quietTo: null, quietRestDays: true }
const until = (at: string, quiet: Parameters<typeof quietUntil>[1], zone = ZONE) =>
  quietUntil(new Date(at), quiet, zone)?.toISOString() ?? null

test('a night ends at its local time, also when the clocks change in it', () => {
  // 26 March 2027, 02:00 becomes 03:00: the night has eight hours; 31 October 2027, 02:00 becomes 01:00: it has ten.
  expect(until('2027-03-25T21:00:00Z', night)).toBe('2027-03-26T04:00:00.000Z')
  expect(until('2027-10-30T20:00:00Z', night)).toBe('2027-10-31T05:00:00.000Z')
  // Before and after midnight it is the same night, and its edges belong to the day.
  expect(until('2027-01-10T20:00:00Z', night)).toBe('2027-01-11T05:00:00.000Z')
  expect(until('2027-01-11T03:00:00Z', night)).toBe('2027-01-11T05:00:00.000Z')
  expect(until('2027-01-11T05:00:00Z', night)).toBeNull()
  expect(until('2027-01-10T19:59:00Z', night)).toBeNull()
})

test('an end that the clocks leave out is the hour behind it', () => {
  const short = { quietFrom: '23:00', quietTo: '02:30', quietRestDays: false }
  // 02:30 does not exist on 26 March 2027: 03:30 summer time.
  expect(until('2027-03-25T22:00:00Z', short)).toBe('2027-03-26T00:30:00.000Z')
})

test('a quiet time within a day, in every zone by its own clock', () => {
  const noon = { quietFrom: '12:00', quietTo: '14:00', quietRestDays: false }
  expect(until('2027-01-10T10:30:00Z', noon)).toBe('2027-01-10T12:00:00.000Z')
  expect(until('2027-01-10T10:30:00Z', noon, 'America/New_York')).toBeNull()
  expect(until('2027-01-10T17:30:00Z', noon, 'America/New_York')).toBe('2027-01-10T19:00:00.000Z')
})

test('a Saturday and a holiday are quiet from the eve; joined with the night before and after', () => {
  // Friday 15 January 2027, 18:00 local, to Saturday 20:30.
  expect(until('2027-01-15T16:00:00Z', rest)).toBe('2027-01-16T18:30:00.000Z')
  expect(until('2027-01-15T13:00:00Z', rest)).toBeNull()
  // Rosh Hashana 5788: Saturday 2 and Sunday 3 October 2027, behind one another.
  expect(until('2027-10-01T15:00:00Z', rest)).toBe('2027-10-03T17:30:00.000Z')
  const both = { ...night, quietRestDays: true, quietFrom: '20:00' }
  expect(until('2027-01-15T16:00:00Z', both)).toBe('2027-01-17T05:00:00.000Z')
})

test('a summary begins where the one before ended, also when the clocks change between them', () => {
  for (const [at, days] of [
    ['2027-03-26T15:00:00Z', 1],
    ['2027-10-31T16:00:00Z', 1],
    ['2027-10-31T16:00:00Z', 7],
  ] as const) {
    const from = daysBefore(new Date(at), days, ZONE)
    let next = from
    for (let day = 0; day < days; day += 1) next = nextAt(next, '18:00', ZONE)
    expect(next.toISOString()).toBe(new Date(at).toISOString())
  }
})

test('the next summary comes at its local time on both sides of a clock change, once a day and once a week', () => {
  const first = nextAt(new Date('2027-03-25T07:00:00Z'), '08:00', ZONE)
  expect(first.toISOString()).toBe('2027-03-26T05:00:00.000Z')
  expect(nextAt(first, '08:00', ZONE).toISOString()).toBe('2027-03-27T05:00:00.000Z')
  expect(nextAt(new Date('2027-01-13T12:00:00Z'), '08:00', ZONE, 0).toISOString()).toBe('2027-01-17T06:00:00.000Z')
})
