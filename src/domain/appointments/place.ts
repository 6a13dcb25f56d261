import type { Executor } from '../../../db/client.ts'
import { AppError } from '../../lib/errors.ts'
import { addDates, startOfDate, wallClock } from '../../lib/local-time.ts'
import type { BusinessContext } from '../context.ts'
import { type AvailabilityQuery, findSlots, freeSeat, openSpans, type Slot } from './availability.ts'
import {
  type BusinessCalendar,
  dateRuleOf,
  readStaffTimes,
  type Service,
  travelFrom,
  type Wanted,
} from './business-calendar.ts'

const MINUTE = 60_000
const DAY = 86_400_000
/** How far from a time others are offered. */
const OFFER_DAYS = 15
const NEXT_TIMES = 3

export type Visit = Wanted & {
  minutes: number
  service: Service | null
  area?: string | null
}

/** Where a time was found: what an appointment's row says of it. */
export type Place = {
  staffId: string
  seat: number
  startsAt: Date
  endsAt: Date
  busyFrom: Date
  busyTo: Date
  zone: string
  localDate: string
  localTime: string
}

/** The free times of a visit, soonest first: the one place where they are looked up. */
export async function freeSlots(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  span: { from: Date; to: Date },
): Promise<Slot[]> {
  return findSlots(await availabilityOf(tx, ctx, calendar, visit, span))
}

/** The dates on which a visit could be, were all that is busy free, and on which nothing is. */
export async function fullDatesOf(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  span: { from: Date; to: Date },
): Promise<string[]> {
  const query = await availabilityOf(tx, ctx, calendar, visit, span)
  const datesOf = (slots: Slot[]) =>
    new Set(slots.map(({ startsAt }) => wallClock(new Date(startsAt), calendar.timeZone).date))
  const free = datesOf(findSlots(query))
  const open = datesOf(findSlots({ ...query, staff: query.staff.map((each) => ({ ...each, busy: [] })) }))
  return [...open].filter((date) => !free.has(date))
}

async function availabilityOf(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  span: { from: Date; to: Date },
): Promise<AvailabilityQuery> {
  const margin = { from: new Date(span.from.getTime() - DAY), to: new Date(span.to.getTime() + 2 * DAY) }
  const staff = await readStaffTimes(tx, ctx, calendar, visit, margin)
  return {
    timeZone: calendar.timeZone,
    from: span.from.getTime(),
    to: span.to.getTime(),
    minutes: visit.minutes,
    bufferBefore: visit.service?.bufferBefore ?? 0,
    bufferAfter: visit.service?.bufferAfter ?? 0,
    stepMinutes: calendar.settings.stepMinutes,
    staff,
    dateRule: dateRuleOf(calendar),
    travel: travelFrom(calendar, visit.area ?? null),
  }
}

export type PlaceOptions = {
  now: Date
  /** A member may choose a time at which the business is closed. */
  anyHour?: boolean
}

/**
 * Finds who is free at a time, under the lock of the calendar.
 * @throws AppError `slot_taken`, `closed`: both name the next free times
 */
export async function findPlace(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  startsAt: Date,
  options: PlaceOptions,
): Promise<Place> {
  const { service, minutes } = visit
  const place = {
    startsAt,
    endsAt: new Date(startsAt.getTime() + minutes * MINUTE),
    busyFrom: new Date(startsAt.getTime() - (service?.bufferBefore ?? 0) * MINUTE),
    busyTo: new Date(startsAt.getTime() + (minutes + (service?.bufferAfter ?? 0)) * MINUTE),
  }
  const margin = { from: new Date(place.busyFrom.getTime() - DAY), to: new Date(place.busyTo.getTime() + DAY) }
  const staff = await readStaffTimes(tx, ctx, calendar, visit, margin)
  const busy = { from: place.busyFrom.getTime(), to: place.busyTo.getTime() }
  let isOpen = false
  for (const each of staff) {
    const open =
      options.anyHour ||
      openSpans(
        {
          ...{ timeZone: calendar.timeZone, from: startsAt.getTime(), to: startsAt.getTime() + 1, minutes },
          ...{ bufferBefore: 0, bufferAfter: 0, stepMinutes: null, staff: [], dateRule: dateRuleOf(calendar) },
        },
        each,
      ).some((span) => span.from <= place.startsAt.getTime() && place.endsAt.getTime() <= span.to)
    if (!open) continue
    isOpen = true
    const seat = freeSeat(each, busy, travelFrom(calendar, visit.area ?? null))
    if (seat === null) continue
    const { date, time } = wallClock(startsAt, calendar.timeZone)
    return { ...place, staffId: each.id, seat, zone: calendar.timeZone, localDate: date, localTime: time }
  }
  throw await notFree(
    tx,
    ctx,
    calendar,
    visit,
    startsAt,
    options.now,
    isOpen || options.anyHour ? 'slot_taken' : 'closed',
  )
}

/** The refusal of a time that cannot be had, with the next that can. */
export async function notFree(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  startsAt: Date,
  now: Date,
  code: 'slot_taken' | 'closed' = 'slot_taken',
): Promise<AppError> {
  const nextTimes = await nextFree(tx, ctx, calendar, visit, startsAt, now)
  const free = nextTimes.map((at) => sayTime(at, calendar.timeZone)).join(', ')
  return code === 'slot_taken'
    ? new AppError(
        'conflict',
        'slot_taken',
        `This time is not free. ${free ? `Free: ${free}.` : 'Choose another one.'}`,
        {
          ...{ field: 'startsAt', nextTimes },
        },
      )
    : new AppError('invalid', 'closed', `The business is closed then.${free ? ` Free: ${free}.` : ''}`, {
        ...{ field: 'startsAt', nextTimes },
      })
}

/** The next free starts after a moment that are to come; for a time that customers can reach, only such. */
async function nextFree(
  tx: Executor,
  ctx: BusinessContext,
  calendar: BusinessCalendar,
  visit: Visit,
  startsAt: Date,
  now: Date,
): Promise<Date[]> {
  const after = Math.max(startsAt.getTime(), now.getTime())
  const last = lastReachable(calendar, now).getTime()
  let found: Date[] = []
  // Mostly there are some on the same day.
  for (const days of [1, OFFER_DAYS]) {
    const to = after + days * DAY
    const span = { from: new Date(after + 1), to: new Date(after < last ? Math.min(to, last) : to) }
    const slots = await freeSlots(tx, ctx, calendar, visit, span)
    found = [...new Set(slots.map((slot) => slot.startsAt))].slice(0, NEXT_TIMES).map((at) => new Date(at))
    if (found.length === NEXT_TIMES) break
  }
  return found
}

/** Before this moment a customer's appointment begins. */
export function lastReachable({ settings, timeZone }: BusinessCalendar, now: Date): Date {
  return startOfDate(addDates(lastDate({ settings, timeZone }, now), 1), timeZone)
}

/** The last date on which customers can book. */
export function lastDate({ settings, timeZone }: Pick<BusinessCalendar, 'settings' | 'timeZone'>, now: Date): string {
  return addDates(wallClock(now, timeZone).date, settings.aheadDays)
}

const sayTime = (at: Date, timeZone: string) => {
  const { date, time } = wallClock(at, timeZone)
  return `${date} ${time}`
}
