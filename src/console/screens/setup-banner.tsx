import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslations } from 'use-intl'
import { SETUP_STEPS } from '../app/parts.ts'
import { leaveSetup, setupLeft, useSetup } from '../app/setup.ts'
import { Act } from '../ui/buttons.tsx'

/** Above Today while callers cannot reach the business yet, or hear a name that is none: how far the setup is, and the way on. */
export function SetupBanner() {
  const t = useTranslations('setup')
  const [left, setLeft] = useState(setupLeft)
  const done = useSetup()
  if (left || !done || (done.business && done.number && done.test)) return null
  const count = SETUP_STEPS.filter((step) => done[step]).length
  return (
    <aside
      aria-label={t('title')}
      className="flex shrink-0 flex-wrap items-center gap-3 border-line border-b bg-accent-soft px-4 py-2"
    >
      <span className="min-w-0 flex-1">{t('progress', { count: String(count), of: String(SETUP_STEPS.length) })}</span>
      <Link
        to="/setup"
        search={{ step: SETUP_STEPS.find((step) => !done[step]) ?? 'business' }}
        className="rounded-lg bg-accent px-3 py-1.5 text-accent-ink"
      >
        {t('goOn')}
      </Link>
      <Act
        look="quiet"
        onPress={() => {
          leaveSetup()
          setLeft(true)
        }}
      >
        {t('later')}
      </Act>
    </aside>
  )
}
