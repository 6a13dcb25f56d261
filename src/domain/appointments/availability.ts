import type { WeekHours } from '../../../db/schema/index.ts'
import { addDates, stretchesOf, wallClock, weekdayOf } from '../../lib/local-time.ts'
import { WEEKDAYS } from '../../lib/weekdays.ts'

/** Milliseconds since 1970; the end is not part of it. */
export type Span = { from: number; to: number }

/** Who gives a service, and when they are not free. */
export type StaffTimes = {
  id: string
  capacity: number
  /** Open and closed by the clock. */
  hours: WeekHours
  breaks: WeekHours
  absences: Span[]
  /** By seat, with buffers; without a seat all are taken: what is busy outside. */
  busy: (Span & { seat: number | null; area?: string | null })[]
}

export type AvailabilityQuery = {
  timeZone: string
  /** The starts that are looked for. */
  from: number
  to: number
  minutes: number
  bufferBefore: number
  bufferAfter: number
  /** Starts are in steps of so many minutes from each opening on; null allows every minute. */
  stepMinutes: number | null
  staff: StaffTimes[]
  /** What a date is open: all of its hours, those before a time, or none. */
  dateRule(date: string): 'open' | 'closed' | { until: string }
  /** Minutes between the area of the appointment and another one. */
  travel?(area: string): number
}

export type Slot = { startsAt: number; staffId: string; seat: number }

const MINUTE = 60_000
const DAY = 86_400_000

/**
 * Every free start, soonest first, once for each staff that is free then, with their first free seat. A start is on the clock:
 * of an hour that comes twice it is in the first. Pure, and exact in zones with any change of the clocks.
 */
export function findSlots(query: AvailabilityQuery): Slot[] {
  const { minutes, bufferBefore, bufferAfter } = query
  return query.staff
    .flatMap((staff): Slot[] => {
      const open = openSpans(query, staff)
      const starts = startsOf(query, staff, open)
      return starts.flatMap((startsAt) => {
        const busy = { from: startsAt - bufferBefore * MINUTE, to: startsAt + (minutes + bufferAfter) * MINUTE }
        const seat = freeSeat(staff, busy, query.travel)
        return seat === null ? [] : [{ startsAt, staffId: staff.id, seat }]
      })
    })
    .sort((a, b) => a.startsAt - b.startsAt)
}

/** The first seat that is free all through a span; null where none is. */
export function freeSeat(
  staff: Pick<StaffTimes, 'capacity' | 'busy'>,
  span: Span,
  travel: (area: string) => number = () => 0,
): number | null {
  const taken = new Set<number>()
  for (const each of staff.busy) {
    const pad = each.area ? travel(each.area) * MINUTE : 0
    if (each.from - pad >= span.to || each.to + pad <= span.from) continue
    if (each.seat === null) return null
    taken.add(each.seat)
  }
  for (let seat = 0; seat < staff.capacity; seat += 1) if (!taken.has(seat)) return seat
  return null
}

/** When staff is at work between the query's times, with what an appointment may reach beyond them. */
export function openSpans(query: Omit<AvailabilityQuery, 'travel'>, staff: StaffTimes): Span[] {
  const range = { from: query.from, to: query.to + query.minutes * MINUTE }
  const stretches = stretchesOf(range.from - 2 * DAY, range.to + 2 * DAY, query.timeZone)
  const open: Span[] = []
  const closed: Span[] = [...staff.absences]
  for (const date of datesOf(range, query.timeZone)) {
    const rule = query.dateRule(date)
    if (rule === 'closed') continue
    const until = rule === 'open' ? '24:00' : rule.until
    for (const [from, to] of staff.hours[weekday(date)] ?? [])
      if (from < until) open.push(...onClock(stretches, date, from, earlier(to, until)))
    for (const [from, to] of staff.breaks[weekday(date)] ?? []) closed.push(...onClock(stretches, date, from, to))
  }
  return subtract(merge(open), merge(closed))
}

/** The starts that the clock offers, where all of the appointment is open. */
function startsOf(query: AvailabilityQuery, staff: StaffTimes, open: Span[]): number[] {
  const { minutes, stepMinutes, timeZone } = query
  const step = (stepMinutes ?? 1) * MINUTE
  const range = { from: query.from, to: query.to }
  const stretches = stretchesOf(range.from - 2 * DAY, range.to + 2 * DAY, timeZone)
  const starts = new Set<number>()
  for (const date of datesOf(range, timeZone))
    for (const [from, to] of staff.hours[weekday(date)] ?? []) {
      const [first, last] = [wallMs(date, from), wallMs(date, to)]
      for (let wall = first; wall < last; wall += step) {
        const at = firstShown(stretches, wall)
        if (at === null || at < range.from || at >= range.to) continue
        const end = at + minutes * MINUTE
        if (open.some((span) => span.from <= at && end <= span.to)) starts.add(at)
      }
    }
  return [...starts]
}

/** Of two times of the clock. */
const earlier = (a: string, b: string) => [a, b].toSorted()[0] ?? a

const weekday = (date: string) => WEEKDAYS[weekdayOf(date)] ?? 'sun'

function datesOf({ from, to }: Span, timeZone: string): string[] {
  const last = addDates(wallClock(new Date(to), timeZone).date, 1)
  const dates: string[] = []
  for (let date = addDates(wallClock(new Date(from), timeZone).date, -1); date <= last; date = addDates(date, 1))
    dates.push(date)
  return dates
}

/** A time of a date as if its clock were UTC's; `24:00` is the next midnight. */
function wallMs(date: string, time: string): number {
  return Date.parse(`${date}T00:00:00Z`) + (Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))) * MINUTE
}

/** When the clock shows a time between two of a date: twice where it is set back, never where it leaps over it. */
function onClock(stretches: ReturnType<typeof stretchesOf>, date: string, from: string, to: string): Span[] {
  return stretches.flatMap((stretch) => {
    const span = {
      from: Math.max(stretch.from, wallMs(date, from) - stretch.offset),
      to: Math.min(stretch.to, wallMs(date, to) - stretch.offset),
    }
    return span.from < span.to ? [span] : []
  })
}

function firstShown(stretches: ReturnType<typeof stretchesOf>, wall: number): number | null {
  for (const { from, to, offset } of stretches) {
    const at = wall - offset
    if (from <= at && at < to) return at
  }
  return null
}

function merge(spans: Span[]): Span[] {
  const merged: Span[] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last && span.from <= last.to) last.to = Math.max(last.to, span.to)
    else merged.push({ ...span })
  }
  return merged
}

/** Both merged. */
function subtract(spans: Span[], taken: Span[]): Span[] {
  return spans.flatMap((span) => {
    const left: Span[] = []
    let from = span.from
    for (const each of taken) {
      if (each.to <= from || each.from >= span.to) continue
      if (each.from > from) left.push({ from, to: each.from })
      from = Math.max(from, each.to)
    }
    if (from < span.to) left.push({ from, to: span.to })
    return left
  })
}
