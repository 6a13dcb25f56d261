import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Dialog } from '../ui/dialog.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'
import { Ago } from '../ui/values.tsx'
import type { Column, Lead } from './lead-types.ts'

const read = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['leads'] }) }
const text = (form: FormData, name: string) => String(form.get(name) ?? '').trim()

/** What a form says of a lead; the value is typed in shekels. */
function fieldsOf(form: FormData) {
  const value = text(form, 'value')
  return {
    name: text(form, 'name') || null,
    inquiry: text(form, 'inquiry') || null,
    callbackTime: text(form, 'callbackTime') || null,
    valueAgorot: value === '' ? null : Math.round(Number(value) * 100),
    ownerId: text(form, 'ownerId') || null,
  }
}

export function NewLeadDialog({ onClose }: { onClose(): void }) {
  const t = useTranslations('lead')
  // The same form after a lost answer makes the same lead.
  const [id] = useState(() => crypto.randomUUID())
  const create = useMutation({ ...mutation('leads.create'), ...read })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const phone = text(form, 'phone')
    create.mutate({ id, ...(phone ? { phone } : {}), ...fieldsOf(form) }, { onSuccess: onClose })
  }
  return (
    <Dialog title={t('new')} onClose={onClose}>
      <form className="flex flex-col gap-3" onSubmit={onSubmit}>
        <Field label={t('phone')}>
          {(className) => <input name="phone" type="tel" dir="ltr" className={className} />}
        </Field>
        <Fields lead={null} />
        <Problem error={create.error} />
        <Act type="submit" look="main" isDisabled={create.isPending}>
          {t('save')}
        </Act>
      </form>
    </Dialog>
  )
}

/** One lead: its fields, its stage, and what was changed in it. */
export function LeadDialog({ id, columns, onClose }: { id: string; columns: Column[]; onClose(): void }) {
  const t = useTranslations('lead')
  const found = useQuery(query('leads.get', { id }))
  return (
    <Dialog title={found.data?.name ?? t('details')} onClose={onClose}>
      <Loaded of={found}>{(lead) => <Details lead={lead} columns={columns} onClose={onClose} />}</Loaded>
    </Dialog>
  )
}

function Details({ lead, columns, onClose }: { lead: Lead; columns: Column[]; onClose(): void }) {
  const t = useTranslations('lead')
  const mayWork = useAccess().may('agent')
  const update = useMutation({ ...mutation('leads.update'), ...read })
  const stage = columns.find((column) => column.stage.key === lead.stage)?.stage.name ?? lead.stage
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    update.mutate({ id: lead.id, ...fieldsOf(new FormData(event.currentTarget)) }, { onSuccess: onClose })
  }
  return (
    <div className="flex flex-col gap-3">
      <p className="flex flex-wrap gap-4 text-sm">
        <bdi className="text-muted">{stage}</bdi>
        {lead.contactId && (
          <Link to="/inbox" search={{ view: 'all', contact: lead.contactId }} className="underline">
            {t('open')}
          </Link>
        )}
        {lead.callId && (
          <Link to="/calls/$callId" params={{ callId: lead.callId }} className="underline">
            {t('openCall')}
          </Link>
        )}
      </p>
      <form onSubmit={onSubmit}>
        <fieldset disabled={!mayWork} className="flex flex-col gap-3">
          <Fields lead={lead} />
          <Problem error={update.error} />
          {mayWork && (
            <Act type="submit" look="main" isDisabled={update.isPending}>
              {t('save')}
            </Act>
          )}
        </fieldset>
      </form>
      <History id={lead.id} />
    </div>
  )
}

function Fields({ lead }: { lead: Lead | null }) {
  const t = useTranslations('lead')
  const members = useQuery(query('members.list', { limit: 200 }))
  return (
    <>
      <Field label={t('name')}>
        {(className) => (
          <input name="name" dir="auto" maxLength={200} defaultValue={lead?.name ?? ''} className={className} />
        )}
      </Field>
      <Field label={t('inquiry')}>
        {(className) => (
          <textarea name="inquiry" dir="auto" rows={3} defaultValue={lead?.inquiry ?? ''} className={className} />
        )}
      </Field>
      <Field label={t('callbackTime')}>
        {(className) => (
          <input name="callbackTime" dir="auto" defaultValue={lead?.callbackTime ?? ''} className={className} />
        )}
      </Field>
      <div className="grid grid-cols-2 gap-3">
        <Field label={t('value')}>
          {(className) => (
            <input
              name="value"
              type="number"
              min="0"
              step="0.01"
              dir="ltr"
              defaultValue={lead?.valueAgorot === null || !lead ? '' : lead.valueAgorot / 100}
              className={className}
            />
          )}
        </Field>
        <Field label={t('owner')}>
          {(className) => (
            <select
              key={members.data ? 'members' : 'none'}
              name="ownerId"
              defaultValue={lead?.ownerId ?? ''}
              className={className}
            >
              <option value="">{t('noOwner')}</option>
              {members.data?.items.map(({ userId, name, email }) => (
                <option key={userId} value={userId}>
                  {name || email}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
    </>
  )
}

const KNOWN_FIELDS = ['stage', 'name', 'inquiry', 'callbackTime', 'valueAgorot', 'ownerId'] as const

function History({ id }: { id: string }) {
  const t = useTranslations('lead')
  const history = useQuery(query('leads.history', { id, limit: 20 }))
  if (!history.data?.items.length) return null
  return (
    <details>
      <summary className="cursor-pointer">{t('history')}</summary>
      <ul className="mt-2 flex flex-col gap-1 text-sm">
        {history.data.items.map((entry) => {
          const field = KNOWN_FIELDS.find((each) => each === entry.field)
          return (
            <li key={entry.id}>
              {field ? t(`field.${field}`) : entry.field}: <bdi>{entry.before ?? '—'}</bdi>{' '}
              <span aria-hidden="true" className="inline-block rtl:-scale-x-100">
                →
              </span>{' '}
              <bdi>{entry.after ?? '—'}</bdi> <Ago at={entry.createdAt} className="text-muted" />
            </li>
          )
        })}
      </ul>
    </details>
  )
}
