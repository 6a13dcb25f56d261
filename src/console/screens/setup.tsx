import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { SETUP_STEPS, type SetupStep } from '../app/parts.ts'
import { isNamed, useSetup } from '../app/setup.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Checked } from '../ui/checked.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { HoursEditor, type Week } from '../ui/hours.tsx'
import { Icon } from '../ui/icon.tsx'
import { Heading, Loaded } from '../ui/states.tsx'
import { Ago, Phone, withoutPoints } from '../ui/values.tsx'
import { TestCallPanel } from './receptionist/test-call.tsx'
import { WhatsAppSettings } from './settings-whatsapp.tsx'
import { SetupNumber } from './setup-number.tsx'

const route = getRouteApi('/setup')
type Business = Out<'businesses.get'>

/** From an installation without a number to one that answers calls. Every step can be left and come back to. */
export function Setup() {
  const t = useTranslations('setup')
  const { step } = route.useSearch()
  const done = useSetup()
  const { may, isKnown } = useAccess()
  const state = useTranslations('state')
  if (!isKnown)
    return (
      <>
        <Heading>{t('title')}</Heading>
        <p role="status" className="p-6">
          {state('loading')}
        </p>
      </>
    )
  if (!may('manager'))
    return (
      <>
        <Heading>{t('title')}</Heading>
        <p role="alert" className="p-6">
          {t('forbidden')}
        </p>
      </>
    )
  return (
    <>
      <Heading>{t('title')}</Heading>
      <div className="flex min-h-0 flex-1 flex-col overflow-y-auto md:flex-row">
        <nav
          aria-label={t('steps')}
          className="shrink-0 border-line border-b bg-surface p-2 md:w-64 md:border-e md:border-b-0 md:p-3"
        >
          <ol className="flex gap-1 md:flex-col">
            {SETUP_STEPS.map((each, index) => (
              <li key={each}>
                <Link
                  to="/setup"
                  search={{ step: each }}
                  activeProps={{ className: 'bg-accent-soft' }}
                  className="flex min-h-9 items-center gap-2 rounded-lg px-2 py-1.5 hover:bg-raised md:px-3"
                >
                  <span className="w-5 text-center tabular-nums">
                    {done?.[each] ? <Icon name="check" className="text-accent" /> : index + 1}
                  </span>
                  {/* A phone has room for the name of this step alone. */}
                  <span className={each === step ? '' : 'sr-only md:not-sr-only'}>{t(each)}</span>
                  {done?.[each] && <span className="sr-only">({t('isDone')})</span>}
                </Link>
              </li>
            ))}
          </ol>
        </nav>
        <div className="flex min-w-0 flex-1 flex-col gap-4 p-4">
          <Step step={step} />
          <Onward step={step} isDone={done?.[step] ?? false} />
        </div>
      </div>
    </>
  )
}

function Step({ step }: { step: SetupStep }) {
  const business = useQuery(query('businesses.get'))
  switch (step) {
    case 'business':
      return <Loaded of={business}>{(data) => <BusinessStep business={data} />}</Loaded>
    case 'hours':
      return <Loaded of={business}>{(data) => <HoursStep business={data} />}</Loaded>
    case 'number':
      return <SetupNumber />
    case 'whatsapp':
      return <WhatsAppStep />
    case 'test':
      return <TestStep />
  }
}

/** What is next; the green button leads there once this step is done. */
function Onward({ step, isDone }: { step: SetupStep; isDone: boolean }) {
  const t = useTranslations('setup')
  const next = SETUP_STEPS[SETUP_STEPS.indexOf(step) + 1]
  const quiet = 'rounded-lg border border-line bg-surface px-3 py-1.5 hover:bg-raised'
  const main = isDone ? 'rounded-lg border border-accent bg-accent px-3 py-1.5 font-semibold text-accent-ink' : quiet
  return (
    <div className="flex flex-wrap gap-3">
      {next && (
        <Link to="/setup" search={{ step: next }} className={main}>
          {t('next')}
        </Link>
      )}
      <Link to="/today" className={next ? quiet : main}>
        {next ? t('leave') : t('finish')}
      </Link>
    </div>
  )
}

const useSave = () =>
  useMutation({
    ...mutation('businesses.update'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['businesses'] }),
  })

function BusinessStep({ business }: { business: Business }) {
  const t = useTranslations('setup')
  const settings = useTranslations('settings')
  const state = useTranslations('state')
  const format = useFormatter()
  const save = useSave()
  const preview = useQuery(query('receptionist.preview', {}))
  const now = format.dateTime(new Date(), { timeStyle: 'short', timeZone: business.timezone })
  return (
    <Panel title={t('business')}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          const form = new FormData(event.currentTarget)
          save.mutate(
            {
              name: String(form.get('name')).trim(),
              language: form.get('language') === 'en' ? 'en' : 'he',
              timezone: String(form.get('timezone')),
            },
            { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['receptionist'] }) },
          )
        }}
      >
        <Field label={settings('name')} hint={t('nameHint')}>
          {(className) => (
            <input
              name="name"
              dir="auto"
              required
              maxLength={120}
              defaultValue={isNamed(business.name) ? business.name : ''}
              onInput={({ currentTarget: input }) =>
                input.setCustomValidity(input.value === '' || isNamed(input.value) ? '' : t('nameMissing'))
              }
              className={className}
            />
          )}
        </Field>
        <Field label={settings('languageOf')} hint={t('languageHint')}>
          {(className) => (
            <select name="language" defaultValue={business.language} className={className}>
              <option value="he">{settings('hebrew')}</option>
              <option value="en">{settings('english')}</option>
            </select>
          )}
        </Field>
        <Field label={t('timezone')}>
          {(className) => (
            <select name="timezone" dir="ltr" defaultValue={business.timezone} className={className}>
              {[...new Set([business.timezone, ...Intl.supportedValuesOf('timeZone')])].map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          )}
        </Field>
        <Problem error={save.error} />
        <Act type="submit" look="main" className="self-start" isDisabled={save.isPending}>
          {state('save')}
        </Act>
      </form>
      <Checked good>{t('clock', { now })}</Checked>
      {!isNamed(business.name) && <Checked good={false}>{t('nameMissing')}</Checked>}
      {preview.data && isNamed(business.name) && (
        <Checked good>
          {t('greets')} <q dir="auto">{withoutPoints(preview.data.greeting)}</q>
        </Checked>
      )}
    </Panel>
  )
}

const USUAL: Week = Object.fromEntries(
  (['sun', 'mon', 'tue', 'wed', 'thu'] as const).map((day) => [day, [['09:00', '17:00']]]),
)

function HoursStep({ business }: { business: Business }) {
  const t = useTranslations('setup')
  const state = useTranslations('state')
  const [week, setWeek] = useState<Week>((business.hours as Week | null) ?? USUAL)
  const save = useSave()
  const open = business.hours ? Object.values(business.hours).filter((spans) => spans && spans.length > 0).length : null
  return (
    <Panel title={t('hours')}>
      <p className="text-muted">{t('hoursIntro')}</p>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate({ hours: week })
        }}
      >
        <HoursEditor value={week} onChange={setWeek} />
        <Problem error={save.error} />
        <Act type="submit" look="main" className="self-start" isDisabled={save.isPending}>
          {state('save')}
        </Act>
      </form>
      <Checked good={open !== null}>{open === null ? t('noHours') : t('openDays', { count: open })}</Checked>
    </Panel>
  )
}

function WhatsAppStep() {
  const t = useTranslations('setup')
  const providers = useQuery({ ...query('businesses.providers'), refetchInterval: 3_000 })
  const linked =
    providers.data?.accounts.filter(({ state, provider }) => state === 'working' && provider === 'baileys') ?? []
  const sender = providers.data?.twilio.defaultSender
  return (
    <>
      <WhatsAppSettings />
      <div className="flex max-w-2xl flex-col gap-2">
        {linked.map((account) => (
          <Checked key={account.id} good>
            {t('linked')} {account.phone && <Phone value={account.phone} />}
          </Checked>
        ))}
        {sender && (
          <Checked good>
            {t('twilioSender')} <Phone value={sender.replace(/^whatsapp:/, '')} />
          </Checked>
        )}
        {providers.data && linked.length === 0 && !sender && <Checked good={false}>{t('noWhatsApp')}</Checked>}
      </div>
    </>
  )
}

const NOTHING_TO_SAVE = () => Promise.resolve()

function TestStep() {
  const t = useTranslations('setup')
  const numbers = useQuery(query('businesses.numbers'))
  const calls = useQuery({ ...query('calls.list', { limit: 1 }), refetchInterval: 3_000 })
  const tests = useQuery({ ...query('calls.list', { limit: 1, tests: true }), refetchInterval: 3_000 })
  const last = calls.data?.items[0]
  const tried = tests.data?.items[0]
  const number = numbers.data?.items[0]
  return (
    <>
      <Panel title={t('test')}>
        {number && (
          <p>
            {t('callNow')} <Phone value={number.e164} />
          </p>
        )}
        <p>
          <Link to="/settings" search={{ part: 'receptionist', tab: 'edit' }} className="text-accent underline">
            {t('toReceptionist')}
          </Link>
        </p>
        {tried && (
          <Checked good>
            {t('tried')} <Ago at={tried.startedAt} />
          </Checked>
        )}
        {calls.data && (
          <Checked good={last !== undefined}>
            {last ? (
              <>
                {t('lastCall')} <Phone value={last.from} /> <Ago at={last.startedAt} />.{' '}
                <Link to="/calls/$callId" params={{ callId: last.id }} className="underline">
                  {t('toCall')}
                </Link>
              </>
            ) : (
              t('noCall')
            )}
          </Checked>
        )}
      </Panel>
      <TestCallPanel title={t('fromBrowser')} hasDraft={false} saved={NOTHING_TO_SAVE} />
    </>
  )
}
