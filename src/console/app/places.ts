import type { IconName } from '../ui/icon.tsx'

/** The screens, in the order of the navigation. */
export const PLACES = [
  { to: '/today', name: 'today', icon: 'sun' },
  { to: '/inbox', name: 'inbox', icon: 'chat' },
  { to: '/live', name: 'live', icon: 'wave' },
  { to: '/calls', name: 'calls', icon: 'phone' },
  { to: '/leads', name: 'leads', icon: 'board' },
  { to: '/contacts', name: 'contacts', icon: 'people' },
  { to: '/calendar', name: 'calendar', icon: 'calendar' },
  { to: '/payments', name: 'payments', icon: 'card' },
  { to: '/stats', name: 'stats', icon: 'chart' },
  { to: '/settings', name: 'settings', icon: 'gear' },
  { to: '/health', name: 'health', icon: 'pulse' },
] as const satisfies { to: string; name: string; icon: IconName }[]
