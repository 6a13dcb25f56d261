import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { below } from '../../app/base.ts'
import { mutation, type Out, query } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Copyable } from '../../ui/copy.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { QrCode } from '../../ui/qr-code.tsx'
import { SaveRow } from '../../ui/save-row.tsx'
import { Loaded } from '../../ui/states.tsx'
import { bookingAgain, Check, choiceOf, numberOf, textOf } from './booking-parts.tsx'
import { DurationSelect } from './duration-select.tsx'

type Settings = Out<'booking.settings'>
const LANGUAGES = ['both', 'he', 'en'] as const
const NOTES = ['optional', 'required', 'off'] as const
const HOUR = 60
const DAY = 1_440

/** The page on which customers book by themselves: its address, and what it allows. */
export function BookingPageSettings() {
  const t = useTranslations('booking')
  const settings = useQuery(query('booking.settings'))
  const services = useQuery(query('booking.services'))
  const isEmpty = services.data?.items.every(({ online }) => !online) ?? false
  return (
    <Panel title={t('page')}>
      <p className="text-muted">{t('pageIntro')}</p>
      <Loaded of={settings}>
        {(data) => (
          <>
            {data.pageEnabled && data.slug && <PageLink slug={data.slug} />}
            {data.pageEnabled && isEmpty && (
              <p role="status" className="rounded-lg bg-warn-soft p-3 text-warn">
                {t('pageEmpty')}
              </p>
            )}
            <PageForm settings={data} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

const addressOf = (slug: string) => `${location.origin}${below(`/book/${slug}`)}`

function PageLink({ slug }: { slug: string }) {
  const t = useTranslations('booking')
  const [isShown, setShown] = useState(false)
  const address = addressOf(slug)
  return (
    <div className="flex flex-col gap-3">
      <Copyable label={t('pageLink')} value={address} />
      <div className="flex flex-wrap items-center gap-3">
        <a href={address} target="_blank" rel="noreferrer" className="inline-flex min-h-9 items-center underline">
          {t('preview')}
        </a>
        <Act aria-expanded={isShown} onPress={() => setShown(!isShown)}>
          {t('qr')}
        </Act>
      </div>
      {isShown && (
        <div className="w-fit rounded-lg border border-line bg-white p-2">
          <QrCode text={address} label={t('qrOf')} />
        </div>
      )}
    </div>
  )
}

function PageForm({ settings }: { settings: Settings }) {
  const t = useTranslations('booking')
  const { may } = useAccess()
  const save = useMutation({ ...mutation('booking.saveSettings'), ...bookingAgain })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const minutes = (name: string) => numberOf(form, name)
    save.mutate({
      pageEnabled: form.has('pageEnabled'),
      slug: textOf(form, 'slug').toLowerCase() || null,
      pageLanguage: choiceOf(LANGUAGES, textOf(form, 'pageLanguage')),
      pageNote: choiceOf(NOTES, textOf(form, 'pageNote')),
      aheadDays: minutes('aheadDays'),
      openPerCustomer: minutes('openPerCustomer'),
      noticeMinutes: minutes('noticeMinutes'),
      stepMinutes: minutes('stepMinutes'),
      changeMinutes: minutes('changeMinutes'),
      holdMinutes: minutes('holdMinutes'),
      depositMinutes: minutes('depositMinutes'),
      offerMinutes: minutes('offerMinutes'),
    })
  }
  return (
    <form onSubmit={onSubmit}>
      <fieldset disabled={!may('manager')} className="flex min-w-0 flex-col gap-4">
        <legend className="sr-only">{t('page')}</legend>
        <Check name="pageEnabled" defaultChecked={settings.pageEnabled}>
          {t('pageEnabled')}
        </Check>
        <Field label={t('slug')} hint={`${t('slugHint')} ${addressOf('…')}`}>
          {(className) => (
            <input
              name="slug"
              dir="ltr"
              autoCapitalize="none"
              spellCheck={false}
              minLength={3}
              maxLength={60}
              pattern="[a-zA-Z0-9](-?[a-zA-Z0-9])*"
              title={t('slugHint')}
              defaultValue={settings.slug ?? ''}
              className={className}
            />
          )}
        </Field>
        <Times settings={settings} />
        <div className="grid gap-4 sm:grid-cols-2">
          <Choice name="pageLanguage" label={t('pageLanguage')} value={settings.pageLanguage} values={LANGUAGES} />
          <Choice name="pageNote" label={t('pageNote')} value={settings.pageNote} values={NOTES} />
        </div>
        <p className="text-muted text-sm">{t('pageAsks')}</p>
        <Problem error={save.error} />
        <SaveRow of={save} needs="manager" />
      </fieldset>
    </form>
  )
}

function Times({ settings }: { settings: Settings }) {
  const t = useTranslations('booking')
  const length = (
    name: 'noticeMinutes' | 'stepMinutes' | 'changeMinutes' | 'holdMinutes' | 'depositMinutes' | 'offerMinutes',
  ) => ({
    ...{ name, label: t(name), value: settings[name] },
  })
  return (
    <Grid>
      <DurationSelect
        {...length('noticeMinutes')}
        values={[0, 30, HOUR, 2 * HOUR, 4 * HOUR, 12 * HOUR, DAY, 2 * DAY]}
      />
      <Count name="aheadDays" label={t('aheadDays')} max={366} value={settings.aheadDays} />
      <DurationSelect {...length('stepMinutes')} values={[5, 10, 15, 20, 30, 45, HOUR, 2 * HOUR]} />
      <DurationSelect {...length('changeMinutes')} values={[0, HOUR, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY]} />
      <DurationSelect {...length('holdMinutes')} values={[5, 10, 15, 30, HOUR]} />
      <DurationSelect {...length('depositMinutes')} values={[15, 30, HOUR, 2 * HOUR, 12 * HOUR, DAY]} />
      <DurationSelect {...length('offerMinutes')} values={[10, 15, 30, HOUR, 2 * HOUR, 12 * HOUR]} />
      <Count name="openPerCustomer" label={t('openPerCustomer')} max={50} value={settings.openPerCustomer} />
    </Grid>
  )
}

const Grid = ({ children }: { children: ReactNode }) => (
  <div className="grid items-end gap-4 sm:grid-cols-2">{children}</div>
)

function Count(props: { name: string; label: string; max: number; value: number }) {
  return (
    <Field label={props.label}>
      {(className) => (
        <input
          name={props.name}
          type="number"
          inputMode="numeric"
          min={1}
          max={props.max}
          required
          defaultValue={props.value}
          className={className}
        />
      )}
    </Field>
  )
}

function Choice<V extends (typeof LANGUAGES)[number] | (typeof NOTES)[number]>(props: {
  name: string
  label: string
  value: V
  values: readonly V[]
}) {
  const t = useTranslations('booking.choices')
  return (
    <Field label={props.label}>
      {(className) => (
        <select name={props.name} defaultValue={props.value} className={className}>
          {props.values.map((each) => (
            <option key={each} value={each}>
              {t(each as (typeof LANGUAGES)[number] | (typeof NOTES)[number])}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
