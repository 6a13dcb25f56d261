import { useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { dateOf } from '../ui/days.ts'
import { AppointmentCard } from './calendar-card.tsx'
import { type Appointment, type CalendarActions, onDay, type Staff } from './calendar-types.ts'

const SHOWN = 3

/** Six weeks; a day leads to its own view, and takes appointments that are dropped on it at their time of day. */
export function Month({
  days,
  date,
  appointments,
  staff,
  actions,
  onDay: openDay,
}: {
  days: string[]
  date: string
  appointments: Appointment[]
  staff: Staff[]
  actions: CalendarActions
  onDay(day: string): void
}) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const [moving, setMoving] = useState<string | null>(null)
  const byDay = Map.groupBy(appointments, ({ startsAt }) => dateOf(new Date(startsAt), timeZone))
  const today = dateOf(new Date(), timeZone)
  const write = (day: string, style: { weekday?: 'short'; day?: 'numeric'; month?: 'long' }) =>
    format.dateTime(new Date(`${day}T12:00:00Z`), { ...style, timeZone: 'UTC' })
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
      <div aria-hidden="true" className="grid grid-cols-7 text-center text-muted text-xs">
        {days.slice(0, 7).map((day) => (
          <span key={day}>{write(day, { weekday: 'short' })}</span>
        ))}
      </div>
      <ol className="grid grid-cols-7 border-line border-s border-t">
        {days.map((day) => {
          const items = byDay.get(day) ?? []
          const label = write(day, { day: 'numeric', month: 'long' })
          return (
            <li
              key={day}
              data-day={day}
              onDragOver={(event) => event.preventDefault()}
              onDrop={(event) => {
                event.preventDefault()
                const dragged = appointments.find(({ id }) => id === event.dataTransfer.getData('text/plain'))
                if (dragged) actions.move(dragged, onDay(dragged, day, timeZone))
              }}
              className={`min-h-24 min-w-0 border-line border-e border-b p-1 ${day.slice(0, 7) === date.slice(0, 7) ? 'bg-surface' : ''}`}
            >
              <button
                type="button"
                onClick={() => openDay(day)}
                aria-label={t('dayOf', { day: label, count: items.length })}
                aria-current={day === today ? 'date' : undefined}
                className={`mb-1 size-7 rounded-full text-sm hover:bg-raised ${day === today ? 'bg-accent font-bold text-accent-ink hover:bg-accent' : ''}`}
              >
                {Number(day.slice(8))}
              </button>
              {items.length > 0 && <span className="ms-1 text-muted text-xs md:hidden">{items.length}</span>}
              <ul className="hidden flex-col gap-1 md:flex">
                {items.slice(0, SHOWN).map((appointment) => (
                  <AppointmentCard
                    key={appointment.id}
                    appointment={appointment}
                    actions={actions}
                    staff={staff}
                    onMoving={setMoving}
                  />
                ))}
                {items.length > SHOWN && (
                  <li className="text-muted text-xs">{t('andMore', { count: items.length - SHOWN })}</li>
                )}
              </ul>
            </li>
          )
        })}
      </ol>
    </section>
  )
}
