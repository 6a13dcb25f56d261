import { useMutation, useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { stripPoints } from '../../lib/hebrew.ts'
import { mutation, query, queryClient } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field, Panel, Problem } from '../ui/fields.tsx'
import { Loaded } from '../ui/states.tsx'
import { Written } from '../ui/values.tsx'

export function ReceptionistSettings() {
  return (
    <>
      <Prompt />
      <Texts />
    </>
  )
}

function Prompt() {
  const t = useTranslations('settings')
  const state = useTranslations('state')
  const profile = useQuery(query('receptionist.get'))
  const preview = useQuery(query('receptionist.preview', {}))
  const save = useMutation({
    ...mutation('receptionist.save'),
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['receptionist'] }),
  })
  return (
    <Panel title={t('receptionist')}>
      <Loaded of={profile}>
        {({ version, settings }) => (
          <form
            key={version}
            className="flex flex-col gap-4"
            onSubmit={(event) => {
              event.preventDefault()
              const form = new FormData(event.currentTarget)
              const text = (name: string) => String(form.get(name) ?? '').trim()
              save.mutate({
                settings: { ...settings, instructions: text('instructions'), transferNumber: text('transfer') || null },
                basedOn: version,
              })
            }}
          >
            {preview.data && (
              <p className="rounded-lg bg-accent-soft p-3">
                <strong className="block">{t('hears')}</strong>
                <Written>{stripPoints(preview.data.greeting)}</Written>
              </p>
            )}
            <Field label={t('instructions')}>
              {(className) => (
                <textarea
                  name="instructions"
                  dir="auto"
                  rows={8}
                  maxLength={12_000}
                  defaultValue={settings.instructions}
                  className={className}
                />
              )}
            </Field>
            <Field label={t('transfer')}>
              {(className) => (
                <input
                  name="transfer"
                  type="tel"
                  dir="ltr"
                  defaultValue={settings.transferNumber ?? ''}
                  className={className}
                />
              )}
            </Field>
            <Problem error={save.error} />
            <div className="flex items-center gap-3">
              <Act type="submit" look="main" isDisabled={save.isPending}>
                {state('save')}
              </Act>
              {save.isSuccess && <span role="status">{t('saved')}</span>}
            </div>
          </form>
        )}
      </Loaded>
    </Panel>
  )
}

function Texts() {
  const t = useTranslations('settings')
  const texts = useQuery(query('receptionist.texts'))
  const done = { onSuccess: () => queryClient.invalidateQueries({ queryKey: ['receptionist', 'texts'] }) }
  const save = useMutation({ ...mutation('receptionist.saveText'), ...done })
  const remove = useMutation({ ...mutation('receptionist.removeText'), ...done })
  return (
    <Panel title={t('texts')}>
      <Loaded of={texts}>
        {({ items }) => (
          <ul className="flex flex-col gap-2">
            {items.map((text) => (
              <li key={text.id} className="flex items-start gap-3 rounded-lg border border-line p-3">
                <span className="min-w-0 flex-1">
                  <strong dir="auto" className="block">
                    {text.title}
                  </strong>
                  <Written className="text-muted text-sm">{text.body}</Written>
                </span>
                <Act onPress={() => remove.mutate({ id: text.id })}>{t('remove')}</Act>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const element = event.currentTarget
          const form = new FormData(element)
          save.mutate(
            { title: String(form.get('title')), body: String(form.get('body')) },
            { onSuccess: () => element.reset() },
          )
        }}
      >
        <Field label={t('textTitle')}>
          {(className) => <input name="title" dir="auto" required maxLength={200} className={className} />}
        </Field>
        <Field label={t('textBody')}>
          {(className) => <textarea name="body" dir="auto" required rows={3} className={className} />}
        </Field>
        <Problem error={save.error ?? remove.error} />
        <Act type="submit" className="self-start">
          {t('addText')}
        </Act>
      </form>
    </Panel>
  )
}
