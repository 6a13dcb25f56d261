import { useQuery } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useState } from 'react'
import { I18nProvider } from 'react-aria-components'
import { IntlProvider } from 'use-intl'
import type { messages as he } from '../messages/he/index.ts'
import { query } from './trpc.ts'

export type Locale = 'he' | 'en'

declare module 'use-intl' {
  interface AppConfig {
    Locale: Locale
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
  useEffect(() => {
    let current = true
    void LOADERS[locale]().then(({ messages: texts }) => {
      if (current) setMessages({ locale, texts: texts as typeof he })
    })
    return () => {
      current = false
    }
  }, [locale])
  useEffect(() => {
    document.documentElement.lang = locale
    document.documentElement.dir = locale === 'he' ? 'rtl' : 'ltr'
    localStorage.setItem('locale', locale)
  }, [locale])
  if (!messages) return null
  return (
    <LocaleContext value={{ locale, setLocale }}>
      <I18nProvider locale={locale === 'he' ? 'he-IL' : 'en-IL'}>
        <IntlProvider locale={messages.locale} messages={messages.texts} timeZone={business.data?.timezone ?? timeZone}>
          {children}
        </IntlProvider>
      </I18nProvider>
    </LocaleContext>
  )
}
