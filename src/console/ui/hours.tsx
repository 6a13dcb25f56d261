import { useFormatter, useTranslations } from 'use-intl'
import { WEEKDAYS } from '../../lib/weekdays.ts'
import { Act } from './buttons.tsx'

type Span = [string, string]
export type Week = Partial<Record<(typeof WEEKDAYS)[number], Span[]>>

const MOST_SPANS = 6
/** A Sunday, so that the days of the week have names. */
const SUNDAY = Date.UTC(2023, 0, 1, 12)

/**
 * The opening hours of a week: each day closed, or open in one or more spans.
 * @param props.empty what a day without a span says; closed otherwise
 * @param props.first the span that a day begins with
 */
export function HoursEditor({
  value,
  onChange,
  empty,
  first = ['09:00', '17:00'],
}: {
  value: Week
  onChange(week: Week): void
  empty?: string
  first?: Span
}) {
  const t = useTranslations('hours')
  const format = useFormatter()
  return (
    <ul className="flex flex-col gap-3">
      {WEEKDAYS.map((day, index) => {
        const spans = value[day] ?? []
        const name = format.dateTime(new Date(SUNDAY + index * 86_400_000), { weekday: 'long', timeZone: 'UTC' })
        const set = (next: Span[]) => onChange({ ...value, [day]: next })
        return (
          <li key={day} className="flex flex-wrap items-start gap-x-4 gap-y-2">
            <label className="flex w-32 items-center gap-2 py-1">
              <input
                type="checkbox"
                checked={spans.length > 0}
                onChange={(event) => set(event.target.checked ? [first] : [])}
              />
              {name}
            </label>
            {spans.length === 0 ? (
              <span className="py-1 text-muted">{empty ?? t('closed')}</span>
            ) : (
              <div className="flex flex-col gap-1">
                {spans.map((span, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: spans have an order and no name
                  <div key={at} dir="ltr" className="flex items-center gap-2">
                    <Time
                      label={t('from', { day: name })}
                      value={span[0]}
                      onChange={(from) => set(spans.with(at, [from, span[1]]))}
                    />
                    –
                    <Time
                      label={t('to', { day: name })}
                      value={span[1] === '24:00' ? '00:00' : span[1]}
                      onChange={(to) => set(spans.with(at, [span[0], to === '00:00' ? '24:00' : to]))}
                    />
                    {spans.length > 1 && (
                      <Act
                        look="quiet"
                        aria-label={t('removeSpan', { day: name })}
                        onPress={() => set(spans.toSpliced(at, 1))}
                      >
                        ×
                      </Act>
                    )}
                  </div>
                ))}
              </div>
            )}
            {spans.length > 0 && spans.length < MOST_SPANS && (
              <Act
                look="quiet"
                aria-label={t('addSpan', { day: name })}
                onPress={() => set([...spans, [spans.at(-1)?.[1] ?? '09:00', '24:00']])}
              >
                +
              </Act>
            )}
          </li>
        )
      })}
    </ul>
  )
}

function Time({ label, value, onChange }: { label: string; value: string; onChange(value: string): void }) {
  return (
    <input
      type="time"
      aria-label={label}
      value={value}
      required
      onChange={(event) => event.target.value && onChange(event.target.value)}
      className="rounded-lg border border-line bg-page px-2 py-1"
    />
  )
}
