import { useMutation, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useLocale } from '../../app/i18n.tsx'
import { client, mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { VerifyPhone } from './verify-phone.tsx'

type Notified = Out<'alerts.mine'>
type Kind = Out<'alerts.kinds'>['items'][number]
const WAYS = ['push', 'email', 'whatsapp', 'sms', 'call'] as const
type Way = (typeof WAYS)[number]
const GROUPS = ['people', 'appointments', 'payments', 'system'] as const
const WEEKDAYS = [0, 1, 2, 3, 4, 5, 6] as const
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['alerts'] }) }

/** How the member who looks is notified. */
export function MyAlerts() {
  const t = useTranslations('alerts')
  const mine = useQuery(query('alerts.mine'))
  const save = useMutation({ ...mutation('alerts.saveMine'), ...again })
  return (
    <Panel title={t('mine')}>
      <p className="text-muted">{t('mineIntro')}</p>
      <Loaded of={mine}>
        {(notified) => (
          <>
            <Settings
              notified={notified}
              isSaved={save.isSuccess}
              error={save.error}
              onSave={(changes) => save.mutate(changes)}
            />
            <VerifyPhone notified={notified} />
            <Ways notified={notified} onChange={(rules) => save.mutate({ rules })} />
            <Tests notified={notified} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

/** How the other members are notified, for who manages them. */
export function TeamAlerts() {
  const t = useTranslations('alerts')
  const me = useQuery(query('account.me'))
  const members = useQuery(query('alerts.members'))
  return (
    <Panel title={t('team')}>
      <p className="text-muted">{t('teamIntro')}</p>
      <Loaded of={members}>
        {({ items }) => (
          <ul aria-label={t('team')} className="flex flex-col gap-2">
            {items
              .filter(({ userId }) => userId !== (me.data?.user?.id ?? null))
              .map((notified) => (
                <MemberRow key={notified.userId} notified={notified} />
              ))}
          </ul>
        )}
      </Loaded>
    </Panel>
  )
}

function MemberRow({ notified }: { notified: Notified }) {
  const t = useTranslations('alerts')
  const save = useMutation({ ...mutation('alerts.saveMember'), ...again })
  const [open, setOpen] = useState(false)
  const name = notified.name || t('machine')
  const used = WAYS.filter(
    (way) => notified.reachable.includes(way) && Object.values(notified.ways).some((ways) => ways.includes(way)),
  )
  const userId = notified.userId ?? ''
  return (
    <li className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-center gap-3">
        <span className="min-w-0 flex-1">
          <bdi className="block truncate">{name}</bdi>
          <span className="block text-muted text-sm">{used.map((way) => t(way)).join(' · ') || t('none')}</span>
        </span>
        {userId && (
          <Act aria-expanded={open} aria-label={open ? undefined : t('edit', { name })} onPress={() => setOpen(!open)}>
            {open ? t('close') : t('edit', { name: '' }).replace(/[:\s]+$/, '')}
          </Act>
        )}
      </div>
      {open && (
        <>
          <Settings
            notified={notified}
            isSaved={save.isSuccess}
            error={save.error}
            onSave={(changes) => save.mutate({ userId, ...changes })}
          />
          <Ways notified={notified} onChange={(rules) => save.mutate({ userId, rules })} />
        </>
      )}
    </li>
  )
}

type Changes = Pick<
  Notified,
  'language' | 'phone' | 'quietFrom' | 'quietTo' | 'quietRestDays' | 'dailyAt' | 'weeklyOn' | 'mail'
>

function Settings({
  notified,
  isSaved,
  error,
  onSave,
}: {
  notified: Notified
  isSaved: boolean
  error: Error | null
  onSave(changes: Changes): void
}) {
  const t = useTranslations('alerts')
  const [draft, setDraft] = useState<Changes>(notified)
  const change = (changes: Partial<Changes>) => setDraft({ ...draft, ...changes })
  const { language, phone, quietFrom, quietTo, quietRestDays, dailyAt, weeklyOn, mail } = draft
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        onSave({ language, phone: phone || null, quietFrom, quietTo, quietRestDays, dailyAt, weeklyOn, mail })
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('phone')} hint={t('phoneHint')}>
          {(className) => (
            <input
              type="tel"
              dir="ltr"
              autoComplete="tel"
              className={className}
              value={phone ?? ''}
              onChange={({ target }) => change({ phone: target.value })}
            />
          )}
        </Field>
        <Field label={t('language')}>
          {(className) => (
            <select
              className={className}
              value={language}
              onChange={({ target }) => change({ language: target.value === 'en' ? 'en' : 'he' })}
            >
              <option value="he">{t('hebrew')}</option>
              <option value="en">{t('english')}</option>
            </select>
          )}
        </Field>
      </div>
      <fieldset className="flex flex-col gap-2">
        <legend className="mb-1 font-medium">{t('quiet')}</legend>
        <div className="grid grid-cols-2 gap-4">
          <Time label={t('quietFrom')} value={quietFrom} onChange={(value) => change({ quietFrom: value })} />
          <Time label={t('quietTo')} value={quietTo} onChange={(value) => change({ quietTo: value })} />
        </div>
        <Check label={t('restDays')} checked={quietRestDays} onChange={(value) => change({ quietRestDays: value })} />
        <span className="text-muted text-sm">{t('quietHint')}</span>
      </fieldset>
      <div className="grid gap-4 sm:grid-cols-2">
        <Time label={t('daily')} value={dailyAt} onChange={(value) => change({ dailyAt: value })} />
        <Field label={t('weekly')}>
          {(className) => (
            <select
              className={className}
              value={weeklyOn ?? ''}
              onChange={({ target }) => change({ weeklyOn: target.value === '' ? null : Number(target.value) })}
            >
              <option value="">{t('none')}</option>
              {WEEKDAYS.map((day) => (
                <option key={day} value={day}>
                  {t(`day${day}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <Check label={t('mail')} checked={mail} onChange={(value) => change({ mail: value })} />
      <div className="flex flex-wrap items-center gap-3">
        <Act type="submit" look="main">
          {t('save')}
        </Act>
        {isSaved && <span role="status">{t('saved')}</span>}
      </div>
      <Problem error={error} />
    </form>
  )
}

function Time({
  label,
  value,
  onChange,
}: {
  label: string
  value: string | null
  onChange(value: string | null): void
}) {
  return (
    <Field label={label}>
      {(className) => (
        <input
          type="time"
          dir="ltr"
          className={className}
          value={value ?? ''}
          onChange={({ target }) => onChange(target.value || null)}
        />
      )}
    </Field>
  )
}

function Check({ label, checked, onChange }: { label: string; checked: boolean; onChange(value: boolean): void }) {
  return (
    <label className="flex min-h-8 items-center gap-3">
      <input type="checkbox" className="size-5" checked={checked} onChange={({ target }) => onChange(target.checked)} />
      {label}
    </label>
  )
}

/** The kinds, each with its ways; a change holds at once. */
function Ways({ notified, onChange }: { notified: Notified; onChange(rules: Notified['rules']): void }) {
  const t = useTranslations('alerts')
  const kinds = useQuery(query('alerts.kinds'))
  const missing = WAYS.filter((way) => !notified.reachable.includes(way))
  return (
    <details>
      <summary className="cursor-pointer font-medium">{t('ways')}</summary>
      <div className="mt-3 flex flex-col gap-4">
        {missing.length > 0 && (
          <p className="text-muted text-sm">{t('unreachable', { ways: missing.map((way) => t(way)).join(', ') })}</p>
        )}
        <Loaded of={kinds}>
          {({ items }) =>
            GROUPS.map((group) => (
              <section key={group} aria-label={t(group)} className="flex flex-col gap-2">
                <h3 className="font-semibold">{t(group)}</h3>
                {items
                  .filter((kind) => kind.group === group)
                  .map((kind) => (
                    <WaysOfKind key={kind.kind} kind={kind} notified={notified} onChange={onChange} />
                  ))}
              </section>
            ))
          }
        </Loaded>
      </div>
    </details>
  )
}

function WaysOfKind({
  kind,
  notified,
  onChange,
}: {
  kind: Kind
  notified: Notified
  onChange(rules: Notified['rules']): void
}) {
  const t = useTranslations('alerts')
  const { locale } = useLocale()
  const chosen = notified.ways[kind.kind] ?? []
  const choose = (way: Way, checked: boolean) => {
    const ways = WAYS.filter((each) => (each === way ? checked : chosen.includes(each)))
    onChange({ ...notified.rules, [kind.kind]: ways })
  }
  return (
    <fieldset className="flex flex-col gap-1 border-line border-t pt-2">
      <legend className="contents">
        <span>
          {kind.title[locale]}
          {kind.level === 'critical' && <span className="ms-2 text-danger text-sm">{t('critical')}</span>}
        </span>
      </legend>
      <div className="flex flex-wrap gap-x-4">
        {WAYS.map((way) => (
          <label key={way} className="flex min-h-8 items-center gap-2 text-sm">
            <input
              type="checkbox"
              className="size-5"
              checked={chosen.includes(way)}
              onChange={({ target }) => choose(way, target.checked)}
            />
            {t(way)}
          </label>
        ))}
      </div>
    </fieldset>
  )
}

const LOOK_MS = 1_000
const LOOKS = 30

/** A test of each way that reaches the member, and how it went. */
function Tests({ notified }: { notified: Notified }) {
  const t = useTranslations('alerts')
  const [results, setResults] = useState<Partial<Record<Way, 'testing' | 'sent' | 'failed'>>>({})
  const note = (way: Way, result: 'testing' | 'sent' | 'failed') =>
    setResults((before) => ({ ...before, [way]: result }))
  const [error, setError] = useState<Error | null>(null)
  const ended = useEnded()
  const test = async (way: Way) => {
    setError(null)
    note(way, 'testing')
    try {
      const { deliveryIds } = await client.alerts.test.mutate({ way })
      note(way, await resultOf(deliveryIds, ended))
    } catch (cause) {
      note(way, 'failed')
      setError(cause instanceof Error ? cause : new Error(String(cause)))
    }
  }
  const reachable = WAYS.filter((way) => notified.reachable.includes(way))
  if (reachable.length === 0) return null
  return (
    <div className="flex flex-col gap-2">
      <h3 className="font-semibold">{t('tests')}</h3>
      <div className="flex flex-wrap gap-2">
        {reachable.map((way) => (
          <Act key={way} isDisabled={results[way] === 'testing'} onPress={() => void test(way)}>
            {t('testWay', { way: t(way) })}
          </Act>
        ))}
      </div>
      <p role="status">
        {WAYS.flatMap((way) => {
          const result = results[way]
          if (!result) return []
          if (result === 'testing') return [t('testing')]
          return [t(result === 'sent' ? 'arrived' : 'failedTest', { way: t(way) })]
        }).join(' ')}
      </p>
      <Problem error={error} />
    </div>
  )
}

/** Whether the screen is gone. */
function useEnded(): () => boolean {
  const [state] = useState({ ended: false })
  useEffect(() => {
    state.ended = false
    return () => {
      state.ended = true
    }
  }, [state])
  return () => state.ended
}

async function resultOf(ids: string[], ended: () => boolean): Promise<'sent' | 'failed'> {
  for (let look = 0; look < LOOKS && !ended(); look++) {
    const { items } = await client.alerts.deliveries.query({ limit: 50 })
    const states = items.filter(({ id }) => ids.includes(id)).map(({ state }) => state)
    if (states.includes('sent')) return 'sent'
    if (states.length > 0 && states.every((state) => state === 'failed' || state === 'dropped')) return 'failed'
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return 'failed'
}
