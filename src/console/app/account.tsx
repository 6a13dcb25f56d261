import { useQuery } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { Button } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { forgetWritten } from '../screens/composer-outbox.ts'
import { Icon } from '../ui/icon.tsx'
import { below } from './base.ts'
import { useLocale } from './i18n.tsx'
import { chooseTheme, onThemeChange, readTheme, THEMES } from './theme.ts'
import { query } from './trpc.ts'

/** Business, language, theme, sign-out. */
export function Account({ className }: { className: string }) {
  const t = useTranslations('nav')
  const { locale, setLocale } = useLocale()
  const me = useQuery(query('account.me'))
  const theme = useSyncExternalStore(onThemeChange, readTheme)
  const businesses = me.data?.businesses ?? []
  return (
    <div className={`flex-col gap-2 text-sm ${className}`}>
      {businesses.length > 1 && (
        <label className="flex flex-col gap-1 text-muted">
          {t('business')}
          <select
            className="rounded-lg border border-line bg-surface px-2 py-1 text-ink"
            value={me.data?.businessId}
            onChange={(event) => {
              localStorage.setItem('business', event.target.value)
              location.assign(below('/console'))
            }}
          >
            {businesses.map(({ businessId, businessName }) => (
              <option key={businessId} value={businessId}>
                {businessName}
              </option>
            ))}
          </select>
        </label>
      )}
      <div className="flex gap-2">
        <Button
          className="rounded-lg border border-line px-2 py-1 hover:bg-raised"
          onPress={() => setLocale(locale === 'he' ? 'en' : 'he')}
        >
          <span lang={locale === 'he' ? 'en' : 'he'}>{t('language')}</span>
        </Button>
        <Button
          className="rounded-lg border border-line px-2 py-1 hover:bg-raised"
          aria-label={t('themeIs', { theme: t(theme) })}
          onPress={() => chooseTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system')}
        >
          <Icon name="theme" />
        </Button>
      </div>
      {me.data?.user && (
        <form
          method="post"
          action={below('/admin/logout')}
          onSubmit={forgetWritten}
          className="flex items-center gap-2"
        >
          <bdi className="min-w-0 flex-1 truncate text-muted">{me.data.user.name || me.data.user.email}</bdi>
          <button type="submit" className="rounded-lg border border-line px-2 py-1 hover:bg-raised">
            {t('signOut')}
          </button>
        </form>
      )}
    </div>
  )
}
