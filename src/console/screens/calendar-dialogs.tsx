import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTimeZone, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { useLocale } from '../app/i18n.tsx'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { dateOf, momentAt, timeOf } from '../ui/days.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { StaffDot } from '../ui/staff-dot.tsx'
import { Loaded } from '../ui/states.tsx'
import { Clock, Money, Phone, Written } from '../ui/values.tsx'
import { type Appointment, lengthOf, nameOf, type Service, type Staff, standing } from './calendar-types.ts'
import { type When, WhenFields } from './calendar-when.tsx'

const read = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['appointments'] }) }

const text = (form: FormData, name: string) => String(form.get(name) ?? '').trim()

type DialogProps = { staff: Staff[]; onClose(): void }

/** Makes an appointment for a person, known or new. */
export function NewAppointmentDialog({
  start,
  services,
  staff,
  onClose,
}: DialogProps & { start: { date: string; time: string; staffId?: string | undefined }; services: Service[] }) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  // The same form after a lost answer makes the same appointment.
  const [id] = useState(() => crypto.randomUUID())
  const [when, setWhen] = useState<When>({ minutes: 30, serviceId: '', staffId: '', ...start })
  const create = useMutation({ ...mutation('appointments.create'), ...read })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const [phone, name, note] = [text(form, 'phone'), text(form, 'name'), text(form, 'note')]
    const { date, time, minutes, serviceId, staffId } = when
    create.mutate(
      {
        id,
        startsAt: momentAt(date, time, timeZone).toISOString(),
        minutes,
        ...(phone ? { phone } : {}),
        ...(serviceId ? { serviceId } : {}),
        ...(staffId ? { staffId } : {}),
        name: name || null,
        note: note || null,
        hold: form.get('hold') !== null,
      },
      { onSuccess: onClose },
    )
  }
  return (
    <Dialog title={t('new')} onClose={onClose}>
      <form className="flex flex-col gap-3" onSubmit={onSubmit}>
        <WhenFields value={when} onChange={setWhen} services={services} staff={staff} />
        <Field label={t('name')}>
          {(className) => <input name="name" dir="auto" required maxLength={200} className={className} />}
        </Field>
        <Field label={t('phone')}>
          {(className) => <input name="phone" type="tel" dir="ltr" className={className} />}
        </Field>
        <Field label={t('note')}>
          {(className) => <textarea name="note" dir="auto" rows={2} maxLength={2000} className={className} />}
        </Field>
        <label className="flex min-h-11 items-center gap-2">
          <input type="checkbox" name="hold" />
          {t('onlyKeep')}
        </label>
        <Problem error={create.error} />
        <Act type="submit" look="main" isDisabled={create.isPending}>
          {t('save')}
        </Act>
      </form>
    </Dialog>
  )
}

/** With whom it is and what is to be known of it; saved by itself, the time stays. */
function NameAndNote({ appointment, onClose }: { appointment: Appointment; onClose(): void }) {
  const t = useTranslations('calendar')
  const { id, name, contactName, note } = appointment
  const update = useMutation({ ...mutation('appointments.update'), ...read })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const before = { name, note }
    const after = { name: text(form, 'name') || null, note: text(form, 'note') || null }
    if (after.name === before.name && after.note === before.note) return
    update.mutate(
      { id, ...after },
      {
        onSuccess: () => {
          offerUndo(t('detailsSaved'), () => update.mutate({ id, ...before }))
          onClose()
        },
      },
    )
  }
  return (
    <form className="flex flex-col gap-3" onSubmit={onSubmit}>
      <Field label={t('name')}>
        {(className) => (
          <input
            name="name"
            dir="auto"
            maxLength={200}
            placeholder={contactName ?? undefined}
            defaultValue={name ?? ''}
            className={className}
          />
        )}
      </Field>
      <Field label={t('note')}>
        {(className) => (
          <textarea name="note" dir="auto" rows={2} maxLength={2000} defaultValue={note ?? ''} className={className} />
        )}
      </Field>
      <Problem error={update.error} />
      <Act type="submit" className="self-start" isDisabled={update.isPending}>
        {t('saveDetails')}
      </Act>
    </form>
  )
}

/** One appointment: with whom, for what, another time, confirmed, cancelled or not kept. */
export function AppointmentDialog({ id, ...props }: DialogProps & { id: string; services: Service[] }) {
  const t = useTranslations('calendar')
  const found = useQuery(query('appointments.get', { id }))
  return (
    <Dialog title={found.data ? nameOf(found.data) : t('title')} onClose={props.onClose}>
      <Loaded of={found}>{(appointment) => <Details appointment={appointment} {...props} />}</Loaded>
    </Dialog>
  )
}

function Details({
  appointment,
  services,
  staff,
  onClose,
}: DialogProps & { appointment: Appointment; services: Service[] }) {
  const t = useTranslations('calendar')
  const mayWork = useAccess().may('agent')
  return (
    <div className="flex flex-col gap-3">
      <Standing appointment={appointment} services={services} staff={staff} />
      {appointment.phone && <Phone value={appointment.phone} />}
      {mayWork ? (
        <NameAndNote appointment={appointment} onClose={onClose} />
      ) : (
        appointment.note && <Written>{appointment.note}</Written>
      )}
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
      <Allowed to="agent">
        <Changes appointment={appointment} staff={staff} onClose={onClose} />
      </Allowed>
    </div>
  )
}

/** How it stands, what it is for, who gives it, and its deposit. */
function Standing({ appointment, services, staff }: { appointment: Appointment; services: Service[]; staff: Staff[] }) {
  const t = useTranslations('calendar')
  const money = useTranslations('money')
  const { locale } = useLocale()
  const service = services.find(({ id }) => id === appointment.serviceId)
  const giver = staff.find(({ id }) => id === appointment.staffId)
  const { heldUntil, deposit, customerConfirmedAt } = appointment
  const state = standing(appointment)
  return (
    <div className="flex flex-col gap-1 text-muted">
      <p>
        {t(state)}
        {state === 'held' && heldUntil && (
          <>
            {' · '}
            {t('until')} <Clock at={heldUntil} />
          </>
        )}
        {customerConfirmedAt && ` · ${t('customerConfirmed')}`}
      </p>
      {(service || (giver && staff.length > 1)) && (
        <p className="flex flex-wrap items-center gap-x-3">
          {service && <bdi>{locale === 'he' ? service.nameHe : service.nameEn}</bdi>}
          {giver && staff.length > 1 && (
            <span className="inline-flex items-center gap-1">
              <StaffDot color={giver.color} />
              <bdi>{giver.name}</bdi>
            </span>
          )}
        </p>
      )}
      {deposit && (
        <p>
          {t('deposit')} <Money amount={deposit.amount} currency={deposit.currency} /> · {money(deposit.state)}
        </p>
      )}
      {appointment.refundDueAt && deposit?.state === 'paid' && <p className="text-danger">{t('refundDue')}</p>}
    </div>
  )
}

/** Another time, and what else is decided about it. */
function Changes({ appointment, staff, onClose }: DialogProps & { appointment: Appointment }) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const { id, staffId, state } = appointment
  const startsAt = new Date(appointment.startsAt)
  const before: When = {
    ...{ date: dateOf(startsAt, timeZone), time: timeOf(startsAt, timeZone), minutes: lengthOf(appointment) },
    ...{ serviceId: '', staffId },
  }
  const [when, setWhen] = useState(before)
  const book = useMutation({ ...mutation('appointments.book'), ...read })
  const move = useMutation({ ...mutation('appointments.move'), ...read })
  const confirm = useMutation({ ...mutation('appointments.confirm'), ...read })
  const cancel = useMutation({ ...mutation('appointments.cancel'), ...read })
  const restore = useMutation({ ...mutation('appointments.restore'), ...read })
  const noShow = useMutation({ ...mutation('appointments.noShow'), ...read })
  const isTaking = state === 'booked' || state === 'held'
  /** Done, with a way back. */
  const undoing = (said: string) => ({
    onSuccess: () => {
      offerUndo(said, () => restore.mutate({ id }))
      onClose()
    },
  })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const to = momentAt(when.date, when.time, timeZone).toISOString()
    move.mutate({ id, startsAt: to, minutes: when.minutes, staffId: when.staffId }, { onSuccess: onClose })
  }
  return (
    <form className="flex flex-col gap-3" onSubmit={onSubmit}>
      {state === 'held' && (
        <Act look="main" isDisabled={book.isPending} onPress={() => book.mutate({ id }, { onSuccess: onClose })}>
          {t('bookHeld')}
        </Act>
      )}
      {isTaking && <WhenFields value={when} onChange={setWhen} services={[]} staff={staff} appointmentId={id} />}
      <Problem error={book.error ?? move.error ?? confirm.error ?? cancel.error ?? noShow.error ?? restore.error} />
      <div className="flex flex-wrap gap-2">
        {isTaking && (
          <Act type="submit" {...(state === 'held' ? {} : { look: 'main' })} isDisabled={move.isPending}>
            {t('move')}
          </Act>
        )}
        {state === 'booked' && appointment.confirmedAt === null && (
          <Act onPress={() => confirm.mutate({ id, confirmed: true }, { onSuccess: onClose })}>{t('confirm')}</Act>
        )}
        {state === 'booked' && startsAt <= new Date() && (
          <Act onPress={() => noShow.mutate({ id }, undoing(t('wasNoShow')))}>{t('markNoShow')}</Act>
        )}
        {isTaking && (
          // What was only held is not brought back as booked.
          <Act
            onPress={() =>
              cancel.mutate({ id }, state === 'held' ? { onSuccess: onClose } : undoing(t('wasCancelled')))
            }
          >
            {t('cancel')}
          </Act>
        )}
        {!isTaking && (
          <Act onPress={() => restore.mutate({ id }, { onSuccess: onClose })}>
            {t(state === 'no_show' ? 'didCome' : 'restore')}
          </Act>
        )}
      </div>
    </form>
  )
}
