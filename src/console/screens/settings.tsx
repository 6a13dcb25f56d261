import { getRouteApi, Link } from '@tanstack/react-router'
import { type ComponentType, lazy, Suspense, useEffect, useRef } from 'react'
import { useTranslations } from 'use-intl'
import { useAccess } from '../app/access.ts'
import { Account } from '../app/layout.tsx'
import { Heading } from '../ui/states.tsx'
import { BusinessSettings } from './settings-business.tsx'
import { NumberSettings } from './settings-numbers.tsx'
import { ReceptionistSettings } from './settings-receptionist.tsx'
import { TeamSettings } from './settings-team.tsx'
import { WhatsAppSettings } from './settings-whatsapp.tsx'

const route = getRouteApi('/settings')

/** The parts, in their order, with the role that sees them. */
const PARTS = {
  business: { needs: 'viewer', Part: BusinessSettings },
  receptionist: { needs: 'viewer', Part: ReceptionistSettings },
  whatsapp: { needs: 'viewer', Part: WhatsAppSettings },
  numbers: { needs: 'viewer', Part: NumberSettings },
  notifications: {
    needs: 'viewer',
    Part: lazy(() => import('./settings/notifications.tsx').then(only('NotificationSettings'))),
  },
  team: { needs: 'viewer', Part: TeamSettings },
  keys: { needs: 'manager', Part: lazy(() => import('./settings/keys.tsx').then(only('KeySettings'))) },
  providers: { needs: 'owner', Part: lazy(() => import('./settings/providers.tsx').then(only('ProviderSettings'))) },
  webhooks: { needs: 'manager', Part: lazy(() => import('./settings/webhooks.tsx').then(only('WebhookSettings'))) },
  privacy: { needs: 'viewer', Part: lazy(() => import('./settings/privacy.tsx').then(only('PrivacySettings'))) },
  audit: { needs: 'manager', Part: lazy(() => import('./settings/audit.tsx').then(only('AuditSettings'))) },
  usage: { needs: 'manager', Part: lazy(() => import('./settings/usage.tsx').then(only('UsageSettings'))) },
  account: { needs: 'viewer', Part: lazy(() => import('./settings/account.tsx').then(only('AccountSettings'))) },
} as const
export type SettingsPart = keyof typeof PARTS
const NAMES = Object.keys(PARTS) as SettingsPart[]

function only<N extends string>(name: N) {
  return (module: { [K in N]: ComponentType }) => ({ default: module[name] })
}

export function Settings() {
  const t = useTranslations('settings')
  const state = useTranslations('state')
  const { part } = route.useSearch()
  const { may } = useAccess()
  const { Part } = PARTS[part]
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
          className="flex shrink-0 gap-1 overflow-x-auto border-line border-b bg-surface px-3 py-2 md:w-44 md:flex-col md:border-e md:border-b-0"
        >
          {NAMES.filter((name) => may(PARTS[name].needs)).map((name) => (
            <Link
              key={name}
              ref={part === name ? current : undefined}
              to="/settings"
              search={{ part: name }}
              aria-current={part === name ? 'page' : undefined}
              className="shrink-0 whitespace-nowrap rounded-full px-3 py-1 text-muted hover:bg-raised aria-[current=page]:bg-accent-soft aria-[current=page]:text-ink"
            >
              {t(name)}
            </Link>
          ))}
        </nav>
        <div className="flex min-h-0 min-w-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
          <Suspense fallback={<p role="status">{state('loading')}</p>}>
            <Part />
          </Suspense>
          <Account className="flex md:hidden" />
        </div>
      </div>
    </>
  )
}
