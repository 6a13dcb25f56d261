import { getRouteApi, Link } from '@tanstack/react-router'
import { Suspense, useEffect, useRef } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { SETTINGS_NAMES, SETTINGS_PARTS } from '../app/settings-parts.ts'
import { Heading } from '../ui/states.tsx'

const route = getRouteApi('/settings')

export function Settings() {
  const t = useTranslations('settings')
  const state = useTranslations('state')
  const { part } = route.useSearch()
  const { may, isKnown } = useAccess()
  const { Part } = SETTINGS_PARTS[part]
  const current = useRef<HTMLAnchorElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: another part is another place in the row
  useEffect(() => {
    // Newer browsers answer a promise, which is no cleanup.
    void current.current?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [part])
  return (
    <>
      <Heading>{t('title')}</Heading>
      <div className="flex min-h-0 flex-1 flex-col md:flex-row">
        <nav
          aria-label={t('tabs')}
          className="flex shrink-0 gap-1 overflow-x-auto border-line border-b bg-surface px-3 py-2 md:w-44 md:flex-col md:gap-0.5 md:border-e md:border-b-0"
        >
          {SETTINGS_NAMES.filter((name) => may(SETTINGS_PARTS[name].needs)).map((name) => (
            <Link
              key={name}
              ref={part === name ? current : undefined}
              to="/settings"
              search={{ part: name }}
              aria-current={part === name ? 'page' : undefined}
              className="shrink-0 whitespace-nowrap rounded-full px-3 py-1 text-muted md:py-0.5 hover:bg-raised aria-[current=page]:bg-accent-soft aria-[current=page]:text-ink"
            >
              {t(name)}
            </Link>
          ))}
        </nav>
        <div className="relative flex min-h-0 min-w-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
          <Suspense fallback={<p role="status">{state('loading')}</p>}>
            {isKnown && !may(SETTINGS_PARTS[part].needs) ? <p role="alert">{state('forbidden')}</p> : <Part />}
          </Suspense>
        </div>
      </div>
    </>
  )
}
