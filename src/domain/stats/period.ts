import { addDates, startOfDate, wallClock } from '../../lib/local-time.ts'

export type Day = { day: string; from: Date; to: Date }

/** The last `days` days of a time zone, today included, each with its beginning and end; and the beginning of the first. */
export function lastDays(timezone: string, days: number, now: Date): { since: Date; days: Day[] } {
  const today = wallClock(now, timezone).date
  const dateOf = (index: number) => addDates(today, index)
  const found = Array.from({ length: days }, (_, at) => {
    const index = at - days + 1
    return {
      day: dateOf(index),
      from: startOfDate(dateOf(index), timezone),
      to: startOfDate(dateOf(index + 1), timezone),
    }
  })
  return { since: found[0]?.from ?? now, days: found }
}

/** The last `months` months of a time zone, this one included, each with its first moment; the end is the next month's. */
export function lastMonths(timezone: string, months: number, now: Date): { month: string; from: Date; to: Date }[] {
  const [year = 0, month = 1] = wallClock(now, timezone).date.split('-').map(Number)
  const firstOf = (index: number) => new Date(Date.UTC(year, month - 1 + index, 1)).toISOString().slice(0, 10)
  return Array.from({ length: months }, (_, at) => {
    const index = at - months + 1
    const date = firstOf(index)
    return { month: date.slice(0, 7), from: startOfDate(date, timezone), to: startOfDate(firstOf(index + 1), timezone) }
  })
}
