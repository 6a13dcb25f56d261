import { type DragEvent, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { WEEKDAYS } from '../../lib/weekdays.ts'
import { dateOf, momentAt, timeOf, weekdayOf } from '../ui/days.ts'
import { AppointmentCard } from './calendar-card.tsx'
import { type Appointment, type CalendarActions, clockOf, type Hours, minutesOf } from './calendar-types.ts'

const HOUR_HEIGHT = 52
const SNAP_MINUTES = 15

/** One day or seven beside each other on a clock; dropping an appointment moves it, pressing an empty hour makes one. */
export function Grid({
  days,
  appointments,
  hours,
  actions,
}: {
  days: string[]
  appointments: Appointment[]
  hours: Hours
  actions: CalendarActions
}) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const [moving, setMoving] = useState<string | null>(null)
  const span = spanOf(days, appointments, hours, timeZone)
  const clock = Array.from({ length: span.to - span.from }, (_, index) => span.from + index)
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
        style={{ width: days.length > 1 ? `max(100%, ${days.length * 7 + 4}rem)` : '100%' }}
      >
        <div aria-hidden="true" className="w-14 shrink-0 pt-10 text-muted text-xs">
          {clock.map((hour) => (
            <div key={hour} style={{ height: HOUR_HEIGHT }} className="tabular-nums">
              <bdi dir="ltr">{clockOf(hour * 60)}</bdi>
            </div>
          ))}
        </div>
        {days.map((day) => (
          <Day
            key={day}
            day={day}
            span={span}
            openings={openingsOf(hours, day)}
            appointments={appointments.filter(({ startsAt }) => dateOf(new Date(startsAt), timeZone) === day)}
            all={appointments}
            actions={actions}
            onMoving={setMoving}
          />
        ))}
      </div>
    </section>
  )
}

type Span = { from: number; to: number }

function Day({
  day,
  span,
  openings,
  appointments,
  all,
  actions,
  onMoving,
}: {
  day: string
  span: Span
  openings: readonly (readonly [string, string])[]
  appointments: Appointment[]
  all: Appointment[]
  actions: CalendarActions
  onMoving(text: string | null): void
}) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const isToday = day === dateOf(new Date(), timeZone)
  const top = (minutes: number) => ((minutes - span.from * 60) / 60) * HOUR_HEIGHT
  const minutesAt = (event: DragEvent<HTMLElement>) => {
    const y = event.clientY - event.currentTarget.getBoundingClientRect().top - Number(grabbedAt(event))
    const minutes = span.from * 60 + (y / HOUR_HEIGHT) * 60
    return Math.max(0, Math.round(minutes / SNAP_MINUTES) * SNAP_MINUTES)
  }
  const title = format.dateTime(new Date(`${day}T12:00:00Z`), { weekday: 'short', day: 'numeric', timeZone: 'UTC' })
  return (
    <section
      aria-label={title}
      ref={isToday ? scrollToday : undefined}
      className="min-w-28 flex-1 border-line border-s"
    >
      <h2 className={`h-10 px-2 text-center text-sm ${isToday ? 'font-bold text-accent' : 'text-muted'}`}>{title}</h2>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: appointments are dropped here; the keyboard moves them on their own */}
      <div
        data-day={day}
        className="relative"
        style={{ height: (span.to - span.from) * HOUR_HEIGHT }}
        onDragOver={(event) => event.preventDefault()}
        onDrop={(event) => {
          event.preventDefault()
          const dragged = all.find(({ id }) => id === event.dataTransfer.getData('text/plain'))
          if (dragged) actions.move(dragged, momentAt(day, clockOf(Math.min(minutesAt(event), 1_435)), timeZone))
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
            aria-label={t('newAt', { at: `${title} ${clockOf(hour * 60)}` })}
            onClick={() => actions.create(day, clockOf(hour * 60))}
            className="absolute inset-x-0 border-line border-t hover:bg-accent-soft"
            style={{ top: top(hour * 60), height: HOUR_HEIGHT }}
          />
        ))}
        <ul>
          {appointments.map((appointment) => {
            const from = minutesOf(timeOf(new Date(appointment.startsAt), timeZone))
            const minutes = (new Date(appointment.endsAt).getTime() - new Date(appointment.startsAt).getTime()) / 60_000
            return (
              <AppointmentCard
                key={appointment.id}
                appointment={appointment}
                actions={actions}
                onMoving={onMoving}
                style={{ top: top(from), height: Math.max(26, (minutes / 60) * HOUR_HEIGHT - 2) }}
              />
            )
          })}
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

function openingsOf(hours: Hours, day: string): readonly (readonly [string, string])[] {
  const name = WEEKDAYS[weekdayOf(day)]
  return ((name && hours?.[name]) || []).map(([from = '00:00', to = '24:00']) => [from, to])
}

/** The hours that are shown: the openings and every appointment of these days, and at least 8 to 18. */
function spanOf(days: string[], appointments: Appointment[], hours: Hours, timeZone: string | undefined): Span {
  const times = days.flatMap((day) => openingsOf(hours, day).flatMap(([from, to]) => [minutesOf(from), minutesOf(to)]))
  for (const { startsAt, endsAt } of appointments) {
    const from = minutesOf(timeOf(new Date(startsAt), timeZone))
    times.push(from, from + (new Date(endsAt).getTime() - new Date(startsAt).getTime()) / 60_000)
  }
  return {
    from: Math.floor(Math.min(8 * 60, ...times) / 60),
    to: Math.min(24, Math.ceil(Math.max(18 * 60, ...times) / 60)),
  }
}
