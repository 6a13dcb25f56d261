/** Local time of zones, by Temporal alone: Postgres has a copy of the rules of its own, which may differ. */

/**
 * A wall-clock time of a zone as an instant; an invalid date for one that no clock there ever shows: the 30th of February, or
 * the hour that is left out when the clocks go forward. Of the hour that comes twice it is the first.
 * @param date `YYYY-MM-DD` @param time `HH:MM`
 */
export function instantOf(date: string, time: string, timeZone: string): Date {
  const wall = wallOf(date, time)
  if (!wall) return new Date(Number.NaN)
  const at = wall.toZonedDateTime(timeZone, { disambiguation: 'earlier' })
  return at.toPlainDateTime().equals(wall) ? new Date(at.epochMilliseconds) : new Date(Number.NaN)
}

function wallOf(date: string, time: string): Temporal.PlainDateTime | null {
  try {
    return Temporal.PlainDateTime.from(`${date}T${time}`, { overflow: 'reject' })
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

/** Date, time and weekday (0 is Sunday) of an instant on the clocks of a zone. */
export function wallClock(instant: Date, timeZone: string): { date: string; time: string; weekday: number } {
  const local = zonedAt(instant, timeZone)
  return {
    date: local.toPlainDate().toString(),
    time: local.toPlainTime().toString({ smallestUnit: 'minute' }),
    weekday: local.dayOfWeek % 7,
  }
}

/** The first moment of a date; where the clocks skip midnight, it is later. @param date `YYYY-MM-DD` */
export function startOfDate(date: string, timeZone: string): Date {
  return new Date(Temporal.PlainDate.from(date).toZonedDateTime(timeZone).epochMilliseconds)
}

/** Another day of the calendar: a day is not always 24 hours long. */
export function addDates(date: string, days: number): string {
  return Temporal.PlainDate.from(date).add({ days }).toString()
}

/** 0 is Sunday. */
export function weekdayOf(date: string): number {
  return Temporal.PlainDate.from(date).dayOfWeek % 7
}

/** Times at which a zone's clock runs evenly. */
type Stretch = { from: number; to: number; offset: number }

/** The stretches of a zone's clock between two moments, in order; offsets are milliseconds ahead of UTC. */
export function stretchesOf(from: number, to: number, timeZone: string): Stretch[] {
  const found: Stretch[] = []
  let at = zonedAt(new Date(from), timeZone)
  while (at.epochMilliseconds < to) {
    const next = at.getTimeZoneTransition('next')
    const end = Math.min(to, next?.epochMilliseconds ?? to)
    found.push({ from: at.epochMilliseconds, to: end, offset: at.offsetNanoseconds / 1_000_000 })
    if (!next) break
    at = next
  }
  return found
}

function zonedAt(instant: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(instant.getTime()).toZonedDateTimeISO(timeZone)
}
