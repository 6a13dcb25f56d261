import type { FormEvent } from 'react'
import { useFormatter, useTimeZone, useTranslations } from 'use-intl'
import { Act } from '../ui/buttons.tsx'
import { dateOf, momentAt } from '../ui/days.ts'
import { Field } from '../ui/fields.tsx'
import { Popup } from '../ui/popup.tsx'
import { snoozeTimes } from '../ui/snooze-times.ts'

/** When a conversation comes back: one of the usual times, or any other, on the clock of the business. */
export function SnoozePopup({ onChoose, onClose }: { onChoose(until: Date): void; onClose(): void }) {
  const t = useTranslations('inbox')
  const format = useFormatter()
  const timeZone = useTimeZone()
  const now = new Date()
  const choose = (until: Date) => {
    onClose()
    onChoose(until)
  }
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    choose(momentAt(String(form.get('date')), String(form.get('time')), timeZone))
  }
  return (
    <Popup title={t('snooze')} isOpen onClose={onClose}>
      <ul className="flex flex-col gap-2">
        {snoozeTimes(now, timeZone).map(({ name, at }) => (
          <li key={name}>
            <Act className="w-full !justify-between" onPress={() => choose(at)}>
              {t(name)}
              <span className="text-muted text-sm">
                {format.dateTime(at, {
                  weekday: 'long',
                  day: 'numeric',
                  month: 'numeric',
                  hour: '2-digit',
                  minute: '2-digit',
                })}
              </span>
            </Act>
          </li>
        ))}
      </ul>
      <form className="flex flex-col gap-3 border-line border-t pt-4" onSubmit={onSubmit}>
        <div className="grid grid-cols-2 gap-3">
          <Field label={t('snoozeDate')}>
            {(className) => (
              <input
                name="date"
                type="date"
                required
                min={dateOf(now, timeZone)}
                defaultValue={dateOf(now, timeZone)}
                className={className}
              />
            )}
          </Field>
          <Field label={t('snoozeTime')}>
            {(className) => <input name="time" type="time" required className={className} />}
          </Field>
        </div>
        <p className="text-muted text-sm">{t('snoozeZone', { zone: timeZone ?? '' })}</p>
        <Act type="submit" look="main" className="self-start">
          {t('snoozeThen')}
        </Act>
      </form>
    </Popup>
  )
}
