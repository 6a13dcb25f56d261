import { addDays, dateOf, momentAt, weekdayOf } from './days.ts'

const EVENING = '18:00'
const MORNING = '09:00'
/** A reminder that comes at once is none. */
const SOON_MS = 30 * 60_000

type SnoozeTime = { name: 'inAnHour' | 'thisEvening' | 'tomorrow' | 'nextWeek'; at: Date }

/** When a conversation may come back, on the clock of the business, in order; the week begins on Sunday. */
export function snoozeTimes(now: Date, timeZone: string | undefined): SnoozeTime[] {
  const today = dateOf(now, timeZone)
  const tomorrow = addDays(today, 1)
  const nextWeek = addDays(today, 7 - weekdayOf(today))
  const evening = momentAt(today, EVENING, timeZone)
  return [
    { name: 'inAnHour', at: new Date(now.getTime() + 3_600_000) },
    ...(evening.getTime() - now.getTime() > SOON_MS ? [{ name: 'thisEvening' as const, at: evening }] : []),
    { name: 'tomorrow', at: momentAt(tomorrow, MORNING, timeZone) },
    ...(nextWeek === tomorrow ? [] : [{ name: 'nextWeek' as const, at: momentAt(nextWeek, MORNING, timeZone) }]),
  ]
}
