import type ICAL from 'ical.js'
import type { Window } from './port.ts'
import { knownZone } from './times.ts'

/** No calendar of people repeats so often; of such a rule each second would be a step. */
const TOO_OFTEN = /^RRULE[^:\r\n]*:[^\r\n]*(?:FREQ=(?:SECONDLY|MINUTELY)|BYSECOND=)/im
const EVENT = /^BEGIN:VEVENT$[\s\S]*?^END:VEVENT$/gim
const ZONE = /^BEGIN:VTIMEZONE$[\s\S]*?^END:VTIMEZONE$/gim
/** Of one text; more are left as they are. */
const MAX_ZONES = 20
const MAX_DATES = 2_000
const DAY_MS = 86_400_000
const EVERY_DAYS = 3
const MAX_DAYS = 200
/** Two weeks of a year may differ. */
const ALIKE = 0.95
const EXTRA_DATE = /#rdate-\d+$/

/** An exception that holds for what follows as well (RFC 5545, 3.2.13); `node-ical` drops parameters, but keeps `X-` properties. */
const ON_ALL_LATER = /^RECURRENCE-ID(?:;[^:\n]*)?;RANGE="?THISANDFUTURE"?[;:]/im
export const LATER_MARK = 'AGENTLOCATOR-ALL-LATER'

/** The UID of the event that an extra date (`RDATE`) was taken from. */
export const withoutExtraDate = (uid: string): string => uid.replace(EXTRA_DATE, '')

/**
 * A calendar's text as `node-ical` reads it right: events whose rules are refused are taken out before anything walks through
 * them, each `RDATE` (RFC 5545, 3.8.5.2) is an event of its own, exceptions that hold for all that follows are marked, and zones
 * that the text defines under names of its own have those of IANA.
 * @param window its zone is tried first for one that the text defines
 */
export async function prepareIcs(text: string, window: Window): Promise<{ text: string; refused: number }> {
  const { default: library } = await import('ical.js')
  let refused = 0
  const unfolded = text
    .replace(/\r\n?/g, '\n')
    .replace(/\n[ \t]/g, '')
    // RFC 5545, 3.4: a stream may hold several calendars; the parser keeps the last.
    .replace(/^END:VCALENDAR\s+BEGIN:VCALENDAR$/gim, '')
  const prepared = nameZones(library, unfolded, window).replace(EVENT, (event) => {
    if (TOO_OFTEN.test(event)) {
      refused += 1
      return ''
    }
    if (ON_ALL_LATER.test(event)) return event.replace(/^END:VEVENT$/im, `X-${LATER_MARK}:1\nEND:VEVENT`)
    try {
      return event + extraDates(library, event)
    } catch {
      // The event itself may be read; what of it cannot is counted.
      refused += 1
      return event
    }
  })
  return { text: prepared.replaceAll('\n', '\r\n'), refused }
}

function nameZones(library: typeof ICAL, text: string, window: Window): string {
  let named = text
  for (const definition of (text.match(ZONE) ?? []).slice(0, MAX_ZONES)) {
    const name = /^TZID:(.+)$/im.exec(definition)?.[1]
    if (!name || knownZone(name)) continue
    const found = zoneLike(library, definition, window)
    if (found) named = renameZone(named, name, found)
  }
  // As libical and Mozilla name zones of their own lists: a path that ends with the name of IANA.
  const paths = new Set([...named.matchAll(/;TZID="?(\/[^:;"\n]+)"?[:;]/gi)].map(([, name = '']) => name))
  for (const name of paths) {
    const parts = name.split('/')
    const found = [3, 2].map((count) => parts.slice(-count).join('/')).find((tail) => knownZone(tail))
    if (found) named = renameZone(named, name, found)
  }
  return named
}

function renameZone(text: string, name: string, found: string): string {
  return [':', ';'].reduce(
    (named, end) =>
      named
        .replaceAll(`;TZID=${name}${end}`, `;TZID=${found}${end}`)
        .replaceAll(`;TZID="${name}"${end}`, `;TZID=${found}${end}`),
    text,
  )
}

/**
 * The zone of IANA whose clocks show the same in the window; null when there is none. The calendar's own may differ a little:
 * programs write rules of their own for the days on which clocks change.
 */
function zoneLike(library: typeof ICAL, definition: string, { from, to, zone }: Window): string | null {
  let own: ICAL.Timezone
  try {
    own = new library.Timezone(new library.Component(library.parse(definition)))
  } catch {
    // The library throws its own errors and the engine's for a definition that is none: its events are read without it.
    return null
  }
  const first = Temporal.Instant.fromEpochMilliseconds(from.getTime()).toZonedDateTimeISO('UTC').toPlainDate()
  const count = Math.min(MAX_DAYS, Math.ceil((to.getTime() - from.getTime()) / DAY_MS / EVERY_DAYS))
  const days = Array.from({ length: count }, (_, index) => {
    const { year, month, day } = first.add({ days: index * EVERY_DAYS })
    const time = new library.Time(
      { year, month, day, hour: 12, minute: 0, second: 0, isDate: false },
      library.Timezone.localTimezone,
    )
    return { at: new Temporal.PlainDateTime(year, month, day, 12), offset: own.utcOffset(time) * 1e9 }
  })
  const isSame = (other: string) => (day: (typeof days)[number]) =>
    day.at.toZonedDateTime(other).offsetNanoseconds === day.offset
  const usual = knownZone(zone) ?? 'UTC'
  if (days.filter(isSame(usual)).length >= days.length * ALIKE) return usual
  return Intl.supportedValuesOf('timeZone').find((other) => days.every(isSame(other))) ?? null
}

/** An event for each of the extra dates of an event, as text. */
function extraDates(library: typeof ICAL, event: string): string {
  if (!/^RDATE[;:]/im.test(event) || /^RECURRENCE-ID[;:]/im.test(event)) return ''
  const component = new library.Component(library.parse(event))
  const source = new library.Event(component)
  const left = new Set(component.getAllProperties('exdate').flatMap((each) => each.getValues().map(String)))
  left.add(String(source.startDate))
  const dates = component
    .getAllProperties('rdate')
    .flatMap((each) => each.getValues().map((value) => ({ value, zone: each.getFirstParameter('tzid') })))
  return dates
    .slice(0, MAX_DATES)
    .map(({ value, zone }, index) => {
      const isPeriod = value instanceof library.Period
      const start = isPeriod ? value.start : value
      if (left.has(String(start))) return ''
      const extra = new library.Component(structuredClone(component.toJSON()))
      for (const name of ['rdate', 'rrule', 'exdate', 'exrule', 'dtstart', 'dtend', 'duration'])
        extra.removeAllProperties(name)
      extra.updatePropertyWithValue('uid', `${source.uid}#rdate-${index}`)
      const begins = extra.updatePropertyWithValue('dtstart', start)
      if (zone) begins.setParameter('tzid', zone)
      extra.updatePropertyWithValue('duration', isPeriod ? value.getDuration() : source.duration)
      return `\n${extra.toString().replaceAll('\r\n', '\n')}`
    })
    .join('')
}
