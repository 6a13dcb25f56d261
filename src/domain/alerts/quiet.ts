/** Local times, all by Temporal: days have 23 or 25 hours when the clocks change. */

/** Months and days of the Hebrew calendar on which Israel rests; every Saturday is one too. */
const REST_DAYS = new Set(['M01-1', 'M01-2', 'M01-10', 'M01-15', 'M01-22', 'M07-15', 'M07-21', 'M09-6'])
/** A rest day begins and ends with the evening; half an hour early and late, whatever the town. */
const EVE = '16:00'
const NIGHT = '20:30'
const SATURDAY = 6
const LONGEST_REST_DAYS = 4

type Quiet = { quietFrom: string | null; quietTo: string | null; quietRestDays: boolean }

/** When the quiet time ends that an instant lies in; null when it lies in none. */
export function quietUntil(at: Date, quiet: Quiet, timeZone: string): Date | null {
  let end = at
  // The end of the night may lie in a rest day, and the end of that one in the next night.
  for (let round = 0; round < 2 * LONGEST_REST_DAYS; round++) {
    const next = restUntil(end, quiet, timeZone) ?? nightUntil(end, quiet, timeZone)
    if (!next) break
    end = next
  }
  return end > at ? end : null
}

function nightUntil(at: Date, { quietFrom, quietTo }: Quiet, timeZone: string): Date | null {
  if (!quietFrom || !quietTo || quietFrom === quietTo) return null
  const local = localOf(at, timeZone)
  const now = clockOf(local)
  const overnight = quietFrom > quietTo
  const inside = overnight ? now >= quietFrom || now < quietTo : now >= quietFrom && now < quietTo
  if (!inside) return null
  const day = overnight && now >= quietFrom ? local.toPlainDate().add({ days: 1 }) : local.toPlainDate()
  return instantAt(day, quietTo, timeZone)
}

function restUntil(at: Date, { quietRestDays }: Quiet, timeZone: string): Date | null {
  if (!quietRestDays) return null
  const local = localOf(at, timeZone)
  const [today, now] = [local.toPlainDate(), clockOf(local)]
  let last = isRestDay(today) && now < NIGHT ? today : null
  if (!last && now >= EVE && isRestDay(today.add({ days: 1 }))) last = today.add({ days: 1 })
  if (!last) return null
  while (isRestDay(last.add({ days: 1 }))) last = last.add({ days: 1 })
  return instantAt(last, NIGHT, timeZone)
}

function isRestDay(day: Temporal.PlainDate): boolean {
  if (day.dayOfWeek === SATURDAY) return true
  const hebrew = day.withCalendar('hebrew')
  return REST_DAYS.has(`${hebrew.monthCode}-${hebrew.day}`)
}

/** The next time, after an instant, at which a clock of the zone shows `time`; on one weekday only where that is given, 0 = Sunday. */
export function nextAt(after: Date, time: string, timeZone: string, weekday: number | null = null): Date {
  const today = localOf(after, timeZone).toPlainDate()
  for (let days = 0; ; days++) {
    const day = today.add({ days })
    if (weekday !== null && day.dayOfWeek % 7 !== weekday) continue
    const at = instantAt(day, time, timeZone)
    if (at > after) return at
  }
}

/** The same time of the clock so many days before. */
export function daysBefore(at: Date, days: number, timeZone: string): Date {
  return new Date(localOf(at, timeZone).subtract({ days }).epochMilliseconds)
}

/** An hour that is left out when the clocks go forward is the one behind it; of one that comes twice it is the first. */
function instantAt(day: Temporal.PlainDate, time: string, timeZone: string): Date {
  const wall = day.toPlainDateTime(Temporal.PlainTime.from(time))
  return new Date(wall.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochMilliseconds)
}

function localOf(at: Date, timeZone: string): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone)
}

function clockOf(local: Temporal.ZonedDateTime): string {
  return local.toPlainTime().toString({ smallestUnit: 'minute' })
}
