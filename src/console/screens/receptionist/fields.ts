import type { useTranslations } from 'use-intl'
import { isSame } from '../../../lib/merge.ts'
import { WEEKDAYS } from '../../../lib/weekdays.ts'
import type { Content, Settings } from './draft.ts'

type Translate = ReturnType<typeof useTranslations<'receptionist'>>
type Span = { from: string; to: string }

export const LANGUAGES = ['he', 'en'] as const
export type Language = (typeof LANGUAGES)[number]
export const SPOKEN = ['greeting', 'consentNotice', 'voicemail', 'followUp'] as const

/** The week by number of the day; a day that is missing is closed. */
export const weekOf = (settings: Settings): Record<string, Span[] | undefined> => settings.hours.week

export const inLanguage = (t: Translate, field: string, language: Language) =>
  t(language === 'he' ? 'inHebrew' : 'inEnglish', { field })

/** Every field of the content as text, by its path. */
function textsOf(t: Translate, { settings, texts }: Content): Map<string, string> {
  const fields = new Map<string, string>([
    ['instructions', settings.instructions],
    ['voice', settings.voice ?? ''],
    ['languages', settings.languages.map((each) => t(each === 'he' ? 'hebrew' : 'english')).join(', ')],
    ['appointmentMinutes', String(settings.appointmentMinutes)],
    ['transferNumber', settings.transferNumber ?? ''],
    ['holidays', settings.hours.holidays.join(', ')],
  ])
  for (const name of SPOKEN)
    for (const language of LANGUAGES) fields.set(`${name}.${language}`, settings[name][language] ?? '')
  for (const [number, day] of WEEKDAYS.entries()) {
    const spans = weekOf(settings)[String(number)] ?? []
    fields.set(`week.${day}`, spans.map(({ from, to }) => `${from}–${to}`).join(', '))
  }
  for (const { title, body } of texts) fields.set(`texts.${title}`, body)
  return fields
}

export type Change = { path: string; before: string; after: string }

/** The fields that differ, in the order of the form. */
export function changesBetween(t: Translate, before: Content, after: Content): Change[] {
  if (isSame(before, after)) return []
  const [was, is] = [textsOf(t, before), textsOf(t, after)]
  return [...new Set([...is.keys(), ...was.keys()])].flatMap((path) => {
    const change = { path, before: was.get(path) ?? '', after: is.get(path) ?? '' }
    return change.before === change.after ? [] : [change]
  })
}

/** The name of a field as the form has it. Paths may begin as the server writes them. */
export function labelOf(t: Translate, path: string): string {
  const [name = '', ...rest] = path.replace(/^settings\.(hours\.)?/, '').split('.')
  const below = rest.join('.')
  if (name === 'texts') return t('text', { title: below })
  if (name === 'week') {
    const day = WEEKDAYS.find((each, number) => each === below || String(number) === below)
    return day ? `${t('hours')}: ${t(day)}` : t('hours')
  }
  const spoken = SPOKEN.find((each) => each === name)
  if (spoken) return below === 'he' || below === 'en' ? inLanguage(t, t(spoken), below) : t(spoken)
  const plain = PLAIN.find((each) => each === name)
  return plain ? t(plain) : name
}

const PLAIN = ['instructions', 'voice', 'languages', 'appointmentMinutes', 'transferNumber', 'holidays'] as const
