import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { useLocale } from '../../app/i18n.tsx'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { isolated, Money } from '../../ui/values.tsx'
import { agorotOf, bookingAgain, Check, choiceOf, Group, numberOf, textOf } from './booking-parts.tsx'

type Service = Out<'booking.services'>['items'][number]
type Staff = Out<'booking.staff'>['items']
const PLACES = ['business', 'customer', 'phone'] as const

/** What customers can book, in the order in which they see it. */
export function ServiceSettings() {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const services = useQuery(query('booking.services'))
  const staff = useQuery(query('booking.staff'))
  const [editing, setEditing] = useState<Service | 'new' | null>(null)
  return (
    <Panel title={t('services')}>
      <p className="text-muted">{t('servicesIntro')}</p>
      <Loaded of={services}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty>{t('noServices')}</Empty>
          ) : (
            <ServiceList items={items} staff={staff.data?.items ?? []} onEdit={setEditing} />
          )
        }
      </Loaded>
      {may('manager') && (
        <Act look="main" className="self-start" onPress={() => setEditing('new')}>
          {t('newService')}
        </Act>
      )}
      {editing && (
        <ServiceDialog
          service={editing === 'new' ? null : editing}
          staff={staff.data?.items ?? []}
          onClose={() => setEditing(null)}
        />
      )}
    </Panel>
  )
}

function ServiceList({ items, staff, onEdit }: { items: Service[]; staff: Staff; onEdit(service: Service): void }) {
  const t = useTranslations('booking')
  const order = useOrder()
  const archive = useMutation({ ...mutation('booking.archiveService'), ...bookingAgain })
  const shift = (at: number, by: 1 | -1) => {
    const ids = items.map(({ id }) => id)
    const [moved] = ids.splice(at, 1)
    if (moved) order.mutate({ ids: ids.toSpliced(at + by, 0, moved) })
  }
  return (
    <>
      <ol aria-label={t('services')} className="flex flex-col gap-3">
        {items.map((service, at) => (
          <ServiceRow
            key={service.id}
            service={service}
            staff={staff}
            isFirst={at === 0}
            isLast={at === items.length - 1}
            onEdit={() => onEdit(service)}
            onShift={(by) => shift(at, by)}
            onArchive={() => archive.mutate({ id: service.id })}
          />
        ))}
      </ol>
      <Problem error={order.error ?? archive.error} />
    </>
  )
}

/** Shows the new order at once, and the earlier one when it is refused. */
function useOrder() {
  const { queryKey } = query('booking.services')
  return useMutation({
    ...mutation('booking.orderServices'),
    onMutate: async ({ ids }) => {
      await queryClient.cancelQueries({ queryKey })
      const before = queryClient.getQueryData(queryKey)
      const place = (id: string) => ids.indexOf(id)
      queryClient.setQueryData(
        queryKey,
        (old) => old && { ...old, items: old.items.toSorted((a, b) => place(a.id) - place(b.id)) },
      )
      return { before }
    },
    onError: (_error, _input, context) => queryClient.setQueryData(queryKey, context?.before),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['booking'] }),
  })
}

function ServiceRow({
  service,
  staff,
  isFirst,
  isLast,
  onEdit,
  onShift,
  onArchive,
}: {
  service: Service
  staff: Staff
  isFirst: boolean
  isLast: boolean
  onEdit(): void
  onShift(by: 1 | -1): void
  onArchive(): void
}) {
  const t = useTranslations('booking')
  const { locale } = useLocale()
  const { may } = useAccess()
  const name = isolated(serviceName(service, locale))
  const { bufferBefore, bufferAfter, staffIds } = service
  const givers = staff.filter(({ id }) => staffIds.includes(id)).map((each) => each.name)
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <strong className="min-w-0 break-words">
        <bdi>{serviceName(service, locale)}</bdi>
      </strong>
      <p className="flex flex-wrap gap-x-3 text-muted text-sm">
        <span>{t('lasts', { count: service.minutes })}</span>
        {bufferBefore + bufferAfter > 0 && <span>{t('buffers', { before: bufferBefore, after: bufferAfter })}</span>}
        {service.price !== null && <Money amount={service.price} currency="ILS" />}
        {service.deposit !== null && (
          <span>
            {t('deposit')} <Money amount={service.deposit} currency="ILS" />
          </span>
        )}
        <span>{t(`place.${service.place}`)}</span>
        {!service.online && <span>{t('notOnline')}</span>}
        <span>{givers.length === 0 ? t('anybody') : <bdi>{givers.join(', ')}</bdi>}</span>
      </p>
      {may('manager') && (
        <div className="flex flex-wrap items-center gap-2">
          <Act aria-label={t('editOf', { name })} onPress={onEdit}>
            {t('edit')}
          </Act>
          <Act look="quiet" aria-label={t('up', { name })} isDisabled={isFirst} onPress={() => onShift(-1)}>
            ↑
          </Act>
          <Act look="quiet" aria-label={t('down', { name })} isDisabled={isLast} onPress={() => onShift(1)}>
            ↓
          </Act>
          <Confirm label={t('archive')} question={t('archiveService', { name })} onConfirm={onArchive} />
        </div>
      )}
    </li>
  )
}

/** Makes a service, or changes one. */
function ServiceDialog({ service, staff, onClose }: { service: Service | null; staff: Staff; onClose(): void }) {
  const t = useTranslations('booking')
  const state = useTranslations('state')
  const { locale } = useLocale()
  const save = useMutation({ ...mutation('booking.saveService'), ...bookingAgain })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    // One name is enough for a business of one language.
    const [he, en] = [textOf(form, 'nameHe'), textOf(form, 'nameEn')]
    save.mutate(
      {
        ...(service ? { id: service.id } : {}),
        nameHe: he || en,
        nameEn: en || he,
        minutes: numberOf(form, 'minutes'),
        bufferBefore: numberOf(form, 'bufferBefore'),
        bufferAfter: numberOf(form, 'bufferAfter'),
        price: agorotOf(form, 'price'),
        deposit: agorotOf(form, 'deposit'),
        place: choiceOf(PLACES, textOf(form, 'place')),
        online: form.has('online'),
        staffIds: form.getAll('staffIds').map(String),
      },
      { onSuccess: onClose },
    )
  }
  return (
    <Dialog title={service ? serviceName(service, locale) : t('newService')} onClose={onClose}>
      <form className="flex flex-col gap-4" onSubmit={onSubmit}>
        <Names service={service} />
        <Lengths service={service} />
        <Prices service={service} />
        <Field label={t('where')}>
          {(className) => (
            <select name="place" defaultValue={service?.place ?? 'business'} className={className}>
              {PLACES.map((each) => (
                <option key={each} value={each}>
                  {t(`place.${each}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Group title={t('givers')} hint={t('giversHint')}>
          {staff.map(({ id, name }) => (
            <Check key={id} name="staffIds" value={id} defaultChecked={service?.staffIds.includes(id) ?? false}>
              <bdi>{name}</bdi>
            </Check>
          ))}
        </Group>
        <Check name="online" defaultChecked={service?.online ?? true}>
          {t('online')}
        </Check>
        <Problem error={save.error} />
        <Act type="submit" look="main" isDisabled={save.isPending}>
          {state('save')}
        </Act>
      </form>
    </Dialog>
  )
}

function Names({ service }: { service: Service | null }) {
  const t = useTranslations('booking')
  const { locale } = useLocale()
  const names = [
    <Field key="he" label={t('nameHe')}>
      {(className) => (
        <input
          name="nameHe"
          dir="rtl"
          lang="he"
          required={locale === 'he'}
          maxLength={120}
          defaultValue={service?.nameHe ?? ''}
          className={className}
        />
      )}
    </Field>,
    <Field key="en" label={t('nameEn')}>
      {(className) => (
        <input
          name="nameEn"
          dir="ltr"
          lang="en"
          required={locale === 'en'}
          maxLength={120}
          defaultValue={service?.nameEn ?? ''}
          className={className}
        />
      )}
    </Field>,
  ]
  return <div className="flex flex-col gap-4">{locale === 'he' ? names : names.toReversed()}</div>
}

function Lengths({ service }: { service: Service | null }) {
  const t = useTranslations('booking')
  return (
    <div className="grid grid-cols-3 items-end gap-3">
      <Minutes name="minutes" label={t('length')} min={5} max={1_440} value={service?.minutes ?? 30} />
      <Minutes name="bufferBefore" label={t('bufferBefore')} max={480} value={service?.bufferBefore ?? 0} />
      <Minutes name="bufferAfter" label={t('bufferAfter')} max={480} value={service?.bufferAfter ?? 0} />
    </div>
  )
}

function Minutes({ min = 0, ...props }: { name: string; label: string; min?: number; max: number; value: number }) {
  return (
    <Field label={props.label}>
      {(className) => (
        <input
          name={props.name}
          type="number"
          inputMode="numeric"
          min={min}
          max={props.max}
          required
          defaultValue={props.value}
          className={className}
        />
      )}
    </Field>
  )
}

function Prices({ service }: { service: Service | null }) {
  const t = useTranslations('booking')
  return (
    <div className="grid grid-cols-2 gap-3">
      <Shekels name="price" label={t('price')} hint={t('priceHint')} min={0} value={service?.price ?? null} />
      <Shekels name="deposit" label={t('deposit')} hint={t('depositHint')} min={1} value={service?.deposit ?? null} />
    </div>
  )
}

function Shekels(props: { name: string; label: string; hint: string; min: number; value: number | null }) {
  return (
    <Field label={`${props.label} (₪)`} hint={props.hint}>
      {(className) => (
        <input
          name={props.name}
          type="number"
          inputMode="decimal"
          min={props.min}
          max={1_000_000}
          step="0.01"
          defaultValue={props.value === null ? '' : props.value / 100}
          className={className}
        />
      )}
    </Field>
  )
}

const serviceName = ({ nameHe, nameEn }: Service, locale: 'he' | 'en') => (locale === 'he' ? nameHe : nameEn)
