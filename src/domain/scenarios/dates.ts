import { addDates, wallClock } from '../../lib/local-time.ts'

/** `today+2` as a date of the business's calendar; a date stays. */
export function dateOf(text: string, now: Date, timeZone: string): string {
  const ahead = /^today(?:\+(\d+))?$/.exec(text)
  return ahead ? addDates(wallClock(now, timeZone).date, Number(ahead[1] ?? 0)) : text
}
