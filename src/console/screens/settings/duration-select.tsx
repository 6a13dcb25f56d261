import { useTranslations } from 'use-intl'
import { Field } from '../../ui/fields.tsx'

/** Minutes as people say them. */
export function useDuration(): (minutes: number) => string {
  const t = useTranslations('booking')
  return (minutes) => {
    if (minutes === 0) return t('noTime')
    if (minutes % 1_440 === 0) return t('days', { count: minutes / 1_440 })
    if (minutes % 60 === 0) return t('hours', { count: minutes / 60 })
    return t('lasts', { count: minutes })
  }
}

/** A length of time out of the usual ones, and the one that is set. */
export function DurationSelect({
  name,
  label,
  value,
  values,
}: {
  name: string
  label: string
  value: number
  values: number[]
}) {
  const say = useDuration()
  const all = [...new Set([...values, value])].sort((a, b) => a - b)
  return (
    <Field label={label}>
      {(className) => (
        <select name={name} defaultValue={value} className={className}>
          {all.map((minutes) => (
            <option key={minutes} value={minutes}>
              {say(minutes)}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
