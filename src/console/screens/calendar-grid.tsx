import { type DragEvent, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { USUAL_WEEK, WEEKDAYS } from '../../lib/weekdays.ts'
import { useAccess } from '../app/access.ts'
import { dateOf, momentAt, timeOf, weekdayOf } from '../ui/days.ts'
import { StaffDot } from '../ui/staff-dot.tsx'
import { isolated } from '../ui/values.tsx'
import { AppointmentCard } from './calendar-card.tsx'
import {
  type Appointment,
  type CalendarActions,
  clockOf,
  type Hours,
  inLanes,
  lengthOf,
  minutesOf,
  type Placed,
  type Staff,
} from './calendar-types.ts'

const HOUR_HEIGHT = 52
const SNAP_MINUTES = 15

/** What stands beside each other: days, or the people of one day. */
type Column = { key: string; day: string; title: string; person: Staff | null; isToday: boolean }

/**
 * One day or seven beside each other on a clock, or the people of one day; dropping an appointment moves it, pressing an empty hour
 * makes one.
 */
export function Grid({
  days,
  appointments,
  staff,
  byStaff,
  hours,
  actions,
}: {
  days: string[]
  appointments: Appointment[]
  staff: Staff[]
  byStaff: boolean
  hours: Hours
  actions: CalendarActions
}) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const [moving, setMoving] = useState<string | null>(null)
  const isKnown = ({ staffId }: Appointment) => staff.some(({ id }) => id === staffId)
  const columns = useColumns(days, byStaff ? staff : null, !appointments.every(isKnown))
  const span = spanOf(columns, appointments, hours, timeZone)
  const clock = Array.from({ length: span.to - span.from }, (_, index) => span.from + index)
  const isIn = ({ day, person }: Column, appointment: Appointment) =>
    dateOf(new Date(appointment.startsAt), timeZone) === day &&
    (person ? appointment.staffId === person.id : !byStaff || !isKnown(appointment))
  return (
    <section
      aria-label={t('title')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reached by the keyboard
      tabIndex={0}
      className="min-h-0 flex-1 overflow-auto p-2"
    >
      <p className="sr-only" aria-live="assertive">
        {moving}
      </p>
      <div
        className="flex min-w-full"
        style={{ width: columns.length > 1 ? `max(100%, ${columns.length * 6 + 4}rem)` : '100%' }}
      >
        <div aria-hidden="true" className="sticky -start-2 z-10 w-14 shrink-0 bg-page pt-10 text-muted text-xs">
          {clock.map((hour) => (
            <div key={hour} style={{ height: HOUR_HEIGHT }} className="tabular-nums">
              <bdi dir="ltr">{clockOf(hour * 60)}</bdi>
            </div>
          ))}
        </div>
        {columns.map((column) => (
          <Lane
            key={column.key}
            column={column}
            span={span}
            openings={openingsOf(column, hours)}
            placed={inLanes(appointments.filter((each) => isIn(column, each)))}
            all={appointments}
            staff={staff}
            byStaff={byStaff}
            actions={actions}
            onMoving={setMoving}
          />
        ))}
      </div>
    </section>
  )
}

/** @param hasFormer whether some are of people who are no longer listed */
function useColumns(days: string[], people: Staff[] | null, hasFormer: boolean): Column[] {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const today = dateOf(new Date(), timeZone)
  return days.flatMap((day): Column[] => {
    const isToday = day === today
    const noon = new Date(`${day}T12:00:00Z`)
    const title = format.dateTime(noon, { weekday: 'short', day: 'numeric', timeZone: 'UTC' })
    if (!people) return [{ key: day, day, title, person: null, isToday }]
    const former = { key: 'former', day, title: t('formerStaff'), person: null, isToday }
    const listed = people.map((person) => ({ key: person.id, day, title: person.name, person, isToday }))
    return hasFormer ? [...listed, former] : listed
  })
}

type Span = { from: number; to: number }

function Lane({
  column,
  span,
  openings,
  placed,
  all,
  staff,
  byStaff,
  actions,
  onMoving,
}: {
  column: Column
  span: Span
  openings: readonly (readonly [string, string])[]
  placed: Placed[]
  all: Appointment[]
  staff: Staff[]
  byStaff: boolean
  actions: CalendarActions
  onMoving(text: string | null): void
}) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const mayCreate = useAccess().may('agent')
  const { day, title, person, isToday } = column
  const top = (minutes: number) => ((minutes - span.from * 60) / 60) * HOUR_HEIGHT
  const minutesAt = (event: DragEvent<HTMLElement>) => {
    const y = event.clientY - event.currentTarget.getBoundingClientRect().top - Number(grabbedAt(event))
    const minutes = span.from * 60 + (y / HOUR_HEIGHT) * 60
    return Math.max(0, Math.round(minutes / SNAP_MINUTES) * SNAP_MINUTES)
  }
  return (
    <section
      aria-label={title}
      ref={isToday && !person ? scrollToday : undefined}
      className="min-w-24 flex-1 border-line border-s"
    >
      <h2
        className={`flex h-10 items-center justify-center gap-2 px-2 text-center text-sm ${isToday ? 'font-bold text-accent' : 'text-muted'}`}
      >
        {person && <StaffDot color={person.color} />}
        <bdi className="truncate">{title}</bdi>
      </h2>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: appointments are dropped here; the keyboard moves them on their own */}
      <div
        data-day={day}
        data-staff={person?.id}
        className="relative"
        style={{ height: (span.to - span.from) * HOUR_HEIGHT }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault()
          const dragged = all.find(({ id }) => id === event.dataTransfer.getData('text/plain'))
          const at = momentAt(day, clockOf(Math.min(minutesAt(event), 1_435)), timeZone)
          if (dragged) actions.move(dragged, at, person?.id)
        }}
      >
        {openings.map(([from, to]) => (
          <div
            key={from}
            className="absolute inset-x-0 bg-surface"
            style={{ top: top(minutesOf(from)), height: top(minutesOf(to)) - top(minutesOf(from)) }}
          />
        ))}
        {Array.from({ length: span.to - span.from }, (_, index) => span.from + index).map((hour) => (
          <button
            key={hour}
            type="button"
            tabIndex={-1}
            aria-label={t('newAt', { at: `${isolated(title)} ${clockOf(hour * 60)}` })}
            disabled={!mayCreate}
            onClick={() => actions.create(day, clockOf(hour * 60), person?.id)}
            className="absolute inset-x-0 border-line border-t hover:bg-accent-soft"
            style={{ top: top(hour * 60), height: HOUR_HEIGHT }}
          />
        ))}
        <ul>
          {placed.map(({ appointment, lane, lanes }) => (
            <AppointmentCard
              key={appointment.id}
              appointment={appointment}
              actions={actions}
              staff={staff}
              columns={byStaff ? staff : undefined}
              onMoving={onMoving}
              style={{
                top: top(minutesOf(timeOf(new Date(appointment.startsAt), timeZone))),
                height: Math.max(26, (lengthOf(appointment) / 60) * HOUR_HEIGHT - 2),
                insetInlineStart: `${(lane / lanes) * 100}%`,
                width: `${100 / lanes}%`,
              }}
            />
          ))}
        </ul>
      </div>
    </section>
  )
}

/** A week on a phone is wider than the screen: the present day is shown. */
function scrollToday(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
}

/** How far below its top an appointment was grabbed; the type of a drag is all that is readable while it goes on. */
function grabbedAt(event: DragEvent<HTMLElement>): string {
  return event.dataTransfer.getData('application/x-grabbed') || '0'
}

/** When a person is at work, or the business is open; breaks are left out. */
function openingsOf({ day, person }: Column, hours: Hours): [string, string][] {
  const name = WEEKDAYS[weekdayOf(day)]
  if (!name) return []
  const spans = ((person?.hours ?? hours ?? USUAL_WEEK)[name] ?? []).map(
    ([from = '00:00', to = '24:00']): [string, string] => [from, to],
  )
  return (person?.breaks[name] ?? []).reduce(
    (open, [from = '00:00', to = '00:00']) =>
      open.flatMap(([start, end]): [string, string][] =>
        to <= start || from >= end
          ? [[start, end]]
          : [
              ...(start < from ? [[start, from] as [string, string]] : []),
              ...(to < end ? [[to, end] as [string, string]] : []),
            ],
      ),
    spans,
  )
}

/** The hours that are shown: the openings and every appointment of these columns, and at least 8 to 18. */
function spanOf(columns: Column[], appointments: Appointment[], hours: Hours, timeZone: string | undefined): Span {
  const times = columns.flatMap((column) =>
    openingsOf(column, hours).flatMap(([from, to]) => [minutesOf(from), minutesOf(to)]),
  )
  for (const appointment of appointments) {
    const from = minutesOf(timeOf(new Date(appointment.startsAt), timeZone))
    times.push(from, from + lengthOf(appointment))
  }
  return {
    from: Math.floor(Math.min(8 * 60, ...times) / 60),
    to: Math.min(24, Math.ceil(Math.max(18 * 60, ...times) / 60)),
  }
}
