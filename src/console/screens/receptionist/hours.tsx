import { useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { WEEKDAYS } from '../../../lib/weekdays.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel } from '../../ui/fields.tsx'
import { HoursEditor, type Week } from '../../ui/hours.tsx'
import { type DraftEditing, type Settings, setting } from './draft.ts'
import { weekOf } from './fields.ts'

type Spans = { from: string; to: string }[]

/** The week by the names of its days, as the editor has it. */
const byName = (week: Record<string, Spans | undefined>): Week =>
  Object.fromEntries(
    WEEKDAYS.map((day, number) => [
      day,
      (week[String(number)] ?? []).map(({ from, to }): [string, string] => [from, to]),
    ]),
  )

/** And by their numbers, as the receptionist has it; a day without hours is left out. */
const byNumber = (week: Week): Settings['hours']['week'] =>
  Object.fromEntries(
    WEEKDAYS.flatMap((day, number) => {
      const spans = week[day]?.map(([from, to]) => ({ from, to })) ?? []
      return spans.length > 0 ? [[String(number), spans]] : []
    }),
  )

const TIME = 'rounded-lg border border-line bg-page px-2 py-1 tabular-nums'

export function HoursPanel({ editing, settings }: { editing: DraftEditing; settings: Settings }) {
  const t = useTranslations('receptionist')
  return (
    <Panel title={t('hours')}>
      <HoursEditor
        value={byName(weekOf(settings))}
        onChange={(week) => setting(editing, 'hours', { ...settings.hours, week: byNumber(week) })}
      />
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
