import { type ComponentType, lazy } from 'react'
import type { Role } from './access.ts'

/**
 * A part of the settings: the role that sees it, and its screen, which is loaded when it is opened. What a screen is made of is not part
 * of this type: screens use that of the router, which has the names of the parts.
 */
function part(needs: Role, name: string, load: () => Promise<object>) {
  const screen = async () => {
    const found: unknown = Reflect.get(await load(), name)
    if (typeof found !== 'function') throw new Error(`There is no ${name}.`)
    return { default: found as ComponentType }
  }
  return { needs, Part: lazy(screen) }
}

/** The parts, in their order; their names are `settings.*` of the messages. */
export const SETTINGS_PARTS = {
  business: part('viewer', 'BusinessSettings', () => import('../screens/settings-business.tsx')),
  receptionist: part('viewer', 'ReceptionistSettings', () => import('../screens/settings-receptionist.tsx')),
  services: part('viewer', 'ServiceSettings', () => import('../screens/settings/services.tsx')),
  staff: part('viewer', 'StaffSettings', () => import('../screens/settings/staff.tsx')),
  bookingPage: part('viewer', 'BookingPageSettings', () => import('../screens/settings/booking-page.tsx')),
  calendars: part('viewer', 'CalendarSettings', () => import('../screens/settings/calendars.tsx')),
  reminders: part('viewer', 'ReminderSettings', () => import('../screens/settings/reminders.tsx')),
  assistant: part('viewer', 'AgentSettings', () => import('../screens/settings/agent.tsx')),
  sources: part('viewer', 'SourceSettings', () => import('../screens/settings/sources.tsx')),
  knowledge: part('viewer', 'KnowledgeSettings', () => import('../screens/settings/knowledge.tsx')),
  catalogue: part('viewer', 'CatalogueSettings', () => import('../screens/settings/catalogue.tsx')),
  whatsapp: part('viewer', 'WhatsAppSettings', () => import('../screens/settings-whatsapp.tsx')),
  numbers: part('viewer', 'NumberSettings', () => import('../screens/settings-numbers.tsx')),
  notifications: part('viewer', 'NotificationSettings', () => import('../screens/settings/notifications.tsx')),
  team: part('viewer', 'TeamSettings', () => import('../screens/settings-team.tsx')),
  keys: part('manager', 'KeySettings', () => import('../screens/settings/keys.tsx')),
  providers: part('owner', 'ProviderSettings', () => import('../screens/settings/providers.tsx')),
  models: part('owner', 'ModelSettings', () => import('../screens/settings/models.tsx')),
  webhooks: part('manager', 'WebhookSettings', () => import('../screens/settings/webhooks.tsx')),
  privacy: part('viewer', 'PrivacySettings', () => import('../screens/settings/privacy.tsx')),
  audit: part('manager', 'AuditSettings', () => import('../screens/settings/audit.tsx')),
  usage: part('manager', 'UsageSettings', () => import('../screens/settings/usage.tsx')),
  account: part('viewer', 'AccountSettings', () => import('../screens/settings/account.tsx')),
}

export type SettingsPart = keyof typeof SETTINGS_PARTS
export const SETTINGS_NAMES = Object.keys(SETTINGS_PARTS) as SettingsPart[]
