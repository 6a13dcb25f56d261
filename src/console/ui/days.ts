/** The date of a moment on the calendar of a zone, as `YYYY-MM-DD`. */
export function dateOf(moment: Date, timeZone: string | undefined): string {
  // Swedish writes dates as ISO does.
  return new Intl.DateTimeFormat('sv-SE', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(
    moment,
  )
}

/** The time of a moment on the clock of a zone, as `HH:MM`. */
export function timeOf(moment: Date, timeZone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(
    moment,
  )
}

/** Another day of the calendar. @param date `YYYY-MM-DD` */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** 0 is Sunday. */
export function weekdayOf(date: string): number {
  return new Date(`${date}T00:00:00Z`).getUTCDay()
}

/**
 * A time of a zone's clock as a moment. An hour that the clocks leave out is the one after it.
 * @param date `YYYY-MM-DD` @param time `HH:MM`
 */
export function momentAt(date: string, time: string, timeZone: string | undefined): Date {
  const wanted = Date.parse(`${date}T${time}:00Z`)
  let moment = wanted
  // Twice: the offset at the guess may differ from the one at the result.
  for (let i = 0; i < 2; i++) {
    const shown = new Date(moment)
    const offset =
      Date.parse(`${dateOf(shown, timeZone)}T${timeOf(shown, timeZone)}:00Z`) - Math.floor(moment / 60_000) * 60_000
    moment = wanted - offset
  }
  return new Date(moment)
}

/** A day from its first moment to the first of the next, as ISO times. */
export function dayRange(moment: Date, timeZone: string | undefined): { from: string; to: string } {
  const date = dateOf(moment, timeZone)
  return {
    from: momentAt(date, '00:00', timeZone).toISOString(),
    to: momentAt(addDays(date, 1), '00:00', timeZone).toISOString(),
  }
}
