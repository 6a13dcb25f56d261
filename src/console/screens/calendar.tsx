import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { dateOf, momentAt } from '../ui/days.ts'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Heading, Loaded } from '../ui/states.tsx'
import { AppointmentDialog, NewAppointmentDialog } from './calendar-dialogs.tsx'
import { Grid } from './calendar-grid.tsx'
import { Month } from './calendar-month.tsx'
import { type Appointment, type CalendarActions, type CalendarView, daysOf, stepDate } from './calendar-types.ts'

const route = getRouteApi('/calendar')
const VIEWS: CalendarView[] = ['day', 'week', 'month']

/** The appointments of a day, a week or a month: made, moved by hand and by keyboard, confirmed and cancelled. */
export function Calendar() {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const navigate = useNavigate({ from: '/calendar' })
  const { view = fittingView(), date = dateOf(new Date(), timeZone), appointment } = route.useSearch()
  const days = daysOf(view, date)
  const range = {
    from: momentAt(days[0] ?? date, '00:00', timeZone).toISOString(),
    to: momentAt(stepDate('day', days.at(-1) ?? date, 1), '00:00', timeZone).toISOString(),
  }
  const input = { ...range, limit: 200 }
  const list = useQuery(query('appointments.list', input))
  const business = useQuery(query('businesses.get'))
  const [creating, setCreating] = useState<{ date: string; time: string } | null>(null)
  const move = useMove(input)
  const go = (to: { view?: CalendarView; date?: string; appointment?: string | undefined }) =>
    void navigate({ search: (before) => ({ ...before, appointment: undefined, ...to }) })
  const actions: CalendarActions = {
    open: ({ id }) => go({ appointment: id }),
    create: (day, time) => setCreating({ date: day, time }),
    move: move.to,
  }
  const shown = { days, date, appointments: list.data?.items ?? [], actions }
  return (
    <>
      <Heading aside={<Bar view={view} date={date} onGo={go} onNew={() => setCreating({ date, time: '10:00' })} />}>
        {t('title')}
      </Heading>
      <Problem error={move.error} />
      <Loaded of={list}>
        {() =>
          view === 'month' ? (
            <Month {...shown} onDay={(day) => go({ view: 'day', date: day })} />
          ) : (
            <Grid {...shown} hours={business.data?.hours ?? null} />
          )
        }
      </Loaded>
      {list.data?.nextCursor && <p className="p-2 text-warn">{t('tooMany')}</p>}
      {appointment && <AppointmentDialog key={appointment} id={appointment} onClose={() => go({})} />}
      {creating && <NewAppointmentDialog start={creating} onClose={() => setCreating(null)} />}
    </>
  )
}

/** Seven days have no room on a phone. */
const fittingView = (): CalendarView => (matchMedia('(min-width: 48rem)').matches ? 'week' : 'day')

/** Moves an appointment at once, and back when it is refused. */
function useMove(input: { from: string; to: string; limit: number }) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const { queryKey } = query('appointments.list', input)
  const move = useMutation({
    ...mutation('appointments.move'),
    onMutate: ({ id, startsAt }) => {
      const before = queryClient.getQueryData(queryKey)
      queryClient.setQueryData(
        queryKey,
        (old) => old && { ...old, items: old.items.map((item) => (item.id === id ? movedTo(item, startsAt) : item)) },
      )
      return { before }
    },
    onError: (_error, _input, context) => queryClient.setQueryData(queryKey, context?.before),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['appointments'] }),
  })
  const to = ({ id, startsAt }: Appointment, moment: Date) => {
    if (moment.getTime() === new Date(startsAt).getTime()) return
    move.mutate(
      { id, startsAt: moment.toISOString() },
      {
        onSuccess: () =>
          offerUndo(t('movedTo', { at: format.dateTime(moment, { dateStyle: 'medium', timeStyle: 'short' }) }), () =>
            move.mutate({ id, startsAt }),
          ),
      },
    )
  }
  return { to, error: move.error }
}

function movedTo(item: Appointment, startsAt: string): Appointment {
  const length = new Date(item.endsAt).getTime() - new Date(item.startsAt).getTime()
  return { ...item, startsAt, endsAt: new Date(new Date(startsAt).getTime() + length).toISOString() }
}

function Bar({
  view,
  date,
  onGo,
  onNew,
}: {
  view: CalendarView
  date: string
  onGo(to: { view?: CalendarView; date?: string }): void
  onNew(): void
}) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const noon = new Date(`${date}T12:00:00Z`)
  const title =
    view === 'day'
      ? format.dateTime(noon, { weekday: 'long', day: 'numeric', month: 'long', timeZone: 'UTC' })
      : format.dateTime(noon, { month: 'long', year: 'numeric', timeZone: 'UTC' })
  return (
    <div className="flex min-w-0 flex-1 flex-wrap items-center gap-2">
      <Act look="quiet" aria-label={t('earlier')} onPress={() => onGo({ date: stepDate(view, date, -1) })}>
        <Icon name="back" />
      </Act>
      <Act onPress={() => onGo({ date: dateOf(new Date(), timeZone) })}>{t('today')}</Act>
      <Act look="quiet" aria-label={t('later')} onPress={() => onGo({ date: stepDate(view, date, 1) })}>
        <Icon name="back" className="-scale-x-100 rtl:!scale-x-100" />
      </Act>
      <strong aria-live="polite">{title}</strong>
      <select
        aria-label={t('view')}
        value={view}
        onChange={({ target }) => onGo({ view: VIEWS.find((each) => each === target.value) ?? 'week' })}
        className="ms-auto rounded-lg border border-line bg-page px-2 py-1.5"
      >
        {VIEWS.map((each) => (
          <option key={each} value={each}>
            {t(each)}
          </option>
        ))}
      </select>
      <Act look="main" onPress={onNew}>
        {t('new')}
      </Act>
    </div>
  )
}
