import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTimeZone, useTranslations } from 'use-intl'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { dateOf, momentAt, timeOf } from '../ui/days.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Loaded } from '../ui/states.tsx'
import { Phone, Written } from '../ui/values.tsx'
import { type Appointment, nameOf } from './calendar-types.ts'

const LENGTHS = [15, 30, 45, 60, 90, 120, 180, 240]
const read = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['appointments'] }) }

const text = (form: FormData, name: string) => String(form.get(name) ?? '').trim()

/** Makes an appointment for a person, known or new. */
export function NewAppointmentDialog({ start, onClose }: { start: { date: string; time: string }; onClose(): void }) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  // The same form after a lost answer makes the same appointment.
  const [id] = useState(() => crypto.randomUUID())
  const create = useMutation({ ...mutation('appointments.create'), ...read })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const [phone, name, note] = [text(form, 'phone'), text(form, 'name'), text(form, 'note')]
    create.mutate(
      {
        id,
        startsAt: momentAt(text(form, 'date'), text(form, 'time'), timeZone).toISOString(),
        minutes: Number(form.get('minutes')),
        ...(phone ? { phone } : {}),
        name: name || null,
        note: note || null,
      },
      { onSuccess: onClose },
    )
  }
  return (
    <Dialog title={t('new')} onClose={onClose}>
      <form className="flex flex-col gap-3" onSubmit={onSubmit}>
        <Times date={start.date} time={start.time} minutes={30} />
        <Field label={t('name')}>
          {(className) => <input name="name" dir="auto" required maxLength={200} className={className} />}
        </Field>
        <Field label={t('phone')}>
          {(className) => <input name="phone" type="tel" dir="ltr" className={className} />}
        </Field>
        <Field label={t('note')}>
          {(className) => <textarea name="note" dir="auto" rows={2} maxLength={2000} className={className} />}
        </Field>
        <Problem error={create.error} />
        <Act type="submit" look="main" isDisabled={create.isPending}>
          {t('save')}
        </Act>
      </form>
    </Dialog>
  )
}

function Times({ date, time, minutes }: { date: string; time: string; minutes: number }) {
  const t = useTranslations('calendar')
  const lengths = [...new Set([...LENGTHS, minutes])].sort((a, b) => a - b)
  return (
    <>
      <Field label={t('date')}>
        {(className) => <input name="date" type="date" required defaultValue={date} className={className} />}
      </Field>
      <div className="grid grid-cols-2 gap-3">
        <Field label={t('time')}>
          {(className) => <input name="time" type="time" required defaultValue={time} className={className} />}
        </Field>
        <Field label={t('length')}>
          {(className) => (
            <select name="minutes" defaultValue={minutes} className={className}>
              {lengths.map((length) => (
                <option key={length} value={length}>
                  {t('minutes', { count: length })}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </>
  )
}

type DialogProps = { onClose(): void }

/** One appointment: with whom, another time, confirmed or cancelled. */
export function AppointmentDialog({ id, ...props }: DialogProps & { id: string }) {
  const t = useTranslations('calendar')
  const found = useQuery(query('appointments.get', { id }))
  return (
    <Dialog title={found.data ? nameOf(found.data) : t('title')} onClose={props.onClose}>
      <Loaded of={found}>{(appointment) => <Details appointment={appointment} {...props} />}</Loaded>
    </Dialog>
  )
}

function Details({ appointment, onClose }: DialogProps & { appointment: Appointment }) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const { id } = appointment
  const [startsAt, endsAt] = [new Date(appointment.startsAt), new Date(appointment.endsAt)]
  const move = useMutation({ ...mutation('appointments.move'), ...read })
  const confirm = useMutation({ ...mutation('appointments.confirm'), ...read })
  const cancel = useMutation({ ...mutation('appointments.cancel'), ...read })
  const restore = useMutation({ ...mutation('appointments.restore'), ...read })
  const state = appointment.state === 'cancelled' ? 'cancelled' : appointment.confirmedAt ? 'confirmed' : 'booked'
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const to = momentAt(text(form, 'date'), text(form, 'time'), timeZone).toISOString()
    move.mutate({ id, startsAt: to, minutes: Number(form.get('minutes')) }, { onSuccess: onClose })
  }
  return (
    <div className="flex flex-col gap-3">
      <p className="text-muted">{t(state)}</p>
      {appointment.phone && <Phone value={appointment.phone} />}
      {appointment.note && <Written>{appointment.note}</Written>}
      <p className="flex flex-wrap gap-4">
        {appointment.contactId && (
          <Link to="/inbox" search={{ view: 'all', contact: appointment.contactId }} className="underline">
            {t('openConversation')}
          </Link>
        )}
        {appointment.callId && (
          <Link to="/calls/$callId" params={{ callId: appointment.callId }} className="underline">
            {t('openCall')}
          </Link>
        )}
      </p>
      <form className="flex flex-col gap-3" onSubmit={onSubmit}>
        <Times
          date={dateOf(startsAt, timeZone)}
          time={timeOf(startsAt, timeZone)}
          minutes={(endsAt.getTime() - startsAt.getTime()) / 60_000}
        />
        <Problem error={move.error ?? confirm.error ?? cancel.error ?? restore.error} />
        <div className="flex flex-wrap gap-2">
          <Act type="submit" look="main" isDisabled={move.isPending}>
            {t('move')}
          </Act>
          {state === 'booked' && (
            <Act onPress={() => confirm.mutate({ id, confirmed: true }, { onSuccess: onClose })}>{t('confirm')}</Act>
          )}
          {state === 'cancelled' ? (
            <Act onPress={() => restore.mutate({ id }, { onSuccess: onClose })}>{t('restore')}</Act>
          ) : (
            <Act
              onPress={() =>
                cancel.mutate(
                  { id },
                  {
                    onSuccess: () => {
                      offerUndo(t('wasCancelled'), () => restore.mutate({ id }))
                      onClose()
                    },
                  },
                )
              }
            >
              {t('cancel')}
            </Act>
          )}
        </div>
      </form>
    </div>
  )
}
