import { useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { WEEKDAYS } from '../../../lib/weekdays.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel } from '../../ui/fields.tsx'
import { type DraftEditing, type Settings, setting } from './draft.ts'
import { weekOf } from './fields.ts'

type Span = { from: string; to: string }
const USUAL: Span = { from: '09:00', to: '17:00' }
const TIME = 'rounded-lg border border-line bg-page px-2 py-1 tabular-nums'

export function HoursPanel({ editing, settings }: { editing: DraftEditing; settings: Settings }) {
  const t = useTranslations('receptionist')
  const week = weekOf(settings)
  const change = (number: number, spans: Span[]) => {
    const { [String(number)]: _, ...others } = week
    const next = spans.length > 0 ? { ...others, [String(number)]: spans } : others
    setting(editing, 'hours', { ...settings.hours, week: next as Settings['hours']['week'] })
  }
  return (
    <Panel title={t('hours')}>
      <ul className="flex flex-col gap-3">
        {WEEKDAYS.map((day, number) => (
          <Day key={day} name={t(day)} spans={week[String(number)] ?? []} onChange={(spans) => change(number, spans)} />
        ))}
      </ul>
      <Holidays editing={editing} settings={settings} />
      <Field label={t('appointmentMinutes')}>
        {(className) => (
          <input
            type="number"
            min={5}
            max={480}
            step={5}
            className={className}
            value={settings.appointmentMinutes}
            onChange={(event) => setting(editing, 'appointmentMinutes', Number(event.target.value))}
          />
        )}
      </Field>
    </Panel>
  )
}

function Day({ name, spans, onChange }: { name: string; spans: Span[]; onChange(spans: Span[]): void }) {
  const t = useTranslations('receptionist')
  const change = (index: number, part: Partial<Span>) =>
    onChange(spans.map((span, at) => (at === index ? { ...span, ...part } : span)))
  return (
    <li className="flex flex-wrap items-start gap-x-4 gap-y-2 border-line border-b pb-3">
      <label className="flex w-28 items-center gap-2 py-1">
        <input
          type="checkbox"
          checked={spans.length > 0}
          onChange={(event) => onChange(event.target.checked ? [USUAL] : [])}
        />
        {name}
      </label>
      {spans.length === 0 && <span className="py-1 text-muted">{t('closed')}</span>}
      <div className="flex flex-col gap-2">
        {spans.map((span, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a span is known by its place alone
          <span key={index} dir="ltr" className="flex items-center gap-1">
            <input
              type="time"
              aria-label={t('from', { day: name })}
              className={TIME}
              value={span.from}
              onChange={(event) => change(index, { from: event.target.value })}
            />
            –
            <input
              type="time"
              aria-label={t('to', { day: name })}
              className={TIME}
              // A browser's field has no 24:00.
              value={span.to === '24:00' ? '00:00' : span.to}
              onChange={(event) => change(index, { to: event.target.value === '00:00' ? '24:00' : event.target.value })}
            />
            <Act
              look="quiet"
              aria-label={t('removeSpan', { day: name })}
              onPress={() => onChange(spans.filter((_, at) => at !== index))}
            >
              ×
            </Act>
          </span>
        ))}
      </div>
      {spans.length > 0 && spans.length < 6 && (
        <Act
          look="quiet"
          aria-label={t('addSpanOn', { day: name })}
          onPress={() => onChange([...spans, { from: spans.at(-1)?.to ?? USUAL.from, to: '24:00' }])}
        >
          {t('addSpan')}
        </Act>
      )}
    </li>
  )
}

function Holidays({ editing, settings }: { editing: DraftEditing; settings: Settings }) {
  const t = useTranslations('receptionist')
  const format = useFormatter()
  const [date, setDate] = useState('')
  const { holidays } = settings.hours
  const change = (next: string[]) => setting(editing, 'hours', { ...settings.hours, holidays: next.sort() })
  const nameOf = (day: string) => format.dateTime(new Date(`${day}T12:00:00Z`), { dateStyle: 'full', timeZone: 'UTC' })
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="font-medium">{t('holidays')}</legend>
      <p className="text-muted text-sm">{t('holidaysHint')}</p>
      <ul className="flex flex-wrap gap-2">
        {holidays.map((day) => (
          <li key={day} className="flex items-center rounded-full bg-raised ps-3">
            <time dateTime={day}>{nameOf(day)}</time>
            <Act
              look="quiet"
              aria-label={t('removeHoliday', { date: nameOf(day) })}
              onPress={() => change(holidays.filter((each) => each !== day))}
            >
              ×
            </Act>
          </li>
        ))}
      </ul>
      <div className="flex flex-wrap items-end gap-2">
        <label className="flex flex-col gap-1">
          <span className="text-sm">{t('holiday')}</span>
          <input type="date" className={TIME} value={date} onChange={(event) => setDate(event.target.value)} />
        </label>
        <Act
          isDisabled={date === '' || holidays.includes(date)}
          onPress={() => {
            change([...holidays, date])
            setDate('')
          }}
        >
          {t('addHoliday')}
        </Act>
      </div>
    </fieldset>
  )
}
