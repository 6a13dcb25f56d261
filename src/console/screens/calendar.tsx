import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { codeOf, mutation, query, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { dateOf, momentAt } from '../ui/days.ts'
import { Problem } from '../ui/fields.tsx'
import { Icon } from '../ui/icon.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Heading, Loaded } from '../ui/states.tsx'
import { AppointmentDialog, NewAppointmentDialog } from './calendar-dialogs.tsx'
import { Grid } from './calendar-grid.tsx'
import { Month } from './calendar-month.tsx'
import {
  type Appointment,
  type CalendarActions,
  type CalendarView,
  daysOf,
  lengthOf,
  type Staff,
  stepDate,
} from './calendar-types.ts'
import { WaitingList } from './calendar-waiting.tsx'
import { NextFree } from './calendar-when.tsx'

const route = getRouteApi('/calendar')
const VIEWS: CalendarView[] = ['day', 'week', 'month']

/** The appointments of a day, a week or a month, of all or of one person: made, moved by hand and by keyboard, confirmed and cancelled. */
export function Calendar() {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const navigate = useNavigate({ from: '/calendar' })
  const { view = fittingView(), date = dateOf(new Date(), timeZone), appointment, staff: wanted } = route.useSearch()
  const days = daysOf(view, date)
  const people = useQuery(query('booking.staff')).data?.items ?? []
  const services = useQuery(query('booking.services')).data?.items ?? []
  const person = people.find(({ id }) => id === wanted)
  const input = {
    from: momentAt(days[0] ?? date, '00:00', timeZone).toISOString(),
    to: momentAt(stepDate('day', days.at(-1) ?? date, 1), '00:00', timeZone).toISOString(),
    ...{ limit: 200, ...(person ? { staffId: person.id } : {}) },
  }
  const list = useQuery(query('appointments.list', input))
  const business = useQuery(query('businesses.get'))
  const [creating, setCreating] = useState<{ date: string; time: string; staffId?: string | undefined } | null>(null)
  const move = useMove(input)
  const go = (to: Partial<Shown> & { appointment?: string }) =>
    void navigate({ search: (before) => ({ ...before, appointment: undefined, ...to }) })
  const actions: CalendarActions = {
    open: ({ id }) => go({ appointment: id }),
    create: (day, time, staffId = person?.id) => setCreating({ date: day, time, staffId }),
    move: move.to,
  }
  const items = (list.data?.items ?? []).filter(({ staffId }) => !person || staffId === person.id)
  const shown = { days, date, appointments: items, staff: people, actions }
  return (
    <>
      <Heading
        aside={
          <Bar
            shown={{ view, date, staff: person?.id }}
            people={people}
            onGo={go}
            onNew={() => setCreating({ date, time: '10:00', staffId: person?.id })}
          />
        }
      >
        {t('title')}
      </Heading>
      <Refused move={move} />
      <div className="flex min-h-0 flex-1 flex-col xl:flex-row">
        <div className="flex min-h-0 min-w-0 flex-1 flex-col">
          <Loaded of={list}>
            {() =>
              view === 'month' ? (
                <Month {...shown} onDay={(day) => go({ view: 'day', date: day })} />
              ) : (
                <Grid
                  {...shown}
                  byStaff={view === 'day' && people.length > 1 && !person}
                  hours={person?.hours ?? business.data?.hours ?? null}
                />
              )
            }
          </Loaded>
          {list.data?.nextCursor && <p className="p-2 text-warn">{t('tooMany')}</p>}
        </div>
        <WaitingList services={services} date={date} />
      </div>
      {appointment && (
        <AppointmentDialog
          key={appointment}
          id={appointment}
          services={services}
          staff={people}
          onClose={() => go({})}
        />
      )}
      {creating && (
        <NewAppointmentDialog start={creating} services={services} staff={people} onClose={() => setCreating(null)} />
      )}
    </>
  )
}

type Shown = { view: CalendarView; date: string; staff: string | undefined }

/** Seven days have no room on a phone. */
const fittingView = (): CalendarView => (matchMedia('(min-width: 48rem)').matches ? 'week' : 'day')

type Move = ReturnType<typeof useMove>

/** Moves an appointment at once, and back when it is refused. */
function useMove(input: { from: string; to: string; limit: number; staffId?: string }) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const { queryKey } = query('appointments.list', input)
  const [refused, setRefused] = useState<{ appointment: Appointment; at: Date; staffId: string } | null>(null)
  const move = useMutation({
    ...mutation('appointments.move'),
    onMutate: async ({ id, startsAt, staffId }) => {
      // What is being read was asked for before the move.
      await queryClient.cancelQueries({ queryKey })
      const before = queryClient.getQueryData(queryKey)
      const moved = (item: Appointment) => ({ ...movedTo(item, startsAt), staffId: staffId ?? item.staffId })
      queryClient.setQueryData(
        queryKey,
        (old) => old && { ...old, items: old.items.map((item) => (item.id === id ? moved(item) : item)) },
      )
      return { before }
    },
    onError: (_error, _input, context) => queryClient.setQueryData(queryKey, context?.before),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['appointments'] }),
  })
  const to = (appointment: Appointment, at: Date, staffId = appointment.staffId) => {
    const { id, startsAt } = appointment
    const back = { id, startsAt, staffId: appointment.staffId }
    if (at.getTime() === new Date(startsAt).getTime() && staffId === back.staffId) return
    setRefused(null)
    move.mutate(
      { id, startsAt: at.toISOString(), staffId },
      {
        onSuccess: () =>
          offerUndo(t('movedTo', { at: format.dateTime(at, { dateStyle: 'medium', timeStyle: 'short' }) }), () =>
            move.mutate(back),
          ),
        onError: () => setRefused({ appointment, at, staffId }),
      },
    )
  }
  const dismiss = () => {
    setRefused(null)
    move.reset()
  }
  return { to, error: move.error, refused, dismiss }
}

/** Why an appointment could not be moved, and the next times to which it can be. */
function Refused({ move }: { move: Move }) {
  const state = useTranslations('state')
  const { error, refused } = move
  if (!error) return null
  const isTaken = codeOf(error) === 'slot_taken'
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-line border-b px-4 py-2">
      <Problem error={error} />
      {isTaken && refused && (
        <NextFree
          appointment={{ id: refused.appointment.id, minutes: lengthOf(refused.appointment) }}
          wanted={refused}
          onChoose={(at) => move.to(refused.appointment, at, refused.staffId)}
        />
      )}
      <Act look="quiet" className="ms-auto" onPress={move.dismiss}>
        {state('close')}
      </Act>
    </div>
  )
}

function movedTo(item: Appointment, startsAt: string): Appointment {
  return { ...item, startsAt, endsAt: new Date(new Date(startsAt).getTime() + lengthOf(item) * 60_000).toISOString() }
}

function Bar({
  shown: { view, date, staff },
  people,
  onGo,
  onNew,
}: {
  shown: Shown
  people: Staff[]
  onGo(to: Partial<Shown>): void
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
      <strong aria-live="polite" className="order-first w-full sm:order-none sm:w-auto">
        {title}
      </strong>
      {people.length > 1 && (
        <select
          aria-label={t('staff')}
          value={staff ?? ''}
          onChange={({ target }) => onGo({ staff: target.value || undefined })}
          className="ms-auto max-w-40 rounded-lg border border-line bg-page px-2 py-1.5"
        >
          <option value="">{t('allStaff')}</option>
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
      <select
        aria-label={t('view')}
        value={view}
        onChange={({ target }) => onGo({ view: VIEWS.find((each) => each === target.value) ?? 'week' })}
        className={`${people.length > 1 ? '' : 'ms-auto'} rounded-lg border border-line bg-page px-2 py-1.5`}
      >
        {VIEWS.map((each) => (
          <option key={each} value={each}>
            {t(each)}
          </option>
        ))}
      </select>
      <Allowed to="agent">
        <Act look="main" onPress={onNew}>
          {t('new')}
        </Act>
      </Allowed>
    </div>
  )
}
