import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { useLocale } from '../app/i18n.tsx'
import { query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { dateOf } from '../ui/days.ts'
import { Field } from '../ui/fields.tsx'
import { Clock } from '../ui/values.tsx'
import type { Service, Staff } from './calendar-types.ts'

const LENGTHS = [15, 30, 45, 60, 90, 120, 180, 240]
const MOST = 40

/** When an appointment is, for what and with whom; empty is no service, and anybody. */
export type When = { date: string; time: string; minutes: number; serviceId: string; staffId: string }

/** Chooses it, out of what is free or freely. */
export function WhenFields({
  value,
  onChange,
  services,
  staff,
  appointmentId,
}: {
  value: When
  onChange(value: When): void
  services: Service[]
  staff: Staff[]
  /** One that is moved: it keeps its service, and its own time is free for it. */
  appointmentId?: string
}) {
  const t = useTranslations('calendar')
  const set = (changes: Partial<When>) => onChange({ ...value, ...changes })
  const lengths = [...new Set([...LENGTHS, value.minutes])].sort((a, b) => a - b)
  return (
    <>
      <ServiceAndStaff value={value} onChange={onChange} services={services} staff={staff} isMove={!!appointmentId} />
      <Field label={t('date')}>
        {(className) => (
          <input
            name="date"
            type="date"
            required
            value={value.date}
            onChange={(event) => event.target.value && set({ date: event.target.value })}
            className={className}
          />
        )}
      </Field>
      <FreeTimes value={value} onChoose={set} appointmentId={appointmentId} />
      <div className="grid grid-cols-2 gap-3">
        <Field label={t('time')}>
          {(className) => (
            <input
              name="time"
              type="time"
              required
              value={value.time}
              onChange={(event) => event.target.value && set({ time: event.target.value })}
              className={className}
            />
          )}
        </Field>
        <Field label={t('length')}>
          {(className) => (
            <select
              name="minutes"
              value={value.minutes}
              onChange={(event) => set({ minutes: Number(event.target.value) })}
              className={className}
            >
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

function ServiceAndStaff({
  value,
  onChange,
  services,
  staff,
  isMove,
}: {
  value: When
  onChange(value: When): void
  services: Service[]
  staff: Staff[]
  isMove: boolean
}) {
  const t = useTranslations('calendar')
  const { locale } = useLocale()
  const givers = services.find(({ id }) => id === value.serviceId)?.staffIds ?? []
  const may = staff.filter(({ id }) => isMove || givers.length === 0 || givers.includes(id))
  const chooseService = (serviceId: string) => {
    const service = services.find(({ id }) => id === serviceId)
    const isGiven = !service || service.staffIds.length === 0 || service.staffIds.includes(value.staffId)
    onChange({
      ...{ ...value, serviceId },
      ...(service ? { minutes: service.minutes } : {}),
      ...(isGiven ? {} : { staffId: '' }),
    })
  }
  const isFew = staff.length < 2
  if (isFew && (isMove || services.length === 0)) return null
  return (
    <div className={isFew || isMove || services.length === 0 ? '' : 'grid grid-cols-2 gap-3'}>
      {!isMove && services.length > 0 && (
        <Field label={t('service')}>
          {(className) => (
            <select
              value={value.serviceId}
              onChange={(event) => chooseService(event.target.value)}
              className={className}
            >
              <option value="">{t('noService')}</option>
              {services.map(({ id, nameHe, nameEn }) => (
                <option key={id} value={id}>
                  {locale === 'he' ? nameHe : nameEn}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {!isFew && (
        <Field label={t('withWhom')}>
          {(className) => (
            <select
              value={value.staffId}
              onChange={(event) => onChange({ ...value, staffId: event.target.value })}
              className={className}
            >
              {!isMove && <option value="">{t('anybody')}</option>}
              {may.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
    </div>
  )
}

/** What is free on the day, or the next time that is. */
function FreeTimes({
  value,
  onChoose,
  appointmentId,
}: {
  value: When
  onChoose(time: Pick<When, 'date' | 'time'>): void
  appointmentId: string | undefined
}) {
  const t = useTranslations('calendar')
  const title = useId()
  const format = useFormatter()
  const { date, minutes, serviceId, staffId } = value
  const free = useQuery({
    ...query('booking.slots', {
      ...{ from: date, days: 14 },
      ...(serviceId ? { serviceId } : { minutes }),
      ...(staffId ? { staffId } : {}),
      ...(appointmentId ? { appointmentId } : {}),
    }),
    staleTime: 0,
  })
  if (!free.data) return null
  const here = free.data.items.filter((slot) => slot.date === date).slice(0, MOST)
  const [next] = free.data.items
  const noon = (day: string) => new Date(`${day}T12:00:00Z`)
  return (
    <div className="flex flex-col gap-1">
      <span id={title} className="text-muted text-sm">
        {here.length > 0 ? t('free') : t('nothingFree')}
      </span>
      {here.length > 0 && (
        <ul aria-labelledby={title} className="flex max-h-28 flex-wrap gap-1 overflow-y-auto">
          {here.map((slot) => (
            <li key={slot.slot}>
              <button
                type="button"
                aria-pressed={slot.time === value.time}
                onClick={() => onChoose(slot)}
                className="min-h-9 rounded-lg border border-line px-2 tabular-nums hover:bg-raised aria-pressed:border-accent aria-pressed:bg-accent-soft"
              >
                <bdi dir="ltr">{slot.time}</bdi>
              </button>
            </li>
          ))}
        </ul>
      )}
      {here.length === 0 && next && (
        <Act className="self-start" onPress={() => onChoose(next)}>
          {t('nextFree', {
            at: `${format.dateTime(noon(next.date), { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' })} ${next.time}`,
          })}
        </Act>
      )}
    </div>
  )
}

/** The next free times after one that was refused. */
export function NextFree({
  appointment,
  wanted,
  onChoose,
}: {
  appointment: { id: string; minutes: number }
  wanted: { at: Date; staffId: string }
  onChoose(at: Date): void
}) {
  const t = useTranslations('calendar')
  const timeZone = useTimeZone()
  const format = useFormatter()
  const free = useQuery({
    ...query('booking.slots', {
      ...{ from: dateOf(wanted.at, timeZone), days: 14, staffId: wanted.staffId },
      ...{ minutes: appointment.minutes, appointmentId: appointment.id },
    }),
    staleTime: 0,
  })
  if (!free.data) return null
  const next = free.data.items.filter(({ startsAt }) => new Date(startsAt) > wanted.at).slice(0, 4)
  if (next.length === 0) return <p className="text-sm">{t('nothingFreeSoon')}</p>
  return (
    <div className="flex flex-wrap items-center gap-2 text-sm">
      <span>{t('nextTimes')}</span>
      {next.map(({ startsAt }) => (
        <Act key={startsAt} onPress={() => onChoose(new Date(startsAt))}>
          <span>{format.dateTime(new Date(startsAt), { weekday: 'short', day: 'numeric', month: 'short' })}</span>
          <Clock at={startsAt} className="tabular-nums" />
        </Act>
      ))}
    </div>
  )
}
