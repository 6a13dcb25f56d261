import { type UseQueryResult, useQuery } from '@tanstack/react-query'
import { Outlet, useLocation } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useState, useSyncExternalStore } from 'react'
import { Button } from 'react-aria-components'
import { useTranslations } from 'use-intl'
import { followOutbox, ownerOf } from '../screens/composer-outbox.ts'
import { SetupBanner } from '../screens/setup-banner.tsx'
import { Icon } from '../ui/icon.tsx'
import { Heading, Loaded } from '../ui/states.tsx'
import { Account } from './account.tsx'
import { useActions, useKeys } from './actions.ts'
import { leaveBusiness, seeAlert } from './alert-link.ts'
import { BASE, below, chosenBusiness } from './base.ts'
import { errorTexts } from './errors.ts'
import { followEvents, isOnline, onOnlineChange } from './events.ts'
import { useLocale } from './i18n.tsx'
import { PLACE_LOOK, PlaceLink } from './place-link.tsx'
import { isAlways, PLACES } from './places.ts'
import { type Out, query, queryClient, statusOf } from './trpc.ts'

// Loaded when first needed: the first page does without them.
const CommandBar = lazy(async () => ({ default: (await import('./command-bar.tsx')).CommandBar }))
const KeyList = lazy(async () => ({ default: (await import('./command-bar.tsx')).KeyList }))
const MorePlaces = lazy(async () => ({ default: (await import('./more-places.tsx')).MorePlaces }))
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
    if ((status === 403 || status === 404) && chosenBusiness()) leaveBusiness()
    if (status === 401) {
      const next = location.pathname.slice(BASE.length) + location.search
      location.assign(`${below('/admin/login')}?${new URLSearchParams({ lang: locale, next })}`)
    }
  }, [status, locale])
  const businessId = me.data?.businessId
  useEffect(() => (businessId ? followEvents(businessId) : undefined), [businessId])
  useEffect(() => {
    if (businessId) void seeAlert()
  }, [businessId])
  const owner = ownerOf(me.data)
  useEffect(() => (owner ? followOutbox(owner) : undefined), [owner])
  const [over, setOver] = useState<'commands' | 'keys' | 'more' | null>(null)
  useKeys(() => setOver('commands'))
  // Letters that are typed right after Ctrl-K must not be lost.
  // And what an error means must be said even when the server is gone by then.
  useEffect(
    () =>
      void setTimeout(() => {
        void import('./command-bar.tsx')
        void import('./more-places.tsx')
        void queryClient.prefetchQuery(errorTexts(locale))
      }, 2_000),
    [locale],
  )
  useActions([{ id: 'keys', label: t('commands.keys'), key: '?', run: () => setOver('keys') }])
  const places = PLACES.filter(({ to }) => to !== '/health' || me.data?.operator)
  const more = places.filter((each) => !isAlways(each))
  const isBehindMore = more.some(({ to }) => place === to || place.startsWith(`${to}/`))
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
        <ul className="flex flex-1 md:flex-none md:flex-col md:gap-1 md:p-2">
          {places.map((each) => (
            <li key={each.to} className={isAlways(each) ? 'min-w-0 flex-1 md:flex-none' : 'hidden md:block'}>
              <PlaceLink place={each} />
            </li>
          ))}
          <li className="min-w-0 flex-1 md:hidden">
            <Button
              className={`${PLACE_LOOK} ${isBehindMore ? 'bg-accent-soft font-semibold !text-ink' : ''}`}
              aria-haspopup="dialog"
              aria-current={isBehindMore ? 'true' : undefined}
              onPress={() => setOver('more')}
            >
              <Icon name="more" />
              {t('nav.more')}
            </Button>
          </li>
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
        {me.isError && !me.data ? <Unknown me={me} /> : <Outlet />}
      </main>
      <Suspense>
        {over === 'commands' && <CommandBar onClose={() => setOver(null)} />}
        {over === 'more' && <MorePlaces places={more} onClose={() => setOver(null)} />}
        {over === 'keys' && <KeyList onClose={() => setOver(null)} />}
        <Notices />
      </Suspense>
    </div>
  )
}

/** Without knowing who this is, a screen would say that everything is forbidden. */
function Unknown({ me }: { me: UseQueryResult<Out<'account.me'>> }) {
  const t = useTranslations('state')
  return (
    <>
      <Heading>{t('broken')}</Heading>
      <Loaded of={me}>{() => null}</Loaded>
    </>
  )
}
