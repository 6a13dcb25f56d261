import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { useLocale } from '../../app/i18n.tsx'
import { mutation, type Out, query } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { HoursEditor, type Week } from '../../ui/hours.tsx'
import { STAFF_COLORS, StaffDot } from '../../ui/staff-dot.tsx'
import { Loaded } from '../../ui/states.tsx'
import { isolated } from '../../ui/values.tsx'
import { AbsencePanel } from './absences.tsx'
import { bookingAgain, Check, Group, numberOf, textOf } from './booking-parts.tsx'
import { TravelPanel } from './travel.tsx'

type Person = Out<'booking.staff'>['items'][number]
type Services = Out<'booking.services'>['items']

/** Who gives appointments, when they are away, and how long they travel. */
export function StaffSettings() {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const staff = useQuery(query('booking.staff'))
  const services = useQuery(query('booking.services'))
  const archive = useMutation({ ...mutation('booking.archiveStaff'), ...bookingAgain })
  const [editing, setEditing] = useState<Person | 'new' | null>(null)
  const given = services.data?.items ?? []
  return (
    <>
      <Panel title={t('staff')}>
        <p className="text-muted">{t('staffIntro')}</p>
        <Loaded of={staff}>
          {({ items }) => (
            <ul aria-label={t('staff')} className="flex flex-col gap-3">
              {items.map((person) => (
                <StaffRow
                  key={person.id}
                  person={person}
                  isOnly={items.length === 1}
                  onEdit={() => setEditing(person)}
                  onArchive={() => archive.mutate({ id: person.id })}
                />
              ))}
            </ul>
          )}
        </Loaded>
        <Problem error={archive.error} />
        {may('manager') && (
          <Act look="main" className="self-start" onPress={() => setEditing('new')}>
            {t('newPerson')}
          </Act>
        )}
        {editing && services.data && (
          <StaffDialog
            person={editing === 'new' ? null : editing}
            services={given}
            isOnly={editing !== 'new' && staff.data?.items.length === 1}
            onClose={() => setEditing(null)}
          />
        )}
      </Panel>
      <AbsencePanel staff={staff.data?.items ?? []} />
      <TravelPanel />
    </>
  )
}

function StaffRow({
  person,
  isOnly,
  onEdit,
  onArchive,
}: {
  person: Person
  isOnly: boolean
  onEdit(): void
  onArchive(): void
}) {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const name = isolated(person.name)
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <strong className="flex min-w-0 items-center gap-2">
        <StaffDot color={person.color} />
        <bdi className="min-w-0 break-words">{person.name}</bdi>
      </strong>
      <p className="flex flex-wrap gap-x-3 text-muted text-sm">
        <span>{person.hours ? t('ownHours') : t('businessHours')}</span>
        {person.capacity > 1 && <span>{t('seats', { count: person.capacity })}</span>}
        {person.isDefault && <span>{t('isDefault')}</span>}
      </p>
      {may('manager') && (
        <div className="flex flex-wrap items-center gap-2">
          <Act aria-label={t('editOf', { name })} onPress={onEdit}>
            {t('edit')}
          </Act>
          {!isOnly && <Confirm label={t('archive')} question={t('archivePerson', { name })} onConfirm={onArchive} />}
        </div>
      )}
    </li>
  )
}

/** Adds a person, or changes one. */
function StaffDialog({
  person,
  services,
  isOnly,
  onClose,
}: {
  person: Person | null
  services: Services
  isOnly: boolean
  onClose(): void
}) {
  const t = useTranslations('booking')
  const state = useTranslations('state')
  const save = useMutation({ ...mutation('booking.saveStaff'), ...bookingAgain })
  const [hours, setHours] = useState<Week | null>(person?.hours ? weekOf(person.hours) : null)
  const [breaks, setBreaks] = useState<Week>(weekOf(person?.breaks ?? {}))
  const business = useQuery(query('businesses.get'))
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const color = STAFF_COLORS.find((each) => each === textOf(form, 'color'))
    save.mutate(
      {
        ...(person ? { id: person.id } : {}),
        ...(color ? { color } : {}),
        name: textOf(form, 'name'),
        memberId: textOf(form, 'memberId') || null,
        hours,
        breaks,
        capacity: numberOf(form, 'capacity'),
        serviceIds: form.getAll('serviceIds').map(String),
      },
      { onSuccess: onClose },
    )
  }
  return (
    <Dialog title={person?.name ?? t('newPerson')} onClose={onClose}>
      <form className="flex flex-col gap-4" onSubmit={onSubmit}>
        <Who person={person} />
        <Colors person={person} />
        <label className="flex min-h-9 items-center gap-2">
          <input
            type="checkbox"
            className="size-4"
            checked={hours === null}
            onChange={(event) =>
              setHours(event.target.checked ? null : business.data?.hours ? weekOf(business.data.hours) : USUAL_WEEK)
            }
          />
          {t('businessHours')}
        </label>
        {hours && (
          <Group title={t('ownHours')}>
            <HoursEditor value={hours} onChange={setHours} />
          </Group>
        )}
        <details>
          <summary className="min-h-9 cursor-pointer py-1 font-medium">{t('breaks')}</summary>
          <HoursEditor value={breaks} onChange={setBreaks} empty={t('noBreak')} first={['13:00', '13:30']} />
        </details>
        {services.length > 0 && <Gives person={person} services={services} isOnly={isOnly} />}
        <Problem error={save.error} />
        <Act type="submit" look="main" isDisabled={save.isPending}>
          {state('save')}
        </Act>
      </form>
    </Dialog>
  )
}

/** Spans have come as lists of two. */
const weekOf = (hours: NonNullable<Person['hours']>): Week =>
  Object.fromEntries(
    Object.entries(hours).map(([day, spans]) => [day, spans.map(([from = '00:00', to = '24:00']) => [from, to])]),
  )

const USUAL_WEEK: Week = Object.fromEntries(
  (['sun', 'mon', 'tue', 'wed', 'thu'] as const).map((day) => [day, [['09:00', '17:00']]]),
)

function Who({ person }: { person: Person | null }) {
  const t = useTranslations('booking')
  const members = useQuery(query('members.list', {}))
  return (
    <>
      <Field label={t('name')}>
        {(className) => (
          <input
            name="name"
            dir="auto"
            required
            maxLength={120}
            defaultValue={person?.name ?? ''}
            className={className}
          />
        )}
      </Field>
      <div className="grid grid-cols-2 items-start gap-3">
        <Field label={t('capacity')} hint={t('capacityHint')}>
          {(className) => (
            <input
              name="capacity"
              type="number"
              inputMode="numeric"
              min={1}
              max={100}
              required
              defaultValue={person?.capacity ?? 1}
              className={className}
            />
          )}
        </Field>
        <Field label={t('member')} hint={t('memberHint')}>
          {(className) => (
            <select
              // Anew once the members are there, so that the right one is chosen.
              key={members.data ? 'here' : 'away'}
              name="memberId"
              defaultValue={person?.memberId ?? ''}
              className={className}
            >
              <option value="">{t('noMember')}</option>
              {members.data?.items.map(({ id, name, email }) => (
                <option key={id} value={id}>
                  {name || email}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </>
  )
}

function Colors({ person }: { person: Person | null }) {
  const t = useTranslations('booking')
  return (
    <Group title={t('color')}>
      <div className="flex flex-wrap gap-x-4 gap-y-1">
        {STAFF_COLORS.map((color) => (
          <label key={color} className="flex min-h-9 items-center gap-2">
            <input type="radio" name="color" value={color} defaultChecked={person?.color === color} />
            <StaffDot color={color} />
            {t(`colors.${color}`)}
          </label>
        ))}
      </div>
    </Group>
  )
}

/** A service that names no one is given by all, also by who comes later. */
function Gives({ person, services, isOnly }: { person: Person | null; services: Services; isOnly: boolean }) {
  const t = useTranslations('booking')
  const { locale } = useLocale()
  return (
    <Group title={t('gives')} {...(isOnly ? { hint: t('givesAll') } : {})}>
      {services.map(({ id, nameHe, nameEn, staffIds }) => (
        <Check
          key={id}
          name="serviceIds"
          value={id}
          defaultChecked={staffIds.length === 0 || (person !== null && staffIds.includes(person.id))}
        >
          <bdi>{locale === 'he' ? nameHe : nameEn}</bdi>
        </Check>
      ))}
    </Group>
  )
}
