import { useMutation, useQuery } from '@tanstack/react-query'
import { useDeferredValue, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../../app/access.ts'
import { mutation, type Out, query, queryClient } from '../../app/trpc.ts'
import { Confirm } from '../../ui/confirm.tsx'
import { Field, Panel, Problem } from '../../ui/fields.tsx'
import { SaveRow } from '../../ui/save-row.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Phone } from '../../ui/values.tsx'

const PERIODS = ['messageDays', 'callDays', 'recordingDays'] as const

export function PrivacySettings() {
  const { may } = useAccess()
  return (
    <>
      <Retention />
      {may('owner') && <Erasure />}
    </>
  )
}

function Retention() {
  const t = useTranslations('privacy')
  const { may } = useAccess()
  const retention = useQuery(query('privacy.retention'))
  const save = useMutation({
    ...mutation('privacy.setRetention'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['privacy'] }),
  })
  return (
    <Panel title={t('retention')}>
      <p className="text-muted">{t('retentionIntro')}</p>
      <Loaded of={retention}>
        {(data) => (
          <form
            className="flex flex-col gap-3"
            onSubmit={(event) => {
              event.preventDefault()
              const form = new FormData(event.currentTarget)
              const days = (name: string) => Number(form.get(name)) || null
              save.mutate({
                messageDays: days('messageDays'),
                callDays: days('callDays'),
                recordingDays: days('recordingDays'),
              })
            }}
          >
            {PERIODS.map((name) => (
              <Field key={name} label={t(name)} hint={t('forever')}>
                {(className) => (
                  <input
                    name={name}
                    type="number"
                    dir="ltr"
                    min={1}
                    max={3650}
                    disabled={!may('owner')}
                    defaultValue={data[name] ?? ''}
                    className={className}
                  />
                )}
              </Field>
            ))}
            <Problem error={save.error} />
            <SaveRow of={save} needs="owner" />
          </form>
        )}
      </Loaded>
    </Panel>
  )
}

/** One person is looked for, looked at, and erased. */
function Erasure() {
  const t = useTranslations('privacy')
  const [text, setText] = useState('')
  const q = useDeferredValue(text.trim())
  const found = useQuery({ ...query('search.all', { q: q || '-', kinds: ['contacts'] }), enabled: q.length > 1 })
  const erase = useMutation({
    ...mutation('privacy.eraseContact'),
    onSuccess: () => {
      setText('')
      return queryClient.invalidateQueries()
    },
  })
  return (
    <Panel title={t('erasure')}>
      <p className="text-muted">{t('erasureIntro')}</p>
      <Field label={t('person')}>
        {(className) => (
          <input
            type="search"
            dir="auto"
            value={text}
            onChange={(event) => setText(event.target.value)}
            className={className}
          />
        )}
      </Field>
      <Problem error={erase.error} />
      {erase.data && <Erased counts={erase.data} />}
      {q.length > 1 && (
        <Loaded of={found}>
          {({ contacts }) =>
            contacts.length === 0 ? (
              <Empty>{t('noPerson')}</Empty>
            ) : (
              <ul className="flex flex-col gap-2">
                {contacts.map((contact) => (
                  <li key={contact.id} className="flex flex-wrap items-center gap-3 rounded-lg border border-line p-3">
                    <span className="min-w-0 flex-1 truncate">
                      {contact.name && <bdi className="me-2">{contact.name}</bdi>}
                      {contact.phone && <Phone value={contact.phone} />}
                    </span>
                    <Confirm
                      label={t('erase')}
                      question={t('eraseQuestion')}
                      isDisabled={erase.isPending}
                      onConfirm={() => erase.mutate({ id: contact.id })}
                    />
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      )}
    </Panel>
  )
}

function Erased({ counts }: { counts: Out<'privacy.eraseContact'> }) {
  const t = useTranslations('privacy')
  return (
    <p role="status" className="rounded-lg bg-accent-soft p-3">
      {t('erased', {
        messages: counts.messages,
        calls: counts.calls,
        leads: counts.leads,
        notes: counts.notes,
        appointments: counts.appointments,
        files: counts.files,
      })}
    </p>
  )
}
