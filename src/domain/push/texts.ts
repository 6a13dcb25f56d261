import type { PUSH_KINDS } from '../../../db/schema/index.ts'

type Language = 'he' | 'en'
export type NotificationKind = (typeof PUSH_KINDS)[number] | 'test'

const TITLES: Record<Language, Record<NotificationKind, string>> = {
  he: {
    missed_call: 'שיחה שלא נענתה',
    voicemail: 'הודעה קולית חדשה',
    lead: 'ליד חדש',
    message: 'הודעה חדשה אליך',
    test: 'ההתראות פועלות',
  },
  en: {
    missed_call: 'Missed call',
    voicemail: 'New voicemail',
    lead: 'New lead',
    message: 'New message for you',
    test: 'Notifications work',
  },
}
const WITHHELD: Record<Language, string> = { he: 'מספר חסוי', en: 'Withheld number' }

/** What a service worker shows. `url` is relative to the console. */
export type Notification = { title: string; body: string; lang: Language; dir: 'rtl' | 'ltr'; tag: string; url: string }

/** @param content.who a name or a number; null for a withheld one @param content.text only where the business wants it */
export function notificationOf(
  language: Language,
  content: { kind: NotificationKind; tag: string; who: string | null; text: string | null; url: string },
): Notification {
  const { kind, tag, who, text, url } = content
  const name = kind === 'test' ? '' : who?.trim() || WITHHELD[language]
  return {
    title: TITLES[language][kind],
    body: [name, text?.trim() ?? ''].filter((line) => line !== '').join('\n'),
    lang: language,
    dir: language === 'he' ? 'rtl' : 'ltr',
    tag,
    url,
  }
}
