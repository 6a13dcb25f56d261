/**
 * Days and times on the clocks of a zone: by Temporal where the browser has it, else by Intl. Both answer the same
 * (test/console/days.test.ts): of an hour that comes twice the first, and after an hour that is left out the one behind it.
 */
type Clocks = {
  /** The date of a moment on the calendar of a zone, as `YYYY-MM-DD`. */
  dateOf(moment: Date, timeZone: string | undefined): string
  /** The time of a moment on the clock of a zone, as `HH:MM`. */
  timeOf(moment: Date, timeZone: string | undefined): string
  /** A time of a zone's clock as a moment. @param date `YYYY-MM-DD` @param time `HH:MM` */
  momentAt(date: string, time: string, timeZone: string | undefined): Date
}

const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone

export const temporalClocks: Clocks = {
  dateOf: (moment, timeZone) => zoned(moment, timeZone).toPlainDate().toString(),
  timeOf: (moment, timeZone) => zoned(moment, timeZone).toPlainTime().toString({ smallestUnit: 'minute' }),
  momentAt: (date, time, timeZone = ownZone()) =>
    new Date(Temporal.PlainDateTime.from(`${date}T${time}`).toZonedDateTime(timeZone).epochMilliseconds),
}

const zoned = (moment: Date, timeZone = ownZone()) =>
  Temporal.Instant.fromEpochMilliseconds(moment.getTime()).toZonedDateTimeISO(timeZone)

/** To make one takes a hundred times as long as to use it. */
const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(timeZone: string | undefined): Intl.DateTimeFormat {
  const key = timeZone ?? ''
  const known = formats.get(key)
  if (known) return known
  const made = new Intl.DateTimeFormat('sv-SE', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit' },
    ...{ hour: '2-digit', minute: '2-digit' },
  })
  formats.set(key, made)
  return made
}

/** As `YYYY-MM-DD HH:MM`: Swedish writes them as ISO does. */
const written = (moment: Date, timeZone: string | undefined) => formatOf(timeZone).format(moment)

export const intlClocks: Clocks = {
  dateOf: (moment, timeZone) => written(moment, timeZone).slice(0, 10),
  timeOf: (moment, timeZone) => written(moment, timeZone).slice(-5),
  momentAt(date, time, timeZone) {
    const wanted = Date.parse(`${date}T${time}:00Z`)
    const offsetAt = (moment: number) => {
      const minute = Math.floor(moment / 60_000) * 60_000
      return Date.parse(`${written(new Date(minute), timeZone).replace(' ', 'T')}:00Z`) - minute
    }
    // The offsets of the day before and after are those on both sides of a change.
    const [before, after] = [offsetAt(wanted - 86_400_000), offsetAt(wanted + 86_400_000)]
    const fitting = [wanted - before, wanted - after].filter((moment) => moment + offsetAt(moment) === wanted)
    return new Date(fitting.length > 0 ? Math.min(...fitting) : wanted - before)
  },
}

/** Safari and older Chromium have no Temporal. */
export const { dateOf, timeOf, momentAt }: Clocks = 'Temporal' in globalThis ? temporalClocks : intlClocks

/** Another day of the calendar. @param date `YYYY-MM-DD` */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** 0 is Sunday. */
export function weekdayOf(date: string): number {
  return new Date(`${date}T00:00:00Z`).getUTCDay()
}

/** A day from its first moment to the first of the next, as ISO times. */
export function dayRange(moment: Date, timeZone: string | undefined): { from: string; to: string } {
  const date = dateOf(moment, timeZone)
  return {
    from: momentAt(date, '00:00', timeZone).toISOString(),
    to: momentAt(addDays(date, 1), '00:00', timeZone).toISOString(),
  }
}
