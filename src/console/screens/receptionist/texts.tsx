import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel } from '../../ui/fields.tsx'
import type { Content, DraftEditing } from './draft.ts'

type Text = Content['texts'][number]

/** What the agent answers from. A text is known by its title. */
export function TextsPanel({ editing, texts }: { editing: DraftEditing; texts: Text[] }) {
  const t = useTranslations('receptionist')
  const change = (next: (texts: Text[]) => Text[]) =>
    editing.change((content) => ({ ...content, texts: next(content.texts) }))
  return (
    <Panel title={t('texts')}>
      <p className="text-muted text-sm">{t('textsHint')}</p>
      {texts.length === 0 && <p className="text-muted">{t('noTexts')}</p>}
      <ul className="flex flex-col gap-3">
        {texts.map(({ title, body }) => (
          <li key={title} className="flex flex-col gap-2 rounded-lg border border-line p-3">
            <label className="flex flex-col gap-1">
              <strong dir="auto">{title}</strong>
              <textarea
                dir="auto"
                rows={3}
                maxLength={8_000}
                required
                className="w-full rounded-lg border border-line bg-page px-3 py-2"
                value={body}
                onChange={(event) =>
                  change((all) =>
                    all.map((text) => (text.title === title ? { title, body: event.target.value } : text)),
                  )
                }
              />
            </label>
            <Act
              className="self-start"
              aria-label={t('removeText', { title })}
              onPress={() => change((all) => all.filter((text) => text.title !== title))}
            >
              {t('remove')}
            </Act>
          </li>
        ))}
      </ul>
      <NewText
        onAdd={(text) =>
          change((all) =>
            [...all.filter(({ title }) => title !== text.title), text].sort((a, b) => (a.title < b.title ? -1 : 1)),
          )
        }
      />
    </Panel>
  )
}

function NewText({ onAdd }: { onAdd(text: Text): void }) {
  const t = useTranslations('receptionist')
  const [title, setTitle] = useState('')
  const [body, setBody] = useState('')
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault()
        onAdd({ title: title.trim(), body: body.trim() })
        setTitle('')
        setBody('')
      }}
    >
      <Field label={t('textTitle')}>
        {(className) => (
          <input
            dir="auto"
            required
            maxLength={200}
            className={className}
            value={title}
            onChange={(event) => setTitle(event.target.value)}
          />
        )}
      </Field>
      <Field label={t('textBody')}>
        {(className) => (
          <textarea
            dir="auto"
            required
            rows={3}
            maxLength={8_000}
            className={className}
            value={body}
            onChange={(event) => setBody(event.target.value)}
          />
        )}
      </Field>
      <Act type="submit" className="self-start" isDisabled={title.trim() === '' || body.trim() === ''}>
        {t('addText')}
      </Act>
    </form>
  )
}
