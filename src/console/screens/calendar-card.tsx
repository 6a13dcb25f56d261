import { type CSSProperties, type KeyboardEvent, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { useLocale } from '../app/i18n.tsx'
import { addDays, dateOf } from '../ui/days.ts'
import { Clock } from '../ui/values.tsx'
import { type Appointment, type CalendarActions, nameOf, onDay } from './calendar-types.ts'

const STEP_MS = 15 * 60_000

/** An appointment on the calendar. Arrows choose another time, Enter moves it there, Escape leaves it; Enter alone opens it. */
export function AppointmentCard({
  appointment,
  actions,
  onMoving,
  style,
}: {
  appointment: Appointment
  actions: CalendarActions
  onMoving(text: string | null): void
  style?: CSSProperties
}) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const { locale } = useLocale()
  const [target, setTarget] = useState<Date | null>(null)
  const write = (moment: Date) =>
    format.dateTime(moment, { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' })
  const aim = (moment: Date | null) => {
    setTarget(moment)
    onMoving(moment && t('moving', { at: write(moment) }))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const from = target ?? new Date(appointment.startsAt)
    const next = locale === 'he' ? 'ArrowLeft' : 'ArrowRight'
    const previous = locale === 'he' ? 'ArrowRight' : 'ArrowLeft'
    const day = (by: number) =>
      onDay({ ...appointment, startsAt: from.toISOString() }, addDays(dateOf(from, timeZone), by), timeZone)
    if (event.key === 'ArrowDown') aim(new Date(from.getTime() + STEP_MS))
    else if (event.key === 'ArrowUp') aim(new Date(from.getTime() - STEP_MS))
    else if (event.key === next) aim(day(1))
    else if (event.key === previous) aim(day(-1))
    else if (event.key === 'Escape' && target) aim(null)
    else if (event.key === 'Enter' && target) {
      actions.move(appointment, target)
      aim(null)
    } else return
    event.preventDefault()
  }
  const isNew = appointment.confirmedAt === null
  return (
    <li className={style ? 'absolute inset-x-1 z-1' : ''} style={style}>
      <button
        type="button"
        draggable
        onDragStart={(event) => {
          event.dataTransfer.setData('text/plain', appointment.id)
          event.dataTransfer.setData(
            'application/x-grabbed',
            String(event.clientY - event.currentTarget.getBoundingClientRect().top),
          )
        }}
        onClick={() => actions.open(appointment)}
        onKeyDown={onKeyDown}
        onBlur={() => target && aim(null)}
        aria-description={t('cardKeys')}
        className={`h-full w-full cursor-grab overflow-hidden rounded-lg border px-2 text-start text-sm ${
          isNew ? 'border-warn border-dashed bg-warn-soft' : 'border-accent bg-accent-soft'
        } ${target ? 'ring-2 ring-accent' : ''}`}
      >
        <Clock at={target ? target.toISOString() : appointment.startsAt} className="me-1 font-semibold tabular-nums" />
        <bdi>{nameOf(appointment)}</bdi>
        {isNew && <span className="sr-only"> {t('booked')}</span>}
        {target && <strong className="block text-accent">{write(target)}</strong>}
      </button>
    </li>
  )
}
