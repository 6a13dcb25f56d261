import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { type Out, query } from '../app/trpc.ts'
import { Act } from '../ui/buttons.tsx'
import { Field } from '../ui/fields.tsx'
import { Popup } from '../ui/popup.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { Written } from '../ui/values.tsx'
import { sendLater } from './composer-outbox.ts'

type Template = Out<'messages.templates'>['items'][number]

/** What may still be sent when the 24-hour window is shut. */
export function TemplatePopup({ contactId, phone, onClose }: { contactId: string; phone: string; onClose(): void }) {
  const t = useTranslations('composer')
  const templates = useQuery(query('messages.templates'))
  const [chosen, setChosen] = useState<Template | null>(null)
  return (
    <Popup title={t('template')} isOpen onClose={onClose}>
      {chosen ? (
        <Filled
          template={chosen}
          onBack={() => setChosen(null)}
          onSend={(variables) => {
            const template = { contentSid: chosen.contentSid, variables }
            const text = fill(chosen.text, variables)
            sendLater({ contactId, phone, isNote: false, text: '', files: [], quote: null, template, shown: text })
            onClose()
          }}
        />
      ) : (
        <Loaded of={templates}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty>{t('noTemplates')}</Empty>
            ) : (
              <ul className="flex flex-col gap-2">
                {items.map((template) => (
                  <li key={template.contentSid}>
                    <Act className="w-full !justify-start !text-start" onPress={() => setChosen(template)}>
                      <span className="min-w-0">
                        <bdi className="block truncate font-medium">{template.name}</bdi>
                        <Written className="line-clamp-2 text-muted text-sm">{template.text}</Written>
                      </span>
                    </Act>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      )}
    </Popup>
  )
}

function Filled({
  template,
  onBack,
  onSend,
}: {
  template: Template
  onBack(): void
  onSend(variables: Record<string, string>): void
}) {
  const t = useTranslations()
  const [values, setValues] = useState<Record<string, string>>({})
  const isWhole = template.variables.every((name) => values[name]?.trim())
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault()
        if (isWhole) onSend(values)
      }}
    >
      <Written className="rounded-xl bg-accent-soft p-3">{fill(template.text, values)}</Written>
      {template.variables.map((name) => (
        <Field key={name} label={t('composer.variable', { name })}>
          {(className) => (
            <input
              dir="auto"
              maxLength={1_600}
              value={values[name] ?? ''}
              onChange={(event) => setValues((old) => ({ ...old, [name]: event.target.value }))}
              className={className}
            />
          )}
        </Field>
      ))}
      <div className="flex gap-2">
        <Act type="submit" look="main" isDisabled={!isWhole}>
          {t('inbox.send')}
        </Act>
        <Act onPress={onBack}>{t('composer.otherTemplate')}</Act>
      </div>
    </form>
  )
}

function fill(text: string, values: Record<string, string>): string {
  return text.replace(/\{\{\s*([\w.-]+)\s*\}\}/g, (whole, name: string) => values[name] || whole)
}
