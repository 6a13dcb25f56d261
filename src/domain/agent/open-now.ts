import { wallClock } from '../../lib/local-time.ts'
import type { BusinessHours } from '../appointments/index.ts'

type Span = { from: string; to: string }

/** The spans of a weekday, 0 is Sunday. */
export function spansOf(hours: BusinessHours, weekday: number): Span[] {
  const days: Record<string, Span[] | undefined> = hours.week
  return days[String(weekday)] ?? []
}

/** Whether the business is open at a moment, by the clocks of its zone. */
export function isOpen(hours: BusinessHours, at: Date, timeZone: string): boolean {
  const { date, time, weekday } = wallClock(at, timeZone)
  if (hours.holidays.includes(date)) return false
  return spansOf(hours, weekday).some(({ from, to }) => from <= time && time < to)
}
