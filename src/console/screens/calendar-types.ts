import type { Out } from '../app/trpc.ts'
import { addDays, dateOf, momentAt, weekdayOf } from '../ui/days.ts'

export type Appointment = Out<'appointments.list'>['items'][number]
export type Staff = Out<'booking.staff'>['items'][number]
export type Service = Out<'booking.services'>['items'][number]
export type CalendarView = 'day' | 'week' | 'month'
export type Hours = Out<'businesses.get'>['hours']

/** What the parts of the calendar may do with an appointment. */
export type CalendarActions = {
  open(appointment: Appointment): void
  create(date: string, time: string, staffId?: string): void
  /** To the same person where none is named. */
  move(appointment: Appointment, startsAt: Date, staffId?: string): void
}

/** The days that a view shows, in the order of the calendar; a week begins on Sunday. */
export function daysOf(view: CalendarView, date: string): string[] {
  if (view === 'day') return [date]
  if (view === 'week') return from(addDays(date, -weekdayOf(date)), 7)
  const first = `${date.slice(0, 8)}01`
  return from(addDays(first, -weekdayOf(first)), 42)
}

const from = (first: string, count: number) => Array.from({ length: count }, (_, index) => addDays(first, index))

/** The day that a view before or after this one shows. */
export function stepDate(view: CalendarView, date: string, direction: 1 | -1): string {
  if (view !== 'month') return addDays(date, direction * (view === 'week' ? 7 : 1))
  const month = new Date(`${date.slice(0, 7)}-01T00:00:00Z`)
  month.setUTCMonth(month.getUTCMonth() + direction)
  return month.toISOString().slice(0, 10)
}

/** The same time of another day. */
export function onDay(appointment: Appointment, date: string, timeZone: string | undefined): Date {
  const startsAt = new Date(appointment.startsAt)
  const midnight = momentAt(dateOf(startsAt, timeZone), '00:00', timeZone)
  const minutes = Math.round((startsAt.getTime() - midnight.getTime()) / 60_000)
  return new Date(momentAt(date, '00:00', timeZone).getTime() + minutes * 60_000)
}

export const nameOf = ({ name, contactName, phone }: Appointment) => name ?? contactName ?? phone ?? '—'

export const lengthOf = ({ startsAt, endsAt }: Appointment) =>
  (new Date(endsAt).getTime() - new Date(startsAt).getTime()) / 60_000

/** What an appointment is now; a booked one waits until a member or the customer confirms it. */
export function standing(appointment: Appointment): 'booked' | 'confirmed' | Exclude<Appointment['state'], 'booked'> {
  if (appointment.state !== 'booked') return appointment.state
  return appointment.confirmedAt || appointment.customerConfirmedAt ? 'confirmed' : 'booked'
}

export type Placed = { appointment: Appointment; lane: number; lanes: number }

/** Lays what overlaps beside each other: each gets the first lane that is free, of as many as its group needs. */
export function inLanes(appointments: Appointment[]): Placed[] {
  const sorted = appointments.toSorted((a, b) => a.startsAt.localeCompare(b.startsAt) || a.id.localeCompare(b.id))
  const placed: Placed[] = []
  let group: Placed[] = []
  let groupEnds = ''
  for (const appointment of sorted) {
    if (group.length > 0 && appointment.startsAt >= groupEnds) group = []
    const isFree = (lane: number) =>
      group.every((each) => each.lane !== lane || each.appointment.endsAt <= appointment.startsAt)
    let lane = 0
    while (!isFree(lane)) lane += 1
    const each = { appointment, lane, lanes: 1 }
    group.push(each)
    placed.push(each)
    groupEnds =
      group
        .map((one) => one.appointment.endsAt)
        .toSorted()
        .at(-1) ?? ''
    const lanes = Math.max(...group.map((one) => one.lane)) + 1
    for (const one of group) one.lanes = lanes
  }
  return placed
}

export const minutesOf = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5))

export const clockOf = (minutes: number) =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
