import { useMutation, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Problem } from '../ui/fields.tsx'
import { Empty, Heading, Loaded } from '../ui/states.tsx'
import { Clock, Written } from '../ui/values.tsx'

type Appointment = Out<'appointments.list'>['items'][number]

/** The appointments ahead, by day. */
export function Calendar() {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const from = useMemo(() => new Date(new Date().setHours(0, 0, 0, 0)).toISOString(), [])
  const list = useQuery(query('appointments.list', { from, limit: 200 }))
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['appointments'] }) }
  const confirm = useMutation({ ...mutation('appointments.confirm'), ...done })
  const cancel = useMutation({ ...mutation('appointments.cancel'), ...done })
  return (
    <>
      <Heading>{t('title')}</Heading>
      <div className="flex min-h-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
        <Problem error={confirm.error ?? cancel.error} />
        <Loaded of={list}>
          {({ items }) => {
            const days = Map.groupBy(items, ({ startsAt }) =>
              format.dateTime(new Date(startsAt), { dateStyle: 'full' }),
            )
            if (days.size === 0) return <Empty>{t('empty')}</Empty>
            return [...days].map(([day, appointments]) => (
              <section key={day} className="max-w-2xl rounded-xl border border-line bg-surface p-4">
                <h2 className="mb-2 font-semibold">{day}</h2>
                <ul className="flex flex-col gap-2">
                  {appointments.map((appointment) => (
                    <Line
                      key={appointment.id}
                      appointment={appointment}
                      onConfirm={() => confirm.mutate({ id: appointment.id })}
                      onCancel={() => cancel.mutate({ id: appointment.id })}
                    />
                  ))}
                </ul>
              </section>
            ))
          }}
        </Loaded>
      </div>
    </>
  )
}

function Line({ appointment, onConfirm, onCancel }: { appointment: Appointment; onConfirm(): void; onCancel(): void }) {
  const t = useTranslations('calendar')
  const state = appointment.state === 'cancelled' ? 'cancelled' : appointment.confirmedAt ? 'confirmed' : 'booked'
  return (
    <li className="flex flex-wrap items-center gap-3">
      <bdi dir="ltr" className="tabular-nums">
        <Clock at={appointment.startsAt} />–<Clock at={appointment.endsAt} />
      </bdi>
      <span className="min-w-0 flex-1">
        {appointment.name && <bdi className="block">{appointment.name}</bdi>}
        {appointment.note && <Written className="text-muted text-sm">{appointment.note}</Written>}
      </span>
      <span className="text-muted">{t(state)}</span>
      {state === 'booked' && <Act onPress={onConfirm}>{t('confirm')}</Act>}
      {state !== 'cancelled' && <Act onPress={onCancel}>{t('cancel')}</Act>}
    </li>
  )
}
