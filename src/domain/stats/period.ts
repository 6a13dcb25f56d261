/** The date in a time zone, as YYYY-MM-DD. */
function dateIn(timezone: string, at: Date): string {
  // The Swedish form of a date is the ISO one.
  return new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short' }).format(at)
}

/** How far the zone's clock is ahead of UTC at a moment, in milliseconds. */
function offsetOf(timezone: string, at: Date): number {
  const local = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'medium' })
  const whole = Math.floor(at.getTime() / 1_000) * 1_000
  return Date.parse(`${local.format(at).replace(' ', 'T')}Z`) - whole
}

/** The midnight of a date in a time zone; where clocks skip it, the first moment of the day. */
function midnight(timezone: string, date: string): Date {
  const utc = Date.parse(`${date}T00:00:00Z`)
  const first = new Date(utc - offsetOf(timezone, new Date(utc)))
  const second = new Date(utc - offsetOf(timezone, first))
  // Two guesses of the offset differ in the hours around a change of the clock.
  return dateIn(timezone, second) === date ? second : first
}

export type Day = { day: string; from: Date; to: Date }

/** The last `days` days of a time zone, today included, each with its beginning and end; and the beginning of the first. */
export function lastDays(timezone: string, days: number, now: Date): { since: Date; days: Day[] } {
  const today = Date.parse(`${dateIn(timezone, now)}T00:00:00Z`)
  const dateOf = (index: number) => new Date(today + index * 86_400_000).toISOString().slice(0, 10)
  const found = Array.from({ length: days }, (_, at) => {
    const index = at - days + 1
    return {
      day: dateOf(index),
      from: midnight(timezone, dateOf(index)),
      to: midnight(timezone, dateOf(index + 1)),
    }
  })
  return { since: found[0]?.from ?? now, days: found }
}

/** The last `months` months of a time zone, this one included, each with its first moment; the end is the next month's. */
export function lastMonths(timezone: string, months: number, now: Date): { month: string; from: Date; to: Date }[] {
  const [year = 0, month = 1] = dateIn(timezone, now).split('-').map(Number)
  const firstOf = (index: number) => new Date(Date.UTC(year, month - 1 + index, 1)).toISOString().slice(0, 10)
  return Array.from({ length: months }, (_, at) => {
    const index = at - months + 1
    const date = firstOf(index)
    return { month: date.slice(0, 7), from: midnight(timezone, date), to: midnight(timezone, firstOf(index + 1)) }
  })
}
