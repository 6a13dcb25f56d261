import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useTranslations } from 'use-intl'
import { Account } from '../app/layout.tsx'
import { Heading } from '../ui/states.tsx'
import { BusinessSettings } from './settings-business.tsx'
import { NotificationSettings } from './settings-notifications.tsx'
import { NumberSettings } from './settings-numbers.tsx'
import { ReceptionistSettings } from './settings-receptionist.tsx'
import { TeamSettings } from './settings-team.tsx'
import { WhatsAppSettings } from './settings-whatsapp.tsx'

const route = getRouteApi('/settings')
const PARTS = {
  business: BusinessSettings,
  receptionist: ReceptionistSettings,
  whatsapp: WhatsAppSettings,
  numbers: NumberSettings,
  notifications: NotificationSettings,
  team: TeamSettings,
} as const
const NAMES = ['business', 'receptionist', 'whatsapp', 'numbers', 'notifications', 'team'] as const

export function Settings() {
  const t = useTranslations('settings')
  const { part } = route.useSearch()
  const navigate = useNavigate({ from: '/settings' })
  const Part = PARTS[part]
  return (
    <>
      <Heading>{t('title')}</Heading>
      <nav aria-label={t('tabs')} className="flex shrink-0 flex-wrap gap-1 border-line border-b bg-surface px-3 py-2">
        {NAMES.map((name) => (
          <button
            key={name}
            type="button"
            aria-current={part === name ? 'page' : undefined}
            onClick={() => void navigate({ search: { part: name } })}
            className="rounded-full px-3 py-1 text-muted hover:bg-raised aria-[current=page]:bg-accent-soft aria-[current=page]:text-ink"
          >
            {t(name)}
          </button>
        ))}
      </nav>
      <div className="flex min-h-0 flex-1 flex-col gap-4 overflow-y-auto p-4">
        <Part />
        <Account className="flex md:hidden" />
      </div>
    </>
  )
}
