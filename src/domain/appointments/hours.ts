import { z } from 'zod'
import type { WeekHours } from '../../../db/schema/index.ts'
import { addDates, instantOf, wallClock } from '../../lib/local-time.ts'
import { USUAL_WEEK, WEEKDAYS } from '../../lib/weekdays.ts'

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

export const DEFAULT_HOURS: BusinessHours = { week: weekOf(USUAL_WEEK), holidays: [] }

/** The week of a business's hours, by number of the day; a business that has set none has the usual ones. */
export function weekOf(hours: WeekHours | null): BusinessHours['week'] {
  const week = hours ?? USUAL_WEEK
  return Object.fromEntries(
    WEEKDAYS.flatMap((name, number) => {
      const spans = week[name]
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

/** When the business last closed before a moment, within two weeks; null for one that was not open. */
export function lastClosing(hours: BusinessHours, before: Date, timeZone: string): Date | null {
  const today = wallClock(before, timeZone)
  for (let i = 0; i <= 14; i++) {
    const date = addDates(today.date, -i)
    if (hours.holidays.includes(date)) continue
    const closings = openings(hours, (((today.weekday - i) % 7) + 7) % 7)
      .map(({ to }) =>
        to === '24:00' ? instantOf(addDates(date, 1), '00:00', timeZone) : instantOf(date, to, timeZone),
      )
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
