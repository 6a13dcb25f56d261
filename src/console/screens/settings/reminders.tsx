import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTimeZone, useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, query } from '../../app/trpc.ts'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { SaveRow } from '../../ui/save-row.tsx'
import { Loaded } from '../../ui/states.tsx'
import { bookingAgain, Check, choiceOf, Group, numberOf, textOf } from './booking-parts.tsx'
import { DurationSelect, useDuration } from './duration-select.tsx'
import { ReminderTexts, textsOf } from './reminder-texts.tsx'

type Settings = Out<'booking.settings'>
type Rules = NonNullable<Settings['reminders']>
const HOUR = 60
const DAY = 1_440
const WAYS = ['whatsapp', 'sms', 'voice'] as const
const USUAL: Rules = {
  before: [DAY, 2 * HOUR],
  from: '09:00',
  to: '20:00',
  followUpAfter: null,
  ways: ['whatsapp', 'sms'],
}
const BEFORE = [15, 30, HOUR, 2 * HOUR, 4 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY]
const MOST = 4

/** What customers are notified about their appointments, and the holidays that the business keeps. */
export function ReminderSettings() {
  const settings = useQuery(query('booking.settings'))
  return (
    <Loaded of={settings}>
      {(data) => (
        <>
          <Reminders rules={data.reminders} />
          <Holidays holidays={data.holidays} />
        </>
      )}
    </Loaded>
  )
}

function Reminders({ rules }: { rules: Rules | null }) {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const save = useMutation({ ...mutation('booking.saveSettings'), ...bookingAgain })
  const [isOn, setOn] = useState(rules !== null)
  return (
    <Panel title={t('reminders')}>
      <p className="text-muted">{t('remindersIntro')}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate({ reminders: isOn ? rulesOf(new FormData(event.currentTarget), rules) : null })
        }}
      >
        <fieldset disabled={!may('manager')} className="flex min-w-0 flex-col gap-4">
          <legend className="sr-only">{t('reminders')}</legend>
          <label className="flex min-h-9 items-center gap-2">
            <input
              type="checkbox"
              className="size-4"
              checked={isOn}
              onChange={(event) => setOn(event.target.checked)}
            />
            {t('notify')}
          </label>
          {isOn && <Rules rules={rules ?? USUAL} />}
          <Problem error={save.error} />
          <SaveRow of={save} needs="manager" />
        </fieldset>
      </form>
    </Panel>
  )
}

function rulesOf(form: FormData, rules: Rules | null): Rules {
  const followUp = numberOf(form, 'followUpAfter')
  return {
    before: form.getAll('before').map(Number),
    from: textOf(form, 'from'),
    to: textOf(form, 'to'),
    followUpAfter: followUp > 0 ? followUp : null,
    ways: waysOf(form),
    noShow: form.has('noShow'),
    ...textsOf(form, rules),
  }
}

/** In the order that was chosen, each once. */
function waysOf(form: FormData): Rules['ways'] {
  const chosen = WAYS.flatMap((_, at) => WAYS.find((way) => way === textOf(form, `way${at}`)) ?? [])
  const ways = [...new Set(chosen)]
  return ways.length > 0 ? ways : ['whatsapp']
}

function Ways({ ways }: { ways: NonNullable<Rules['ways']> }) {
  const t = useTranslations('booking')
  return (
    <Group title={t('ways')} hint={t('waysHint')}>
      <div className="grid gap-4 sm:grid-cols-3">
        {WAYS.map((each, at) => (
          <Field key={each} label={t(at === 0 ? 'wayFirst' : 'wayThen')}>
            {(className) => (
              <select name={`way${at}`} defaultValue={ways[at] ?? ''} className={className}>
                {at > 0 && <option value="">{t('way.none')}</option>}
                {WAYS.map((way) => (
                  <option key={way} value={way}>
                    {t(`way.${way}`)}
                  </option>
                ))}
              </select>
            )}
          </Field>
        ))}
      </div>
    </Group>
  )
}

function Rules({ rules }: { rules: Rules }) {
  const t = useTranslations('booking')
  const say = useDuration()
  const [chosen, setChosen] = useState(rules.before)
  const all = [...new Set([...BEFORE, ...rules.before])].sort((a, b) => b - a)
  return (
    <>
      <p>{t('confirmations')}</p>
      <Ways ways={rules.ways ?? ['whatsapp']} />
      <Group title={t('before')} hint={t('beforeHint')}>
        <div className="grid grid-cols-2 gap-x-4 sm:grid-cols-3">
          {all.map((minutes) => (
            <label key={minutes} className="flex min-h-9 items-center gap-2">
              <input
                type="checkbox"
                name="before"
                value={minutes}
                className="size-4"
                checked={chosen.includes(minutes)}
                disabled={!chosen.includes(minutes) && chosen.length >= MOST}
                onChange={(event) =>
                  setChosen(event.target.checked ? [...chosen, minutes] : chosen.filter((each) => each !== minutes))
                }
              />
              {say(minutes)}
            </label>
          ))}
        </div>
      </Group>
      <div className="grid grid-cols-2 gap-4">
        <Time name="from" label={t('sendFrom')} value={rules.from} />
        <Time name="to" label={t('sendTo')} value={rules.to} />
      </div>
      <p className="text-muted text-sm">{t('sendHint')}</p>
      <DurationSelect
        name="followUpAfter"
        label={t('followUp')}
        value={rules.followUpAfter ?? 0}
        values={[0, HOUR, 3 * HOUR, DAY, 2 * DAY, 7 * DAY]}
      />
      <Check name="noShow" defaultChecked={rules.noShow ?? false}>
        {t('noShow')}
      </Check>
      <ReminderTexts rules={rules} />
    </>
  )
}

function Time({ name, label, value }: { name: string; label: string; value: string }) {
  return (
    <Field label={label}>
      {(className) => <input name={name} type="time" required defaultValue={value} className={className} />}
    </Field>
  )
}

const KINDS = ['rest', 'independence', 'eve', 'cholHamoed', 'purim', 'fast'] as const
const RULES = ['open', 'half', 'closed'] as const
/** What the API does for a business in Israel that sets none. */
const KEPT: readonly string[] = ['rest', 'independence']

function Holidays({ holidays }: { holidays: Settings['holidays'] }) {
  const t = useTranslations('booking')
  const timeZone = useTimeZone()
  const { may } = useAccess()
  const save = useMutation({ ...mutation('booking.saveSettings'), ...bookingAgain })
  const usual = (kind: string) =>
    KEPT.includes(kind) && (holidays !== null || timeZone === 'Asia/Jerusalem') ? 'closed' : 'open'
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    save.mutate({
      holidays: Object.fromEntries(KINDS.map((kind) => [kind, choiceOf(RULES, textOf(form, kind))])),
    })
  }
  return (
    <Panel title={t('holidays')}>
      <p className="text-muted">{t('holidaysIntro')}</p>
      <form onSubmit={onSubmit}>
        <fieldset disabled={!may('manager')} className="flex min-w-0 flex-col gap-4">
          <legend className="sr-only">{t('holidays')}</legend>
          <div className="grid gap-4 sm:grid-cols-2">
            {KINDS.map((kind) => (
              <Field key={kind} label={t(`holiday.${kind}`)}>
                {(className) => (
                  <select name={kind} defaultValue={holidays?.[kind] ?? usual(kind)} className={className}>
                    {RULES.map((rule) => (
                      <option key={rule} value={rule}>
                        {t(`rule.${rule}`)}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            ))}
          </div>
          <Problem error={save.error} />
          <SaveRow of={save} needs="manager" />
        </fieldset>
      </form>
    </Panel>
  )
}
