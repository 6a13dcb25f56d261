import { useTranslations } from 'use-intl'
import { Act } from '../../ui/buttons.tsx'
import { Field, Panel } from '../../ui/fields.tsx'
import { type Content, type DraftEditing, type Settings, setting } from './draft.ts'
import { EnginePanel } from './engine.tsx'
import { inLanguage, LANGUAGES, type SPOKEN } from './fields.ts'
import { HoursPanel } from './hours.tsx'
import { Listen } from './listen.tsx'
import { TextsPanel } from './texts.tsx'

/** Of OpenAI Realtime. Another one that was set by the API stays. */
const VOICES = ['alloy', 'ash', 'ballad', 'cedar', 'coral', 'echo', 'marin', 'sage', 'shimmer', 'verse']

type Part = { editing: DraftEditing; settings: Settings }

/** Every setting of the receptionist, in plain words. */
export function Edit({ editing, content, mayEdit }: { editing: DraftEditing; content: Content; mayEdit: boolean }) {
  const part = { editing, settings: content.settings }
  return (
    <fieldset disabled={!mayEdit} className="flex min-w-0 flex-col gap-4">
      <Opening {...part} />
      <Behaviour {...part} />
      <HoursPanel {...part} />
      <Reaching {...part} />
      <After {...part} />
      <EnginePanel />
      <TextsPanel editing={editing} texts={content.texts} />
    </fieldset>
  )
}

/** One text a language, each heard before it is published where callers hear it. */
function Spoken({
  editing,
  settings,
  name,
  hint,
  listen,
}: Part & { name: (typeof SPOKEN)[number]; hint: string; listen?: 'greeting' | 'voicemail' }) {
  const t = useTranslations('receptionist')
  return LANGUAGES.map((language) => {
    const label = inLanguage(t, t(name), language)
    return (
      <div key={language} className="flex flex-col gap-2">
        <Field label={label} hint={hint}>
          {(className) => (
            <textarea
              dir="auto"
              lang={language}
              rows={2}
              maxLength={2_000}
              className={className}
              value={settings[name][language] ?? ''}
              onChange={(event) =>
                setting(editing, name, { ...settings[name], [language]: event.target.value || undefined })
              }
            />
          )}
        </Field>
        {listen && <Listen kind={listen} language={language} settings={settings} label={label} />}
      </div>
    )
  })
}

function Opening(part: Part) {
  const t = useTranslations('receptionist')
  return (
    <Panel title={t('opening')}>
      <Spoken {...part} name="greeting" hint={t('greetingHint')} listen="greeting" />
      <Spoken {...part} name="consentNotice" hint={t('consentHint')} />
      <ConsentReady {...part} />
    </Panel>
  )
}

/** Members may listen to live calls: while no notice says so, one that does is offered. */
function ConsentReady({ editing, settings }: Part) {
  const t = useTranslations('receptionist')
  const missing = LANGUAGES.filter((language) => !settings.consentNotice[language]?.trim())
  if (missing.length === 0) return null
  const ready = Object.fromEntries(missing.map((language) => [language, t(`consentReady.${language}`)]))
  return (
    <div className="flex flex-col items-start gap-2 rounded-lg bg-warn-soft p-3 text-sm text-warn">
      <p>{t('consentMissing')}</p>
      <Act onPress={() => setting(editing, 'consentNotice', { ...settings.consentNotice, ...ready })}>
        {t('consentTake')}
      </Act>
    </div>
  )
}

function Behaviour({ editing, settings }: Part) {
  const t = useTranslations('receptionist')
  const voices = settings.voice && !VOICES.includes(settings.voice) ? [...VOICES, settings.voice] : VOICES
  return (
    <Panel title={t('behaviour')}>
      <Field label={t('instructions')} hint={t('instructionsHint')}>
        {(className) => (
          <textarea
            dir="auto"
            rows={8}
            maxLength={12_000}
            className={className}
            value={settings.instructions}
            onChange={(event) => setting(editing, 'instructions', event.target.value)}
          />
        )}
      </Field>
      <fieldset className="flex flex-wrap gap-4">
        <legend className="mb-1 font-medium">{t('languages')}</legend>
        {LANGUAGES.map((language) => (
          <label key={language} className="flex items-center gap-2">
            <input
              type="checkbox"
              checked={settings.languages.includes(language)}
              onChange={(event) =>
                setting(
                  editing,
                  'languages',
                  LANGUAGES.filter((each) =>
                    each === language ? event.target.checked : settings.languages.includes(each),
                  ),
                )
              }
            />
            {t(language === 'he' ? 'hebrew' : 'english')}
          </label>
        ))}
      </fieldset>
      <Field label={t('voice')} hint={t('voiceHint')}>
        {(className) => (
          <select
            className={className}
            value={settings.voice ?? ''}
            onChange={(event) => setting(editing, 'voice', event.target.value || null)}
          >
            <option value="">{t('voiceDefault')}</option>
            {voices.map((voice) => (
              <option key={voice}>{voice}</option>
            ))}
          </select>
        )}
      </Field>
    </Panel>
  )
}

function Reaching({ editing, settings }: Part) {
  const t = useTranslations('receptionist')
  return (
    <Panel title={t('reaching')}>
      <Field label={t('transferNumber')} hint={t('transferHint')}>
        {(className) => (
          <input
            type="tel"
            dir="ltr"
            className={className}
            value={settings.transferNumber ?? ''}
            onChange={(event) => setting(editing, 'transferNumber', event.target.value || null)}
          />
        )}
      </Field>
      <Spoken editing={editing} settings={settings} name="voicemail" hint={t('voicemailHint')} listen="voicemail" />
    </Panel>
  )
}

function After(part: Part) {
  const t = useTranslations('receptionist')
  return (
    <Panel title={t('after')}>
      <Spoken {...part} name="followUp" hint={t('followUpHint')} />
    </Panel>
  )
}
