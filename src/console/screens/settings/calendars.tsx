import { useMutation, useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useFormatter, useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { fileAddress } from '../../app/base.ts'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Act } from '../../ui/buttons.tsx'
import { Checked } from '../../ui/checked.tsx'
import { Confirm } from '../../ui/confirm.tsx'
import { Copyable } from '../../ui/copy.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Ago } from '../../ui/values.tsx'

type Connection = Out<'calendars.list'>['items'][number]
type Conflict = Out<'calendars.conflicts'>['items'][number]
type Person = Out<'booking.staff'>['items'][number]

const route = getRouteApi('/settings')
const again = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['calendars'] }) }
/** A round of reading makes no event of its own. */
const REFRESH = { refetchInterval: 10_000 }
const NAMES = { google: 'Google Calendar', microsoft: 'Microsoft 365', caldav: 'CalDAV', ics: 'ICS' } as const
const OUTCOMES = ['connected', 'denied', 'expired', 'failed'] as const

export function CalendarSettings(): ReactNode {
  const t = useTranslations('calendars')
  const { may } = useAccess()
  const { connected } = route.useSearch()
  const outcome = OUTCOMES.find((each) => each === connected)
  const list = useQuery({ ...query('calendars.list'), ...REFRESH })
  const staff = useQuery(query('booking.staff'))
  const people = staff.data?.items ?? []
  return (
    <>
      <p className="max-w-2xl text-muted">{t('intro')}</p>
      {outcome && <Checked good={outcome === 'connected'}>{t(`outcome_${outcome}`)}</Checked>}
      <Conflicts />
      <Panel title={t('title')}>
        <Loaded of={list}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>{t('empty')}</Empty>
            ) : (
              <ul aria-label={t('title')} className="flex flex-col gap-3">
                {items.map((connection) => (
                  <ConnectionRow key={connection.id} connection={connection} people={people} />
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      {may('manager') && (
        <>
          <Connect people={people} />
          <Feeds people={people} />
        </>
      )}
    </>
  )
}

function Conflicts() {
  const t = useTranslations('calendars')
  const list = useQuery({ ...query('calendars.conflicts'), ...REFRESH })
  const items = list.data?.items ?? []
  if (items.length === 0) return null
  return (
    <Panel title={t('conflicts')}>
      <ul aria-label={t('conflicts')} className="flex flex-col gap-3">
        {items.map((conflict) => (
          <ConflictRow key={`${conflict.id}-${conflict.appointmentId}`} conflict={conflict} />
        ))}
      </ul>
    </Panel>
  )
}

function ConflictRow({ conflict }: { conflict: Conflict }) {
  const t = useTranslations('calendars')
  const format = useFormatter()
  const { may } = useAccess()
  const decide = useMutation({ ...mutation('calendars.decide'), ...again })
  const when = (at: string) => format.dateTime(new Date(at), { dateStyle: 'medium', timeStyle: 'short' })
  const { id, kind, name, startsAt, outsideStartsAt, calendar, title } = conflict
  return (
    <li className="flex flex-col gap-2 rounded-lg border border-line p-3">
      <span className="font-medium">
        <bdi>{name ?? t('unnamed')}</bdi>, {when(startsAt)}
      </span>
      <span className="text-muted">
        {t(`conflict_${kind}`, { calendar, at: outsideStartsAt ? when(outsideStartsAt) : '' })}
        {title && (
          <>
            {' '}
            <bdi>{title}</bdi>
          </>
        )}
      </span>
      {kind !== 'overlap' && may('agent') && (
        <div className="flex flex-wrap gap-2">
          <Act onPress={() => decide.mutate({ id, decision: 'apply' })}>{t(`apply_${kind}`)}</Act>
          <Act onPress={() => decide.mutate({ id, decision: 'keep' })}>{t('keep')}</Act>
        </div>
      )}
      <Problem error={decide.error} />
    </li>
  )
}

function ConnectionRow({ connection, people }: { connection: Connection; people: Person[] }) {
  const t = useTranslations('calendars')
  const { may } = useAccess()
  const update = useMutation({ ...mutation('calendars.update'), ...again })
  const remove = useMutation({ ...mutation('calendars.remove'), ...again })
  const sync = useMutation({ ...mutation('calendars.sync'), ...again })
  const { id, kind, name, state, reason, staffId, syncedAt, calendars } = connection
  const mayChange = may('manager')
  return (
    <li className="flex flex-col gap-3 rounded-lg border border-line p-3">
      <div className="flex flex-wrap items-baseline gap-x-3">
        <span className="font-medium">{NAMES[kind]}</span>
        <bdi dir="ltr" className="min-w-0 break-all">
          {name}
        </bdi>
        <span className={state === 'connected' ? 'text-muted' : 'text-danger'}>{t(`state_${state}`)}</span>
      </div>
      {state !== 'connected' && <Checked good={false}>{t(adviceOf(connection))}</Checked>}
      {reason && state === 'connected' && <p className="text-muted text-sm">{t('slowed')}</p>}
      <span className="text-muted text-sm">
        {syncedAt ? (
          <>
            {t('read')} <Ago at={syncedAt} />
          </>
        ) : (
          t('neverRead')
        )}
      </span>
      <Calendars connection={connection} mayChange={mayChange} save={update.mutate} />
      {mayChange && (
        <>
          <Owner
            people={people}
            value={staffId}
            onChange={(next) => update.mutate({ id, staffId: next })}
            label={t('ownerOf', { name })}
          />
          {calendars.some(({ writable }) => writable) && <Rules connection={connection} save={update.mutate} />}
          <Tick checked={connection.showTitles} onChange={(showTitles) => update.mutate({ id, showTitles })}>
            {t('showTitles')}
          </Tick>
        </>
      )}
      <div className="flex flex-wrap gap-2">
        {may('agent') && <Act onPress={() => sync.mutate({ id })}>{t('sync')}</Act>}
        {mayChange && state === 'needs_reconnect' && (kind === 'google' || kind === 'microsoft') && (
          <a className="rounded-lg border border-line px-3 py-1" href={loginAddress(kind, staffId)}>
            {t('reconnect')}
          </a>
        )}
        {mayChange && (
          <Confirm label={t('remove')} question={t('removeQuestion')} onConfirm={() => remove.mutate({ id })} />
        )}
      </div>
      <Problem error={update.error ?? remove.error ?? sync.error} />
    </li>
  )
}

function adviceOf({ kind, state, reason }: Connection) {
  if (state === 'needs_reconnect') return kind === 'caldav' ? 'advicePassword' : 'adviceReconnect'
  if (reason === 'refused' || reason === 'not_allowed') return 'adviceRefused'
  return 'adviceFailing'
}

type Save = (changes: { id: string } & Partial<Pick<Connection, 'onChange' | 'notifyCustomer'>>) => void
type SaveCalendars = (changes: { id: string; calendars: { id: string; reads: boolean; writes: boolean }[] }) => void

function Calendars({
  connection,
  mayChange,
  save,
}: {
  connection: Connection
  mayChange: boolean
  save: SaveCalendars
}) {
  const t = useTranslations('calendars')
  return (
    <ul aria-label={t('calendarsOf', { name: connection.name })} className="flex flex-col gap-2">
      {connection.calendars.map(({ id, name, reads, writes, writable }) => (
        <li key={id} className="flex flex-wrap items-center gap-x-4 gap-y-1">
          <bdi className="min-w-0 flex-1 basis-40 break-words">{name}</bdi>
          <Tick
            checked={reads}
            isDisabled={!mayChange}
            label={t('readsOf', { name })}
            onChange={(next) => save({ id: connection.id, calendars: [{ id, reads: next, writes }] })}
          >
            {t('reads')}
          </Tick>
          {writable && (
            <Tick
              checked={writes}
              isDisabled={!mayChange}
              label={t('writesOf', { name })}
              onChange={(next) => save({ id: connection.id, calendars: [{ id, reads, writes: next }] })}
            >
              {t('writes')}
            </Tick>
          )}
        </li>
      ))}
    </ul>
  )
}

function Rules({ connection, save }: { connection: Connection; save: Save }) {
  const t = useTranslations('calendars')
  const { id, onChange, notifyCustomer } = connection
  return (
    <>
      <Field label={t('onChange')} hint={t('onChangeHint')}>
        {(className) => (
          <select
            className={className}
            value={onChange}
            onChange={(event) => save({ id, onChange: event.target.value === 'apply' ? 'apply' : 'ask' })}
          >
            <option value="ask">{t('ask')}</option>
            <option value="apply">{t('applyThem')}</option>
          </select>
        )}
      </Field>
      <Tick checked={notifyCustomer} onChange={(next) => save({ id, notifyCustomer: next })}>
        {t('notifyCustomer')}
      </Tick>
    </>
  )
}

function Tick({
  checked,
  isDisabled = false,
  label,
  onChange,
  children,
}: {
  checked: boolean
  isDisabled?: boolean
  label?: string
  onChange(checked: boolean): void
  children: string
}) {
  return (
    <label className="flex items-center gap-2">
      <input
        type="checkbox"
        aria-label={label}
        checked={checked}
        disabled={isDisabled}
        onChange={(event) => onChange(event.target.checked)}
      />
      {children}
    </label>
  )
}

function Owner({
  people,
  value,
  label,
  onChange,
}: {
  people: Person[]
  value: string | null
  label: string
  onChange(staffId: string | null): void
}) {
  const t = useTranslations('calendars')
  return (
    <Field label={label}>
      {(className) => (
        <select className={className} value={value ?? ''} onChange={(event) => onChange(event.target.value || null)}>
          <option value="">{t('everybody')}</option>
          {people.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

function loginAddress(kind: 'google' | 'microsoft', staffId: string | null): string {
  const address = fileAddress(`/calendars/oauth/${kind}`)
  return staffId ? `${address}${address.includes('?') ? '&' : '?'}staff=${staffId}` : address
}

function Connect({ people }: { people: Person[] }) {
  const t = useTranslations('calendars')
  const vendors = useQuery(query('calendars.vendors'))
  const connect = useMutation({ ...mutation('calendars.connect'), ...again })
  const [staffId, setStaffId] = useState<string | null>(null)
  const [kind, setKind] = useState<'caldav' | 'ics'>('caldav')
  const offered = vendors.data?.items ?? []
  return (
    <Panel title={t('connect')}>
      <Owner people={people} value={staffId} label={t('owner')} onChange={setStaffId} />
      {offered.length > 0 ? (
        <div className="flex flex-wrap gap-2">
          {offered.map((vendor) => (
            <a
              key={vendor}
              href={loginAddress(vendor, staffId)}
              className="inline-flex min-h-9 items-center rounded-lg bg-accent px-3 py-1 text-accent-ink"
            >
              {t('connectTo', { name: NAMES[vendor] })}
            </a>
          ))}
        </div>
      ) : (
        vendors.data && <p className="text-muted">{t('noVendors')}</p>
      )}
      <form
        className="flex flex-col gap-3 border-line border-t pt-3"
        autoComplete="off"
        onSubmit={(event) => {
          event.preventDefault()
          const element = event.currentTarget
          const form = new FormData(element)
          const url = String(form.get('url')).trim()
          const login = { username: String(form.get('username')).trim(), password: String(form.get('password')) }
          connect.mutate(
            { kind, url, staffId, ...(kind === 'caldav' ? login : {}) },
            { onSuccess: () => element.reset() },
          )
        }}
      >
        <Field label={t('kind')}>
          {(className) => (
            <select
              className={className}
              value={kind}
              onChange={(event) => setKind(event.target.value === 'ics' ? 'ics' : 'caldav')}
            >
              <option value="caldav">{t('caldav')}</option>
              <option value="ics">{t('ics')}</option>
            </select>
          )}
        </Field>
        <Field label={t('url')} hint={t(kind === 'caldav' ? 'caldavHint' : 'icsHint')}>
          {(className) => (
            <input name="url" dir="ltr" required placeholder="https://" inputMode="url" className={className} />
          )}
        </Field>
        {kind === 'caldav' && (
          <>
            <Field label={t('username')}>
              {(className) => <input name="username" dir="ltr" required className={className} />}
            </Field>
            <Field label={t('password')} hint={t('passwordHint')}>
              {(className) => (
                <input
                  name="password"
                  type="password"
                  dir="ltr"
                  autoComplete="new-password"
                  required
                  className={className}
                />
              )}
            </Field>
          </>
        )}
        <Problem error={connect.error} />
        <Act type="submit" look="main" className="self-start" isDisabled={connect.isPending}>
          {t('add')}
        </Act>
      </form>
    </Panel>
  )
}

function Feeds({ people }: { people: Person[] }) {
  const t = useTranslations('calendars')
  const list = useQuery(query('calendars.feeds'))
  const add = useMutation({ ...mutation('calendars.addFeed'), ...again })
  const remove = useMutation({ ...mutation('calendars.removeFeed'), ...again })
  const [staffId, setStaffId] = useState<string | null>(null)
  return (
    <Panel title={t('feeds')}>
      <p className="text-muted">{t('feedsIntro')}</p>
      <Loaded of={list}>
        {({ items }) => (
          <ul aria-label={t('feeds')} className="flex flex-col gap-3">
            {items.map((feed) => {
              const name = people.find(({ id }) => id === feed.staffId)?.name ?? t('everybody')
              return (
                <li key={feed.id} className="flex flex-col gap-2">
                  <Copyable label={t('feedOf', { name })} value={feed.url} />
                  <Confirm
                    label={t('revoke')}
                    question={t('revokeQuestion')}
                    onConfirm={() => remove.mutate({ id: feed.id })}
                  />
                </li>
              )
            })}
          </ul>
        )}
      </Loaded>
      <Owner people={people} value={staffId} label={t('feedOwner')} onChange={setStaffId} />
      <Act className="self-start" isDisabled={add.isPending} onPress={() => add.mutate(staffId ? { staffId } : {})}>
        {t('addFeed')}
      </Act>
      <Problem error={add.error ?? remove.error} />
    </Panel>
  )
}
