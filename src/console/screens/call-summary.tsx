import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { mutation, type Out, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Problem } from '../ui/fields.tsx'
import { Written } from '../ui/values.tsx'

type SummaryView = NonNullable<Out<'calls.summary'>>

const FIELDS = ['name', 'inquiry', 'area', 'budget', 'callback_time'] as const

/** What the call came to, which a member may write better. */
export function Summary({ callId }: { callId: string }) {
  const t = useTranslations('call')
  const summary = useQuery(query('calls.summary', { id: callId }))
  const mayEdit = useAccess().may('agent')
  const [editing, setEditing] = useState(false)
  if (summary.data === undefined) return null
  return (
    <section aria-labelledby="summary" className="flex flex-col gap-2 rounded-xl border border-line bg-surface p-4">
      <h2 id="summary" className="flex items-center justify-between font-semibold">
        {t('summary')}
        {!editing && mayEdit && (
          <Act look="quiet" onPress={() => setEditing(true)}>
            {t('edit')}
          </Act>
        )}
      </h2>
      {editing ? (
        <Form callId={callId} summary={summary.data} onDone={() => setEditing(false)} />
      ) : summary.data ? (
        <Shown summary={summary.data} />
      ) : (
        <p className="text-muted">{t('noSummary')}</p>
      )}
    </section>
  )
}

function Shown({ summary }: { summary: SummaryView }) {
  const t = useTranslations('call')
  const fields = FIELDS.filter((name) => summary.fields[name])
  return (
    <>
      <Written>{summary.summary}</Written>
      {summary.nextStep && (
        <p>
          <strong>{t('nextStep')}: </strong>
          <Written>{summary.nextStep}</Written>
        </p>
      )}
      {fields.length > 0 && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1 text-sm">
          {fields.map((name) => (
            <div key={name} className="contents">
              <dt className="text-muted">{t(`field.${name}`)}</dt>
              <dd className="min-w-0">
                <Written>{summary.fields[name] ?? ''}</Written>
              </dd>
            </div>
          ))}
        </dl>
      )}
      <small className="text-muted">{t(`madeBy.${summary.madeBy}`)}</small>
    </>
  )
}

function Form({ callId, summary, onDone }: { callId: string; summary: SummaryView | null; onDone(): void }) {
  const t = useTranslations()
  const save = useMutation({
    ...mutation('calls.editSummary'),
    onSuccess: (saved) => {
      queryClient.setQueryData(query('calls.summary', { id: callId }).queryKey, saved)
      onDone()
    },
  })
  const onSubmit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    const text = (name: string) => String(form.get(name) ?? '').trim()
    save.mutate({
      id: callId,
      summary: text('summary'),
      nextStep: text('nextStep') || null,
      fields: Object.fromEntries(FIELDS.map((name) => [name, text(name)])),
    })
  }
  return (
    <form className="flex flex-col gap-3" onSubmit={onSubmit}>
      <Field label={t('call.summary')}>
        {(className) => (
          <textarea
            name="summary"
            dir="auto"
            required
            rows={4}
            maxLength={2000}
            defaultValue={summary?.summary}
            className={className}
          />
        )}
      </Field>
      <Field label={t('call.nextStep')}>
        {(className) => (
          <input
            name="nextStep"
            dir="auto"
            maxLength={2000}
            defaultValue={summary?.nextStep ?? ''}
            className={className}
          />
        )}
      </Field>
      {FIELDS.map((name) => (
        <Field key={name} label={t(`call.field.${name}`)}>
          {(className) => (
            <input
              name={name}
              dir="auto"
              maxLength={2000}
              defaultValue={summary?.fields[name] ?? ''}
              className={className}
            />
          )}
        </Field>
      ))}
      <Problem error={save.error} />
      <div className="flex gap-2">
        <Act type="submit" look="main" isDisabled={save.isPending}>
          {t('state.save')}
        </Act>
        <Act onPress={onDone}>{t('state.cancel')}</Act>
      </div>
    </form>
  )
}
