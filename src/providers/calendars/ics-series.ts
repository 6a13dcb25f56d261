import type { DateWithTimeZone, VEvent } from 'node-ical'
import { wallClock } from '../../lib/local-time.ts'
import { LATER_MARK } from './ics-text.ts'
import type { Window } from './port.ts'
import { knownZone, onClock, startOfDay } from './times.ts'

/** Occurrences that are kept of one series. */
const MAX_OF_SERIES = 2_000
const DAY_MS = 86_400_000
/** No exception moves what follows farther. */
const LONGEST_SHIFT_MS = 366 * DAY_MS

type Own = VEvent
/** One occurrence, with the event that says what it is: the series', or that of its exception. */
export type Occurrence = { own: Own; startsAt: Date; endsAt: Date; allDay: boolean; title: string | null }
type Library = Pick<typeof import('node-ical').default, 'expandRecurringEvent'>
type Found = ReturnType<Library['expandRecurringEvent']>[number]

/** The exceptions of an event. */
export function exceptionsOf(event: VEvent): Own[] {
  return [...new Set(Object.values(event.recurrences ?? {}))] as VEvent[]
}

/** What an event is in a window, with its exceptions; an exception alone, of a series that is not there, is one as well. */
export function expandEvent(ical: Library, event: VEvent, window: Window): Occurrence[] {
  const exceptions = exceptionsOf(event)
  const later = exceptions.flatMap((own) => laterOf(own, window))
  const reach = 2 * DAY_MS + Math.max(0, ...later.map(({ farthestMs }) => farthestMs))
  // Days and times without a zone are read on the server's clock first, and may be a day off here.
  const range = {
    from: new Date(window.from.getTime() - reach),
    to: new Date(window.to.getTime() + reach),
    expandOngoing: true,
  }
  const expand = (own: Own): Found[] => ical.expandRecurringEvent(own, range)
  const isOf = (own: Own, at: Date | undefined) => at !== undefined && own.recurrenceid?.getTime() === at.getTime()
  // Some name the occurrence of a series of times by its day.
  const isOfDay = ({ recurrenceid }: Own, at: DateWithTimeZone) =>
    recurrenceid?.dateOnly === true && event.datetype !== 'date' && dayOf(at) === dayOf(recurrenceid)
  const dayOf = (at: DateWithTimeZone) =>
    wallClock(instantOf(at, at.dateOnly === true, window.zone), knownZone(event.start.tz ?? '') ?? window.zone).date
  const found = event.rrule
    ? // An exception may be a day of a series of times, or the reverse.
      expand(event)
        .filter((each) => each.isOverride || !exceptions.some((own) => isOfDay(own, each.start)))
        .map((each) => (each.isOverride ? (expand(each.event)[0] ?? each) : each))
    : [
        ...(!event.recurrenceid && exceptions.some((own) => isOf(own, event.start)) ? [] : expand(event)),
        ...exceptions.filter((own) => !isOf(own, event.recurrenceid)).flatMap(expand),
      ]
  return found.slice(0, MAX_OF_SERIES).map((each): Occurrence => {
    const at = toOccurrence(each, window.zone)
    // The last of the exceptions that hold for all that follows.
    const change = each.event === event ? later.findLast(({ from }) => from <= at.startsAt) : undefined
    return change ? change.apply(at) : at
  })
}

function toOccurrence({ start, end, isFullDay, event: own, summary }: Found, zone: string): Occurrence {
  const title = typeof summary === 'string' ? summary : (summary?.val?.toString() ?? '')
  return {
    ...{ own, allDay: isFullDay, title: title || null },
    ...{ startsAt: instantOf(start, isFullDay, zone), endsAt: instantOf(end, isFullDay, zone) },
  }
}

type Later = { from: Date; farthestMs: number; apply(at: Occurrence): Occurrence }

/**
 * An exception that holds for all that follows: what is said of one occurrence is true of the later ones too, which move by as
 * much on the clock and last as long.
 */
function laterOf(own: Own, window: Window): Later[] {
  if (!Reflect.get(own, LATER_MARK) || !own.recurrenceid || !own.start || !own.end) return []
  const isDay = own.datetype === 'date'
  const zone = isDay ? window.zone : (knownZone(own.start.tz ?? '') ?? window.zone)
  const clock = (at: Date) =>
    Temporal.Instant.fromEpochMilliseconds(at.getTime())
      .toZonedDateTimeISO(knownZone(zone) ?? 'UTC')
      .toPlainDateTime()
  const instant = (wall: Temporal.PlainDateTime) => onClock(wall.toString(), knownZone(zone) ?? 'UTC')
  const from = instantOf(own.recurrenceid, own.recurrenceid.dateOnly === true, window.zone)
  const [startsAt, endsAt] = [instantOf(own.start, isDay, window.zone), instantOf(own.end, isDay, window.zone)]
  const shift = clock(from).until(clock(startsAt), { largestUnit: 'days' })
  const length = clock(startsAt).until(clock(endsAt), { largestUnit: 'days' })
  const farthestMs = Math.abs(startsAt.getTime() - from.getTime()) + DAY_MS
  if (farthestMs > LONGEST_SHIFT_MS) throw new Error('An exception moves what follows too far.')
  const title = typeof own.summary === 'string' ? own.summary : (own.summary?.val?.toString() ?? null)
  return [
    {
      ...{ from, farthestMs },
      apply: (at) => {
        const start = clock(at.startsAt).add(shift)
        const moved = { startsAt: instant(start), endsAt: instant(start.add(length)) }
        return { ...moved, own, allDay: isDay, title: title || at.title }
      },
    },
  ]
}

/** Without a zone it is what the server's own clock shows: read back, and taken for the clock of the calendar's zone. */
export function instantOf(at: DateWithTimeZone, isDay: boolean, zone: string): Date {
  const two = (value: number) => String(value).padStart(2, '0')
  const date = `${String(at.getFullYear()).padStart(4, '0')}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  if (isDay) return startOfDay(date, zone)
  if (at.tz) return new Date(at.getTime())
  return onClock(
    `${date}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`,
    knownZone(zone) ?? 'UTC',
  )
}
