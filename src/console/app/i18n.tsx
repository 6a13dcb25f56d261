import { useQuery } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { I18nProvider } from 'react-aria-components'
import { IntlProvider } from 'use-intl'
import type { messages as he } from '../messages/he/index.ts'
import { query } from './trpc.ts'

export type Locale = 'he' | 'en'

/** How dates, times and numbers are written: the clock has 24 hours, and the day comes before the month. */
const FORMATS = { he: 'he-IL', en: 'en-IL' } as const

declare module 'use-intl' {
  interface AppConfig {
    Locale: (typeof FORMATS)[Locale]
    Messages: typeof he
  }
}

const LOADERS = { he: () => import('../messages/he/index.ts'), en: () => import('../messages/en/index.ts') }
const LocaleContext = createContext<{ locale: Locale; setLocale(locale: Locale): void }>({
  locale: 'he',
  setLocale() {},
})
export const useLocale = () => useContext(LocaleContext)

/** The language of this member: chosen before, else the one the shell was written in. */
function initialLocale(): Locale {
  const stored = localStorage.getItem('locale') ?? document.documentElement.lang
  return stored === 'en' ? 'en' : 'he'
}

/** @param timeZone used until the business's own is known */
export function Localized({ timeZone, children }: { timeZone: string; children: ReactNode }) {
  const [locale, setLocale] = useState(initialLocale)
  const business = useQuery(query('businesses.get'))
  const [messages, setMessages] = useState<{ locale: Locale; texts: typeof he } | null>(null)
  const [isMissing, setMissing] = useState(false)
  useEffect(() => {
    let current = true
    void LOADERS[locale]().then(
      ({ messages: texts }) => {
        if (current) setMessages({ locale, texts: texts as typeof he })
      },
      () => setMissing(true),
    )
    return () => {
      current = false
    }
  }, [locale])
  useEffect(() => {
    document.documentElement.lang = locale
    document.documentElement.dir = locale === 'he' ? 'rtl' : 'ltr'
    localStorage.setItem('locale', locale)
  }, [locale])
  if (!messages) return isMissing ? <NoTexts /> : null
  return (
    <LocaleContext value={{ locale, setLocale }}>
      <I18nProvider locale={FORMATS[locale]}>
        <IntlProvider
          locale={FORMATS[messages.locale]}
          messages={messages.texts}
          timeZone={business.data?.timezone ?? timeZone}
        >
          {children}
        </IntlProvider>
      </I18nProvider>
    </LocaleContext>
  )
}

/** The texts of the console could not be fetched: these are in the page. */
const NoTexts = () => (
  <div role="alert" className="flex flex-col gap-3 p-6">
    <p lang="he" dir="rtl">
      אין קשר עם השרת. <a href={location.href}>לנסות שוב</a>
    </p>
    <p lang="en" dir="ltr">
      The server cannot be reached. <a href={location.href}>Try again</a>
    </p>
  </div>
)
