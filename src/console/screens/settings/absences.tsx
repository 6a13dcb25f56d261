import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { PageError } from '../../app/errors.ts'
import { mutation, type Out, query } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { addDays, dateOf, momentAt, timeOf } from '../../ui/days.ts'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { offerUndo } from '../../ui/notice-queue.ts'
import { Empty, Loaded } from '../../ui/states.tsx'
import { isolated } from '../../ui/values.tsx'
import { bookingAgain, textOf } from './booking-parts.tsx'

type Staff = Out<'booking.staff'>['items']
type Absence = Out<'booking.absences'>['items'][number]

/** When staff is away, by day or by hour. */
export function AbsencePanel({ staff }: { staff: Staff }) {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const absences = useQuery(query('booking.absences'))
  return (
    <Panel title={t('absences')}>
      <p className="text-muted">{t('absencesIntro')}</p>
      <Loaded of={absences}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>{t('noAbsences')}</Empty>
          ) : (
            <ul aria-label={t('absences')} className="flex flex-col gap-2">
              {items.map((absence) => (
                <AbsenceRow
                  key={absence.id}
                  absence={absence}
                  name={staff.find(({ id }) => id === absence.staffId)?.name ?? ''}
                />
              ))}
            </ul>
          )
        }
      </Loaded>
      {may('manager') && staff.length > 0 && <NewAbsence staff={staff} />}
    </Panel>
  )
}

function AbsenceRow({ absence, name }: { absence: Absence; name: string }) {
  const t = useTranslations('booking')
  const say = useSpan()
  const { may } = useAccess()
  const add = useMutation({ ...mutation('booking.addAbsence'), ...bookingAgain })
  const remove = useMutation({ ...mutation('booking.removeAbsence'), ...bookingAgain })
  const { id, staffId, startsAt, endsAt, reason, affected } = absence
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 rounded-lg border border-line p-3">
      <span className="min-w-0 flex-1">
        <bdi className="font-medium">{name}</bdi>
        {reason && (
          <>
            {' · '}
            <bdi>{reason}</bdi>
          </>
        )}
        <span className="block text-muted text-sm">{say(startsAt, endsAt)}</span>
        {affected > 0 && <span className="block text-sm text-warn">{t('affected', { count: affected })}</span>}
      </span>
      {may('manager') && (
        <Act
          aria-label={t('removeAbsence', { name: isolated(name), at: say(startsAt, endsAt) })}
          onPress={() =>
            remove.mutate(
              { id },
              {
                onSuccess: () =>
                  offerUndo(t('absenceRemoved'), () => add.mutate({ staffId, startsAt, endsAt, reason })),
              },
            )
          }
        >
          {t('remove')}
        </Act>
      )}
      <Problem error={remove.error ?? add.error} />
    </li>
  )
}

/** Whole days without their hours. */
function useSpan() {
  const format = useFormatter()
  const timeZone = useTimeZone()
  return (startsAt: string, endsAt: string): string => {
    const [from, to] = [new Date(startsAt), new Date(endsAt)]
    const isWhole = timeOf(from, timeZone) === '00:00' && timeOf(to, timeZone) === '00:00'
    return format.dateTimeRange(
      from,
      isWhole ? new Date(to.getTime() - 60_000) : to,
      isWhole ? { dateStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' },
    )
  }
}

function NewAbsence({ staff }: { staff: Staff }) {
  const t = useTranslations('booking')
  const timeZone = useTimeZone()
  const add = useMutation({ ...mutation('booking.addAbsence'), ...bookingAgain })
  const [isByHour, setByHour] = useState(false)
  const [order, setOrder] = useState<PageError | null>(null)
  const today = dateOf(new Date(), timeZone)
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const element = event.currentTarget
    const form = new FormData(element)
    const [from, to] = [textOf(form, 'from'), textOf(form, 'to')]
    const startsAt = momentAt(from, isByHour ? textOf(form, 'fromTime') : '00:00', timeZone)
    const endsAt = isByHour
      ? momentAt(to, textOf(form, 'toTime'), timeZone)
      : momentAt(addDays(to, 1), '00:00', timeZone)
    setOrder(startsAt < endsAt ? null : new PageError(t('endsBefore')))
    if (startsAt >= endsAt) return
    add.mutate(
      {
        staffId: textOf(form, 'staffId'),
        startsAt: startsAt.toISOString(),
        endsAt: endsAt.toISOString(),
        reason: textOf(form, 'reason') || null,
      },
      { onSuccess: () => element.reset() },
    )
  }
  const day = (name: 'from' | 'to', label: string) => (
    <Field label={label}>
      {(className) => <input name={name} type="date" required defaultValue={today} className={className} />}
    </Field>
  )
  const clock = (name: 'fromTime' | 'toTime', label: string, usual: string) =>
    isByHour && (
      <Field label={label}>
        {(className) => <input name={name} type="time" required defaultValue={usual} className={className} />}
      </Field>
    )
  return (
    <form className="flex flex-col gap-3 border-line border-t pt-3" onSubmit={onSubmit}>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label={t('who')}>
          {(className) => (
            <select name="staffId" className={className}>
              {staff.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={t('reason')}>
          {(className) => <input name="reason" dir="auto" list="reasons" maxLength={200} className={className} />}
        </Field>
        <datalist id="reasons">
          {(['holiday', 'sick', 'training'] as const).map((each) => (
            <option key={each} value={t(`reasons.${each}`)} />
          ))}
        </datalist>
      </div>
      <label className="flex min-h-9 items-center gap-2">
        <input
          type="checkbox"
          className="size-4"
          checked={isByHour}
          onChange={(event) => setByHour(event.target.checked)}
        />
        {t('byHour')}
      </label>
      <div className={`grid gap-3 ${isByHour ? 'grid-cols-2' : 'sm:grid-cols-2'}`}>
        {day('from', t('fromDay'))}
        {clock('fromTime', t('fromTime'), '09:00')}
        {day('to', t('toDay'))}
        {clock('toTime', t('toTime'), '13:00')}
      </div>
      <Problem error={order ?? add.error} />
      <Act type="submit" className="self-start" isDisabled={add.isPending}>
        {t('addAbsence')}
      </Act>
    </form>
  )
}
