import { useQuery } from '@tanstack/react-query'
import { useTranslations } from 'use-intl'
import { type Out, query } from '../../app/trpc.ts'
import { Field } from '../../ui/fields.tsx'
import { Loaded } from '../../ui/states.tsx'
import { textOf } from './booking-parts.tsx'

type Rules = NonNullable<Out<'booking.settings'>['reminders']>
type Kind = Out<'booking.texts'>['items'][number]['kind']
type Texts = NonNullable<Rules['texts']>
const LANGUAGES = ['he', 'en'] as const
/** Shown as they are written. */
const PLACEHOLDERS = {
  ...{ business: '{business}', when: '{when}', link: '{link}', service: '{service}' },
  ...{ amount: '{amount}', until: '{until}' },
}

/** The business's own words for each message, and the WhatsApp templates that stand in for them. */
export function ReminderTexts({ rules }: { rules: Rules }) {
  const t = useTranslations('booking')
  const usual = useQuery(query('booking.texts'))
  const templates = useQuery(query('messages.templates'))
  // Without Twilio there are none, and a linked account needs none.
  const known = templates.data?.items ?? []
  return (
    <details>
      <summary className="cursor-pointer font-medium">{t('ownTexts')}</summary>
      <p className="mt-2 text-muted text-sm">{t('ownTextsHint', PLACEHOLDERS)}</p>
      <Loaded of={usual}>
        {({ items }) => (
          <div className="mt-3 flex flex-col gap-4">
            {items.map(({ kind, text }) => (
              <fieldset key={kind} className="flex min-w-0 flex-col gap-2">
                <legend className="font-medium">{t(`text.${kind}`)}</legend>
                <input type="hidden" name="textKind" value={kind} />
                {LANGUAGES.map((language) => (
                  <div key={language} className="flex flex-col gap-2">
                    <Field label={t(`in.${language}`)}>
                      {(className) => (
                        <textarea
                          name={`text.${language}.${kind}`}
                          lang={language}
                          dir={language === 'he' ? 'rtl' : 'ltr'}
                          rows={2}
                          maxLength={500}
                          placeholder={text[language]}
                          defaultValue={rules.texts?.[language]?.[kind] ?? ''}
                          className={className}
                        />
                      )}
                    </Field>
                    <TemplateChoice kind={kind} language={language} rules={rules} known={known} />
                  </div>
                ))}
              </fieldset>
            ))}
          </div>
        )}
      </Loaded>
    </details>
  )
}

function TemplateChoice({
  kind,
  language,
  rules,
  known,
}: {
  kind: Kind
  language: 'he' | 'en'
  rules: Rules
  known: Out<'messages.templates'>['items']
}) {
  const t = useTranslations('booking')
  const chosen = rules.templates?.[language]?.[kind] ?? ''
  if (known.length === 0 && chosen === '') return null
  const isKnown = known.some(({ contentSid }) => contentSid === chosen)
  return (
    <Field label={t('template')}>
      {(className) => (
        <select name={`template.${language}.${kind}`} defaultValue={chosen} className={className}>
          <option value="">{t('noTemplate')}</option>
          {chosen !== '' && !isKnown && <option value={chosen}>{chosen}</option>}
          {known.map(({ contentSid, name }) => (
            <option key={contentSid} value={contentSid}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}

/** What the form has of texts and templates; as it was where the fields were not loaded. */
export function textsOf(form: FormData, rules: Rules | null): Pick<Rules, 'texts' | 'templates'> {
  const kinds = form.getAll('textKind').map(String)
  if (kinds.length === 0) return { texts: rules?.texts, templates: rules?.templates }
  const read = (what: 'text' | 'template'): Texts =>
    Object.fromEntries(
      LANGUAGES.map((language) => [
        language,
        Object.fromEntries(
          kinds.flatMap((kind) => {
            const text = textOf(form, `${what}.${language}.${kind}`)
            return text === '' ? [] : [[kind, text]]
          }),
        ),
      ]),
    )
  return { texts: read('text'), templates: read('template') }
}
