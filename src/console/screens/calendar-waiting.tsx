import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { useLocale } from '../app/i18n.tsx'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Allowed } from '../ui/allowed.tsx'
import { Act } from '../ui/buttons.tsx'
import { addDays, dateOf, momentAt } from '../ui/days.ts'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { offerUndo } from '../ui/notice-queue.ts'
import { Empty, Loaded } from '../ui/states.tsx'
import { isolated } from '../ui/values.tsx'
import type { Service } from './calendar-types.ts'

type Waiting = Out<'waitingList.list'>['items'][number]

const again = {
  onSuccess: () => {
    void queryClient.invalidateQueries({ queryKey: ['waitingList'] })
    void queryClient.invalidateQueries({ queryKey: ['appointments'] })
  },
}

/** Who waits for a time, beside the calendar: those who wait longest first, with what is held for them. */
export function WaitingList({ services, date }: { services: Service[]; date: string }) {
  const t = useTranslations('calendar')
  const title = useId()
  const list = useQuery(query('waitingList.list'))
  const [adding, setAdding] = useState(false)
  return (
    <section
      aria-labelledby={title}
      className="flex max-h-44 shrink-0 flex-col gap-2 overflow-auto border-line border-t px-4 py-2 xl:max-h-none xl:w-72 xl:border-s xl:border-t-0"
    >
      <div className="flex flex-wrap items-center justify-between gap-2">
        <h2 id={title} className="font-semibold">
          {t('waiting')}
        </h2>
        <Allowed to="agent">
          <Act aria-label={t('addWaiting')} onPress={() => setAdding(true)}>
            +
          </Act>
        </Allowed>
      </div>
      <Loaded of={list}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>{t('noWaiting')}</Empty>
          ) : (
            <ul aria-labelledby={title} className="flex flex-col gap-2">
              {items.map((entry) => (
                <Entry key={entry.id} entry={entry} services={services} />
              ))}
            </ul>
          )
        }
      </Loaded>
      {adding && <AddDialog services={services} date={date} onClose={() => setAdding(false)} />}
    </section>
  )
}

function Entry({ entry, services }: { entry: Waiting; services: Service[] }) {
  const t = useTranslations('calendar')
  const format = useFormatter()
  const { locale } = useLocale()
  const cancel = useMutation({ ...mutation('waitingList.cancel'), ...again })
  const add = useMutation({ ...mutation('waitingList.add'), ...again })
  const { id, contactId, serviceId, minutes, from, to, offer } = entry
  const name = entry.name ?? entry.phone ?? '—'
  const service = services.find((each) => each.id === serviceId)
  const clock = (at: string, timeOnly = false) =>
    format.dateTime(new Date(at), timeOnly ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' })
  const comeBack = () => add.mutate({ contactId, minutes, from, to, ...(serviceId ? { serviceId } : {}) })
  return (
    <li className="flex flex-wrap items-start gap-x-3 gap-y-1 rounded-lg border border-line p-3">
      <span className="min-w-0 flex-1">
        <bdi className="break-words font-medium">{name}</bdi>
        {service && (
          <span className="block text-sm">
            <bdi>{locale === 'he' ? service.nameHe : service.nameEn}</bdi>
          </span>
        )}
        <span className="block text-muted text-sm">
          {format.dateTimeRange(new Date(from), new Date(new Date(to).getTime() - 60_000), { dateStyle: 'medium' })}
        </span>
        <span className="block text-sm">
          {offer?.heldUntil
            ? t('offeredUntil', { at: clock(offer.startsAt), until: clock(offer.heldUntil, true) })
            : t(entry.optedOut ? 'waitsOptedOut' : 'waits')}
        </span>
      </span>
      <Allowed to="agent">
        <Act
          aria-label={t('leaveWaiting', { name: isolated(name) })}
          isDisabled={cancel.isPending}
          onPress={() => cancel.mutate({ id }, { onSuccess: () => offerUndo(t('removedWaiting'), comeBack) })}
        >
          {t('remove')}
        </Act>
      </Allowed>
      <Problem error={cancel.error ?? add.error} />
    </li>
  )
}

function AddDialog({ services, date, onClose }: { services: Service[]; date: string; onClose(): void }) {
  const t = useTranslations('calendar')
  const { locale } = useLocale()
  const timeZone = useTimeZone()
  const add = useMutation({ ...mutation('waitingList.add'), ...again })
  const today = dateOf(new Date(), timeZone)
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim()
    const serviceId = text('service')
    add.mutate(
      {
        phone: text('phone'),
        name: text('name') || null,
        from: momentAt(text('from'), '00:00', timeZone).toISOString(),
        to: momentAt(addDays(text('to'), 1), '00:00', timeZone).toISOString(),
        ...(serviceId ? { serviceId } : {}),
      },
      { onSuccess: onClose },
    )
  }
  return (
    <Dialog title={t('addWaiting')} onClose={onClose}>
      <form className="flex flex-col gap-3" onSubmit={onSubmit}>
        <p className="text-muted text-sm">{t('waitHint')}</p>
        {services.length > 0 && (
          <Field label={t('service')}>
            {(className) => (
              <select name="service" className={className}>
                {services.map((each) => (
                  <option key={each.id} value={each.id}>
                    {locale === 'he' ? each.nameHe : each.nameEn}
                  </option>
                ))}
              </select>
            )}
          </Field>
        )}
        <div className="grid grid-cols-2 gap-3">
          {(['from', 'to'] as const).map((name) => (
            <Field key={name} label={t(name === 'from' ? 'waitFrom' : 'waitTo')}>
              {(className) => (
                <input
                  name={name}
                  type="date"
                  required
                  min={today}
                  defaultValue={date < today ? today : date}
                  className={className}
                />
              )}
            </Field>
          ))}
        </div>
        <Field label={t('name')}>
          {(className) => <input name="name" dir="auto" required maxLength={200} className={className} />}
        </Field>
        <Field label={t('phone')}>
          {(className) => <input name="phone" type="tel" dir="ltr" required className={className} />}
        </Field>
        <Problem error={add.error} />
        <Act type="submit" look="main" isDisabled={add.isPending}>
          {t('save')}
        </Act>
      </form>
    </Dialog>
  )
}
