/** The first moment of a date in a zone; a zone that is not known is read as UTC. @param date `YYYY-MM-DD` */
export function startOfDay(date: string, zone: string): Date {
  const day = Temporal.PlainDate.from(date)
  return new Date(day.toZonedDateTime(knownZone(zone) ?? 'UTC').epochMilliseconds)
}

/** What a clock of a zone shows, as an instant; of an hour that comes twice the first, one that is left out is the one after it. */
export function onClock(wall: string, zone: string): Date {
  return new Date(Temporal.PlainDateTime.from(wall).toZonedDateTime(zone).epochMilliseconds)
}

/** The zone itself where it is one of IANA's; null for others, as the names of Windows. */
export function knownZone(zone: string): string | null {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
