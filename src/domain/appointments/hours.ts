import { z } from 'zod'
import type { WeekHours } from '../../../db/schema/index.ts'
import { WEEKDAYS } from '../../lib/weekdays.ts'

const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'a time such as 09:30')
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'a date such as 2026-11-30')

/** Opening hours by weekday, 0 = Sunday; a day that is missing is closed. */
export const businessHours = z.object({
  week: z.partialRecord(
    z.enum(['0', '1', '2', '3', '4', '5', '6']),
    z.array(z.object({ from: clockTime, to: clockTime })).max(6),
  ),
  holidays: z.array(day).default([]),
})
export type BusinessHours = z.output<typeof businessHours>

/** Sunday to Thursday, nine to five: what most Israeli offices keep. */
export const DEFAULT_HOURS: BusinessHours = {
  week: Object.fromEntries(['0', '1', '2', '3', '4'].map((each) => [each, [{ from: '09:00', to: '17:00' }]])),
  holidays: [],
}

/** The week of a business's hours, by number of the day; a business that has set none has the usual ones. */
export function weekOf(hours: WeekHours | null): BusinessHours['week'] {
  if (!hours) return DEFAULT_HOURS.week
  return Object.fromEntries(
    WEEKDAYS.flatMap((name, number) => {
      const spans = hours[name]
      return spans?.length ? [[String(number), spans.map(([from, to]) => ({ from, to }))]] : []
    }),
  )
}

/** The same week as the business's hours, by name of the day and in order. */
export function hoursOf(week: BusinessHours['week']): WeekHours {
  const days: Record<string, { from: string; to: string }[] | undefined> = week
  return Object.fromEntries(
    WEEKDAYS.flatMap((name, number) => {
      const spans = days[String(number)]?.map(({ from, to }): [string, string] => [from, to])
      return spans?.length ? [[name, spans.sort(([a], [b]) => (a < b ? -1 : 1))]] : []
    }),
  )
}

/**
 * A wall-clock time of a zone as an instant; an invalid date for one that no clock there ever shows: the 30th of February, or
 * the hour that is left out when the clocks go forward. Of the hour that comes twice it is one.
 * @param date `YYYY-MM-DD` @param time `HH:MM`
 */
export function instantOf(date: string, time: string, timeZone: string): Date {
  const wanted = Date.parse(`${date}T${time}:00Z`)
  // Twice: the zone's offset at the guess may differ from the one at the result.
  let instant = wanted
  for (let i = 0; i < 2 && !Number.isNaN(instant); i++) instant = wanted - offsetMs(instant, timeZone)
  const found = new Date(instant)
  if (Number.isNaN(instant)) return found
  const shown = wallClock(found, timeZone)
  return shown.date === date && shown.time === time ? found : new Date(Number.NaN)
}

/** Date, time and weekday of an instant on the walls of a zone. */
export function wallClock(instant: Date, timeZone: string): { date: string; time: string; weekday: number } {
  const local = new Date(instant.getTime() + offsetMs(instant.getTime(), timeZone))
  const text = local.toISOString()
  return { date: text.slice(0, 10), time: text.slice(11, 16), weekday: local.getUTCDay() }
}

// Intl, as Bun 1.4 has no Temporal.
function offsetMs(instant: number, timeZone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(instant)
  const get = (type: string) => Number(parts.find((part) => part.type === type)?.value ?? 0)
  const local = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'))
  return local - Math.floor(instant / 1000) * 1000
}

/** Whether all of a span lies within one opening of its day, or of two days that are open over the midnight between them. */
export function isOpen(hours: BusinessHours, startsAt: Date, endsAt: Date, timeZone: string): boolean {
  const from = wallClock(startsAt, timeZone)
  const to = wallClock(endsAt, timeZone)
  const within = (day: { date: string; weekday: number }, start: string, end: string) =>
    !hours.holidays.includes(day.date) &&
    openings(hours, day.weekday).some((open) => open.from <= start && end <= open.to)
  if (to.date === from.date) return within(from, from.time, to.time)
  if (to.date !== nextDate(from.date) || !within(from, from.time, '24:00')) return false
  return to.time === '00:00' || within(to, '00:00', to.time)
}

/** The day after, on the calendar: a day is not always 24 hours long. */
function nextDate(date: string, days = 1): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** Every start of a free span of `minutes` from `after` on, within `days` days, in steps of half an hour. */
export function* possibleStarts(
  hours: BusinessHours,
  after: Date,
  minutes: number,
  timeZone: string,
  days = 14,
): Generator<Date> {
  const first = wallClock(after, timeZone)
  for (let i = 0; i <= days; i++) {
    const date = nextDate(first.date, i)
    const weekday = (first.weekday + i) % 7
    for (const open of openings(hours, weekday))
      for (let at = minutesOf(open.from); at + minutes <= minutesOf(open.to); at += 30) {
        const time = `${String(Math.floor(at / 60)).padStart(2, '0')}:${String(at % 60).padStart(2, '0')}`
        const start = instantOf(date, time, timeZone)
        // An hour that the clocks leave out is no date, and later than nothing.
        if (start > after && isOpen(hours, start, new Date(start.getTime() + minutes * 60_000), timeZone)) yield start
      }
  }
}

/** When the business last closed before a moment, within two weeks; null for one that was not open. */
export function lastClosing(hours: BusinessHours, before: Date, timeZone: string): Date | null {
  const today = wallClock(before, timeZone)
  for (let i = 0; i <= 14; i++) {
    const date = nextDate(today.date, -i)
    if (hours.holidays.includes(date)) continue
    const closings = openings(hours, (((today.weekday - i) % 7) + 7) % 7)
      .map(({ to }) => (to === '24:00' ? instantOf(nextDate(date), '00:00', timeZone) : instantOf(date, to, timeZone)))
      .filter((closing) => closing <= before)
      .sort((a, b) => b.getTime() - a.getTime())
    if (closings[0]) return closings[0]
  }
  return null
}

function openings(hours: BusinessHours, weekday: number): { from: string; to: string }[] {
  const days: Record<string, { from: string; to: string }[] | undefined> = hours.week
  return days[String(weekday)] ?? []
}

function minutesOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))
}
