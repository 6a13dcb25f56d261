import { type CSSProperties, type KeyboardEvent, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { useLocale } from '../app/i18n.tsx'
import { addDays, dateOf } from '../ui/days.ts'
import { staffColor } from '../ui/staff-dot.tsx'
import { Clock, isolated } from '../ui/values.tsx'
import { type Appointment, type CalendarActions, nameOf, onDay, type Staff, standing } from './calendar-types.ts'

const STEP_MS = 15 * 60_000
const LOOKS = {
  booked: 'border-warn border-dashed bg-warn-soft',
  held: 'border-muted border-dotted bg-raised',
  confirmed: 'border-accent bg-accent-soft',
  no_show: 'border-danger bg-raised line-through',
  cancelled: 'border-line bg-raised line-through',
  expired: 'border-line bg-raised line-through',
} as const

type Target = { at: Date; staffId: string }

/**
 * An appointment on the calendar. Arrows choose another time, Enter moves it there, Escape leaves it; Enter alone opens it.
 * @param props.columns the people beside each other, in their order: arrows to the side go to the next of them, not to another day
 */
export function AppointmentCard({
  appointment,
  actions,
  staff,
  columns,
  onMoving,
  style,
}: {
  appointment: Appointment
  actions: CalendarActions
  staff: Staff[]
  columns?: Staff[] | undefined
  onMoving(text: string | null): void
  style?: CSSProperties
}) {
  const t = useTranslations('calendar')
  const mayMove = useAccess().may('agent') && (appointment.state === 'booked' || appointment.state === 'held')
  const { target, say, onKeyDown, leave } = useKeyboardMove({ appointment, actions, columns, onMoving, mayMove })
  const state = standing(appointment)
  const giver = staff.length > 1 ? staff.find(({ id }) => id === appointment.staffId) : undefined
  return (
    <li className={style ? 'absolute z-1 px-0.5' : ''} style={style}>
      <button
        type="button"
        draggable={mayMove}
        onDragStart={(event) => {
          event.dataTransfer.setData('text/plain', appointment.id)
          event.dataTransfer.setData(
            'application/x-grabbed',
            String(event.clientY - event.currentTarget.getBoundingClientRect().top),
          )
        }}
        onClick={() => actions.open(appointment)}
        onKeyDown={onKeyDown}
        onBlur={leave}
        aria-description={mayMove ? t(columns ? 'cardKeysStaff' : 'cardKeys') : undefined}
        className={`h-full w-full cursor-grab overflow-hidden rounded-lg border px-2 text-start text-sm ${LOOKS[state]} ${target ? 'ring-2 ring-accent' : ''}`}
        style={giver ? { borderInlineStart: `4px solid ${staffColor(giver.color)}` } : undefined}
      >
        <Clock
          at={target ? target.at.toISOString() : appointment.startsAt}
          className="me-1 font-semibold tabular-nums"
        />{' '}
        <bdi>{nameOf(appointment)}</bdi>
        {appointment.customerConfirmedAt && state === 'confirmed' && (
          <>
            <span aria-hidden="true"> ✓</span>
            <span className="sr-only"> {t('customerConfirmed')}</span>
          </>
        )}
        {state !== 'confirmed' && <span className="sr-only"> {t(state)}</span>}
        {giver && !columns && <span className="sr-only"> {giver.name}</span>}
        {target && <strong className="block text-accent">{say(target)}</strong>}
      </button>
    </li>
  )
}

/** Where the arrows point before Enter moves the appointment there. */
function useKeyboardMove({
  appointment,
  actions,
  columns,
  onMoving,
  mayMove,
}: {
  appointment: Appointment
  actions: CalendarActions
  columns: Staff[] | undefined
  onMoving(text: string | null): void
  mayMove: boolean
}) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const { locale } = useLocale()
  const [target, setTarget] = useState<Target | null>(null)
  const say = ({ at, staffId }: Target) => {
    const time = format.dateTime(at, {
      ...{ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
    })
    const to = columns?.find(({ id }) => id === staffId && id !== appointment.staffId)
    return to ? `${time} · ${isolated(to.name)}` : time
  }
  const aim = (next: Target | null) => {
    setTarget(next)
    onMoving(next && t('moving', { at: say(next) }))
  }
  const from = target ?? { at: new Date(appointment.startsAt), staffId: appointment.staffId }
  const aside = (by: 1 | -1) => {
    if (!columns) {
      const shown = { ...appointment, startsAt: from.at.toISOString() }
      return aim({ ...from, at: onDay(shown, addDays(dateOf(from.at, timeZone), by), timeZone) })
    }
    const next = columns[columns.findIndex(({ id }) => id === from.staffId) + by]
    if (next) aim({ ...from, staffId: next.id })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (!mayMove) return
    if (event.key === 'ArrowDown') aim({ ...from, at: new Date(from.at.getTime() + STEP_MS) })
    else if (event.key === 'ArrowUp') aim({ ...from, at: new Date(from.at.getTime() - STEP_MS) })
    else if (event.key === (locale === 'he' ? 'ArrowLeft' : 'ArrowRight')) aside(1)
    else if (event.key === (locale === 'he' ? 'ArrowRight' : 'ArrowLeft')) aside(-1)
    else if (event.key === 'Escape' && target) aim(null)
    else if (event.key === 'Enter' && target) {
      actions.move(appointment, target.at, target.staffId)
      aim(null)
    } else return
    event.preventDefault()
  }
  return { target, say, onKeyDown, leave: () => target && aim(null) }
}
