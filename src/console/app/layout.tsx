import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react'
import { Button } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { followOutbox, forgetWritten, ownerOf } from '../screens/composer-outbox.ts'
import { SetupBanner } from '../screens/setup-banner.tsx'
import { Icon } from '../ui/icon.tsx'
import { useActions, useKeys } from './actions.ts'
import { BASE, below } from './base.ts'
import { followEvents, isOnline, onOnlineChange } from './events.ts'
import { useLocale } from './i18n.tsx'
import { PLACES } from './places.ts'
import { chooseTheme, onThemeChange, readTheme, THEMES } from './theme.ts'
import { query, statusOf } from './trpc.ts'

// Loaded when first needed: the first page does without them.
const CommandBar = lazy(async () => ({ default: (await import('./command-bar.tsx')).CommandBar }))
const KeyList = lazy(async () => ({ default: (await import('./command-bar.tsx')).KeyList }))
const Notices = lazy(async () => ({ default: (await import('../ui/notices.tsx')).Notices }))

/** The frame of every screen: navigation beside it, below it on a phone. */
export function Layout() {
  const t = useTranslations()
  const me = useQuery(query('account.me'))
  const online = useSyncExternalStore(onOnlineChange, isOnline)
  const place = useLocation({ select: ({ pathname }) => pathname })
  const status = statusOf(me.error)
  const { locale } = useLocale()
  useEffect(() => {
    // The business that was chosen before is not this member's any more.
    if ((status === 403 || status === 404) && localStorage.getItem('business')) {
      localStorage.removeItem('business')
      location.reload()
    }
    if (status === 401) {
      const next = location.pathname.slice(BASE.length) + location.search
      location.assign(`${below('/admin/login')}?${new URLSearchParams({ lang: locale, next })}`)
    }
  }, [status, locale])
  const businessId = me.data?.businessId
  useEffect(() => (businessId ? followEvents(businessId) : undefined), [businessId])
  const owner = ownerOf(me.data)
  useEffect(() => (owner ? followOutbox(owner) : undefined), [owner])
  const [over, setOver] = useState<'commands' | 'keys' | null>(null)
  useKeys(() => setOver('commands'))
  // Letters that are typed right after Ctrl-K must not be lost.
  useEffect(() => void setTimeout(() => void import('./command-bar.tsx'), 2_000), [])
  useActions([{ id: 'keys', label: t('commands.keys'), key: '?', run: () => setOver('keys') }])
  if (status === 401) return null
  return (
    <div className="flex h-full flex-col md:flex-row">
      <a href="#main" className="sr-only bg-surface p-3 focus:not-sr-only">
        {t('nav.skip')}
      </a>
      <nav
        aria-label={t('nav.menu')}
        className="order-last flex shrink-0 border-line border-t bg-surface md:order-first md:w-52 md:flex-col md:border-t-0 md:border-e"
      >
        <div className="hidden px-4 pt-5 pb-3 font-bold text-lg md:block">AgentLocator</div>
        <ul className="flex flex-1 overflow-x-auto md:flex-none md:flex-col md:gap-1 md:p-2">
          {PLACES.filter(({ to }) => to !== '/health' || me.data?.operator).map(({ to, name, icon }) => (
            <li key={to} className="min-w-[4.2rem] flex-1 md:flex-none">
              <Link
                to={to}
                className="flex flex-col items-center gap-1 rounded-lg px-2 py-2 text-muted text-xs hover:bg-raised md:flex-row md:gap-3 md:px-3 md:text-base"
                activeProps={{ className: 'bg-accent-soft font-semibold !text-ink', 'aria-current': 'page' }}
              >
                <Icon name={icon} />
                {t(`nav.${name}`)}
              </Link>
            </li>
          ))}
        </ul>
        <Button
          className="mx-2 hidden items-center gap-3 rounded-lg border border-line px-3 py-2 text-muted hover:bg-raised md:flex"
          onPress={() => setOver('commands')}
        >
          <Icon name="search" />
          {t('commands.find')}
          <kbd dir="ltr" className="ms-auto whitespace-nowrap font-sans text-xs">
            Ctrl K
          </kbd>
        </Button>
        <Account className="mt-auto hidden p-3 md:flex" />
      </nav>
      <main id="main" tabIndex={-1} className="flex min-h-0 min-w-0 flex-1 flex-col outline-none">
        {!online && (
          <div role="status" className="bg-warn-soft px-4 py-2 text-sm text-warn">
            {t('nav.offline')}
          </div>
        )}
        {place === '/today' && <SetupBanner />}
        <Outlet />
      </main>
      <Suspense>
        {over === 'commands' && <CommandBar onClose={() => setOver(null)} />}
        {over === 'keys' && <KeyList onClose={() => setOver(null)} />}
        <Notices />
      </Suspense>
    </div>
  )
}

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
